"""ActorsQuery over insights: the actors behind a number, over the events of PostHog's tests."""

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import pytest

from posthog_sandbox.storage.engine import Engine

from ...sandbox_client import Serving, Shared, serving
from ..hand_made import Event, Group, at, open_engine, run_query
from ..vectors import P1, P2, P3, P4, insight, node, vector_events

pytestmark = pytest.mark.anyio

OPENED = [
    Event(P1, "opened", at("2020-01-15T13:00:00"), {"plan": "pro"}, group="acme", session="s1"),
    Event(P1, "opened", at("2020-01-15T13:05:00"), {"plan": "free"}, group="acme", session="s1"),
    Event(P4, "opened", at("2020-01-15T14:00:00"), {"plan": "pro"}, group="globex"),
    Event(P2, "opened", at("2020-01-16T14:00:00"), {}, group="globex"),
]
GROUPS = [Group("acme", at("2019-06-01T00:00:00"), {"name": "Acme"})]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with open_engine(tmp_path_factory.mktemp("actors") / "data", [*vector_events(), *OPENED], GROUPS) as opened:
        yield opened


@pytest.fixture
async def sandbox(engine: Engine) -> AsyncGenerator[Serving]:
    async with serving(Shared(engine)) as running:
        yield running


def actors(source: dict[str, Any], *select: str, **more: Any) -> dict[str, Any]:
    """Return an ActorsQuery over a source, with the persons' ids unless columns are given."""
    return {"kind": "ActorsQuery", "source": source, "select": list(select) or ["id"], **more}


def behind(source: dict[str, Any], kind: str = "InsightActorsQuery", **more: Any) -> dict[str, Any]:
    return {"kind": kind, "source": source, **more}


async def persons(sandbox: Serving, source: dict[str, Any]) -> list[str]:
    """Return the names of the persons, sorted."""
    names = {person.id: person.name for person in (P1, P2, P3, P4)}
    return sorted(names[row[0]] for row in (await run_query(sandbox, actors(source)))["results"])


async def rejection(sandbox: Serving, query: dict[str, Any]) -> str:
    status, _, detail, _ = await sandbox.rejection("POST", "query/", {"query": query})
    assert status == 400
    return detail


async def test_a_day_of_a_trend_lists_its_persons_with_their_events(sandbox: Serving) -> None:
    source = behind(insight("TrendsQuery", node("opened", math="dau")), day="2020-01-15", series=0)
    sent = await run_query(sandbox, {"kind": "ActorsQuery", "source": source})

    assert sent["columns"] == ["person", "id", "person.$delete", "event_distinct_ids"]
    assert (sent["hasMore"], sent["limit"], sent["offset"], sent["missing_actors_count"]) == (False, 100, 0, 0)
    rows = {row[1]: row for row in sent["results"]}
    assert rows.keys() == {P1.id, P4.id}
    person, identity, delete, distinct_ids = rows[P1.id]
    assert person["id"] == identity
    assert person["distinct_ids"] == ["p1"]
    assert (delete, distinct_ids) == (1, ["p1"])


async def test_the_events_of_a_total_are_counted_by_person(sandbox: Serving) -> None:
    source = behind(insight("TrendsQuery", node("opened")), day="2020-01-15")
    query = actors(source, "id", "event_count", orderBy=["event_count DESC, actor_id DESC"])

    assert (await run_query(sandbox, query))["results"] == [[P1.id, 2, ["p1"]], [P4.id, 1, ["p4"]]]
    first = await run_query(sandbox, {**query, "limit": 1})
    assert ([row[0] for row in first["results"]], first["hasMore"]) == ([P1.id], True)
    rest = await run_query(sandbox, {**query, "offset": 1})
    assert ([row[0] for row in rest["results"]], rest["hasMore"]) == ([P4.id], False)


async def test_person_columns_searches_and_filters_join_the_persons(sandbox: Serving) -> None:
    source = behind(insight("TrendsQuery", node("opened")), day="2020-01-15")
    joined = actors(source, "properties.email", "person_display_name", "event_count", "created_at")
    sent = await run_query(sandbox, joined)

    assert sorted(row[2] for row in sent["results"]) == [1, 2]
    assert {row[1]["id"]: row[1]["display_name"] for row in sent["results"]} == {P1.id: P1.id, P4.id: P4.id}
    assert [row[0] for row in (await run_query(sandbox, actors(source, search="P4")))["results"]] == [P4.id]
    email = {"type": "person", "key": "email", "operator": "is_set", "value": "is_set"}
    assert (await run_query(sandbox, actors(source, properties=[email])))["results"] == []


