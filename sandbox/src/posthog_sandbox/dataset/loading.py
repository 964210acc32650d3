"""Loading of a generated dataset into an open database."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ..storage.engine import Engine
from .generate import Parameters, generate
from .rows import Batch
from .tables import DATABASE, EVENT_DEFINITIONS, EVENTS, GENERATED, PROPERTY_DEFINITIONS, TABLES, event_line, line

type ReportProgress = Callable[[float, str], None]

_ROUND_EVENTS = 25_000
"""Number of events that are encoded and sent to ClickHouse together."""
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
    arraySort(groupUniqArray(owner)) AS owners
FROM ({source}) ARRAY JOIN JSONExtractKeysAndValuesRaw(object) AS pair
GROUP BY name ORDER BY name
"""


def load(engine: Engine, parameters: Parameters, progress: ReportProgress) -> None:
    """Create all tables of the dataset in an empty database; generation and writing overlap.

    `progress` is called from this thread with a fraction from 0 to 1 and a message, at least every 5 %.
    """
    engine.execute(f"CREATE DATABASE {DATABASE}")
    for table in TABLES:
        engine.execute(table.create())
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandbox-load") as writer:
        pending: Future[None] | None = None
        for batches in _rounds(parameters, progress):
            # At most one round is written while the next is generated, so memory stays bounded.
            if pending:
                pending.result()
            pending = writer.submit(_write, engine, batches)
        if pending:
            pending.result()
    progress(_GENERATED_SHARE, "Collecting event and property definitions")
    _define_events(engine)
    _define_properties(engine, parameters.events)
    progress(1.0, f"{parameters.events:,} events ready")


def _rounds(parameters: Parameters, progress: ReportProgress) -> Iterator[list[Batch]]:
    total = parameters.events
    made = 0
    held = 0
    batches: list[Batch] = []
    progress(0.0, f"Generating {total:,} events")
    for batch in generate(parameters):
        batches.append(batch)
        made += len(batch.events)
        held += len(batch.events)
        progress(_GENERATED_SHARE * made / total, f"Generated {made:,} of {total:,} events")
        if held >= _ROUND_EVENTS:
            yield batches
            batches = []
            held = 0
    yield batches


def _write(engine: Engine, batches: list[Batch]) -> None:
    for table in GENERATED:
        width = len(next((rows[0] for batch in batches if (rows := batch.by_table()[table.name])), ()))
        if width:
            engine.insert(f"{DATABASE}.{table.name}", table.names[:width], _encoded(table.name, batches))


def _encoded(table: str, batches: list[Batch]) -> Iterator[bytes]:
    for batch in batches:
        if table == EVENTS.name:
            yield "".join(map(event_line, batch.events)).encode()
        else:
            yield "".join(map(line, batch.by_table()[table])).encode()


def _define_events(engine: Engine) -> None:
    engine.execute(
        f"INSERT INTO {DATABASE}.{EVENT_DEFINITIONS.name} "
        f"SELECT event, min(timestamp), max(timestamp), count() FROM {DATABASE}.events GROUP BY event"
    )


def _define_properties(engine: Engine, events: int) -> None:
    """Derive property definitions from the stored JSON, typed by the values as in PostHog.

    Above a million events only a sample is read.
    """
    step = max(1, events // _SAMPLED_EVENTS)
    sources = (
        (
            "event",
            f"SELECT properties AS object, event AS owner FROM {DATABASE}.events WHERE cityHash64(uuid) % {step} = 0",
        ),
        ("person", f"SELECT properties AS object, '' AS owner FROM {DATABASE}.persons"),
        ("group", f"SELECT properties AS object, '' AS owner FROM {DATABASE}.groups"),
    )
    definitions: list[tuple[object, ...]] = [
        _definition(name, "session", kind, ()) for name, kind in _SESSION_PROPERTIES
    ]
    for scope, source in sources:
        found = engine.select(_PROPERTIES_OF.format(source=source), max_seconds=600)
        for name, starts, example, owners in found.rows:
            definitions.append(_definition(name, scope, _kind(starts, example), owners if scope == "event" else ()))
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
