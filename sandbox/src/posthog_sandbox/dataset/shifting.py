"""Shift a loaded dataset by whole days, in a fraction of the time that it takes to generate.

The result is, byte for byte, what the generator makes for the new day with the old calendar (`Parameters.weekday`):
all moments, the times within version 7 UUIDs and the times in properties move by the same number of days.
"""

from collections.abc import Iterable

from ..storage.engine import Engine
from .tables import DATABASE, EVENTS, PERSONS, PROPERTY_DEFINITIONS, TABLES, TIME, TableDefinition

_DAY_MS = 86_400_000
_IDS = ("distinct_id", "$session_id", "$window_id", "session_id")
_ID, _DAY = 36, 10
"""Lengths of a UUID and of a day."""
_WINDOW = '","$window_id":"'
"""The text between the ids of session and window, which follow each other."""

type _Replaced = dict[str, str]
"""Expressions by the names of the columns that they replace.

Each change of a column is a step: ClickHouse copies an expression to each place where a later one uses it.
"""


def shift(engine: Engine, days: int) -> None:
    """Move all rows of an open database by a number of days; backward when negative. Raises EngineError."""
    for table in TABLES:
        if table != PROPERTY_DEFINITIONS:  # it has no times
            _rewrite(engine, table, _steps(table), days)


def _rewrite(engine: Engine, table: TableDefinition, steps: Iterable[_Replaced], days: int) -> None:
    """Replace a table by the result of these steps over its rows."""
    name, old = f"{DATABASE}.{table.name}", f"{DATABASE}.{table.name}_before"
    engine.execute(f"RENAME TABLE {name} TO {old}")
    engine.execute(table.create())
    rows = engine.select(f"SELECT count() FROM {old}").rows[0][0]
    source = old
    for step in steps:
        replaced = ", ".join(f"{expression} AS `{column}`" for column, expression in step.items())
        source = f"(SELECT * REPLACE ({replaced}) FROM {source})"
    names = ", ".join(f"`{column}`" for column in table.names)
    engine.copy(name, table.names, f"WITH {functions(days)} SELECT {names} FROM {source}", rows)
    engine.execute(f"DROP TABLE {old} SYNC")


def functions(days: int) -> str:
    """Return the functions that shift a version 7 UUID as text and as a number, a moment, and a day as text."""
    digits = "concat(substring(id, 1, 8), substring(id, 10, 4))"
    time = f"lower(leftPad(hex(reinterpretAsInt64(reverse(unhex({digits}))) + {days * _DAY_MS}), 12, '0'))"
    parts = f"concat(substring({time}, 1, 8), '-', substring({time}, 9, 4), substring(id, 14))"
    timed = "length(id) = 36 AND substring(id, 9, 1) = '-' AND substring(id, 14, 2) = '-7'"
    return f"""
    (id -> if({timed}, {parts}, id)) AS shifted_id,
    (id -> reinterpretAsUUID(reinterpretAsInt128(id) + toInt128({days * _DAY_MS}) * 65536)) AS shifted_uuid,
    (moment -> if(toUnixTimestamp64Micro(moment) = 0, moment, addDays(moment, {days}))) AS shifted_moment,
    (day -> if(day = '', '', toString(addDays(toDateOrZero(day), {days})))) AS shifted_day
    """


def _steps(table: TableDefinition) -> list[_Replaced]:
    """Return the steps of a table."""
    step: _Replaced = {name: f"shifted_moment(`{name}`)" for name, kind in table.columns if kind == TIME}
    # With low cardinality each id is computed once, and not once for each of its rows.
    step |= {name: f"shifted_id(toLowCardinality(`{name}`))" for name in table.names if name in _IDS}
    if table == PERSONS:
        return [step | {"name": "shifted_id(name)"}, *_person_times("properties")]
    if table == EVENTS:
        return [step | {"uuid": "shifted_uuid(uuid)"}, *_event_ids("properties"), *_person_times("person_properties")]
    return [step]


def _event_ids(column: str) -> list[_Replaced]:
    """Return the steps for the ids in properties of an event, and for the times in the `$set` of `$identify`.

    The columns of session and window are shifted already, like those in all steps after the first.
    """
    ids = f"if({{}} = '', '', concat(`$session_id`, '{_WINDOW}', `$window_id`))"
    anonymous, submission = (
        _changed(column, name, _ID, "shifted_id({})") for name in ("$anon_distinct_id", "$survey_submission_id")
    )
    signed_up = _changed(column, "signed_up_at", _DAY, "shifted_day({})")
    return [
        {column: _changed(column, "$session_id", 2 * _ID + len(_WINDOW), ids)},
        {column: _changed(column, "$device_id", _ID, "shifted_id(toLowCardinality({}))")},
        {column: f"multiIf(event = '$identify', {anonymous}, event = 'survey sent', {submission}, {column})"},
        {column: f"if(event = '$identify', {signed_up}, {column})"},
    ]


def _person_times(column: str) -> list[_Replaced]:
    """Return the steps for the times in properties of a person."""
    return [{column: _changed(column, name, _DAY, "shifted_day({})")} for name in ("signed_up_at", "last_purchase_at")]


def _changed(column: str, name: str, length: int, shifted: str) -> str:
    """Return JSON with the first `length` characters of a member's text replaced; JSON without the member as it is.

    A name in quotation marks without a backslash before them is never within a value.
    """
    key = f'"{name}":"'
    place = f"position({column}, '{key}')"
    # Without the member all text is before it. With a condition around them the parts would be computed row by row.
    end = f"if({place} = 0, length({column}), {place} + {len(key) - 1})"
    value = shifted.format(f"substring({column}, {end} + 1, {length})")
    return f"concat(substring({column}, 1, {end}), {value}, substring({column}, {end} + {1 + length}))"
