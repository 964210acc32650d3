"""Loading of a generated dataset into an open database."""

import re
from collections.abc import Iterable

from ..collector import without_collector
from ..storage.engine import Engine
from .generate import generate
from .parameters import Parameters, ReportProgress
from .rows import Batch
from .staging import EVENT_COLUMNS, JOINED, PROPERTIES, SENT, SETTINGS, STAGING, collect_properties, staged_lines
from .tables import DATABASE, EVENT_DEFINITIONS, EVENTS, GENERATED, PROPERTY_DEFINITIONS, TABLES, line

_ROUND_EVENTS = 100_000
"""Number of events whose text is sent to ClickHouse at once; each round leaves a part per table."""
_GENERATED_SHARE = 0.95
_SAMPLED_EVENTS = 1_000_000

_DATE_TIME = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"')

_SESSION_PROPERTIES = (
    ("$start_timestamp", "DateTime"),
    ("$end_timestamp", "DateTime"),
    ("$entry_current_url", "String"),
    ("$entry_pathname", "String"),
    ("$end_current_url", "String"),
    ("$end_pathname", "String"),
    ("$entry_referring_domain", "String"),
    ("$entry_utm_source", "String"),
    ("$entry_utm_campaign", "String"),
    ("$entry_utm_medium", "String"),
    ("$entry_utm_term", "String"),
    ("$entry_utm_content", "String"),
    ("$pageview_count", "Numeric"),
    ("$autocapture_count", "Numeric"),
    ("$screen_count", "Numeric"),
    ("$channel_type", "String"),
    ("$session_duration", "Numeric"),
    ("$is_bounce", "Boolean"),
)


_PROPERTIES_OF = """
SELECT pair.1 AS name, groupUniqArray(substring(pair.2, 1, 1)) AS starts, any(substring(pair.2, 1, 40)) AS example,
    [] AS owners
FROM {source} ARRAY JOIN JSONExtractKeysAndValuesRaw(properties) AS pair
GROUP BY name ORDER BY name
"""
_PROPERTIES_OF_EVENTS = f"""
SELECT name, groupUniqArrayArray(starts), any(example), arraySort(groupUniqArrayArray(owners))
FROM {DATABASE}.{PROPERTIES.name} GROUP BY name ORDER BY name
"""


def load(engine: Engine, parameters: Parameters, progress: ReportProgress) -> None:
    """Create all tables of the dataset in an empty database.

    `progress` is called with a fraction from 0 to 1 and a message, at least every 5 %.
    """
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in (*TABLES, *STAGING):
        engine.execute(table.create())
    total, made = parameters.events, 0
    writer = _Writer(engine, collect_properties(max(1, total // _SAMPLED_EVENTS)))
    progress(0.0, f"Generating {total:,} events")
    with without_collector():
        for batch in generate(parameters):
            writer.add(batch)
            made += len(batch.sent)
            progress(_GENERATED_SHARE * made / total, f"Generated {made:,} of {total:,} events")
            if writer.events >= _ROUND_EVENTS or made == total:
                writer.write()
    progress(_GENERATED_SHARE, "Collecting event and property definitions")
    _define_events(engine)
    _define_properties(engine)
    for table in STAGING:
        engine.execute(f"DROP TABLE {DATABASE}.{table.name} SYNC")
    progress(1.0, f"{total:,} events ready")


class _Writer:
    """Collects the text of batches, and writes it to ClickHouse in rounds.

    Not in a thread of its own: the two would take the interpreter from each other, which costs more than it saves.
    """

    def __init__(self, engine: Engine, collect: str) -> None:
        self.events = 0
        """The number of events to write."""
        self._engine = engine
        self._collect = collect
        self._settings: list[bytes] = []
        self._sent: list[bytes] = []
        self._number = 0
        self._lines = {table: list[bytes]() for table in GENERATED[1:]}

    def add(self, batch: Batch) -> None:
        """Encode a batch. At once: its rows are then still in the processor's cache, and their memory is used again."""
        settings, sent, self._number = staged_lines(batch.sent, self._number)
        self._settings.append(settings)
        self._sent.append(sent)
        self.events += len(batch.sent)
        rows = batch.without_events()
        for table, lines in self._lines.items():
            lines.append("".join(map(line, rows[table.name])).encode())

    def write(self) -> None:
        """Write the batches that were added since the last time."""
        engine = self._engine
        engine.insert(f"{DATABASE}.{SETTINGS.name}", SETTINGS.names, self._settings)
        engine.insert(f"{DATABASE}.{SENT.name}", SENT.names, self._sent)
        engine.copy(f"{DATABASE}.{EVENTS.name}", EVENT_COLUMNS, JOINED, self.events)
        engine.execute(self._collect)
        for table in (SETTINGS, SENT):
            engine.execute(f"TRUNCATE TABLE {DATABASE}.{table.name}")
        for table, lines in self._lines.items():
            if any(lines):
                engine.insert(f"{DATABASE}.{table.name}", table.names, lines)
            lines.clear()
        self._settings.clear()
        self._sent.clear()
        self.events = self._number = 0


def _define_events(engine: Engine) -> None:
    engine.execute(
        f"INSERT INTO {DATABASE}.{EVENT_DEFINITIONS.name} "
        f"SELECT event, min(timestamp), max(timestamp), count() FROM {DATABASE}.events GROUP BY event"
    )


def _define_properties(engine: Engine) -> None:
    """Derive property definitions from the JSON, typed by the values as in PostHog.

    Above a million events only a sample is read.
    """
    sources = (
        ("event", _PROPERTIES_OF_EVENTS),
        ("person", _PROPERTIES_OF.format(source=f"{DATABASE}.persons")),
        ("group", _PROPERTIES_OF.format(source=f"{DATABASE}.groups")),
    )
    definitions: list[tuple[object, ...]] = [
        _definition(name, "session", kind, ()) for name, kind in _SESSION_PROPERTIES
    ]
    for scope, source in sources:
        found = engine.select(source, max_seconds=600)
        for name, starts, example, owners in found.rows:
            definitions.append(_definition(name, scope, _kind(starts, example), owners))
    lines = "".join(map(line, definitions))
    engine.insert(f"{DATABASE}.{PROPERTY_DEFINITIONS.name}", PROPERTY_DEFINITIONS.names, [lines.encode()])


def _kind(starts: list[str], example: str) -> str | None:
    """Return the property type of values whose JSON texts begin with `starts`."""
    first = set(starts) - {"n"}
    if not first or first & {"{", "["}:
        return None
    if first <= set("-0123456789"):
        return "Numeric"
    if first <= {"t", "f"}:
        return "Boolean"
    return "DateTime" if first == {'"'} and _DATE_TIME.fullmatch(example) else "String"


def _definition(name: str, scope: str, kind: str | None, owners: Iterable[str]) -> tuple[object, ...]:
    return (name, scope, kind, kind == "Numeric", tuple(owners))
