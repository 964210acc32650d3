"""One record per kind of analysis, and one Spec for a typed input and its stored query."""

import re
from dataclasses import FrozenInstanceError, dataclass, is_dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maton_posthog.gateway.errors import Failed
from maton_posthog.gateway.queries import kinds as sent_kinds
from maton_posthog.schemas.analytics.events import MATHS
from maton_posthog.schemas.analytics.queries import ANALYSES, Analysis
from maton_posthog.schemas.insights import InsightView
from maton_posthog.tools.analytics import inputs, kinds, stored
from maton_posthog.tools.analytics.compiling import shared
from maton_posthog.tools.analytics.computing import Computed, results
from maton_posthog.tools.analytics.dates import Range
from maton_posthog.tools.analytics.headline import Headline, headline_of
from maton_posthog.tools.analytics.kind import Kind
from maton_posthog.tools.analytics.kinds import KINDS, kind_of, read_stored
from maton_posthog.tools.analytics.operations import operation_of
from maton_posthog.tools.analytics.spec import Spec
from maton_posthog.tools.insights.results import shown_result
from maton_posthog.tools.table import Column, Report, Role, Table

from ..posthog.fake import run
from .answers import answered

ROOT = Path(__file__).parents[3]
BY_NAME = {kind.name: kind for kind in KINDS}
WHERE = [{"key": "person.plan", "operator": "in", "value": ["pro", "team"]}]
ASKED: list[tuple[str, dict[str, Any]]] = [
    ("trends", {"events": ["$pageview"]}),
    ("trends", {"events": "*", "math": "dau", "compare": "-4w", "interval": "week", "date_from": "2026-11-01"}),
    ("trends", {"events": ["a", {"event": "b", "name": "B", "where": WHERE}], "formula": "a/b", "interval": "total"}),
    ("trends", {"events": ["a"], "math": "sum", "property": "person.age", "breakdown": ["$browser", "$os"]}),
    ("trends", {"events": ["a"], "math": "hogql", "property": "uniq(event)", "filter_test_accounts": True}),
    ("trends", {"events": [{"action_id": 7, "math": "unique_group", "group_type_index": 2}], "breakdown": "cohort.3"}),
    ("trends", {"events": ["a"], "filters": [{"type": "cohort", "value": 7}, {"type": "hogql", "key": "1 = 1"}]}),
    ("funnel", {"steps": ["a", {"event": "b", "optional": True}, {"action_id": 7}], "exclude": "c", "window": 3}),
    ("funnel", {"steps": ["a", "b"], "view": "trend", "interval": "week", "breakdown": "person.plan"}),
    ("funnel", {"steps": ["a", "b"], "view": "time_to_convert", "order": "unordered", "window_unit": "hour"}),
    ("funnel", {"steps": ["a", "b"], "breakdown": "cohort.7", "breakdown_limit": 3, "date_from": "all"}),
    ("retention", {"event": "a", "period": "Week", "cumulative": True}),
    ("retention", {"event": "*", "returning_event": {"action_id": 7}, "kind": "recurring", "breakdown": "$os"}),
    ("retention", {"event": {"event": "a", "name": "A"}, "returning_event": {"event": "a", "where": WHERE}}),
    ("paths", {"start": "/", "exclude": ["/x"], "steps": 3, "edges": 9, "groupings": ["/user/*"]}),
    ("paths", {"include": [], "end": "/buy", "date_to": "-1dEnd"}),
    ("stickiness", {"events": ["a", "b"], "at_least": 3, "cumulative": True, "compare": True}),
    ("lifecycle", {"event": {"event": "a", "where": WHERE}, "interval": "week", "filters": WHERE}),
]


def asked(name: str, arguments: dict[str, Any]) -> Spec[Any]:
    kind = BY_NAME[name]
    return kind.read(kind.input.model_validate(arguments))


@pytest.mark.parametrize(("name", "arguments"), ASKED)
def test_a_typed_input_and_its_stored_query_give_the_same_spec(name: str, arguments: dict[str, Any]) -> None:
    kind = BY_NAME[name]
    spec = asked(name, arguments)
    query = kind.compile(spec)
    assert kind_of(query) is kind
    assert read_stored(kind, query) == spec
    assert kind.compile(spec) == query


