"""Types that do not fit, misplaced aggregates, columns of the outer query, and clauses that are dropped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hogql_lang import Problem, Verdict, read, read_schema
from hogql_lang import judge as judge_statement

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

SCHEMA = read_schema(json.loads(Path(__file__).with_name("schema.json").read_text("utf-8")))


def judge(sql: str) -> Verdict:
    return judge_statement(read(sql), {}, SCHEMA)


def first_error(sql: str) -> Problem:
    """Return the first error, also one that depends on a property being a string."""
    verdict = judge(sql)
    assert verdict.findings is not None
    conditional = [each.problem for each in verdict.findings.mistakes if not each.warning]
    return min((*verdict.errors, *conditional), key=lambda each: each.place or 0)


TYPES = [
    ("SELECT 1 FROM events WHERE event = 5", "event = '5'"),
    ("SELECT 1 FROM events WHERE 5 < event", "toFloat(event)"),
    ("SELECT 1 FROM events WHERE properties.$browser = 200", "properties.$browser = '200'"),
    ("SELECT 1 FROM events WHERE properties.$browser = true", "properties.$browser = 'true'"),
    ("SELECT 1 FROM events WHERE properties.seats BETWEEN 1 AND 5", "toFloat(properties.seats)"),
    ("SELECT 1 FROM events WHERE properties.trial_end > now()", "toDateTime(properties.trial_end)"),
    ("SELECT 1 FROM (SELECT properties.plan AS p FROM events) WHERE p = 1", "p = '1'"),
    ("SELECT 1 FROM (SELECT toString(person_id) AS p FROM events) WHERE p = 1", "p = '1'"),
    ("SELECT 1 FROM events WHERE event = timestamp", "toDateTime(event)"),
    ("SELECT 1 FROM events WHERE timestamp > '-7d'", "now() - INTERVAL 7 DAY"),
    ("SELECT 1 FROM events WHERE timestamp > 'now-7d'", "now() - INTERVAL 7 DAY"),
    ("SELECT 1 FROM events WHERE timestamp > '30 days ago'", "now() - INTERVAL 30 DAY"),
    (
        "SELECT 1 FROM events WHERE event IN (SELECT event, count() FROM events GROUP BY 1)",
        "one column in the subquery",
    ),
    ("SELECT 1 FROM events WHERE timestamp > 'yesterday'", "yesterday()"),
    ("SELECT 1 FROM events WHERE timestamp > '{{from}}'", "{from}"),
    ("SELECT 1 FROM events WHERE toDate(timestamp) = 20260101", "toDate('2026-01-31')"),
    ("SELECT 1 FROM events WHERE timestamp LIKE '2026%'", "toString(timestamp)"),
    ("SELECT 1 FROM events WHERE event = 'a' OR 'b'", "event IN ('a', 'b')"),
    ("SELECT 1 FROM events WHERE event LIKE 'a%' OR 'b%' AND 1", "event LIKE 'b%'"),
    ("SELECT 1 FROM events WHERE properties.is_paid", "properties.is_paid IS NOT NULL"),
    ("SELECT if(properties.is_paid, 1, 0) FROM events", "properties.is_paid IS NOT NULL"),
    ("SELECT sum(properties.amount) FROM events", "sum(toFloat(properties.amount))"),
    ("SELECT quantile(0.9)(properties.amount) FROM events", "toFloat(properties.amount)"),
    ("SELECT quantile(toFloat(properties.amount), 0.9) FROM events", "quantile(0.9)(toFloat(properties.amount))"),
    ("SELECT properties.amount * 1.2 FROM events", "toFloat(properties.amount)"),
    ("SELECT event + ' x' FROM events", "concat(event, ' x')"),
    ("SELECT round(properties.amount) FROM events", "toFloat(properties.amount)"),
    ("SELECT toStartOfDay(event) FROM events", "toDateTime(event)"),
    ("SELECT dateDiff('day', properties.start, timestamp) FROM events", "toDateTime(properties.start)"),
    ("SELECT dateTrunc(timestamp, 'month') FROM events", "dateTrunc('month', timestamp)"),
    ("SELECT toDateOrNull(timestamp) FROM events", "toDate(timestamp)"),
    ("SELECT lower(timestamp) FROM events", "toString(timestamp)"),
    ("SELECT mapKeys(properties) FROM events", "JSONExtractKeys(properties)"),
    ("SELECT JSONExtractArrayRaw(properties.items) FROM events", "ifNull(properties.items, '[]')"),
    ("SELECT JSONExtract(properties.items, 'Array(String)') FROM events", "ifNull(properties.items, '[]')"),
    ("SELECT arrayJoin(properties.items) FROM events", "JSONExtractArrayRaw(ifNull(properties.items, '[]'))"),
    ("SELECT has(properties.items, 'a') FROM events", "JSONExtractArrayRaw(ifNull(properties.items, '[]'))"),
    ("SELECT arraySum([toFloat(properties.a), 1]) FROM events", "ifNull(toFloat(properties.a), 0)"),
    ("SELECT arraySum(arrayMap(x -> toFloat(x), ['1'])) FROM events", "ifNull(toFloat(x), 0)"),
    ("SELECT arraySum(x -> toFloat(x), ['1']) FROM events", "ifNull(toFloat(x), 0)"),
    ("SELECT properties.tags[0] FROM events", "properties.tags[1]"),
    ("SELECT properties.tags.0 FROM events", "properties.tags.1"),
    ("SELECT 1 FROM events WHERE person_id = 'a@b.c'", "distinct_id = 'a@b.c'"),
    (
        "SELECT count() OVER (ORDER BY timestamp RANGE BETWEEN 5 PRECEDING AND CURRENT ROW) FROM events",
        "ROWS BETWEEN …",
    ),
]


@pytest.mark.parametrize(("sql", "hint"), TYPES)
def test_types_that_do_not_fit_are_errors(sql: str, hint: str) -> None:
    found = first_error(sql)
    assert found.fixes[:1] == (hint,)
    assert found.kind == "type"


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT 1 FROM events WHERE properties.seats = 5", ("event", "seats")),
        ("SELECT sum(person.properties.seats) FROM events", ("person", "seats")),
        ("SELECT sum(p) FROM (SELECT properties.seats AS p FROM persons)", ("person", "seats")),
    ],
)
def test_the_type_of_a_property_is_left_to_the_project(sql: str, name: tuple[str, str]) -> None:
    verdict = judge(sql)
    assert verdict.errors == ()
    assert verdict.findings is not None
    assert [each.property for each in verdict.findings.mistakes] == [name]


AGGREGATION = [
    ("SELECT count() FROM events WHERE count() > 5", "HAVING after GROUP BY"),
    ("SELECT event, count() AS c FROM events WHERE c > 5 GROUP BY event", "HAVING after GROUP BY"),
    ("SELECT event, row_number() OVER (ORDER BY timestamp) AS r FROM events WHERE r = 1", "QUALIFY instead of WHERE"),
    ("SELECT event FROM events e JOIN persons p ON count() > 1", "a subquery"),
    ("SELECT min(timestamp) AS t FROM events GROUP BY t", "GROUP BY without t"),
    ("SELECT countIf(event = 'a') / max(count()) FROM events", "max(count()) OVER ()"),
    ("SELECT event, count() FROM events", "GROUP BY event"),
    ("SELECT event, count() FROM events ORDER BY 2", "GROUP BY event"),
    ("SELECT event FROM events HAVING count() > 1", "GROUP BY event"),
    ("SELECT event, properties.plan, count() FROM events GROUP BY event", "GROUP BY event, properties.plan"),
    ("SELECT event, count() FROM events GROUP BY event ORDER BY timestamp", "GROUP BY event, timestamp"),
    ("SELECT event AS 'Name', count() FROM events GROUP BY 'Name'", "`Name`"),
    ("SELECT *, count() FROM events", "the names of columns"),
    ("SELECT event FROM events WHERE event ILIKE ANY ('a%', 'b%')", "arrayExists(x -> event ILIKE x, ['a%', 'b%'])"),
    ("SELECT event FROM events WHERE event = ANY(['a', 'b'])", "event IN ('a', 'b')"),
    ("SELECT event FROM events WHERE event != ALL(['a', 'b'])", "event NOT IN ('a', 'b')"),
    ("SELECT argMin(properties, timestamp) AS properties, properties.plan FROM events", "another alias"),
    ("SELECT 1, 2 UNION ALL SELECT 1", "2 columns"),
]


@pytest.mark.parametrize(("sql", "hint"), AGGREGATION)
def test_a_misplaced_aggregate_and_a_missing_group_are_errors(sql: str, hint: str) -> None:
    (found, *_) = judge(sql).errors
    assert found.fixes[:1] == (hint,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT toStartOfMonth(toDate(timestamp)), count() FROM events GROUP BY toDate(timestamp)",
        "SELECT e.event, event, count() FROM events AS e GROUP BY e.event",
        "SELECT lower(event) AS e, e || 'x', LOWER(event), count() FROM events GROUP BY e ORDER BY count()",
        "SELECT event, count() FROM events GROUP BY 1 HAVING event != 'a'",
        "SELECT properties.plan, properties['plan'], count() FROM events GROUP BY properties.plan",
        "SELECT person.id, count() FROM events GROUP BY person_id",
        "SELECT event, sum(count()) OVER () AS s, count() / s FROM events GROUP BY event",
        "SELECT event, count() OVER () FROM events",
        "SELECT max(timestamp) AS timestamp, event FROM events GROUP BY event ORDER BY timestamp",
        "SELECT event, distinct_id, count() FROM events GROUP BY (event, distinct_id)",
        "SELECT event, distinct_id, count() FROM events GROUP BY GROUPING SETS ((event), (distinct_id))",
        "SELECT arrayMap(x -> x || event, ['a']), count() FROM events GROUP BY event",
        "SELECT count(), (SELECT event FROM events LIMIT 1), now(), 'a' FROM events",
        "SELECT 1 FROM events WHERE person_id IN (SELECT person_id FROM events GROUP BY person_id HAVING count() > 1)",
        "SELECT event, any_value(uuid), json_agg(distinct_id), every(timestamp > now()) FROM events GROUP BY event",
        "SELECT JSONExtractArrayRaw(ifNull(properties.items, '[]')), JSONExtractKeys(properties) FROM events",
        "SELECT arraySum(groupArray(toFloat(properties.a))), arraySum([1, 2]) FROM events",
        "SELECT count() FROM events WHERE toYear(timestamp) = '2026' AND timestamp > '2026-01-01'",
        "SELECT count() FROM events WHERE person_id = '01890000-0000-7000-8000-000000000000' OR event IN (1, 2)",
        "SELECT timestamp + 1, timestamp - timestamp, event || 1, max(event) FROM events GROUP BY 1, 2, 3",
        "SELECT arrayMap(x -> e.timestamp, [1]) FROM events e",
        "SELECT 1 FROM events WHERE timestamp > '2026-01-01T00:00:00Z' AND toDate(timestamp) = '20260101'",
        "SELECT 1 FROM events WHERE (event, distinct_id) IN (SELECT event, distinct_id FROM events)",
        "SELECT avg(d) FROM (SELECT dateDiff('day', min(timestamp), now()) AS d FROM events GROUP BY person_id)",
    ],
)
def test_what_clickhouse_accepts_is_no_mistake(sql: str) -> None:
    found = judge(sql)
    assert found.errors == ()
    assert found.findings is not None
    assert [each for each in found.findings.mistakes if not each.property] == []


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT id FROM persons p WHERE EXISTS (SELECT 1 FROM groups WHERE key = p.id)", "p.id"),
        ("SELECT (SELECT count() FROM events WHERE event = e.event) FROM events e", "e.event"),
        ("SELECT id FROM persons p WHERE id IN (SELECT person_id FROM raw_sessions s WHERE s.x = p.id)", "p.id"),
        ("SELECT event FROM events WHERE 1 IN (SELECT 1 FROM (SELECT key FROM groups WHERE key = distinct_id))", ""),
    ],
)
def test_a_column_of_the_outer_query_is_an_error(sql: str, name: str) -> None:
    (found, *_) = judge(sql).errors
    assert found.kind == "outer"
    assert f"`{name or 'distinct_id'}` is a column of the outer query" in found.message


@pytest.mark.parametrize(
    ("sql", "says", "hint"),
    [
        ("SELECT 1 LIMIT 10, 5", "returns 10 rows after the first 5", "LIMIT 5 OFFSET 10"),
        ("SELECT 1 UNION ALL SELECT 2 LIMIT 5", "this LIMIT applies to the last SELECT", "(… UNION ALL …) LIMIT …"),
        (
            "SELECT 1 AS x UNION ALL SELECT 2 AS x ORDER BY x",
            "this ORDER BY applies",
            "SELECT * FROM (… UNION ALL …) ORDER BY …",
        ),
        ("(SELECT 1 AS x UNION ALL SELECT 2) ORDER BY x", "ignores this ORDER BY", "SELECT * FROM (…) ORDER BY …"),
        ("(SELECT 1 AS x) ORDER BY x", "ignores this ORDER BY", "SELECT * FROM (…) ORDER BY …"),
        ("SELECT 1 AS x LIMIT 3 ORDER BY x", "ignores this ORDER BY", "ORDER BY before LIMIT"),
        ("SELECT key, count() FROM groups GROUP BY key WITH ROLLUP", "ignores WITH ROLLUP", "GROUP BY ROLLUP(…)"),
        ("SELECT max(key) AS key FROM groups WHERE key != ''", "is the alias of an aggregate", "another alias"),
    ],
)
def test_a_clause_that_does_not_do_what_it_seems_to_do_gets_a_warning(sql: str, says: str, hint: str) -> None:
    verdict = judge(sql)
    assert verdict.errors == ()
    (warning,) = verdict.warnings
    assert says in warning.message
    assert warning.fixes[:1] == (hint,)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 LIMIT 3 UNION ALL SELECT 2 LIMIT 3",
        "(SELECT 1 ORDER BY 1 LIMIT 3) UNION ALL (SELECT 2 LIMIT 3)",
        "SELECT * FROM (SELECT 1 AS x UNION ALL SELECT 2) ORDER BY x LIMIT 5",
        "SELECT key, row_number() OVER (ORDER BY index) FROM groups ORDER BY (key), -index LIMIT 1, 2 BY key",
        "WITH totals AS (SELECT 1 AS x) SELECT x FROM totals",
    ],
)
def test_clauses_that_do_what_they_seem_to_do_get_no_warning(sql: str) -> None:
    assert judge(sql).warnings == ()


@pytest.mark.parametrize(
    ("sql", "fix"),
    [
        ("SELECT properties.user-id FROM events", "properties.`user-id`"),
        ("SELECT e.properties.$feature/new-flag FROM events e", "e.properties.`$feature/new-flag`"),
        ("SELECT event FROM events WHERE properties.plan = pro", "'pro'"),
        ("SELECT event FROM events WHERE event IN (signed_up, paid)", "'signed_up'"),
        ('SELECT properties["plan"] FROM events', "'plan'"),
        ("SELECT properties:plan FROM events", "properties.plan"),
        ("SELECT event FROM public.events", "events"),
        ("SELECT event FROM events WHERE timestamp > $start", "{start}"),
        ("SELECT event, count() FROM events GROUP BY event ORDER BY days", ""),
        ("SELECT event FROM events WHERE timestamp > timestmp", "timestamp"),
    ],
)
def test_an_unknown_column_is_read_in_its_place(sql: str, fix: str) -> None:
    errors = judge(sql).errors
    assert errors[0].fixes[:1] == ((fix,) if fix else ())
    assert len(errors) == 1 + ("paid" in sql)
