import json
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from maton_posthog.schemas.base import Id, InAccount, InProject, Input, Page, Person, View


class Inner(BaseModel):
    key: str


type Names = list[str]


class Everything(InProject):
    identifier: Id | None = None
    names: Names | None = None
    either: list[str] | str | None = None
    inner: Inner | None = None
    inners: list[Inner] | None = None
    anything: dict[str, Any] | None = None
    free: Any = None
    chosen: Annotated[Literal["a", "b"], Field()] = "a"
    flag: bool | None = None


def accepted(**arguments: Any) -> dict[str, Any]:
    return Everything.model_validate(arguments).model_dump(exclude_unset=True)


@pytest.mark.parametrize("project_id", [136209, "136209", 136209.0])
def test_a_project_id_can_be_a_number_or_its_text(project_id: Any) -> None:
    assert accepted(project_id=project_id) == {"project_id": 136209}


@pytest.mark.parametrize("project_id", [0, -1, 1.5, True, False, "x", " ", "@me", 2**63, [], {}, "1e3", "0x1"])
def test_an_invalid_project_id_is_rejected(project_id: Any) -> None:
    with pytest.raises(ValidationError):
        accepted(project_id=project_id)


@pytest.mark.parametrize("flag", [True, "true", 1, "1"])
def test_a_boolean_can_be_sent_as_text(flag: Any) -> None:
    assert accepted(flag=flag) == {"flag": True}


@pytest.mark.parametrize("empty", [None, ""])
def test_null_and_an_empty_text_mean_absent(empty: str | None) -> None:
    arguments = dict.fromkeys(["project_id", "names", "inner", "chosen", "flag"], empty)
    assert Everything.model_validate(arguments) == Everything()
    assert Everything.model_validate(arguments).model_fields_set == set()


@pytest.mark.parametrize("value", [1, None])
def test_an_unknown_argument_is_rejected_even_if_null(value: Any) -> None:
    with pytest.raises(ValidationError, match="projectid"):
        accepted(projectid=value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("names", ["a", "b"]),
        ("inner", {"key": "a"}),
        ("inners", [{"key": "a"}]),
        ("anything", {"deep": [1, {"x": None}]}),
    ],
)
def test_a_list_or_object_can_be_sent_as_json_text(name: str, value: Any) -> None:
    assert accepted(**{name: json.dumps(value)}) == accepted(**{name: value}) == {name: value}


@pytest.mark.parametrize("text", ['["a"]', "{}", "null", "5"])
def test_json_stays_text_in_fields_that_accept_text(text: str) -> None:
    assert accepted(either=text) == {"either": text}
    assert accepted(free=text) == {"free": text}


@pytest.mark.parametrize("text", ["not json", " ", "[", "[" * 100_000, "5", '"a"', "9" * 5000])
def test_text_that_is_not_json_of_the_right_shape_is_rejected(text: str) -> None:
    for name in ("names", "inner", "inners", "anything"):
        with pytest.raises(ValidationError):
            accepted(**{name: text})


def test_arguments_that_are_not_an_object_are_rejected() -> None:
    values: list[Any] = [None, [], "x", 5]
    for value in values:
        with pytest.raises(ValidationError):
            Everything.model_validate(value)


@given(st.dictionaries(st.sampled_from(list(Everything.model_fields)), st.text() | st.integers() | st.none()))
def test_validation_errors_do_not_show_the_arguments(arguments: dict[str, Any]) -> None:
    try:
        Everything.model_validate(arguments)
    except ValidationError as error:
        shown = str(error)
    else:
        return
    assert "input_value" not in shown


@pytest.mark.parametrize("limit", [0, 101, -1, True, "x", 1.5])
def test_a_page_has_1_to_100_rows(limit: Any) -> None:
    with pytest.raises(ValidationError):
        Page(limit=limit)
    assert (Page().limit, Page().offset, Page(limit=100, offset=1_000_000).limit) == (20, 0, 100)


@pytest.mark.parametrize("offset", [-1, 1_000_001, True])
def test_an_offset_is_bounded(offset: Any) -> None:
    with pytest.raises(ValidationError):
        Page(offset=offset)


@pytest.mark.parametrize(
    "connection_id", ["short", "x" * 65, "a b c d e", "0b6f7a52\n", "0b6f7a52é", "../../../x", 1234567, True]
)
def test_an_invalid_connection_id_is_rejected(connection_id: Any) -> None:
    with pytest.raises(ValidationError):
        InAccount(connection_id=connection_id)


def test_inputs_are_immutable() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Everything().flag = True


def test_a_view_shows_only_the_fields_it_lists() -> None:
    shown = Person.model_validate({"first_name": "Ann", "email": None, "password": "x"})
    assert shown.model_dump(exclude_none=True) == {"first_name": "Ann"}
    assert issubclass(Person, View)
    assert issubclass(Page, Input)
