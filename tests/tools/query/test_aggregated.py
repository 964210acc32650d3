"""With --aggregate-only a HogQL statement is about groups of at least five persons, or it is rejected."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hogql_lang import read, tree
from maton_posthog.gateway.errors import Refused
from maton_posthog.tools.query.aggregated import aggregated

from ..posthog.live import LiveSandbox
from .random_hogql import statement

HAVING = "uniq(person_id) >= 5"

ACCEPTED = [
    "SELECT count() FROM events",
    "SELECT event, count(), uniq(person_id) FROM events GROUP BY event",
    "SELECT event AS what, count(*) AS n FROM events GROUP BY what ORDER BY n DESC, what LIMIT 5",
    "SELECT properties.$browser, count(DISTINCT person_id) FROM events GROUP BY 1 ORDER BY 2",
    "SELECT toStartOfWeek(timestamp) AS week, uniq(distinct_id) FROM events e WHERE e.event = 'x' GROUP BY week",
    "SELECT person.properties.plan, round(avg(toFloat(properties.x)), 2) FROM events GROUP BY person.properties.plan",
    "SELECT count() AS events, uniq(person_id) AS persons FROM events",
    "SELECT upper(event), count() FROM events GROUP BY event",
    "SELECT if(event = 'a', 'b', 'c') AS x, count() / uniq(person_id) FROM events GROUP BY x HAVING count() > 3",
    "SELECT event, count() FROM events GROUP BY event HAVING (count() > 3) OR (count() < 2) ORDER BY count() -- end",
    "SELECT event, count() FROM events GROUP BY event HAVING count() > 3 AND event != 'x' AND uniq(person_id) > 9",
    "SELECT countIf(event = 'a') / countIf(event = 'b') FROM events",
    "SELECT count() FILTER (WHERE event = 'a') FROM events",
    "SELECT sumIf(toFloat(properties.price), event = 'a'), median(toFloat(properties.price)) FROM events",
    "SELECT quantile(0.9)(toFloat(properties.price)), max(toFloat(properties.price)), min(timestamp) FROM events",
    "SELECT uniq(properties.email), count(DISTINCT properties.$session_id) FROM events",
    "SELECT sum(toFloat(properties.price) * toInt(properties.quantity)) FROM events WHERE person_id IN COHORT 5",
    "SELECT event, count() FROM events WHERE properties.plan = {plan} AND timestamp > '2026-01-01' GROUP BY 1",
    "SELECT count(), max(created_at) FROM persons AS p",
    "SELECT properties.plan, count() FROM persons GROUP BY properties.plan;",
]  # fmt: skip
REJECTED = [
    "SELECT event FROM events",
    "SELECT * FROM events",
    "SELECT e.* FROM events e",
    "SELECT count(), event FROM events",
    "SELECT DISTINCT event FROM events",
    "SELECT person_id, count() FROM events GROUP BY person_id",
    "SELECT count() FROM events GROUP BY person_id",
    "SELECT distinct_id AS d, count() FROM events GROUP BY d",
    "SELECT properties.email, count() FROM events GROUP BY 1",
    "SELECT person.properties.Email AS plan, count() FROM events GROUP BY plan",
    "SELECT cityHash64(person_id) AS h, count() FROM events GROUP BY h",
    "SELECT substring(toString(person.id), 1, 3) AS h, count() FROM events GROUP BY h",
    "SELECT concat(event, uuid), count() FROM events GROUP BY concat(event, uuid)",
    "SELECT properties.$session_id, count() FROM events GROUP BY 1",
    "SELECT [person_id], count() FROM events GROUP BY [person_id]",
    "SELECT tuple(event, distinct_id), count() FROM events GROUP BY 1",
    "SELECT properties, count() FROM events GROUP BY properties",
    "SELECT JSONExtractString(properties, 'email') AS x, count() FROM events GROUP BY x",
    "SELECT JSONExtractString(properties, concat('em', 'ail')) AS x, count() FROM events GROUP BY x",
    "SELECT properties['email'], count() FROM events GROUP BY 1",
    "SELECT any(properties.plan) FROM events",
    "SELECT ANY(properties.plan) FROM events",
    "SELECT anyLast(event), argMax(event, timestamp) FROM events",
    "SELECT argMax(properties.email, timestamp) FROM events",
    "SELECT groupArray(person_id), groupUniqArray(distinct_id) FROM events",
    "SELECT arrayStringConcat(groupArray(properties.email), ',') FROM events",
    "SELECT topK(3)(properties.email) FROM events",
    "SELECT max(properties.plan) FROM events",
    "SELECT max(coalesce(properties.plan, 'a')) FROM events",
    "SELECT max(toString(properties.plan)), min(event) FROM events",
    "SELECT max(toFloat(properties.phone)) FROM events",
    "SELECT sum(toInt(person_id)) FROM events",
    "SELECT first_value(event) FROM events",
    "SELECT quantiles(0, 1)(toFloat(properties.price)) FROM events",
    "SELECT uniqState(person_id) FROM events",
    "SELECT sumOrNull(toFloat(properties.price)) FROM events",
    "SELECT anyIf(properties.plan, event = 'x') FROM events",
    "SELECT sum(if(properties.title = 'CEO', toFloat(properties.salary), 0)) FROM events",
    "SELECT sum(toFloat(properties.salary) * (properties.title = 'CEO')) FROM events",
    "SELECT countIf(properties.email = 'jane@corp.example') FROM events",
    "SELECT uniqIf(event, distinct_id = 'a') FROM events",
    "SELECT count() FILTER (WHERE person_id = 'a') FROM events",
    "SELECT count() FROM events WHERE person.properties.email = 'jane@corp.example'",
    "SELECT count() FROM events WHERE distinct_id != 'a'",
    "SELECT count() FROM events WHERE person_id IN ('a', 'b')",
    "SELECT count() FROM events WHERE match(properties.name, '^Jane')",
    "SELECT count() FROM events HAVING max(properties.email) > 'm'",
    "SELECT event, count() FROM events GROUP BY event HAVING any(distinct_id) = 'a'",
    "SELECT event, count() FROM events GROUP BY event ORDER BY max(properties.email)",
    "SELECT event, count() FROM events GROUP BY event ORDER BY distinct_id",
    "SELECT 1 AS person_id, count() FROM events",
    "SELECT rand() AS person_id, count() FROM events GROUP BY 1",
    "SELECT uniq((properties.email AS e)) FROM events WHERE e = 'jane@corp.example'",
    "SELECT event AS a, count() AS a FROM events GROUP BY event",
    "SELECT c FROM (SELECT person_id, count() AS c FROM events GROUP BY person_id)",
    "SELECT count() FROM (SELECT 1 AS person_id UNION ALL SELECT 2)",
    "SELECT count(), (SELECT any(distinct_id) FROM events) FROM events",
    "SELECT count() FROM events WHERE event IN (SELECT event FROM events WHERE distinct_id = 'a')",
    "WITH x AS (SELECT distinct_id FROM events) SELECT count() FROM x",
    "WITH properties.email AS e SELECT e, count() FROM events GROUP BY e",
    "SELECT count() FROM events UNION ALL SELECT distinct_id FROM events",
    "SELECT count() FROM events EXCEPT SELECT 3",
    "SELECT event, row_number() OVER (ORDER BY event) FROM events GROUP BY event",
    "SELECT lagInFrame(distinct_id) OVER (PARTITION BY event) FROM events",
    "SELECT count() FROM events e JOIN persons p ON p.id = e.person_id",
    "SELECT count() FROM events, persons",
    "SELECT count() FROM events ARRAY JOIN [distinct_id] AS d GROUP BY d",
    "SELECT arrayMap(x -> x, groupArray(event)) FROM events",
    "SELECT count() FROM person_distinct_ids",
    "SELECT count() FROM sessions",
    "SELECT count() FROM raw_persons",
    "SELECT count() FROM numbers(10)",
    "SELECT 1",
    "SELECT event, count() FROM events GROUP BY event WITH ROLLUP",
    "SELECT event, count() FROM events GROUP BY event WITH TOTALS",
    "SELECT event, count() FROM events GROUP BY GROUPING SETS ((event), ())",
    "SELECT event, count() FROM events GROUP BY CUBE(event)",
    "SELECT event, count() FROM events GROUP BY ALL",
    "SELECT event, count() FROM events GROUP BY event LIMIT 1 BY event",
    "SELECT event, count() FROM events GROUP BY event QUALIFY row_number() OVER () = 1",
    "SELECT count() FROM events FINAL",
    "SELECT count() FROM events SAMPLE 0.5",
    "SELECT COLUMNS('.*') FROM events",
    "SELECT person_id IN COHORT 5, count() FROM events GROUP BY 1",
    "(SELECT count() FROM events)",
    "SELECT count(",
]


@pytest.mark.parametrize("sql", ACCEPTED)
def test_a_statement_about_groups_is_sent_with_the_smallest_group(sql: str) -> None:
    sent = aggregated(read(sql)).statement
    assert isinstance(sent.tree, tree.Select)
    conditions = sent.tree.having
    first = conditions.exprs[0] if isinstance(conditions, tree.Logical) else conditions
    assert isinstance(first, tree.Comparison)
    assert sent.sql[slice(*first.span or ())].endswith(" >= 5")
    assert sent.limits is not None


@pytest.mark.parametrize("sql", REJECTED)
def test_a_statement_that_could_show_single_persons_is_rejected(sql: str) -> None:
    with pytest.raises(Refused) as caught:
        aggregated(read(sql))
    assert caught.value.code == "hogql_query_error"
    assert caught.value.message.startswith("query: ")
    assert "GROUP BY" in (caught.value.hint or "")


def test_an_aggregate_over_a_part_of_a_group_needs_the_smallest_group_too() -> None:
    found = aggregated(read("SELECT countIf(event = 'a'), sum(toFloat(properties.x)) AS s FROM events"))
    assert found.statement.sql == (
        "SELECT if(uniqIf(person_id, (event = 'a')) >= 5, countIf(event = 'a'), null), "
        "if(uniqIf(person_id, isNotNull(properties.x)) >= 5, sum(toFloat(properties.x)), null) AS s "
        f"FROM events\nHAVING {HAVING}\n"
    )
    assert found.names == ("countIf(event = 'a')", None)


def test_a_condition_of_the_caller_cannot_widen_the_smallest_group() -> None:
    sent = aggregated(read("SELECT count() FROM events HAVING 1 = 1 OR count() > 0 ORDER BY 1")).statement.tree
    assert isinstance(sent, tree.Select)
    assert isinstance(sent.having, tree.Logical)
    assert sent.having.operator == "and"


@given(st.randoms(use_true_random=False))
def test_whatever_is_accepted_has_the_smallest_group(random: Random) -> None:
    try:
        sent = aggregated(read(statement(random))).statement
    except Refused:
        return
    assert isinstance(sent.tree, tree.Select)
    assert ">= 5" in sent.sql


@pytest.mark.anyio
async def test_the_rows_of_a_real_engine_are_the_groups_of_at_least_five(sandbox: LiveSandbox) -> None:
    url = "SELECT properties.$current_url AS url, "
    sql = f"{url}uniq(person_id) AS persons, countIf(event = '$pageview') FROM events GROUP BY url"
    every = await sandbox.rows(sql)
    shown = await sandbox.rows(aggregated(read(sql)).statement.sql)
    assert {row[0] for row in shown} == {row[0] for row in every if row[1] >= 5}
    assert all(row[1] >= 5 for row in shown)
    part = f"{url}uniqIf(person_id, event = '$pageview') AS persons FROM events GROUP BY url"
    few = {row[0] for row in await sandbox.rows(part) if row[1] < 5}
    assert all((row[2] is None) is (row[0] in few) for row in shown)


@pytest.mark.anyio
async def test_accepted_statements_run_on_a_real_engine(sandbox: LiveSandbox) -> None:
    for sql in ACCEPTED:
        if "{plan}" not in sql and "IN COHORT" not in sql and " LIMIT " not in sql and ";" not in sql:
            await sandbox.rows(aggregated(read(sql)).statement.sql)
