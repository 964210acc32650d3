"""Loading of a generated dataset into an open database."""

from ..collector import without_collector
from ..storage.engine import Engine
from .definitions import define, define_events, session_definitions
from .generate import generate
from .parameters import Parameters, ReportProgress
from .rows import Batch
from .staging import EVENT_COLUMNS, JOINED, PROPERTIES, SENT, SETTINGS, STAGING, collect_properties, staged_lines
from .tables import DATABASE, EVENTS, GENERATED, PROPERTY_DEFINITIONS, TABLES, line

_ROUND_EVENTS = 100_000
"""Number of events whose text is sent to ClickHouse at once; each round leaves a part per table."""
_GENERATED_SHARE = 0.95
_SAMPLED_EVENTS = 1_000_000

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
    define_events(engine)
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


def _define_properties(engine: Engine) -> None:
    """Derive property definitions from the JSON, typed by the values as in PostHog.

    Above a million events only a sample is read.
    """
    sources = (
        ("event", _PROPERTIES_OF_EVENTS),
        ("person", _PROPERTIES_OF.format(source=f"{DATABASE}.persons")),
        ("group", _PROPERTIES_OF.format(source=f"{DATABASE}.groups")),
    )
    definitions = [*session_definitions()]
    for scope, source in sources:
        found = engine.select(source, max_seconds=600)
        definitions += [define(name, scope, starts, example, owners) for name, starts, example, owners in found.rows]
    lines = "".join(map(line, definitions))
    engine.insert(f"{DATABASE}.{PROPERTY_DEFINITIONS.name}", PROPERTY_DEFINITIONS.names, [lines.encode()])
