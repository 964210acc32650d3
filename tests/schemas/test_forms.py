"""The forms of arguments that clients send, over every field of every tool: adding a field adds its tests."""

import json
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ValidationError, create_model

from maton_posthog.schemas.base import Part
from maton_posthog.schemas.base.json_schema import input_schema
from maton_posthog.schemas.json import as_list, is_list
from maton_posthog.tools.operations import OPERATIONS
from tests.server.test_every_operation import ARGUMENTS

QUERY = {"kind": "TrendsQuery", "series": [{"kind": "EventsNode", "event": "a"}]}
EVENT = {"event": "a"}
CONDITION = {"key": "plan", "value": "pro"}
LEAF = {"type": "cohort", "key": "id", "value": 7}
PLAIN: tuple[Any, ...] = (
    "text", "a b", "0b6f7a52", "0" * 32, "5d79eecb-93e6-5c8b-90f9-8510ba4040b8", "2026-02-23", "-7d", "previous", "dau",
    7, 2, 50.5, True, False, ["a", "b"], ["7", "8"], [7, 8], ["$pageview"], EVENT, [EVENT, EVENT], [EVENT, "b"], QUERY,
    [CONDITION], {"x": "a", "y": "b"}, {"properties": {"type": "OR", "values": [LEAF]}}, [{"event_id": "a"}],
    [{"key": "$browser", "value": ["Chrome"]}], [{"type": "open", "question": "Why?"}],
    [{"key": "control", "rollout_percentage": 50}, {"key": "test", "rollout_percentage": 50}],
    [{"key": "$pageview", "type": "event", "value": "performed_event"}], {"type": "cohort", "property": 7}, 3, 10,
    {"tool": "query_trends", "arguments": {"events": ["$pageview"]}},
    [{"metric_type": "mean", "source": {"kind": "EventsNode", "event": "$pageview"}}],
    {"recommended_sample_size": 5}, [{"text": "a"}],
)  # fmt: skip
"""Values of which every field accepts at least one."""
CLEARED = {
    "UpdateAction.description", "UpdateCohort.description", "UpdateDashboard.name", "UpdateDashboard.description",
    "UpdateExperiment.description", "UpdateExperiment.conclusion_comment", "UpdateFlag.name", "UpdateInsight.name",
    "UpdateInsight.description", "UpdateSurvey.description",
}  # fmt: skip
"""The stored texts that an empty text clears."""
COMPARED = {"PropertyFilter.value", "PersonProperty.value", "GroupCondition.value"}
"""The values that an empty text is compared with."""


def models() -> list[type[BaseModel]]:
    """Return the inputs of all tools, what they inherit from, and the objects in them."""
    found: dict[type[BaseModel], None] = {}
    waiting: list[type[BaseModel]] = [operation.input for operation in OPERATIONS]
    while waiting:
        model = waiting.pop(0)
        if model not in found:
            found[model] = None
            waiting += [base for base in model.__bases__ if issubclass(base, Part)]
            waiting += [inner for field in model.model_fields.values() for inner in inside(field.annotation)]
    return list(found)


def inside(annotation: Any) -> Iterator[Any]:
    """Yield the models that an annotation contains."""
    if isinstance(annotation, typing.TypeAliasType):
        yield from inside(annotation.__value__)
    elif isinstance(annotation, type) and not typing.get_args(annotation):
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for part in typing.get_args(annotation):
            yield from inside(part)


def words(annotation: Any) -> tuple[Any, ...]:
    """Return the words of the Literal that a field takes, if it takes one."""
    if isinstance(annotation, typing.TypeAliasType):
        return words(annotation.__value__)
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        return tuple(word for part in typing.get_args(annotation) for word in words(part))
    return ()


def alone(model: type[BaseModel], name: str) -> type[BaseModel]:
    """Return a model with this field only, so that no other field and no rule between fields matters."""
    info = model.model_fields[name]
    fields: dict[str, Any] = {name: (info.annotation, info)}
    return create_model(name, __base__=Part, **fields)


