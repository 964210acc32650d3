from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, Field, ValidationError, model_validator

from maton_posthog.gateway.errors import Refused
from maton_posthog.schemas.analytics.queries import QueryTrends
from maton_posthog.schemas.base import Id, InProject, forms
from maton_posthog.server.arguments import invalid_arguments, reject_flood
from maton_posthog.tools.operations import OPERATIONS


class Tool(InProject):
    flag_id: Id
    search: str | None = None
    limit: int = Field(default=20, ge=1, le=100)
    active: bool | None = None
    kind: Literal["one", "two"] | None = None
    either: bool | Literal["STALE"] | None = None
    tags: list[str] | None = None
    name: str = Field(default="x", min_length=1, max_length=5)
    steps: list[str] = Field(default=["a", "b"], min_length=2, max_length=3)
    events: Annotated[list[str], AfterValidator(list)] = Field(default=["a"], min_length=1)

    @model_validator(mode="after")
    def _not_both(self) -> "Tool":
        if self.search and self.tags:
            raise ValueError("give search or tags, not both.")
        return self


NAMES = ["flag_id", "search", "limit", "active", "kind", "tags", "name", "project_id", "connection_id"]


def refusal(**arguments: Any) -> Refused:
    with pytest.raises(ValidationError) as error:
        Tool.model_validate(arguments)
    return invalid_arguments("get_tool", error.value, NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "get_tool: flag_id is required."),
        ({"flag_id": None}, "get_tool: flag_id is required."),
        ({"flag_id": 0}, "get_tool: flag_id: must be greater than or equal to 1."),
        ({"flag_id": True}, "get_tool: flag_id: must be a number."),
        ({"flag_id": 1, "limit": 101}, "get_tool: limit: must be less than or equal to 100."),
        ({"flag_id": 1, "kind": "three"}, "get_tool: kind: must be 'one' or 'two'."),
        ({"flag_id": 1, "name": "abcdef"}, "get_tool: name: must have at most 5 characters."),
        ({"flag_id": 1, "steps": ["a"]}, "get_tool: steps: must have at least 2 items, not 1."),
        ({"flag_id": 1, "steps": ["a"] * 4}, "get_tool: steps: must have at most 3 items."),
        ({"flag_id": 1, "events": []}, "get_tool: events: must have at least 1 item, not 0."),
        ({"flag_id": 1, "tags": "a"}, "get_tool: tags: must be a valid list."),
        ({"flag_id": 1, "tags": ["a", 0.5]}, "get_tool: tags.1: must be a valid string."),
        ({"flag_id": 1, "search": "a", "tags": ["b"]}, "get_tool: give search or tags, not both."),
        ({"flag_id": 1, "serach": "a"}, "get_tool: serach is not an argument (did you mean search?)."),
        ({"flag_id": 1, "projectId": 1}, "get_tool: projectId is not an argument (did you mean project_id?)."),
        ({"flag_id": 1, "zzz": 1}, "get_tool: zzz is not an argument."),
        ({"flag_id": 1, "z" * 2000: 1}, f"get_tool: {'z' * 100} is not an argument."),
        ({"flag_id": 1, "project_id": "x"}, "get_tool: project_id: must be a valid integer or '@current'."),
        ({"flag_id": 1, "project_id": True}, "get_tool: project_id: must be a number or '@current'."),
        ({"flag_id": 1, "either": []}, "get_tool: either: must be a valid boolean or 'STALE'."),
    ],
)
def test_an_error_names_the_field_and_what_is_accepted(arguments: dict[str, Any], message: str) -> None:
    refused = refusal(**arguments)
    assert refused.message == message
    assert (refused.code, refused.outcome, refused.source) == ("invalid_argument", "not_sent", "local")


def test_the_hint_lists_the_arguments_when_one_is_missing_or_unknown() -> None:
    listed = f"Arguments of get_tool: {', '.join(NAMES)}."
    assert refusal().hint == listed
    assert refusal(flag_id=1, zzz=1).hint == listed
    assert refusal(flag_id=1, limit=0).hint is None


def test_four_problems_are_listed_and_the_rest_counted() -> None:
    refused = refusal(flag_id=0, limit=0, kind="x", name="abcdef", tags=5, active="x")
    assert refused.message.count(";") == 4
    assert refused.message.endswith("; and 2 more.")