@given(st.sampled_from(MATHS), st.sampled_from([None, "revenue", "person.age"]), st.integers(0, 4), st.booleans())
def test_every_math_is_read_back_from_the_sent_query(math: str, prop: str | None, index: int, named: bool) -> None:
    event = {"event": "x", "math": math, "property": prop, "group_type_index": index, "name": "X" if named else None}
    try:
        spec = asked("trends", {"events": [event]})
    except ValidationError:
        assert prop is None
        return
    assert read_stored(BY_NAME["trends"], BY_NAME["trends"].compile(spec)) == spec


@pytest.mark.parametrize("name", BY_NAME)
def test_a_spec_is_immutable(name: str) -> None:
    spec = next(asked(kind, arguments) for kind, arguments in ASKED if kind == name)
    with pytest.raises(FrozenInstanceError):
        spec.interval = "month"  # pyright: ignore[reportAttributeAccessIssue]
    assert hash(spec)
    assert spec.options is None or is_dataclass(spec.options)


def test_conditions_are_found_in_nested_groups_and_empty_groups_have_none() -> None:
    leaf = {"key": "plan", "type": "person", "operator": "exact", "value": ["pro"]}
    group: dict[str, Any] = {"type": "AND", "values": [{"type": "OR", "values": [leaf, {"value": "no key"}]}]}
    assert [one.key for one in stored.conditions(group)] == ["plan"]
    assert stored.conditions(group)[0].as_filter() == leaf
    assert stored.conditions({"type": "AND", "values": [{"type": "AND", "values": []}]}) == ()
    deep: Any = leaf
    for _ in range(50_000):
        deep = {"type": "AND", "values": [deep]}
    assert len(stored.conditions(deep)) == 1


def test_only_the_file_of_a_kind_names_its_typed_input() -> None:
    assert tuple(kind.input for kind in KINDS) == ANALYSES
    assert {kind.node for kind in KINDS} <= sent_kinds.QUERY_KINDS
    sources = [path for folder in ("tools", "server") for path in (ROOT / folder).rglob("*.py")]
    for kind in KINDS:
        words = re.compile(rf"\b({kind.input.__name__}|{kind.node})\b")
        naming = [path.relative_to(ROOT).as_posix() for path in sources if words.search(path.read_text("utf-8"))]
        assert naming == [f"tools/analytics/{kind.name}.py"]


class QueryVisits(Analysis):
    node: ClassVar[str] = "VisitsQuery"
    least: int = 1


@dataclass(frozen=True, slots=True)
class Options:
    least: int


def visits_asked(args: QueryVisits) -> Spec[Options]:
    return Spec(options=Options(args.least), **inputs.shared(args, "-7d"))


def visits_stored(source: stored.StoredQuery) -> Spec[Options]:
    return Spec(options=Options(stored.whole(source.get("least"), 1)), **stored.shared(source))


def visits_compiled(spec: Spec[Options]) -> dict[str, Any]:
    return {**shared("VisitsQuery", spec), "least": spec.options.least}


def visits_report(spec: Spec[Options], computed: Computed, span: Range) -> Report:
    (count,) = results(computed.answer, list[int])
    return Report(Table("bars", (Column("visits", Role.COUNT),), ((count,),)), {"least": spec.options.least})


def visits_headline(spec: Spec[Options], report: Report) -> Headline | None:
    return headline_of("visits", report.table.rows[0][0])


VISITS = Kind(
    name="visits",
    about="Count visits.",
    input=QueryVisits,
    read=visits_asked,
    read_stored=visits_stored,
    compile=visits_compiled,
    report=visits_report,
    headline=visits_headline,
)


@pytest.mark.anyio
async def test_a_seventh_kind_is_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", (*KINDS, VISITS))
    monkeypatch.setattr(sent_kinds, "QUERY_KINDS", sent_kinds.QUERY_KINDS | {VISITS.node})
    api = answered([12])
    told = {"columns": ["visits"], "rows": [[12]], "facts": {"least": 3}}
    assert await run(operation_of(VISITS), api, least=3) == told
    assert api.last.body
    assert api.last.body["query"] == {"kind": "VisitsQuery", "dateRange": {"date_from": "-7d"}, "least": 3}
    insight = InsightView.model_validate({"id": 1, "query": api.last.body["query"], "result": [12]})
    shown = shown_result(insight, UTC, datetime(2026, 11, 23, tzinfo=UTC))
    assert shown.headline == {"what": "visits", "value": 12}
    with pytest.raises(Failed):
        await run(operation_of(VISITS), answered(["x"]))