async def test_a_trend_is_filtered_by_series_breakdown_and_period(sandbox: Serving) -> None:
    trend = insight("TrendsQuery", node(), node("opened"), breakdownFilter={"breakdown": "plan"})
    opened = behind(trend, day="2020-01-15", series=1)
    assert await persons(sandbox, opened) == ["p1", "p4"]
    assert await persons(sandbox, {**opened, "breakdown": "free"}) == ["p1"]
    assert await persons(sandbox, {**opened, "breakdown": "$$_posthog_breakdown_null_$$"}) == []
    assert await persons(sandbox, {**opened, "breakdown": "$$_posthog_breakdown_other_$$"}) == ["p1", "p4"]

    compared = insight("TrendsQuery", node(math="dau"), since="2020-01-15", compareFilter={"compare": True})
    assert await persons(sandbox, behind(compared, day="2020-01-17", compare="current")) == ["p1"]
    assert await persons(sandbox, behind(compared, day="2020-01-17", compare="previous")) == ["p1", "p2", "p3"]


async def test_a_bin_of_a_histogram_lists_the_persons_with_numbers_in_it(sandbox: Serving) -> None:
    bins = {"breakdown": "price", "breakdown_histogram_bin_count": 2}
    trend = insight("TrendsQuery", node(math="dau"), trendsFilter={"display": "ActionsPie"}, breakdownFilter=bins)
    results = (await run_query(sandbox, trend))["results"]

    assert len(results) == 2
    for result in results:
        found = await persons(sandbox, behind(trend, breakdown=result["breakdown_value"]))
        assert len(found) == result["aggregated_value"] > 0
    null = behind(trend, breakdown="$$_posthog_breakdown_null_$$")
    assert await persons(sandbox, null) == []
    assert "JSON array" in await rejection(sandbox, actors(behind(trend, breakdown="ten")))


async def test_a_number_of_the_whole_range_has_no_day(sandbox: Serving) -> None:
    total = insight("TrendsQuery", node(math="dau"), trendsFilter={"display": "BoldNumber"})

    assert await persons(sandbox, behind(total)) == ["p1", "p2", "p3", "p4"]
    assert "`day` is forbidden" in await rejection(sandbox, actors(behind(total, day="2020-01-15")))
    assert "`day` is required" in await rejection(sandbox, actors(behind(insight("TrendsQuery", node()))))


async def test_groups_are_actors_too_and_unknown_ones_are_counted_as_missing(sandbox: Serving) -> None:
    math = {"math": "unique_group", "math_group_type_index": 0}
    source = behind(insight("TrendsQuery", node("opened", **math)), day="2020-01-15")
    sent = await run_query(sandbox, {"kind": "ActorsQuery", "source": source, "orderBy": ["actor_id"]})

    assert (sent["columns"], sent["missing_actors_count"]) == (["group"], 1)
    acme, globex = (row[0] for row in sent["results"])
    assert acme == {
        "id": "acme",
        "type": "group",
        "properties": {"name": "Acme"},
        "group_key": "acme",
        "group_type_index": 0,
        "created_at": "2019-06-01T00:00:00Z",
        "group_properties": {"name": "Acme"},
    }
    assert globex == {"id": "globex", "group_type_index": 0}
    named = await run_query(sandbox, actors(source, "group", "properties.name", "event_count", search="acm"))
    assert [row[1:] for row in named["results"]] == [["Acme", 2]]


async def test_matched_recordings_are_those_of_the_events_sessions(sandbox: Serving) -> None:
    trend = insight("TrendsQuery", node("opened"))
    source = behind(trend, day="2020-01-15", includeRecordings=True)
    sent = await run_query(sandbox, actors(source, "actor", "matched_recordings"))

    assert all(isinstance(row[1], list) for row in sent["results"])
    assert "matching_events" in await rejection(
        sandbox, actors(behind(trend, day="2020-01-15"), "actor", "matched_recordings")
    )


