"""The embedded ClickHouse: values, limits, errors, threads, closing."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthog_sandbox.storage.clickhouse_types import converter, parse, without_low_cardinality
from posthog_sandbox.storage.engine import MAX_RESULT_ROWS, Engine, EngineError, EngineMissingError, read_error

NEVER_ENDING = "SELECT count() FROM numbers(1000000000000)"


def test_an_engine_opens_its_own_database_only(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from posthog_sandbox.storage.engine import Engine\n"
        "with Engine(Path(sys.argv[1])) as engine: print(engine.select('SELECT 1').rows, 'chdb' in sys.modules)\n"
        "import chdb; print(chdb.query('SELECT 2'))"
    )
    shown = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)

    assert shown.stdout.split() == ["[[1]]", "False", "2"]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine") / "data"


@pytest.fixture(scope="module")
def engine(directory: Path) -> Iterator[Engine]:
    with Engine(directory) as opened:
        yield opened


@pytest.mark.parametrize(
    ("sql", "type_name", "value"),
    [
        ("toDateTime64('2020-01-10 12:00:00', 6, 'UTC')", "DateTime64(6, 'UTC')", "2020-01-10T12:00:00Z"),
        ("toDateTime64('2020-01-10 12:00:00.25', 6, 'UTC')", "DateTime64(6, 'UTC')", "2020-01-10T12:00:00.250000Z"),
        ("toDateTime64('2020-01-10 12:00:00.5', 3)", "DateTime64(3)", "2020-01-10T12:00:00.500000Z"),
        ("toDateTime64('1850-01-10 12:00:00', 0)", "DateTime64(0)", "1850-01-10T12:00:00Z"),
        (
            "toDateTime('2020-07-10 12:00:00', 'Europe/Berlin')",
            "DateTime('Europe/Berlin')",
            "2020-07-10T12:00:00+02:00",
        ),
        ("toDateTime('2020-01-10 12:00:00', 'Europe/London')", "DateTime('Europe/London')", "2020-01-10T12:00:00Z"),
        ("toDate('2020-01-10')", "Date", "2020-01-10"),
        ("toUInt64(18446744073709551615)", "UInt64", 18446744073709551615),
        ("toUUID('0197d0c6-5b1e-7d3a-9c41-3f7be21a8e54')", "UUID", "0197d0c6-5b1e-7d3a-9c41-3f7be21a8e54"),
        ("true", "Bool", True),
        ("nan", "Float64", None),
        ("-inf", "Float64", None),
        ("toFloat64(2)", "Float64", 2.0),
        ("toDecimal64(2.5, 2)", "Decimal(18, 2)", 2.5),
        ("[toDateTime('2020-01-10 12:00:00'), NULL]", "Array(Nullable(DateTime))", ["2020-01-10T12:00:00Z", None]),
        ("[1., nan]", "Array(Float64)", [1.0, None]),
        ("(1, 'a')::Tuple(a UInt8, `b c` String)", "Tuple(a UInt8, `b c` String)", [1, "a"]),
        ("(1, toDateTime(0))", "Tuple(UInt8, DateTime)", [1, "1970-01-01T00:00:00Z"]),
        ("map('a', toDateTime(0))", "Map(String, DateTime)", {"a": "1970-01-01T00:00:00Z"}),
        ("map(toDateTime(0), 1)", "Map(DateTime, UInt8)", {"1970-01-01T00:00:00Z": 1}),
        ("toLowCardinality('a')", "String", "a"),
        ("[toLowCardinality('a')]", "Array(String)", ["a"]),
        ("'a'::Enum8('a' = 1, 'b, (c' = 2)", "Enum8('a' = 1, 'b, (c' = 2)", "a"),
        ("NULL", "Nullable(Nothing)", None),
        ("unhex('FF')", "String", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_value_is_ready_for_json_and_has_its_type(engine: Engine, sql: str, type_name: str, value: object) -> None:
    table = engine.select(f"SELECT {sql} AS value")

    assert table.columns == ("value",)
    assert table.types == (type_name,)
    assert table.rows == [[value]]
    assert type(table.rows[0][0]) is type(value)
    json.dumps(table.rows, allow_nan=False)


def test_columns_with_the_same_name_are_all_kept(engine: Engine) -> None:
    table = engine.select("SELECT number AS a, number AS a FROM numbers(1, 1)")

    assert table.columns == ("a", "a")
    assert table.rows == [[1, 1]]


def test_a_result_without_rows_still_has_its_columns(engine: Engine) -> None:
    table = engine.select("SELECT number FROM numbers(0)")

    assert (table.columns, table.types, table.rows) == (("number",), ("UInt64",), [])


def test_a_trailing_comment_does_not_hide_the_limits(engine: Engine) -> None:
    assert engine.select("SELECT getSetting('readonly') -- the end").rows == [[2]]


def test_the_limits_cover_every_part_of_a_union(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.select(f"{NEVER_ENDING} UNION ALL {NEVER_ENDING}", max_seconds=0.2)

    assert caught.value.code_name == "TIMEOUT_EXCEEDED"


@pytest.mark.parametrize(
    ("sql", "code_name"),
    [
        ("SELECT nope FROM numbers(1)", "UNKNOWN_IDENTIFIER"),
        ("SELECT 1 FROM nope", "UNKNOWN_TABLE"),
        ("SELECT nope(1)", "UNKNOWN_FUNCTION"),
        ("SELECT toUInt8('secret')", "CANNOT_PARSE_TEXT"),
        ("SELEC 1", "SYNTAX_ERROR"),
        ("SELECT 'a", "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", "SYNTAX_ERROR"),
        ("CREATE TABLE t (a Int8) ENGINE = Memory", "READONLY"),
        ("SELECT throwIf(number = 3, 'told you') FROM numbers(9)", "FUNCTION_THROW_IF_VALUE_IS_NON_ZERO"),
    ],
)
def test_a_rejected_query_has_clickhouses_error_name_and_no_sql_in_its_message(
    engine: Engine, sql: str, code_name: str
) -> None:
    with pytest.raises(EngineError) as caught:
        engine.select(sql)

    assert caught.value.code_name == code_name
    for noise in ("SELECT", "version", "DB::", "Stack trace", "readonly =", "In scope", "executing"):
        assert noise not in caught.value.message
    assert caught.value.message.endswith(".")


def test_a_query_that_runs_too_long_times_out(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.select(NEVER_ENDING, max_seconds=0.2)

    assert caught.value.code_name == "TIMEOUT_EXCEEDED"


def test_a_query_that_needs_too_much_memory_is_stopped(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.select("SELECT groupArray(number) FROM numbers(100000000)", max_memory_bytes=50_000_000)

    assert caught.value.code_name == "MEMORY_LIMIT_EXCEEDED"


def test_a_result_with_too_many_rows_is_rejected(engine: Engine) -> None:
    with pytest.raises(EngineError) as caught:
        engine.select(f"SELECT number FROM numbers({MAX_RESULT_ROWS + 1})")

    assert caught.value.code_name == "TOO_MANY_ROWS_OR_BYTES"


def test_rows_sent_before_a_failure_do_not_reach_the_next_result(engine: Engine) -> None:
    for _ in range(8):
        with pytest.raises(EngineError):
            engine.select("SELECT number, throwIf(number = 90000) FROM numbers(100000)")
        assert engine.select("SELECT 'next' AS answer").rows == [["next"]]


def test_results_and_errors_of_concurrent_queries_do_not_mix(engine: Engine) -> None:
    def ask(number: int) -> str | int:
        if number % 5 == 0:
            try:
                engine.select(f"SELECT missing_{number}")
            except EngineError as error:
                return error.message
        return engine.select(f"SELECT {number} + sum(number) * 0 FROM numbers(1000)").rows[0][0]

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(ask, range(80)))

    for number, response in enumerate(responses):
        assert f"missing_{number}`" in str(response) if number % 5 == 0 else response == number


def test_closing_cancels_the_running_query_and_rejects_new_ones(engine: Engine, directory: Path) -> None:
    closing = Engine(directory)
    outcome: list[str] = []

    def run() -> None:
        try:
            closing.select(NEVER_ENDING, max_seconds=60)
        except EngineError as error:
            outcome.append(error.code_name)

    thread = threading.Thread(target=run)
    thread.start()
    _await_query(engine, "numbers(1000000000000)", thread)
    released: list[str] = []
    closing.call_on_close(lambda: released.append("released"))

    closing.close()
    closing.close()
    thread.join()

    assert outcome == ["QUERY_WAS_CANCELLED"]
    assert released == ["released"]
    with pytest.raises(EngineError, match="closing"):
        closing.select("SELECT 1")


def test_inserted_rows_are_stored_and_an_invalid_row_is_an_engine_error(engine: Engine) -> None:
    engine.execute("CREATE TABLE inserted (a UInt8, b String) ENGINE = Memory")
    engine.insert("inserted", ("a", "b"), [b"1\tone\n2\t", b"two\\nlines\n"])

    assert engine.select("SELECT a, b FROM inserted ORDER BY a").rows == [[1, "one"], [2, "two\nlines"]]
    with pytest.raises(EngineError) as caught:
        engine.insert("inserted", ("a", "b"), [b"x\tone\n"])
    assert caught.value.code_name.startswith("CANNOT_PARSE")
    assert engine.select("SELECT count() FROM inserted").rows == [[2]]


def test_rows_that_were_read_but_not_stored_are_detected(engine: Engine) -> None:
    engine.execute("CREATE TABLE forgetful (a UInt8) ENGINE = Null")

    with pytest.raises(EngineError) as caught:
        engine.insert("forgetful", ("a",), [b"1\n2\n"])
    assert caught.value.code_name == "INSERT_LOST_ROWS"


def test_without_chdb_the_error_names_the_command_and_the_size(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "chdb.state", None)

    with pytest.raises(EngineMissingError) as caught:
        Engine(tmp_path)

    text = str(caught.value)
    assert "pip install 'maton-posthog-mcp[sandbox]'" in text
    assert "265 MB" in text
    assert "Windows" in text


def test_importing_the_engine_does_not_import_chdb() -> None:
    code = "import sys, posthog_sandbox.storage.engine, posthog_sandbox.dataset; sys.exit('chdb' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_process_leaves_nothing_behind_and_exits_cleanly_even_without_close(tmp_path: Path) -> None:
    work, data = tmp_path / "work", tmp_path / "data"
    work.mkdir()
    code = (
        "import sys; from pathlib import Path; from posthog_sandbox.storage.engine import Engine\n"
        "engine = Engine(Path(sys.argv[1])); assert engine.select('SELECT 1').rows == [[1]]"
    )

    ended = subprocess.run(
        [sys.executable, "-c", code, str(data)], cwd=work, capture_output=True, check=False, timeout=60
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")
    assert list(work.iterdir()) == []


def test_an_error_in_another_format_is_still_reported() -> None:
    error = read_error("something else broke")

    assert (error.code_name, error.message) == ("UNKNOWN_EXCEPTION", "something else broke")


@given(st.text())
def test_any_error_text_can_be_parsed(text: str) -> None:
    assert read_error(f"Code: 1. DB::Exception: {text} (SOME_NAME) (version 26.9.2.1)").code_name
    assert read_error(text).message


_plain_types = st.sampled_from(
    ["String", "UInt64", "Float64", "DateTime64(6, 'Europe/Berlin')", "Enum8('a, (' = 1, 'b\\'' = 2)", "Decimal(9, 2)"]
)
type_names = st.recursive(
    _plain_types,
    lambda inner: st.one_of(
        inner.map("Array({})".format),
        inner.map("Nullable({})".format),
        inner.map("LowCardinality({})".format),
        st.tuples(inner, inner).map(lambda pair: f"Map({pair[0]}, {pair[1]})"),
        st.tuples(inner, inner).map(lambda pair: f"Tuple(a {pair[0]}, `b \\` c` {pair[1]})"),
    ),
    max_leaves=6,
)


@given(type_names)
def test_every_type_name_is_parsed_and_rebuilt(text: str) -> None:
    head, arguments = parse(text)

    assert (f"{head}({', '.join(arguments)})" if arguments else head) == text
    assert "LowCardinality(" not in without_low_cardinality(text)
    needs_conversion = any(part in text for part in ("Float64", "DateTime64", "Decimal"))
    assert (converter(text) is not None) == needs_conversion


def _await_query(engine: Engine, part: str, thread: threading.Thread) -> None:
    """Return once the query of `thread` that contains `part` is running."""
    pause = threading.Event()
    while thread.is_alive():
        running = engine.select("SELECT query FROM system.processes WHERE query NOT LIKE '%system.processes%'")
        if any(part in query for (query,) in running.rows):
            return
        pause.wait(0.01)
    raise AssertionError("the query never started")
