import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from maton_posthog.schemas.json import rows as packed
from maton_posthog.schemas.json.rows import Rows

CELL = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
)
ROWS = st.lists(st.lists(CELL | st.lists(CELL, max_size=3), max_size=4), max_size=20)


class Holder(BaseModel):
    rows: Rows | None = None


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "BLOCK_BYTES", 20)


@given(ROWS, st.integers(0, 25), st.integers(0, 25), st.integers(0, 25))
def test_rows_and_their_slices_are_those_that_were_given(rows: list[Any], start: int, stop: int, at: int) -> None:
    whole = Rows.of(rows)
    assert (list(whole), len(whole)) == (rows, len(rows))
    part = whole[start:stop]
    assert (list(part), len(part)) == (rows[start:stop], len(rows[start:stop]))
    assert list(part[at:]) == rows[start:stop][at:]
    assert list(part[:at]) == rows[start:stop][:at]
    assert part.text is whole.text
    for index in range(len(part)):
        assert part[index] == rows[start:stop][index]
    with pytest.raises(IndexError):
        part[len(part)]


def test_rows_are_read_in_order_only() -> None:
    with pytest.raises(ValueError, match="in order"):
        Rows.of([[1], [2]])[::-1]


def test_only_the_blocks_that_are_read_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def parse(text: bytes) -> list[Any]:
        parsed.append(text)
        return json.loads(b"[" + text + b"]")

    monkeypatch.setattr(packed, "parse_block", parse)
    whole = Rows.of([["x" * 30, number] for number in range(100)])
    assert list(whole[50:52]) == [["x" * 30, 50], ["x" * 30, 51]]
    assert whole[99] == ["x" * 30, 99]
    assert len(parsed) == 3


def test_rows_that_are_parsed_already_are_not_parsed_again_until_they_are_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text, block = b"[1],[2]", packed.Block(0, 7, 2)
    rows = Rows.within(text, [block, packed.Block(8, 11, 1)], [["one"], ["two"]])
    assert list(rows[1:2]) == [["two"]]
    assert list(rows.packed()[1:2]) == [[2]]
    assert rows == rows.packed()

    def parse(_: bytes) -> list[Any]:
        return [["later"]]

    monkeypatch.setattr(packed, "parse_block", parse)
    assert list(rows) == [["one"], ["two"], ["later"]]


def test_rows_weigh_their_text() -> None:
    whole = Rows.of([["x" * 30, number] for number in range(1000)])
    assert len(whole.text) < whole.weight < len(whole.text) + 1000 * 200
    assert whole[:1].weight == whole.weight, "a slice keeps all of the text"


def test_a_model_takes_parsed_rows_and_rows_and_nothing_else() -> None:
    rows = Rows.of([[1], [2]])
    assert Holder(rows=rows).rows is rows
    taken = Holder.model_validate({"rows": [[1], ["a"]]}).rows
    assert taken is not None
    assert list(taken) == [[1], ["a"]]
    with pytest.raises(ValidationError, match=r"rows\.1"):
        Holder.model_validate({"rows": [[1], 2]})


def test_text_that_goes_on_after_the_rows_is_no_block() -> None:
    for text in (b"[1]],[[2]", b"[1],", b"[1]]", b"[NaN]", b"1],[2"):
        with pytest.raises(ValueError):  # noqa: PT011 - its words are not shown
            packed.parse_block(text)


def test_rows_that_begin_with_a_large_one_are_not_cheap_to_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_LARGE_BLOCK_BYTES", 40)
    small, large = ["x" * 9], ["x" * 60]
    assert [Rows.of(rows).is_small for rows in ([small], [large], [])] == [True, False, True]
    assert [Rows.of(rows).begins_large for rows in ([small], [large, small], [small, small, large], [])] == [
        False, True, False, False
    ]  # fmt: skip
