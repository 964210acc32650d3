"""Loading of a generated dataset into an open database."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ..storage.engine import Engine
from .generate import Parameters, generate
from .rows import Batch
from .staging import EVENT_COLUMNS, JOINED, PROPERTIES, SENT, SETTINGS, STAGING, collect_properties, staged_lines
from .tables import DATABASE, EVENT_DEFINITIONS, EVENTS, GENERATED, PROPERTY_DEFINITIONS, TABLES, line

type ReportProgress = Callable[[float, str], None]

_ROUNDS = 4
"""Number of rounds in which events are encoded and sent to ClickHouse; each leaves a file per column."""
_ROUND_EVENTS = 10_000, 100_000
"""Least and most events of a round."""
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
    """Create all tables of the dataset in an empty database; generation and writing overlap.

    `progress` is called from this thread with a fraction from 0 to 1 and a message, at least every 5 %.
    """
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in (*TABLES, *STAGING):
        engine.execute(table.create())
    collect = collect_properties(max(1, parameters.events // _SAMPLED_EVENTS))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-load") as writer:
        pending: Future[None] | None = None
        for batches in _rounds(parameters, progress):
            # At most one round is written while the next is generated, so memory stays bounded.
            if pending:
                pending.result()
            pending = writer.submit(_write, engine, batches, collect)
        if pending:
            pending.result()
    progress(_GENERATED_SHARE, "Collecting event and property definitions")
    _define_events(engine)
    _define_properties(engine)
    for table in STAGING:
        engine.execute(f"DROP TABLE {DATABASE}.{table.name} SYNC")
    progress(1.0, f"{parameters.events:,} events ready")


def _rounds(parameters: Parameters, progress: ReportProgress) -> Iterator[list[Batch]]:
    total = parameters.events
    made = 0
    held = 0
    batches: list[Batch] = []
    least, most = _ROUND_EVENTS
    size = min(max(total // _ROUNDS, least), most)
    progress(0.0, f"Generating {total:,} events")
    for batch in generate(parameters):
        batches.append(batch)
        made += len(batch.sent)
        held += len(batch.sent)
        progress(_GENERATED_SHARE * made / total, f"Generated {made:,} of {total:,} events")
        if held >= size:
            yield batches
            batches = []
            held = 0
    yield batches


def _write(engine: Engine, batches: list[Batch], collect: str) -> None:
    number = 0
    staged: list[tuple[bytes, bytes]] = []
    for batch in batches:
        settings, sent, number = staged_lines(batch.sent, number)
        staged.append((settings, sent))
    engine.insert(f"{DATABASE}.{SETTINGS.name}", SETTINGS.names, (settings for settings, _ in staged))
    engine.insert(f"{DATABASE}.{SENT.name}", SENT.names, (sent for _, sent in staged))
    engine.copy(f"{DATABASE}.{EVENTS.name}", EVENT_COLUMNS, JOINED, sum(len(batch.sent) for batch in batches))
    engine.execute(collect)
    for table in (SETTINGS, SENT):
        engine.execute(f"TRUNCATE TABLE {DATABASE}.{table.name}")
    for table in GENERATED[1:]:
        rows = [row for batch in batches for row in batch.without_events()[table.name]]
        if rows:
            text = "".join(map(line, rows)).encode()
            engine.insert(f"{DATABASE}.{table.name}", table.names[: len(rows[0])], [text])


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