DEPENDENT = {"ToolQuery.arguments"}
"""Fields that mean nothing without another one; `tests/tools/insights/test_saving.py` has their forms."""
OWN = [
    (model, name)
    for model in models()
    for name in model.model_fields
    if name in model.__annotations__ and f"{model.__name__}.{name}" not in DEPENDENT
]
"""Every other field, once: where it is defined."""
FIELDS = {f"{model.__name__}.{name}": alone(model, name) for model, name in OWN}
WORDS = {f"{model.__name__}.{name}": words(model.model_fields[name].annotation) for model, name in OWN}


def of_each(places: Iterable[str]) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Run a test with each of the fields. The fields of a model are one test, because there are hundreds of fields."""
    fields: dict[str, list[str]] = {}
    for each in places:
        fields.setdefault(each.partition(".")[0], []).append(each)

    def decorate(test: Callable[[str], None]) -> Callable[[str], None]:
        @pytest.mark.parametrize("model_name", fields)
        def run(model_name: str) -> None:
            for place in fields[model_name]:
                try:
                    test(place)
                except BaseException as error:
                    error.add_note(f"with {place}")
                    raise

        run.__name__ = test.__name__
        return run

    return decorate


EVERY = of_each(FIELDS)
EVERY_MODEL = pytest.mark.parametrize("model", models(), ids=lambda model: model.__name__)


def value_of(place: str, value: Any) -> Any:
    """Return the value of the field when it was given `value`. Raises ValidationError."""
    name = place.split(".")[1]
    return getattr(FIELDS[place].model_validate({name: value}), name)


def accepted(place: str) -> list[tuple[Any, Any]]:
    """Return the plain values that a field accepts, and what it makes of them."""
    found: list[tuple[Any, Any]] = []
    for plain in (*PLAIN, *WORDS[place]):
        try:
            found.append((plain, value_of(place, plain)))
        except ValidationError:
            continue
    return found


ACCEPTED = {place: accepted(place) for place in FIELDS}


def plain_values(place: str, *kinds: type) -> list[tuple[Any, Any]]:
    """Return the accepted values of these kinds of JSON value, and what the field makes of them."""
    return [(plain, expected) for plain, expected in ACCEPTED[place] if type(plain) in kinds]


EVERY_TYPED = of_each(place for place in FIELDS if place not in COMPARED)
NUMBERS = {place for place, values in ACCEPTED.items() if any(type(plain) in (int, float) for plain, _ in values)}
OF_ANYTHING = {"Question.validation", "GroupCondition.value"}
"""Fields whose content is left as it is."""


@EVERY
def test_every_field_accepts_a_value_of_these_tests(place: str) -> None:
    assert ACCEPTED[place]


@EVERY_MODEL
def test_a_name_that_is_not_an_argument_is_rejected(model: type[BaseModel]) -> None:
    for value in (1, None, ""):
        with pytest.raises(ValidationError) as caught:
            model.model_validate({"no_argument": value})
        assert ("extra_forbidden", ("no_argument",)) in [
            (error["type"], error["loc"]) for error in caught.value.errors()
        ]


@EVERY
def test_null_means_absent(place: str) -> None:
    model, name = FIELDS[place], place.split(".")[1]
    if model.model_fields[name].is_required():
        with pytest.raises(ValidationError) as caught:
            model.model_validate({name: None})
        assert [error["type"] for error in caught.value.errors()] == ["missing"]
    else:
        assert model.model_validate({name: None}).model_fields_set == set()
        if place not in COMPARED and plain_values(place, list, dict):
            assert model.model_validate({name: "null"}).model_fields_set == set()


@EVERY
def test_an_empty_text_means_absent_where_it_says_nothing(place: str) -> None:
    model, name = FIELDS[place], place.split(".")[1]
    if place in CLEARED | COMPARED:
        assert value_of(place, "") == ""
    elif not model.model_fields[name].is_required():
        read = model.model_validate({name: ""})
        assert read.model_fields_set == set()
        assert read == model()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_a_call_with_every_other_text_left_empty_is_the_call_without_them(operation: Any) -> None:
    # What OpenAI's strict mode makes of optional arguments; here the rules between fields count too.
    given, model = ARGUMENTS.get(operation.name, {}), operation.input
    empty = {name: "" for name in model.model_fields if name not in given and f"{model.__name__}.{name}" not in CLEARED}
    assert model.model_validate({**empty, **given}) == model.model_validate(given)
    assert model.model_validate(dict.fromkeys(empty) | given) == model.model_validate(given)


def test_the_texts_that_can_be_cleared_are_those_of_updates() -> None:
    assert FIELDS.keys() >= CLEARED | COMPARED
    assert all(place.startswith("Update") for place in CLEARED)


@EVERY_TYPED
def test_a_list_or_object_can_be_json_text(place: str) -> None:
    for plain, expected in plain_values(place, list, dict):
        assert value_of(place, json.dumps(plain)) == expected
        assert value_of(place, json.dumps(plain, indent=2)) == expected


@EVERY
def test_an_object_in_a_list_can_be_json_text(place: str) -> None:
    for plain, expected in plain_values(place, list):
        if place in OF_ANYTHING:
            continue
        texts = [json.dumps(item) if isinstance(item, dict) else item for item in plain]
        assert value_of(place, texts) == expected
        if place not in COMPARED:
            assert value_of(place, json.dumps(texts)) == expected


@EVERY_TYPED
def test_a_number_can_be_text(place: str) -> None:
    for plain, expected in plain_values(place, int, float):
        assert str(value_of(place, str(plain))) == str(expected)


@EVERY_TYPED
def test_a_text_of_digits_can_be_a_number(place: str) -> None:
    if "a b" in (plain for plain, _ in ACCEPTED[place]):
        assert str(value_of(place, 7)) == str(value_of(place, 7.0)) == str(value_of(place, "7"))
    if ["7", "8"] in (plain for plain, _ in ACCEPTED[place]) and place not in OF_ANYTHING:
        assert value_of(place, [7, 8]) == value_of(place, [7.0, "8"]) == value_of(place, ["7", "8"])


@EVERY_TYPED
def test_a_boolean_can_be_text(place: str) -> None:
    for plain, expected in plain_values(place, bool):
        if place not in NUMBERS:
            for text in (str(plain), str(plain).lower(), str(plain).upper()):
                assert value_of(place, text) == expected


@EVERY
def test_the_case_of_a_word_does_not_matter(place: str) -> None:
    for word in WORDS[place]:
        for text in (str(word), str(word).upper(), str(word).lower(), str(word).title()):
            assert value_of(place, text) == word


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_words_and_defaults_of_the_schema_are_accepted_as_they_are_written(operation: Any) -> None:
    for name, schema in input_schema(operation.input)["properties"].items():
        owner = next(model for model in operation.input.__mro__ if name in model.__annotations__)
        place = f"{owner.__name__}.{name}"
        for word in schema.get("enum", []):
            value_of(place, word)
        for word in schema.get("items", {}).get("enum", []):
            assert value_of(place, [word.upper()]) == [word]
        if "default" in schema:
            assert value_of(place, schema["default"]) == getattr(FIELDS[place](), name)


def test_one_word_never_means_two() -> None:
    assert all(len({str(word).casefold() for word in found}) == len(found) for found in WORDS.values())


def test_spellings_that_are_not_in_the_schema_have_no_case_either() -> None:
    assert value_of("PropertyFilter.operator", "Equals") == "exact"
    assert value_of("QueryTrends.math", "DAU") == value_of("QueryTrends.math", "Unique_Users") == "dau"
    assert value_of("QueryTrends.compare", "Previous") == value_of("QueryTrends.compare", "true") == "previous"
    assert value_of("QueryTrends.date_from", "All") == "all"
    assert value_of("InProject.project_id", "@CURRENT") == "@current"


EVENT_LISTS = pytest.mark.parametrize(
    "place", ["QueryTrends.events", "QueryFunnel.steps", "QueryFunnel.exclude", "QueryStickiness.events"]
)
ONE_EVENT = pytest.mark.parametrize(
    "place", ["QueryRetention.event", "QueryRetention.returning_event", "QueryLifecycle.event"]
)
CHOICE = {"event": "purchase", "name": "Bought", "where": [{"key": "plan", "operator": "exact", "value": "pro"}]}
IN_FULL = {**CHOICE, "where": [json.dumps(CHOICE["where"][0])]}


@EVENT_LISTS
def test_json_text_in_a_list_of_events_is_an_event_with_conditions(place: str) -> None:
    expected = value_of(place, [CHOICE, "b"])
    assert value_of(place, [json.dumps(CHOICE), "b"]) == value_of(place, [json.dumps(IN_FULL), "b"]) == expected
    assert value_of(place, [CHOICE, CHOICE]) == value_of(place, json.dumps([json.dumps(CHOICE)] * 2))
    assert as_list(expected)[0].where[0].value == "pro"


@ONE_EVENT
def test_json_text_of_one_event_is_an_event_with_conditions(place: str) -> None:
    assert value_of(place, json.dumps(IN_FULL)) == value_of(place, CHOICE)


DAMAGED = ['{"event": "a"', "{'event': 'a'}", '["a", "b"', '[{"event": "a"}', '{ "event"', "['a']"]


@EVENT_LISTS
@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_json_is_not_the_name_of_an_event(place: str, text: str) -> None:
    with pytest.raises(ValidationError, match="starts like JSON"):
        value_of(place, [text, "b"])


@ONE_EVENT
@pytest.mark.parametrize("text", DAMAGED)
def test_damaged_json_is_not_the_name_of_one_event(place: str, text: str) -> None:
    with pytest.raises(ValidationError, match="starts like JSON"):
        value_of(place, text)


@pytest.mark.parametrize("text", ["404", "true", "[Amplitude] Page", "{{event}}", "[1", "{x", " ", '"a"', "a, b"])
def test_an_event_may_have_any_other_name(text: str) -> None:
    assert value_of("QueryLifecycle.event", text).event == text
    assert value_of("QueryTrends.events", text)[0].event == text
    assert value_of("QueryTrends.events", [text])[0].event == text


@pytest.mark.parametrize("operator", ["between", "not_between"])
@pytest.mark.parametrize("value", [[1, 10], "[1, 10]", ["1", "10"], '["1", "10"]'])
def test_the_ends_of_a_range_can_be_text(operator: str, value: Any) -> None:
    condition = value_of("Analysis.filters", [{"key": "price", "operator": operator, "value": value}])[0]
    assert condition.value == [1, 10]


@pytest.mark.parametrize("operator", ["in", "not_in"])
def test_a_list_to_compare_with_can_be_json_text(operator: str) -> None:
    condition = value_of("Analysis.filters", [{"key": "plan", "operator": operator, "value": '["a", "b"]'}])[0]
    assert condition.value == ["a", "b"]


def test_text_that_is_compared_stays_text() -> None:
    for value in ("7", "true", '["a"]', "", "{}"):
        condition = value_of("Analysis.filters", [{"key": "plan", "value": value}])[0]
        assert condition.as_filter()["value"] == value
        assert value_of("ListPersons.properties", [{"key": "plan", "value": value}])[0].as_filter()["value"] == value


def test_the_id_of_a_cohort_can_be_text() -> None:
    condition = value_of("Analysis.filters", [{"type": "Cohort", "value": "7"}])[0]
    assert condition.as_filter() == {"key": "id", "value": 7, "operator": "in", "type": "cohort"}
    group = value_of("CreateCohort.groups", [{"properties": [{"key": "id", "type": "cohort", "value": "7"}]}])[0]
    assert group.properties[0].as_filter()["value"] == 7
    assert value_of("QueryTrends.breakdown", {"type": "cohort", "property": "7"})[0].property == 7


def test_what_a_free_object_contains_is_left_as_it_is() -> None:
    inner = {"a": None, "b": "", "c": "7", "d": "[1]", "e": ["{}"], "f": "TRUE"}
    for place in ("RunHogql.values", "CreateSurvey.conditions", "UpdateFlag.filters"):
        assert value_of(place, inner) == value_of(place, json.dumps(inner)) == inner
    metric = {"metric_type": "mean", "source": {"kind": "EventsNode", "event": "7"}}
    assert is_list(value_of("CreateExperiment.metrics", [metric]))
    assert value_of("CreateExperiment.metrics", [json.dumps(metric)]) == [metric]
