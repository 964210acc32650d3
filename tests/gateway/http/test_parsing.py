"""Rows that stay text are the rows that a whole parse finds, however the response is written."""

import json
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.gateway.http import parsing
from maton_posthog.gateway.http.parsing import parse_strictly, parse_with_rows
from maton_posthog.schemas.json.rows import Rows
from tests.oracle import examples

TEXT = st.text(max_size=6) | st.sampled_from(['],["', "[[", ']],"', "}],[{", '"results":[[', "\\", '\\"', "[", "]"])
CELL = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUE = st.recursive(
    CELL, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=12
)
ROWS = st.lists(st.lists(VALUE, max_size=4), max_size=8)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n ", " : ")])


def unpacked(value: Any) -> Any:
    """The value with all rows parsed."""
    if isinstance(value, Rows):
        return list(value)
    if isinstance(value, dict):
        return {name: unpacked(item) for name, item in cast("dict[str, Any]", value).items()}
    return value


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsing, "BLOCK_BYTES", 40)


@given(
    ROWS,
    st.dictionaries(TEXT | st.sampled_from(["results", "columns", "types"]), VALUE | ROWS, max_size=3),
    st.dictionaries(TEXT | st.sampled_from(["results", "columns", "types"]), VALUE | ROWS, max_size=3),
    st.sampled_from([1, 2, 3]),
    SEPARATORS,
    st.booleans(),
)
@settings(max_examples=examples(40, 2000))
def test_any_response_is_parsed_as_without_rows(
    rows: list[Any],
    before: dict[str, Any],
    after: dict[str, Any],
    depth: int,
    separators: tuple[str, str],
    escaped: bool,
) -> None:
    value: Any = before | {"results": rows} | after
    for outer in ("results", "query_status")[: depth - 1]:
        value = {outer: value}
    text = json.dumps(value, separators=separators, ensure_ascii=escaped).encode()
    assert unpacked(parse_with_rows(text)) == parse_strictly(text)


@given(ROWS, st.integers(0, 200), st.binary(max_size=2))
def test_what_is_not_json_is_rejected_as_without_rows(rows: list[Any], at: int, byte: bytes) -> None:
    text = json.dumps({"results": rows, "types": [["a", "b"], ["c", "d"]]}).encode()
    text = text[: at % len(text)] + byte + text[at % len(text) + 1 :]
    try:
        whole = parse_strictly(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011 - its words are not shown
            parse_with_rows(text)
    else:
        assert unpacked(parse_with_rows(text)) == whole


@pytest.mark.parametrize(
    "response",
    [
        {"results": [[1, "a"]] * 50, "columns": ["a", "b"]},
        {"query_status": {"complete": True, "results": {"results": [[1]] * 50, "types": [["a", "b"]] * 20}}},
        {"results": [["],[", "[", '"]]"'], [[["a"], ["b"]], {"c": [[1], [2]], "d": 1}]] * 20},
        {"results": [["x" * 1000]]},
    ],
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_rows_stay_text_wherever_posthog_puts_them(response: dict[str, Any], separators: tuple[str, str]) -> None:
    text = json.dumps(response, separators=separators).encode()
    value = parse_with_rows(text)
    inner = value["query_status"]["results"] if "query_status" in value else value
    assert isinstance(inner["results"], Rows)
    assert unpacked(value) == response or unpacked(inner) == response["query_status"]["results"]


def test_a_pause_is_made_between_blocks() -> None:
    pauses: list[int] = []
    value = parse_with_rows(json.dumps({"results": [["x" * 50]] * 10}).encode(), lambda: pauses.append(1))
    assert len(pauses) == len(value["results"].blocks) - 1 == 9


@pytest.mark.parametrize(
    "number", [b"1e999", b"-1e0400", b"1E+999", b"1e1000", b"9" * 400, b"1.5e309", b"1" + b"0" * 309, b"1e999 "]
)
@pytest.mark.parametrize(
    "text", [b'{"results":[[0],[%b]]}', b'{"results":[[0],[[%b],[1]]]}', b'{"a":%b,"results":[[0]]}']
)
def test_infinite_numbers_are_rejected(number: bytes, text: bytes) -> None:
    body = text % number
    if number[:1] in b"91" and b"e" not in number.lower():
        assert unpacked(parse_with_rows(body)) == json.loads(body), "an integer is never infinite"
        return
    for parse in (parse_strictly, parse_with_rows):
        with pytest.raises(ValueError, match="infinite"):
            parse(body)


@pytest.mark.parametrize("value", ["0e190", "1e999", "a1e1234,", "1e308", "9" * 300])
def test_text_that_looks_like_a_huge_number_is_no_number(value: str) -> None:
    assert parse_strictly(json.dumps([value, {value: 1e300}]).encode()) == [value, {value: 1e300}]


def test_a_list_of_other_things_than_rows_is_left_as_it_is() -> None:
    for results in ([[1], 2], [[1], {"a": 1}], [{"a": [[1]]}], [1], [], [[1], None]):
        value = {"results": results, "next": None}
        assert parse_with_rows(json.dumps(value).encode()) == value