async def test_a_lifecycle_status_lists_its_persons(sandbox: Serving) -> None:
    lifecycle = insight("LifecycleQuery", node())

    assert await persons(sandbox, behind(lifecycle, day="2020-01-12", status="returning")) == ["p1"]
    assert await persons(sandbox, behind(lifecycle, day="2020-01-12", status="resurrecting")) == ["p2", "p3"]
    assert await persons(sandbox, behind(lifecycle, day="2020-01-13", status="dormant")) == ["p2", "p3"]
    assert await persons(sandbox, behind(lifecycle, day="2020-01-12", status="new")) == []
    assert await persons(sandbox, behind(lifecycle, day="2020-01-12")) == ["p1", "p2", "p3"]
    assert await persons(sandbox, behind(lifecycle)) == ["p1", "p2", "p3", "p4"]


async def test_a_stickiness_interval_lists_its_persons(sandbox: Serving) -> None:
    stickiness = insight("StickinessQuery", node())
    cumulative = insight("StickinessQuery", node(), stickinessFilter={"computedAs": "cumulative"})
    own = "StickinessActorsQuery"

    assert await persons(sandbox, behind(stickiness, day=2)) == ["p2"]
    assert await persons(sandbox, behind(cumulative, day=2)) == ["p1", "p2"]
    assert await persons(sandbox, behind(stickiness, own, day=2, operator="gte")) == ["p1", "p2"]
    assert await persons(sandbox, behind(stickiness, own, day="2", operator="lte")) == ["p2", "p3", "p4"]
    assert await persons(sandbox, behind(stickiness)) == ["p1", "p2", "p3", "p4"]
    both = insight("StickinessQuery", node(), node("opened"))
    assert await persons(sandbox, behind(both, own, day=1)) == ["p1", "p2", "p3", "p4", "p4"]
    assert await persons(sandbox, behind(both, own, day=1, series=0)) == ["p3", "p4"]


async def test_an_edge_of_paths_lists_its_persons(sandbox: Serving) -> None:
    item = {"includeEventTypes": ["hogql"], "pathsHogQLExpression": "concat(event, ' ', ifNull(properties.plan, ''))"}

    def paths(**keys: str) -> dict[str, Any]:
        return behind(insight("PathsQuery", pathsFilter={**item, **keys}))

    assert await persons(sandbox, paths()) == ["p1", "p2", "p3", "p4"]
    assert await persons(sandbox, paths(pathStartKey="1_opened pro", pathEndKey="2_opened free")) == ["p1"]
    assert await persons(sandbox, paths(pathEndKey="1_opened pro")) == ["p1", "p4"]
    assert await persons(sandbox, paths(pathStartKey="1_opened pro")) == ["p1"]
    assert await persons(sandbox, paths(pathDropoffKey="1_opened pro", pathEndKey="1_nothing")) == ["p4"]
    counted = actors(paths(pathEndKey="1_$pageview "), "id", "event_count", orderBy=["event_count DESC"], limit=1)
    assert (await run_query(sandbox, counted))["results"] == [[P1.id, 3]]


async def test_a_row_of_a_retention_lists_its_persons_with_the_cells_that_count_them(sandbox: Serving) -> None:
    dates = {"date_from": "2020-01-11", "date_to": "2020-01-14"}
    retention = {"kind": "RetentionQuery", "dateRange": dates, "retentionFilter": {"totalIntervals": 3}}

    assert await persons(sandbox, behind(retention, interval=0)) == ["p1"]
    assert await persons(sandbox, behind(retention, interval=1)) == ["p1", "p2", "p3"]
    assert await persons(sandbox, behind(retention, interval=3)) == []
    source = behind(retention, interval=1)
    sent = await run_query(
        sandbox, actors(source, "person", "appearances", "day_1", orderBy=["length(appearances) DESC"])
    )
    person, appearances, returned = sent["results"][0]
    assert (person["id"], appearances, bool(returned)) == (P1.id, [0, 1], True)
    assert [row[1] for row in sent["results"][1:]] == [[0], [0]]
    assert "interval" in await rejection(sandbox, actors(behind(retention, interval="first")))


async def test_a_step_of_a_funnel_and_its_drop_off_list_their_actors(sandbox: Serving) -> None:
    funnel = insight("FunnelsQuery", node(), node("opened"))

    async def of_step(step: int, **more: Any) -> list[str]:
        return await persons(sandbox, behind(funnel, "FunnelsActorsQuery", funnelStep=step, **more))

    assert await of_step(1) == ["p1", "p2", "p3", "p4"]
    assert await of_step(2) == ["p1", "p2", "p4"]
    assert await of_step(-2) == ["p3"]
    for step in (0, -1, -3, None):
        query = actors(behind(funnel, "FunnelsActorsQuery", funnelStep=step))
        assert "funnelStep" in await rejection(sandbox, query)
    funnel |= {"breakdownFilter": {"breakdown": "$browser", "breakdown_type": "event"}}
    assert await of_step(2, funnelStepBreakdown=["Edge"]) == ["p4"]
    assert await of_step(2, funnelStepBreakdown="Edge") == ["p4"]


