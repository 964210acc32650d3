"""The meaning of queries, checked on rows: nulls, property types, timezones, joins, scopes, limits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from posthog_sandbox.hogql import Context, HogqlError, translate
from posthog_sandbox.storage.engine import Engine, ResultTable

from ..shared_data import open_shared

NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
TYPED = Context(
    property_types={("event", "n"): "Numeric", ("event", "b"): "Boolean", ("event", "t"): "DateTime"}, now=NOW
)
OBJECT = json.dumps(
    {"text": "a", "empty": "", "nothing": None, "n": 12.5, "b": True, "t": "2026-11-01T10:00:00Z", "list": [7, 8],
     "object": {"k": {"deep": "x"}}, "it's": "quoted", "two words": "spaced"}
)  # fmt: skip


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(2_000, today=date(2026, 11, 24)) as opened:
        yield opened


def run(engine: Engine, query: str, context: Context = TYPED) -> ResultTable:
    return engine.select(translate(query, context).sql)


def row(engine: Engine, query: str, context: Context = TYPED) -> list[Any]:
    return run(engine, query, context).rows[0]


def of_object(engine: Engine, expression: str, context: Context = TYPED) -> Any:
    """Return the value of an expression over one event whose properties are OBJECT."""
    sql = translate(f"select {expression} from events limit 1", context).sql
    source = "`posthog`.`events` AS `events`"
    assert source in sql
    literal = OBJECT.replace("\\", "\\\\").replace("'", "\\'")
    return engine.select(sql.replace(source, f"(SELECT '{literal}' AS properties) AS events")).rows[0][0]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("properties.text", "a"),
        ("properties.missing", None),
        ("properties.nothing", None),
        ("properties.empty", ""),
        ("properties.list", "[7,8]"),
        ("properties.list[1]", "7"),
        ("properties.list.2", "8"),
        ("properties.object.k.deep", "x"),
        ("properties['object']['k']['deep']", "x"),
        ("properties.object['k'].deep", "x"),
        ("properties.`it's`", "quoted"),
        ("properties['it''s']", "quoted"),
        ('properties."two words"', "spaced"),
        ("properties.n", 12.5),
        ("properties.n + 1", 13.5),
        ("properties.b", True),
        ("properties.t", "2026-11-01T10:00:00Z"),
        ("toFloat(properties.text)", None),
        ("JSONExtractInt(properties, 'n')", 12),
    ],
)
def test_a_property_is_text_or_null_or_of_its_defined_type(engine: Engine, expression: str, value: Any) -> None:
    assert of_object(engine, expression) == value


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("properties.text = 'a'", 1),
        ("properties.text != 'a'", 0),
        ("properties.missing = 'a'", 0),
        ("properties.missing != 'a'", 1),
        ("'a' != properties.missing", 1),
        ("equals(properties.missing, 'a')", 0),
        ("notEquals(properties.missing, 'a')", 1),
        ("properties.missing = properties.nothing", 1),
        ("properties.missing != properties.nothing", 0),
        ("properties.missing = properties.text", 0),
        ("properties.missing != properties.text", 1),
        ("properties.missing = null", 1),
        ("properties.text = null", 0),
        ("properties.missing != null", 0),
        ("properties.missing is null", 1),
        ("properties.empty is not null", 1),
        ("properties.missing in ('a', 'b')", 0),
        ("properties.missing not in ('a', 'b')", 1),
        ("properties.text not in ('a', 'b')", 0),
        ("properties.text in ['a']", 1),
        ("properties.text in 'a'", 1),
        ("properties.missing > 'a'", 0),
        ("properties.missing <= 'a'", 0),
        ("properties.missing between 'a' and 'b'", 0),
        ("properties.text between 'a' and 'b'", 1),
        ("properties.missing like '%'", 0),
        ("properties.missing not like 'z%'", 1),
        ("properties.missing ilike 'A'", 0),
        ("properties.text ilike 'A'", 1),
        ("properties.text =~ '^[ab]$'", 1),
        ("properties.text =~* '^A$'", 1),
        ("properties.missing !~ 'z'", 1),
        ("properties.missing is distinct from properties.nothing", 0),
        ("properties.missing is distinct from 'a'", 1),
        ("properties.n > 12", 1),
        ("properties.n = '12.5'", 1),
        ("properties.b = true", 1),
        ("properties.b = 'true'", 1),
        ("properties.b != false", 1),
        ("properties.t > '2026-11-01'", 1),
        ("properties.t = '2026-11-01T11:00:00+01:00'", 1),
        ("properties.t in ('2026-11-01 10:00:00', '2026-11-02')", 1),
        ("not properties.missing = 'a'", 1),
    ],
)
def test_comparisons_are_only_true_or_false(engine: Engine, condition: str, holds: int) -> None:
    assert of_object(engine, condition) == holds


def test_inside_join_conditions_null_stays_null(engine: Engine) -> None:
    matched = "select count() from (select nullIf('a', 'a') as x) l join (select nullIf('a', 'a') as x) r on l.x = r.x"
    assert row(engine, matched) == [0]


def test_equal_and_unequal_rows_together_are_all_rows(engine: Engine) -> None:
    source = "properties.utm_source"
    query = f"select count(), countIf({source} = 'google'), countIf({source} != 'google') from events"
    total, equal, different = row(engine, query)
    assert equal > 0
    assert equal + different == total


def test_times_are_shown_and_truncated_in_the_timezone_of_the_project(engine: Engine) -> None:
    new_york = replace(TYPED, timezone="America/New_York")
    assert row(engine, "select now(), toStartOfDay(now()), today(), yesterday()", new_york) == [
        "2026-11-23T22:00:00-05:00",
        "2026-11-23T00:00:00-05:00",
        "2026-11-23",
        "2026-11-22",
    ]
    assert run(engine, "select timestamp from events", new_york).types == ("DateTime64(6, 'America/New_York')",)


def test_a_literal_without_offset_is_read_in_the_timezone_of_the_project(engine: Engine) -> None:
    tokyo = replace(TYPED, timezone="Asia/Tokyo")
    same = ("toDateTime('2026-11-24 12:00:00')", "'2026-11-24 12:00:00'", "'2026-11-24T03:00:00Z'")
    query = f"select {', '.join(f'now() = {text}' for text in same)}"
    assert row(engine, query, tokyo) == [1, 1, 1]
    assert row(engine, "select now() > '2026-11-24 12:00:01'", tokyo) == [0]


def test_the_same_moments_are_counted_in_every_timezone(engine: Engine) -> None:
    counts = [
        row(
            engine,
            "select count() from events where timestamp >= '2026-11-01T00:00:00Z'",
            replace(TYPED, timezone=zone),
        )
        for zone in ("UTC", "Asia/Tokyo", "America/New_York")
    ]
    assert counts[0][0] > 0
    assert counts[0] == counts[1] == counts[2]


@pytest.mark.parametrize(("week_start", "start"), [(0, "2026-11-22"), (1, "2026-11-23")])
def test_weeks_begin_on_the_day_of_the_project(engine: Engine, week_start: int, start: str) -> None:
    assert row(engine, "select toStartOfWeek(now())", replace(TYPED, week_start=week_start)) == [start]


def test_person_on_events_is_the_row_itself_and_the_lazy_joins_agree_with_it(engine: Engine) -> None:
    query = """select countIf(person.id = person_id), countIf(pdi.person_id = person_id), countIf(poe.id = person_id),
               countIf(pdi.person.id = person_id), count() from events
               where person_mode = 'full'"""
    values = row(engine, query)
    assert values == [values[-1]] * 5


def test_a_lazy_join_keeps_every_row(engine: Engine) -> None:
    plain = row(engine, "select count() from events")
    for field in ("session.$session_duration", "group_0.properties.name", "person.is_identified", "pdi.person_id"):
        assert row(engine, f"select count() from (select {field} from events)") == plain


def test_session_fields_reached_from_events_are_those_of_the_sessions_table(engine: Engine) -> None:
    lazy = row(
        engine, "select sum(d) from (select $session_id, any(session.$session_duration) as d from events group by 1)"
    )
    table = row(engine, "select sum($session_duration) from sessions")
    assert lazy == table


def test_group_types_are_fields_of_events_under_their_names(engine: Engine) -> None:
    named = replace(TYPED, group_types=("company",))
    query = "select count() from events where company.properties.name != '' and company.key = group_0.key"
    assert row(engine, query, named)[0] > 0


def test_aliases_can_have_the_names_of_tables_and_columns(engine: Engine) -> None:
    columns = "upper(event) as events, toDate(timestamp) as timestamp, count() as event"
    query = f"select {columns} from events group by 1, 2 limit 1"
    assert len(row(engine, query)) == 3


def test_an_inner_query_sees_common_table_expressions_and_not_the_tables_around_it(engine: Engine) -> None:
    recent = "with recent as (select person_id from events) select count() from recent r"
    inner = f"{recent} join (select person_id from recent limit 1) one on r.person_id = one.person_id"
    assert row(engine, inner)[0] >= 1
    with pytest.raises(HogqlError, match="Unable to resolve field: r"):
        translate(f"{recent} where exists(select 1 from events e where e.person_id = r.person_id)", TYPED)


def test_common_table_expressions_apply_to_every_member_of_a_union(engine: Engine) -> None:
    query = "with x as (select 1 as a) select a from x union all select a + 1 from x"
    assert sorted(run(engine, query).rows) == [[1], [2]]


def test_a_recursive_expression_counts(engine: Engine) -> None:
    query = "with recursive t as (select 1 as n union all select n + 1 from t where n < 5) select sum(n) from t"
    assert row(engine, query) == [15]


def test_filter_and_if_count_the_same(engine: Engine) -> None:
    query = "select count() filter (where event = '$pageview'), countIf(event = '$pageview') from events"
    first, second = row(engine, query)
    assert first == second > 0


def test_concat_treats_null_as_empty_text(engine: Engine) -> None:
    assert of_object(engine, "concat('<', properties.missing, '>')") == "<>"
    assert of_object(engine, "'<' || properties.missing || '>'") == "<>"


def test_a_sample_is_the_same_every_time_and_smaller(engine: Engine) -> None:
    half = [row(engine, "select count(), uniq(distinct_id) from events sample 1/2") for _ in range(2)]
    assert half[0] == half[1]
    assert 0 < half[0][0] < row(engine, "select count() from events")[0]


def test_without_limit_one_row_more_than_the_default_is_fetched(engine: Engine) -> None:
    translated = translate("select uuid from events", TYPED)
    assert (translated.default_limit_applied, translated.limit, translated.offset) == (True, 100, 0)
    assert translated.hogql == "SELECT uuid FROM events LIMIT 101 OFFSET 0"
    assert len(engine.select(translated.sql).rows) == 101


def test_a_limit_in_the_query_is_kept_up_to_the_maximum() -> None:
    own = translate("select uuid from events limit 7 offset 3", TYPED)
    assert (own.default_limit_applied, own.limit, own.offset) == (False, None, None)
    assert own.hogql.endswith("LIMIT 7 OFFSET 3")
    assert translate("select uuid from events limit 1000000", TYPED).sql.endswith("LIMIT 50000")
    assert translate("select uuid from events limit 60000 + 1", TYPED).sql.endswith(
        "LIMIT least(50000, plus(60000, 1))"
    )


def test_an_inner_query_has_no_default_limit_and_members_of_a_union_have(engine: Engine) -> None:
    assert row(engine, "select count() from (select uuid from events)")[0] > 101
    union = translate("select uuid from events union all select uuid from events", TYPED)
    assert not union.default_limit_applied
    assert len(engine.select(union.sql).rows) == 200


@pytest.mark.parametrize(
    ("column", "name"),
    [
        ("event", "event"),
        ("e.event", "event"),
        ("event as x", "x"),
        ("count()", "count()"),
        ("count(*)", "count(*)"),
        ("properties.$browser", "properties.$browser"),
        ("properties['$browser']", "properties.$browser"),
        ("properties.n", "properties.n"),
        ("properties.`a b`", "properties.`a b`"),
        ("person.properties.email", "person.properties.email"),
        ("properties.x = 'a'", "equals(properties.x, 'a')"),
        ("event in ('a', 'b')", "in(event, tuple('a', 'b'))"),
        ("event not like 'a%' and not event = 'b'", "and(notLike(event, 'a%'), not(equals(event, 'b')))"),
        ("1 + 2 * 3", "plus(1, multiply(2, 3))"),
        ("quantile(0.5)(properties.n)", "quantile(0.5)(properties.n)"),
        ("arrayMap(x -> x + 1, [1, 2])", "arrayMap(x -> plus(x, 1), [1, 2])"),
        ("now() - interval 7 day", "minus(now(), toIntervalDay(7))"),
        ("'it''s'", "'it\\'s'"),
        ("row_number() over (partition by event order by timestamp desc)",
         "row_number() OVER (PARTITION BY event ORDER BY timestamp DESC)"),
    ],
)  # fmt: skip
def test_a_column_is_named_by_its_alias_or_its_printed_expression(column: str, name: str) -> None:
    assert translate(f"select {column} from events e", TYPED).columns == (name,)


def test_a_star_returns_the_plain_columns_of_the_table(engine: Engine) -> None:
    translated = translate("select * from events limit 1", TYPED)
    assert translated.columns[:10] == (
        "uuid", "event", "properties", "timestamp", "distinct_id", "elements_chain", "created_at", "$session_id",
        "$window_id", "person_id",
    )  # fmt: skip
    assert len(engine.select(translated.sql).rows[0]) == len(translated.columns)
    assert "team_id" not in translated.columns


def test_the_tables_that_were_read_are_named() -> None:
    query = "select session.$channel_type, pdi.person.id from events where person_id in (select id from persons)"
    assert set(translate(query, TYPED).tables) == {"events", "sessions", "person_distinct_ids", "persons"}


def test_cohorts_actions_and_filters_are_hogql_of_the_project(engine: Engine) -> None:
    cohorts: dict[int | str, str] = {3: "select id from persons where properties.email != ''"}
    actions: dict[int | str, str] = {"view": "event = '$pageview'"}
    context = replace(TYPED, cohorts=cohorts.get, actions=actions.get, filters={"events": "event = '$pageview'"}.get)
    counts = "select countIf(person_id in cohort 3), countIf(person_id not in cohort 3), count() from events"
    inside, outside, total = row(engine, counts, context)
    assert inside > 0
    assert inside + outside == total
    views = "select countIf(matchesAction('view')), countIf({filters}), countIf(event = '$pageview') from events"
    assert len(set(row(engine, views, context))) == 1


def test_filters_without_a_filter_match_every_row(engine: Engine) -> None:
    assert row(engine, "select count() from events where {filters}") == row(engine, "select count() from events")


def test_the_group_of_an_event_is_read_from_the_event_and_joined_for_the_rest(engine: Engine) -> None:
    grouped = "from events where $group_0 != '' and group_0.created_at > '2000-01-01' limit 1"
    key, name, created = row(engine, f"select goe_0.key, goe_0.properties.name, goe_0.created_at {grouped}")
    assert row(engine, f"select key, properties.name, created_at from groups where key = '{key}'") == [
        key,
        name,
        created,
    ]
    assert name
    assert row(engine, "select goe_3.key, goe_3.properties, goe_3.properties.name from events limit 1") == [
        "",
        "{}",
        None,
    ]


def test_where_a_person_first_came_from_agrees_with_the_first_session(engine: Engine) -> None:
    first = (
        "select d.person_id as person_id, argMin(s.$channel_type, s.$start_timestamp) as channel "
        "from sessions s join person_distinct_ids d on d.distinct_id = s.distinct_id group by d.person_id"
    )
    query = (
        "select p.$virt_initial_channel_type as initial, f.channel as channel, count() from persons p "
        f"join ({first}) f on f.person_id = p.id where not empty(p.properties.$initial_referrer) group by 1, 2"
    )
    found = run(engine, query).rows
    agreeing = sum(count for initial, channel, count in found if initial == channel)

    assert agreeing / sum(count for _, _, count in found) > 0.9, found
    assert {initial for initial, _, _ in found} >= {"Direct", "Paid Search", "Organic Search", "Organic Social"}
    kinds = {kind for (kind,) in run(engine, "select distinct $virt_initial_referring_domain_type from persons").rows}
    assert kinds >= {"$direct", "Search", "Social"}
    on_events = "select person.$virt_initial_channel_type from events where person.id is not null limit 1"
    assert row(engine, on_events)[0]
