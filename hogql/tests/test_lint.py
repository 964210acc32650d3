"""`hogql-lint`: places in the file, formats, and the exit status."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hogql_lang.lint import main, statements

pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

SCHEMA = str(Path(__file__).with_name("schema.json"))
BROKEN = "SELECT 1;\n\n-- signups\nSELECT event\nFROM events\nWHERE evnt = {name} AND timestamp > now();\n"


def linted(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(main, arguments, input=text)


@pytest.fixture
def broken(tmp_path: Path) -> str:
    path = tmp_path / "signups.sql"
    path.write_text(BROKEN, "utf-8")
    return str(path)


def test_a_finding_has_its_place_in_the_file_and_its_fix(broken: str) -> None:
    result = linted("--schema", SCHEMA, broken)
    assert result.exit_code == 1
    assert result.output == (
        f"{broken}:6:7: error: unknown column `evnt` [hogql_query_error]\n"
        "    WHERE evnt = {name} AND timestamp > now();\n"
        "          ^\n"
        "    did you mean `event`?\n"
    )


def test_findings_are_json_lines(broken: str) -> None:
    (line,) = linted("--schema", SCHEMA, "--format", "json", broken).output.splitlines()
    found = json.loads(line)
    assert (found["path"], found["line"], found["column"], found["level"]) == (broken, 6, 7, "error")
    assert found["fixes"] == ["event"]


def test_findings_annotate_a_pull_request() -> None:
    result = linted("--format", "github", "-", text="SELECT countt(), '100%' FROM persons")
    assert result.output.startswith("::warning file=<stdin>,line=1,col=8,title=hogql_query_error::unknown function ")
    assert result.exit_code == 1


def test_without_a_schema_only_syntax_and_functions_are_checked(broken: str) -> None:
    assert linted(broken).exit_code == 0
    assert "missing BY" in linted("-", text="SELECT event FROM events GROUP event").output


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELECT event FROM events WHERE count() > 5", "did you mean `HAVING after GROUP BY`?"),
        ("SELECT 1 FROM events WHERE timestamp > now() AND event = 5", "did you mean `event = '5'`"),
        ("SELECT extract(hour FROM timestamp) FROM events", "did you mean `toHour(timestamp)`?"),
        ("SELECT 1 LIMIT 10, 5", "warning: LIMIT 10, 5 returns 10 rows"),
    ],
)
def test_types_aggregation_and_dropped_clauses_are_findings(text: str, says: str) -> None:
    assert says in linted("--schema", SCHEMA, "-", text=text).output


@pytest.mark.parametrize("text", ["", ";", "SELECT 1", "SELECT 1;\n", "-- nothing\n", "SELECT x -> {return 1;}"])
def test_correct_files_have_no_findings(text: str) -> None:
    result = linted("-", text=text)
    assert (result.exit_code, result.output) == (0, "")


def test_an_unreadable_file_gives_status_2_and_the_others_are_linted(tmp_path: Path, broken: str) -> None:
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xe9'")
    result = linted("--schema", SCHEMA, str(tmp_path / "absent.sql"), str(tmp_path / "latin.sql"), broken)
    assert result.exit_code == 2
    assert "unknown column" in result.output


@pytest.mark.parametrize("text", ["", "[]", '{"tables": []}', '{"tables": {"a": {"fields": {"b": 1}}}}'])
def test_a_file_that_is_not_a_schema_gives_status_2(tmp_path: Path, text: str) -> None:
    path = tmp_path / "schema.json"
    path.write_text(text, "utf-8")
    result = linted("--schema", str(path), "-", text="SELECT 1")
    assert result.exit_code == 2
    assert "DatabaseSchemaQuery" in result.output


def test_a_name_in_the_schema_cannot_control_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    column = {"type": "string"}
    path.write_text(json.dumps({"tables": {"events": {"fields": {"plan_name\x1b": column}}}}), "utf-8")
    result = linted("--schema", str(path), "-", text="SELECT plan_name FROM events WHERE timestamp > 1")
    assert "plan" in result.output
    assert "\x1b" not in result.output


def test_a_deeply_nested_statement_is_a_finding() -> None:
    assert "brackets are open" in linted("-", text="SELECT " + "(" * 200).output


def test_statements_end_at_semicolons_outside_strings_and_programs() -> None:
    text = "select ';' ;; select f(x -> {return 1;}) ; select (1; select 2 -- ; \n"
    assert [sql for _, sql in statements(text)] == [
        "select ';'", "select f(x -> {return 1;})", "select (1", "select 2",
    ]  # fmt: skip
    assert all(text[start:].startswith(sql) for start, sql in statements(text))