async def test_a_point_of_a_funnel_over_time_lists_converted_or_dropped_actors(sandbox: Serving) -> None:
    filters = {"funnelVizType": "trends", "funnelWindowInterval": 2}
    funnel = insight("FunnelsQuery", node(), node("opened"), funnelsFilter=filters)

    async def of_day(day: str, *, dropped: bool) -> list[str]:
        named = {"funnelTrendsEntrancePeriodStart": day, "funnelTrendsDropOff": dropped}
        return await persons(sandbox, behind(funnel, "FunnelsActorsQuery", **named))

    assert await of_day("2020-01-15 00:00:00", dropped=False) == ["p1", "p4"]
    assert await of_day("2020-01-15", dropped=True) == []
    assert await of_day("2020-01-12", dropped=True) == ["p1", "p2", "p3"]
    missing = behind(funnel, "FunnelsActorsQuery", funnelTrendsDropOff=False)
    assert "funnelTrendsEntrancePeriodStart" in await rejection(sandbox, actors(missing))
    missing = behind(funnel, "FunnelsActorsQuery", funnelTrendsEntrancePeriodStart="2020-01-15")
    assert "funnelTrendsDropOff" in await rejection(sandbox, actors(missing))


async def test_the_actors_of_a_hogql_query_are_in_its_id_column(sandbox: Serving) -> None:
    text = "select distinct_id, person_id as actor_id, count() as n from events where event = {name} group by 1, 2 --;"
    source = {"kind": "HogQLQuery", "query": text, "values": {"name": "opened"}}
    sent = await run_query(sandbox, actors(source, "person", "n", orderBy=["n DESC"], limit=1))

    ((person, count),) = sent["results"]
    assert (person["id"], count) == (P1.id, 2)
    assert sorted(row[0] for row in (await run_query(sandbox, actors(source, "created_at")))["results"])
    for text in ("select event from events", "select * from persons", "select toString(person_id) from events"):
        wrong = {"kind": "HogQLQuery", "query": text}
        assert await rejection(sandbox, actors(wrong)) == "Source query must have an id column"
    first = {"kind": "HogQLQuery", "query": "select distinct_id, person_id from events where event = 'opened' limit 1"}
    sent = await run_query(sandbox, actors(first, "person"))
    assert (sent["missing_actors_count"], sent["results"]) == (1, [[{"id": "p1"}]])
    for text in ("select 1) union all (select 2", "selec person_id", "select person_id from events; select 1"):
        await rejection(sandbox, actors({"kind": "HogQLQuery", "query": text}))


async def test_the_events_behind_a_number_can_be_listed(sandbox: Serving) -> None:
    source = behind(insight("TrendsQuery", node("opened")), day="2020-01-15")
    query = {"kind": "EventsQuery", "source": source, "select": ["distinct_id", "timestamp"], "after": "all"}
    sent = await run_query(sandbox, query)

    assert [row[0] for row in sent["results"]] == ["p4", "p1", "p1"]
    narrowed = await run_query(sandbox, {**query, "where": ["distinct_id = 'p4'"]})
    assert [row[0] for row in narrowed["results"]] == ["p4"]


async def test_a_first_time_is_one_event_of_a_person(sandbox: Serving) -> None:
    first = insight("TrendsQuery", node(math="first_time_for_user"))

    assert await persons(sandbox, behind(first, day="2020-01-12")) == ["p3"]
    source = behind(first, day="2020-01-11")
    query = {"kind": "EventsQuery", "source": source, "select": ["distinct_id"], "after": "all"}
    assert (await run_query(sandbox, query))["results"] == [["p1"]]


@pytest.mark.parametrize("kind", ["InsightVizNode", "DataVisualizationNode", "DataTableNode"])
async def test_a_wrapped_actors_query_runs(sandbox: Serving, kind: str) -> None:
    query = actors(behind(insight("LifecycleQuery", node()), day="2020-01-12", status="returning"))
    sent = await run_query(sandbox, {"kind": kind, "source": query})

    assert sent["results"] == [[P1.id]]


