import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.tools.table import (
    MOST_BYTES,
    Column,
    Note,
    Report,
    Role,
    Shape,
    Table,
    change,
    dimension,
    mean,
    number,
    percent,
)

NUMBERS = st.floats(-1e12, 1e12)
TEXTS = st.text(alphabet=st.characters(codec="utf-8"), max_size=400)


@given(st.lists(st.tuples(TEXTS, NUMBERS), max_size=150), st.sampled_from(["time", "bars"]))
def test_a_table_is_truncated_at_whole_rows_and_reports_it(rows: list[Any], kind: Shape) -> None:
    shown = Table(kind, (Column("a"), Column("b")), tuple(rows)).as_json()
    kept = list(shown["rows"])
    assert len(json.dumps(kept, ensure_ascii=False).encode()) <= MOST_BYTES + 2
    if "truncated" in shown:
        assert shown["rows_returned"] == len(kept) < len(rows)
        assert kept == (rows[len(rows) - len(kept) :] if kind == "time" else rows[: len(kept)])
        assert f"{len(kept)} of {len(rows)} rows" in shown["how_to_continue"]
    else:
        assert kept == rows


@given(NUMBERS)
def test_numbers_are_rounded_by_a_negligible_amount(value: float) -> None:
    shown = number(value)
    assert shown is not None
    assert shown == pytest.approx(value, rel=1e-5, abs=1e-12) or abs(shown - value) <= 0.00005
    assert isinstance(shown, int) or not shown.is_integer()


def test_there_is_no_percentage_change_or_mean_of_nothing() -> None:
    assert (number(None), percent(1, 0), change(0, 5), mean([])) == (None, None, None, None)
    assert (number(3.0), percent(1, 3), change(-4, -2), mean([1, 2])) == (3, 33.3, 50, 1.5)


def test_the_metadata_contains_the_roles_and_series_of_columns() -> None:
    columns = (dimension("day"), Column("a", Role.VALUE, 0), Column("a before", Role.PREVIOUS, 0))
    told = {"shape": "time", "roles": ["dimension", "value", "previous"], "series": [None, 0, 0]}
    assert Table("time", columns, ()).as_meta() == told
    assert Table("bars", columns[:1], ()).as_meta() == {"shape": "bars", "roles": ["dimension"]}


def test_empty_parts_are_left_out() -> None:
    table = Table("bars", (Column("a"),), ((1,),))
    assert Report(table, {}).as_json() == {"columns": ("a",), "rows": ((1,),)}
    assert Report(table, {"n": 1}, {"m": 2}, (Note("x"),)).as_json().keys() == {
        "columns",
        "rows",
        "m",
        "facts",
        "notes",
    }
