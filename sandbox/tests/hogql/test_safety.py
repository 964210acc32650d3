"""Only translated syntax trees reach ClickHouse, whatever a query or a value contains."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import product
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from posthog_sandbox.hogql import Context, HogqlError, translate
from posthog_sandbox.hogql.escape import hogql_identifier
from posthog_sandbox.hogql.functions import registry
from posthog_sandbox.storage.engine import Engine

from ..oracle import SEEDS, accepting, examples
from ..shared_data import open_shared
from .drawing import expressions, statements
from .sql import assert_harmless, skeleton

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.text("`'\"\\;-/*{}$ \n\t\0xX", max_size=12)
CORPUS = Path(__file__).with_name("corpus.sql").read_text(encoding="utf-8").strip().split("\n\n")

REACHING_OUTSIDE = """
file url urlCluster remote remoteSecure s3 s3Cluster gcs hdfs mysql postgresql mongodb redis sqlite odbc jdbc
cluster clusterAllReplicas merge input executable dictGet dictGetOrDefault dictHas joinGet hostName fqdn
currentUser user currentDatabase getSetting getMacro getServerPort getOSKernelVersion version uptime
serverUUID tcpPort filesystemAvailable filesystemCapacity displayName hasColumnInTable sleep sleepEachRow
throwIf addressToLine addressToSymbol demangle trap catboostEvaluate evalMLMethod initialQueryID queryID
connectionId currentProfiles currentRoles enabledRoles defaultRoles structureToCapnProtoSchema formatQuery
formatRow showCertificate tcpPort blockNumber initializeAggregation finalizeAggregation
runningAccumulate lowCardinalityIndices generateRandomStructure encrypt decrypt aes_encrypt_mysql readWKT
zookeeperSessionUptime buildId timezone serverTimezone
"""

FUNCTION_PLACES = (
    "select {}('/etc/passwd')",
    "select * from {}('/etc/passwd')",
    "select {}()",
    "select count() from events where {}('a') = 'b'",
    "select {}('a') over () from events",
    "select arrayMap(x -> {}(x), ['a'])",
    "select * from events join {}('a', 'b', 'c') f on 1",
    "select * from (select * from {}('/etc/passwd'))",
    "select 1 from events where event in {}('a')",
    "with x as (select * from {}('a')) select 1 from events",
)


def _no_hint(*_: object) -> None:
    return None


@pytest.mark.parametrize("name", REACHING_OUTSIDE.split())
def test_functions_that_reach_outside_are_rejected_in_any_case_and_place(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "nearest", _no_hint)  # the hint takes longer than everything else
    others = (name.upper(), name.lower(), name.capitalize(), f"`{name}`", f"{name}If", f"{name}OrNull")
    spelled = [place.format(name) for place in FUNCTION_PLACES]
    spelled += [place.format(other) for other in others for place in FUNCTION_PLACES[: examples(2, 99)]]
    for query in (*spelled, f"select arrayReduce('{name}', [1])"):
        with pytest.raises(HogqlError):
            translate(query, Context())


@pytest.mark.parametrize(
    "query",
    [
        "select * from system.users",
        "select * from `system.users`",
        "select * from `system`.`tables`",
        "select * from information_schema.tables",
        "select * from INFORMATION_SCHEMA.tables",
        "select * from posthog.property_definitions",
        "select * from default.x",
        "select * from events.persons",
        "select * from event_definitions",
        "select * from session_replays",
        "select * from 'file.csv'",
        "select * from {table}",
        "select * from numbers",
        "select * from numbers()",
        "select * from numbers(1, 2, 3)",
        "select * from numbers((select count() from system.users))",
        "select * from Numbers(3)",
        "select * from zeros(3)",
        "select * from values('a Int', 1)",
        "select * from view(select 1)",
        "select * from generateRandom('a Int')",
        "select 1 settings max_threads = 1",
        "select 1 format CSV",
        "select 1 into outfile '/tmp/x'",
        "select 1; select 2",
        "select 1; drop table events",
        "insert into events select 1",
        "create table x as select 1",
        "drop table events",
        "alter table events delete where 1",
        "attach table x from '/tmp' ",
        "system shutdown",
        "set max_threads = 1",
        "explain select 1",
        "show tables",
        "describe events",
        "use system",
        "optimize table events",
        "with 1 as x insert into events select 1",
        "select untuple((1, 2))",
        "select cast('x' as AggregateFunction(sum, Int64))",
        "select cast('x', 'Object(\\'json\\')')",
        "select accurateCastOrNull('x', 'Int8) from system.users --')",
    ],
)
def test_statements_tables_and_types_outside_the_schema_are_rejected(query: str) -> None:
    with pytest.raises(HogqlError):
        translate(query, Context(values={"table": "system.users"}))


@pytest.mark.parametrize("entry", CORPUS, ids=range(len(CORPUS)))
def test_everyday_queries_compile_to_our_tables_and_allowed_functions_only(entry: str) -> None:
    assert_harmless(translate(entry.partition("\n")[2], Context()).sql)


IDENTIFIER_PLACES = [
    "select 1 as {}",
    "select event as {0}, upper({0}) from events order by {0}",
    "select {0}.event from events {0}",
    "select {0}.* from events as {0} join persons p on {0}.person_id = p.id",
    "select properties.{} from events",
    "select properties.a.{} from events",
    "select person.properties.{0} from events where properties.{0} != 'a'",
    "with {0} as (select 1 as a) select a from {0}",
    "with 1 as {0} select {0} + 1",
    "select {0}.{0} from (select 1 as {0}) as {0}",
    "select arrayMap({0} -> {0} + 1, [1])",
    "select count() over {0} from events window {0} as (partition by event)",
    "select x from (select [1] as a) array join a as {0}, [2] as x",
    "select 1 union all select 2 as {}",
    "select * from (select 1, 2) as t({0}, b)",
]


@pytest.mark.parametrize("place", IDENTIFIER_PLACES)
@given(name=TEXT)
def test_a_name_stays_a_name(place: str, name: str) -> None:
    quoted = "`" + hogql_identifier("-" + name)[1:-1] + "`"
    try:
        sql = translate(place.format(quoted), Context()).sql
    except HogqlError as error:
        assume(error.code != "hogql_syntax_error")
        raise
    assert skeleton(sql) == skeleton(translate(place.format("`-name`"), Context()).sql)
    assert_harmless(sql)


TEXT_PLACES = [
    "select {v}",
    "select count() from events where event = {v}",
    "select count() from events where event in {v}",
    "select count() from events where timestamp > {v}",
    "select properties[{v}], toDateTime({v}) from events",
    "select JSONExtractString(properties, {v}), match(event, {v}), formatDateTime(timestamp, {v}) from events",
    "select arrayFilter(x -> x = {v}, [{v}]) from events where properties.x not in ({v}, 'b')",
]


@pytest.mark.parametrize("place", TEXT_PLACES)
@given(value=TEXT)
def test_a_text_stays_a_text(place: str, value: str) -> None:
    assume(value.strip()[:4].isdigit() is False)  # a date becomes a date, which is another shape
    sql = translate(place, Context(values={"v": value})).sql
    assert skeleton(sql) == skeleton(translate(place, Context(values={"v": "text"})).sql)
    assert_harmless(sql)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | TEXT, lambda values: st.lists(values, max_size=3)
    )
)
def test_a_value_of_a_placeholder_becomes_constants(value: object) -> None:
    assume(not isinstance(value, int) or abs(value) < 1 << 255)
    sql = translate("select {v} as v", Context(values={"v": value})).sql
    assert_harmless(sql)


PIECES_TEXT = """
select from where group by having order limit offset union all distinct as ( ) ( ) , , . * [ ] { } = != < > + - / %
and or not in like between is null case when then else end interval day over partition join left on using array with
events persons event properties person session count sum file url 'a' `b` "c" 1 2.5 $x -> ? : :: || ?? =~ x ; -- /* */
f' ' ` " \\ sample final qualify window columns cohort cast numbers
"""
PIECES = st.sampled_from(PIECES_TEXT.split())


@accepting(15, HogqlError)
@settings(max_examples=examples(60, 1000))
@given(statements | (st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=60)).map("select {}".format))
def test_any_text_is_compiled_or_rejected_with_an_error(text: str) -> None:
    assert_harmless(translate(text, Context()).sql)


@accepting(5, HogqlError)
@settings(max_examples=examples(60, 1000))
@given(st.data())
def test_a_mutated_query_is_compiled_to_harmless_sql_or_rejected(data: st.DataObject) -> None:
    words = data.draw(st.sampled_from(CORPUS)).partition("\n")[2].split()
    for _ in range(data.draw(st.integers(1, 2))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(PIECES | expressions | st.sampled_from(words))
    assert_harmless(translate(" ".join(words), Context()).sql)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with open_shared(500, today=date(2026, 11, 24)) as opened:
        yield opened


HOSTILE = [
    "'", "''", "\\", "\\'", "\\\\'", "`", "\\`", '"', "' or 1=1 --", "'; drop table events; --", "\\x27", "\\u0027",
    "%27", "{x}", "{{x}}", "${x}", "a\0b", "\r\n", "\t", "\b\f\v\a", "é", "😀", "\u202e", "\ufeff", "/*", "*/", "--",
    "') union all select 1 from system.users --", "�", "\x7f", "\x1b[0m", "?", ":a", "@a", "\\N", "NULL",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_clickhouse_reads_back_the_text_that_was_given(engine: Engine, text: str) -> None:
    translated = translate("select {v}, {v} = {v}, length({l}), {l}[1]", Context(values={"v": text, "l": [text]}))
    assert engine.select(translated.sql).rows == [[text, 1, 1, text]]


@pytest.mark.parametrize("name", [text for text in HOSTILE if "\0" not in text])
def test_clickhouse_reads_back_the_name_that_was_given(engine: Engine, name: str) -> None:
    quoted = "`" + hogql_identifier(" " + name)[1:-1] + "`"
    translated = translate(f"select {quoted} from (select 1 as {quoted})", Context())
    assert translated.columns == (" " + name,)
    assert engine.select(translated.sql).columns == (" " + name,)


@pytest.mark.parametrize(
    "value", [{"a": 1}, object(), [{"a": 1}], "\ud800", ["\udfff"], 1 << 300, [[[1 << 300]]]], ids=repr
)
def test_a_value_that_is_neither_scalar_nor_array_is_rejected(value: object) -> None:
    with pytest.raises(HogqlError):
        translate("select {v}", Context(values={"v": value}))


CHAINS = {
    "parentheses": ("select ", "(", "1", ")", ""),
    "arrays": ("select ", "[", "1", "]", ""),
    "additions": ("select 1", "+1", "", "", ""),
    "accesses": ("select a", "[1]", "", "", ""),
    "tuple accesses": ("select a", ".1", "", "", ""),
    "comparisons": ("select 1", "=1", "", "", ""),
    "negations": ("select ", "not ", "1", "", ""),
    "minus signs": ("select ", "- ", "x", "", ""),
    "conditions": ("select ", "if(1,", "1", ",2)", ""),
    "cases": ("select ", "case when 1 then ", "1", " end", ""),
    "ternaries": ("select ", "1?", "1", ":1", ""),
    "lambdas": ("select ", "x->", "1", "", ""),
    "casts": ("select 1", "::int", "", "", ""),
    "calls": ("select f", "(1)", "", "", ""),
    "joins": ("select 1 from events", " join events on 1", "", "", ""),
    "tables": ("select 1 from events", ",events", "", "", ""),
    "subqueries": ("select * from ", "(select * from ", "events", ")", ""),
    "keywords as names": ("select 1", " + case + from + 1 + end + where", "", "", ""),
    "keywords as aliases": ("select 1 from events as a", ", events as where", "", "", ""),
    "intervals": ("select ", "interval (", "1", ") day", ""),
    "negative intervals": ("select ", "interval - ", "1 day", "", ""),
    "filters": ("select ", "count() filter (where ", "1", ")", ""),
    "bracketed joins": ("select * from ", "(", "events", " join events on 1)", ""),
    "columns of a subquery": ("select * from (select ", ", event", "", "", ""),
    "tags": ("select ", "<a>", "", "</a>", ""),
    "template strings": ("select ", "f'{", "1", "}'", ""),
    "braces": ("select ", "{", "x", "}", ""),
    "nullable equations": ("select ", "nullIf(", "properties.a", "=properties.b,1)", " from events"),
    "ranges": ("select ", "(", "properties.a", " between 1 and 2)", " from events"),
}


SHORT, LONG = (500, 60), (5_000, 150_000)
"""Lengths at which chains are compiled, which takes longer, and at which almost all are rejected."""
LENGTHS = [
    *(pair for number, name in enumerate(CHAINS) for pair in product([name], SHORT if SEEDS else [SHORT[number % 2]])),
    *product(CHAINS, LONG),
]


@pytest.mark.oracle
@pytest.mark.parametrize(("name", "times"), LENGTHS)
def test_deep_and_long_queries_are_compiled_or_rejected_and_never_break_the_parser(name: str, times: int) -> None:
    start, opening, middle, closing, end = CHAINS[name]
    query = start + opening * times + middle + closing * times + end
    try:
        sql = translate(query, Context()).sql
    except HogqlError as error:
        sql = error.message
    assert 0 < len(sql) < 5_000_000


def test_definitions_that_double_in_size_are_rejected() -> None:
    doubling = ", ".join(f"concat(a{i}, a{i}) as a{i + 1}" for i in range(60))
    with pytest.raises(HogqlError, match=r"too deeply|too large"):
        translate(f"with 'x' as a0, {doubling} select a60", Context())


def test_long_lists_do_not_count_as_deep_nesting() -> None:
    wanted = ", ".join(f"'{number}'" for number in range(10_000))
    assert translate(f"select count() from events where event in ({wanted})", Context()).tables == ("events",)
