"""Loading of the prepared dataset into an empty database, moved to its day."""

from datetime import date

from ...storage.engine import Engine
from ..definitions import define_events
from ..shifting import functions
from ..tables import DATABASE, EVENTS, TABLES, TIME, TableDefinition
from .archive import Prepared
from .blocks import Mover

JOINT = '","$window_id":"'
"""The text between the ids of session and window in properties."""
_TEXT = "LowCardinality(String)"

SENT = TableDefinition(
    "prepared_events",
    (
        ("uuid", "UUID"),
        ("event", _TEXT),
        ("own_properties", _TEXT),
        ("first_properties", _TEXT),
        ("other_properties", _TEXT),
        ("timestamp", TIME),
        ("distinct_id", _TEXT),
        ("elements_chain", _TEXT),
        ("created_at", TIME),
        ("$session_id", _TEXT),
        ("$window_id", _TEXT),
        ("person_mode", _TEXT),
        ("$group_0", _TEXT),
        ("person_id", "UUID"),
        ("person_created_at", TIME),
        ("person_properties", _TEXT),
        ("group_0_properties", _TEXT),
    ),
    "",
)
"""The events in the order of their table. Their properties are in parts, around the ids of session and window.

The UUIDs and moments in it are not moved, which ClickHouse does in less time.
"""

_COLUMNS = EVENTS.columns[:15]
_PROPERTIES = (
    "concat(own_properties, first_properties, `$session_id`, "
    f"if(empty(`$session_id`), '', '{JOINT}'), `$window_id`, other_properties)"
)


def load(engine: Engine, prepared: Prepared, today: date) -> None:
    """Create all tables, with `today` as the last day. Raises EngineError and PreparedError."""
    days = (today - prepared.parameters.today).days
    mover = Mover(days)
    tables = {table.name: table for table in (*TABLES, SENT)}
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in tables.values():
        engine.execute(table.create())
    for block in prepared.read():
        table = tables[block.table]
        mover.move(block)
        engine.insert(f"{DATABASE}.{table.name}", table.names, [block.data], "Native")
        if table == SENT:
            _join(engine, days, block.rows)
    define_events(engine)


def _join(engine: Engine, days: int, rows: int) -> None:
    """Move the events from their parts to their table."""
    values = ", ".join(_value(name, kind) for name, kind in _COLUMNS)
    whole = f"WITH {functions(days)} SELECT {values} FROM {DATABASE}.{SENT.name} SETTINGS max_threads = 1"
    engine.copy(f"{DATABASE}.{EVENTS.name}", [name for name, _ in _COLUMNS], whole, rows)
    engine.execute(f"DROP TABLE {DATABASE}.{SENT.name} SYNC")


def _value(name: str, kind: str) -> str:
    if name == "properties":
        return _PROPERTIES
    return "shifted_uuid(uuid)" if name == "uuid" else f"shifted_moment(`{name}`)" if kind == TIME else f"`{name}`"
