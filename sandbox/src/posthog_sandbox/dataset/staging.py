"""The way of the generated events into ClickHouse: settings and events apart, which ClickHouse puts together.

A setting is repeated in each of its events, so together they have four times the size of what is sent.
"""

from collections.abc import Iterable
from functools import lru_cache

from .rows import SentEvent, Setting
from .tables import DATABASE, EVENTS, TableDefinition, escaped, escaped_json
from .visit import FIXED_SHAPE

SETTINGS = TableDefinition(
    "staged_settings",
    (
        ("number", "UInt32"),
        ("shape", "String"),
        ("shared_properties", "String"),
        ("distinct_id", "String"),
        ("session_id", "String"),
        ("window_id", "String"),
        ("person_mode", "String"),
        ("group_0", "String"),
        ("person_id", "UUID"),
        ("person_created_at", "Int64"),
        ("person_properties", "String"),
        ("group_0_properties", "String"),
    ),
    "",
)
SENT = TableDefinition(
    "staged_events",
    (
        ("number", "UInt32"),
        ("bits", "UInt128"),
        ("event", "String"),
        ("properties", "String"),
        ("timestamp", "Int64"),
        ("elements_chain", "String"),
        ("created_at", "Int64"),
    ),
    "",
)
"""The events; `number` is that of the setting, and `bits` are the random bits of the UUID."""
PROPERTIES = TableDefinition(
    "staged_properties",
    (("name", "String"), ("starts", "Array(String)"), ("example", "String"), ("owners", "Array(String)")),
    "",
)
"""What the property definitions need to know of the events that were loaded so far."""
STAGING = (SETTINGS, SENT, PROPERTIES)

_SENT, _SETTINGS = f"{DATABASE}.{SENT.name}", f"{DATABASE}.{SETTINGS.name}"
_FIXED = ", ".join(f"'{name}'" for name in FIXED_SHAPE)

# ClickHouse keeps a UUID as two numbers, the first one lower: time and version 7, and variant and random bits.
_UUID = f"""reinterpretAsUUID(
    bitShiftLeft(toUInt128(intDiv(timestamp, 1000)), 16) + {0x7000} + bitShiftRight(bits, 60)
    + bitShiftLeft({0x9 << 60} + bitAnd(bits, {(1 << 60) - 1}), 64)
)"""

# Sorted before the join: to sort the wide rows afterwards takes longer than all the rest. Small blocks use the same
# memory again, which takes less time than to get more from the system.
JOINED = f"""
SELECT {_UUID}, event, concat('{{', properties, if(empty(properties), '', ','), shared_properties, '}}'),
    fromUnixTimestamp64Micro(timestamp, 'UTC'), distinct_id, elements_chain,
    fromUnixTimestamp64Micro(created_at, 'UTC'), session_id, window_id, person_mode, group_0, person_id,
    fromUnixTimestamp64Micro(person_created_at, 'UTC'), person_properties, group_0_properties
FROM (SELECT * FROM {_SENT} ORDER BY intDiv(timestamp, 86400000000), event, timestamp) AS sent
ANY LEFT JOIN {_SETTINGS} AS settings USING number
SETTINGS max_threads = 1, max_block_size = 8192, max_joined_block_size_rows = 8192
"""
"""The staged events with the columns of EVENT_COLUMNS, in the order of the table."""
EVENT_COLUMNS = EVENTS.names[:15]


def collect_properties(step: int) -> str:
    """Return the statement that collects the properties of the staged events, or of every `step`th one.

    Of events and settings with the same names and types only one is read.
    """
    sent = _SENT if step == 1 else f"(SELECT * FROM {_SENT} WHERE cityHash64(bits) % {step} = 0)"
    return f"""
INSERT INTO {DATABASE}.{PROPERTIES.name}
SELECT pair.1 AS name, groupUniqArray(substring(pair.2, 1, 1)), any(substring(pair.2, 1, 40)),
    groupUniqArrayArray(events)
FROM (
    SELECT any(shared_properties) AS members, groupUniqArrayArray(names) AS events
    FROM (SELECT number, groupUniqArray(event) AS names FROM {sent} GROUP BY number) AS named
    ANY INNER JOIN {_SETTINGS} AS settings USING number
    GROUP BY shape
    UNION ALL
    SELECT any(properties), [event] FROM {sent} WHERE notEmpty(properties)
    GROUP BY event, if(event IN ({_FIXED}), toString(position(properties, '"$current_url"') > 0), properties)
) ARRAY JOIN JSONExtractKeysAndValuesRaw(concat('{{', members, '}}')) AS pair
GROUP BY name
"""


def staged_lines(events: Iterable[SentEvent], number: int) -> tuple[bytes, bytes, int]:
    """Return the lines of SETTINGS and of SENT as tab-separated text, and the next free number of a setting."""
    settings: list[bytes] = []
    lines: list[str] = []
    before: Setting | None = None
    for setting, bits, event, properties, timestamp, chain, created_at in events:
        if setting is not before:
            before = setting
            number += 1
            # Encoded alone: one letter outside Latin-1 makes all the text of a string wide.
            settings.append(_setting_line(number, setting).encode())
        own = escaped_json(properties) if "\\" in properties else properties
        lines.append(f"{number}\t{bits}\t{_repeated(event)}\t{own}\t{timestamp}\t{chain}\t{created_at}\n")
    return b"".join(settings), "".join(lines).encode(), number


def _setting_line(number: int, setting: Setting) -> str:
    shape, properties, distinct_id, session_id, window_id, mode, group, person, created_at, known, company = setting
    return (
        f"{number}\t{shape}\t{escaped_json(properties)}\t{escaped(distinct_id)}\t{session_id}\t{window_id}\t{mode}\t"
        f"{group}\t{person}\t{created_at}\t{escaped_json(known)}\t{escaped_json(company)}\n"
    )


_repeated = lru_cache(maxsize=1024)(escaped)
"""Names of events occur again and again."""