class Nested(InProject):
    tools: list[Tool] = Field(default_factory=list[Tool])


@pytest.mark.parametrize("alike", [True, False])
@pytest.mark.parametrize("nested", [True, False])
def test_very_many_unknown_names_are_looked_up_for_the_shown_ones_only(
    monkeypatch: pytest.MonkeyPatch, alike: bool, nested: bool
) -> None:
    looked_up: list[str] = []

    def close(name: str, names: Sequence[str], **options: Any) -> list[str]:
        looked_up.append(name)
        return get_close_matches(name, names, **options)

    monkeypatch.setattr("maton_posthog.server.arguments.get_close_matches", close)
    names = {f"{'x' * 120 if alike else 'serach'}{number}": 1 for number in range(20_000)}
    with pytest.raises(ValidationError) as error:
        Nested.model_validate({"tools": [{"flag_id": 1, **names}]} if nested else names)
    refused = invalid_arguments("get_tool", error.value, NAMES)
    assert len(looked_up) <= (0 if nested else 8)
    assert max(map(len, looked_up), default=0) <= 100
    assert len(refused.message) < 1500
    assert alike or refused.message.endswith("; and 19996 more.")


def test_a_flood_of_names_is_rejected_without_validating_each() -> None:
    looked_at: list[str] = []

    class Flood(dict[str, Any]):
        def __iter__(self) -> Iterator[str]:
            for name in super().__iter__():
                looked_at.append(name)
                yield name

    reject_flood("get_tool", Flood(dict.fromkeys(NAMES), **{f"x{number}": 1 for number in range(100)}), NAMES)
    flood = Flood(dict.fromkeys(NAMES), **{f"x{number}": 1 for number in range(100_000)})
    with pytest.raises(Refused) as refused:
        reject_flood("get_tool", flood, NAMES)
    assert refused.value.message == "get_tool: x0 is not an argument; and at least 99999 more."
    assert len(looked_at) == len(NAMES) + 1


def test_values_are_never_shown() -> None:
    secret = "phx_very_secret_value"
    refused = refusal(flag_id=secret, search=[secret], limit=secret, kind=secret, tags=secret, name=secret)
    assert secret not in str(refused.as_json())


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("get_flag", {"flag": ""}, "get_flag: flag: is empty; pass the id or the key of a flag."),
        ("delete_flag", {"flag": " "}, "delete_flag: flag: is empty; pass the id or the key of a flag."),
        (
            "get_insight",
            {"insight_id": "no such"},
            "get_insight: insight_id: is not an insight; "
            "pass its number or short id exactly as a list tool returns it.",
        ),
    ],
)
def test_the_branch_of_a_union_that_explains_itself_speaks_alone(
    tool: str, arguments: dict[str, Any], message: str
) -> None:
    (operation,) = [each for each in OPERATIONS if each.name == tool]
    with pytest.raises(ValidationError) as error:
        operation.input.model_validate(arguments)
    assert invalid_arguments(tool, error.value, []).message == message


def test_a_flood_of_values_is_rejected_without_validating_each() -> None:
    reject_flood("get_tool", {"flag_id": [1] * 49_999}, NAMES)
    for flood in (
        [1] * 50_000,
        [{"key": 1}] * 25_000,
        [[[1, 1, 1, 1]] * 10_000],
        " [" + "1," * 50_000 + "1]",
    ):
        with pytest.raises(Refused) as refused:
            reject_flood("get_tool", {"flag_id": flood}, NAMES)
        assert refused.value.message == "get_tool: the arguments must have at most 50000 values."
    reject_flood("get_tool", {"flag_id": "a text, " * 60_000}, NAMES)


def test_a_long_list_of_objects_is_rejected_without_validating_each(monkeypatch: pytest.MonkeyPatch) -> None:
    read = list[str]()

    def from_text(text: str) -> str:
        read.append(text)
        return text

    monkeypatch.setattr(forms, "from_text", from_text)
    with pytest.raises(ValidationError) as error:
        QueryTrends.model_validate({"events": ["$pageview"] * 1_001})
    refused = invalid_arguments("query_trends", error.value, ["events"])
    assert refused.message == "query_trends: `events` must have at most 1000 items."
    assert not read