async def test_the_queries_for_actors_run_on_their_own(sandbox: Serving) -> None:
    sent = await run_query(sandbox, behind(insight("TrendsQuery", node("opened")), day="2020-01-16"))

    assert sent["columns"] == ["actor_id", "event_count", "event_distinct_ids", "last_seen"]
    assert sent["results"] == [[P2.id, 1, ["p2"], "2020-01-16T14:00:00Z"]]
    assert sent["types"][1] == ["event_count", "UInt64"]
    funnel = behind(insight("FunnelsQuery", node(), node("opened")), "FunnelsActorsQuery", funnelStep=-2)
    assert (await run_query(sandbox, funnel))["results"] == [[P3.id]]
    stickiness = behind(insight("StickinessQuery", node()), "StickinessActorsQuery", day=2)
    assert (await run_query(sandbox, stickiness))["results"] == [[P2.id]]
    stickiness = behind(insight("StickinessQuery", node(), node("opened")), day=1)
    assert len((await run_query(sandbox, stickiness))["results"]) == 5


async def test_the_options_of_an_insight_are_listed(sandbox: Serving) -> None:
    async def options(source: dict[str, Any]) -> dict[str, Any]:
        return await run_query(sandbox, {"kind": "InsightActorsQueryOptions", "source": behind(source)})

    trend = insight(
        "TrendsQuery",
        node("opened"),
        node("opened", math="dau"),
        since="2020-01-15",
        compareFilter={"compare": True},
        breakdownFilter={"breakdown": "plan"},
    )
    found = await options(trend)
    assert found["day"][0] == {"label": "15-Jan-2020", "value": "2020-01-15T00:00:00Z"}
    assert found["series"] == [{"label": "opened", "value": 0}, {"label": "opened", "value": 1}]
    assert [item["value"] for item in found["compare"]] == ["current", "previous"]
    none = {"label": "None (i.e. no value)", "value": "$$_posthog_breakdown_null_$$"}
    assert found["breakdown"] == [{"label": "pro", "value": "pro"}, {"label": "free", "value": "free"}, none]
    assert (found["breakdowns"], found["status"], found["interval"]) == (None, None, None)
    day = {"day": found["day"][0]["value"], "breakdown": "free"}
    assert await persons(sandbox, behind(trend, series=1, **day)) == ["p1"]

    several = {"breakdowns": [{"property": "plan"}, {"property": "$browser"}]}
    found = await options(insight("TrendsQuery", node("opened"), breakdownFilter=several))
    assert [[item["label"] for item in each["values"]] for each in found["breakdowns"]] == [
        ["pro", "None (i.e. no value)", "free"],
        ["None (i.e. no value)"],
    ]
    lifecycle = await options(insight("LifecycleQuery"))
    assert (len(lifecycle["day"]), len(lifecycle["status"]), lifecycle["series"]) == (11, 4, None)
    assert (await options(insight("FunnelsQuery", node(), node("opened"))))["day"] is None
    query = {"kind": "InsightActorsQueryOptions", "source": insight("TrendsQuery")}
    assert "source.kind" in await rejection(sandbox, query)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"kind": "TrendsQuery"}, "query.source.kind"),
        ("everybody", "query.source.kind"),
        ({"kind": "InsightActorsQuery"}, "Field required"),
        (behind({"kind": "HogQLQuery", "query": "select 1"}), "HogQLQuery"),
        (behind(insight("TrendsQuery"), "FunnelsActorsQuery", funnelStep=1), "FunnelsQuery"),
        (behind(insight("TrendsQuery"), day="2020-01-15", series=4), "series"),
        (behind(insight("TrendsQuery"), day="someday"), "day"),
        (behind(insight("TrendsQuery"), day=3), "day"),
        (behind(insight("TrendsQuery"), day="2020-01-15", compare="before"), "compare"),
        (behind(insight("TrendsQuery"), day="9999-12-31"), "day"),
        (behind(insight("LifecycleQuery"), day="someday"), "day"),
        (behind(insight("StickinessQuery"), day="two"), "day"),
        (behind(insight("StickinessQuery"), "StickinessActorsQuery", day=1, operator="about"), "operator"),
        (behind(insight("PathsQuery", pathsFilter={"pathStartKey": 1})), "pathStartKey"),
    ],
)
async def test_an_invalid_source_is_rejected(sandbox: Serving, source: Any, expected: str) -> None:
    assert expected in await rejection(sandbox, actors(source))
