"""Random HogQL statements with existing names only: CTEs, subqueries, joins, quoted aliases, lambdas, windows.

`statement(random)` may give one that PostHog refuses for its types or its grouping; never for a name.
"""

from collections.abc import Mapping
from random import Random

EVENTS = (
    "event", "timestamp", "distinct_id", "person_id", "uuid", "properties.$browser", "properties.a.b", "$session_id",
    "properties['$os']", "person.properties.email", "person.created_at", "session.$channel_type",
    "group_0.properties.name",
)  # fmt: skip
PERSONS = ("id", "created_at", "properties.email", "is_identified")
ALIASES = ("x", "kind", "Day", '"my col"', "`a b`", "`c.d`", "total", "`limit`", "`from`", "_z", "v1")
_DEEPEST = 3

type Columns = tuple[str, ...]
type Sources = list[tuple[str, Columns]]


def statement(random: Random) -> str:
    return _select(random, random.randint(0, _DEEPEST), {})[0]


def _select(random: Random, depth: int, outer: Mapping[str, Columns]) -> tuple[str, Columns]:
    """Return a SELECT and its result columns."""
    tables = dict(outer)
    start = ""
    if depth and random.random() < 0.4:
        name = f"cte_{len(tables)}_{random.randint(0, 99)}"
        sql, tables[name] = _select(random, depth - 1, tables)
        start = f"WITH {name} AS ({sql}) "
    text, sources = _from(random, depth, tables)
    names = random.sample(ALIASES, random.randint(1, 4))
    items = [f"{_expression(random, _column(random, sources))} AS {name}" for name in names]
    grouped = random.random() < 0.3
    if grouped:
        items.append("count() AS n")
    ending = _where(random, sources, tables)
    ending += f" GROUP BY {', '.join(names)}" if grouped else ""
    if not grouped and random.random() < 0.2:
        items.append("row_number() OVER w AS place")
        ending += f" WINDOW w AS (PARTITION BY {_column(random, sources)} ORDER BY {_column(random, sources)})"
    ending += random.choice(("", f" ORDER BY {random.choice(names)}", " LIMIT 5"))
    sql = f"{start}SELECT {random.choice(('', 'DISTINCT '))}{', '.join(items)} FROM {text}{ending}"
    columns = (*names, "n") if grouped else tuple(names)
    if not outer and random.random() < 0.1:
        return f"({sql}) UNION ALL ({sql})", columns
    return sql, columns


def _from(random: Random, depth: int, tables: Mapping[str, Columns]) -> tuple[str, Sources]:
    sources = [_source(random, depth, tables, f"t{number}") for number in range(random.choice((1, 1, 2)))]
    text = sources[0][0]
    named = [source[1:] for source in sources]
    if len(sources) > 1:
        how, (right, *_) = random.choice(("JOIN", "LEFT JOIN")), sources[1]
        text += f" {how} {right} ON toString({_column(random, named[:1])}) = toString({_column(random, named[1:])})"
    elif random.random() < 0.15:
        text += " ARRAY JOIN [1, 2] AS step"
    return text, named


def _source(random: Random, depth: int, tables: Mapping[str, Columns], alias: str) -> tuple[str, str, Columns]:
    kind = random.random()
    if tables and kind < 0.3:
        name = random.choice(list(tables))
        return f"{name} AS {alias}", alias, tables[name]
    if depth and kind < 0.6:
        sql, columns = _select(random, depth - 1, tables)
        return f"({sql}) {alias}", alias, columns
    return (f"persons {alias}", alias, PERSONS) if kind < 0.75 else (f"events AS {alias}", alias, EVENTS)


def _column(random: Random, sources: Sources) -> str:
    alias, columns = random.choice(sources)
    column = random.choice(columns)
    return column if len(sources) == 1 and random.random() < 0.3 and "t0" in alias else f"{alias}.{column}"


def _expression(random: Random, column: str) -> str:
    return random.choice(
        (
            column,
            column,
            f"if({column} IS NULL, 'none', toString({column}))",
            f"arrayMap(z -> concat(z, toString({column})), ['a'])",
            f"arrayFilter((p, i) -> p != '' AND i > 0, [toString({column})], [1])",
            f"({column}, 1).1",
            "(SELECT count() FROM persons)",
            f"CASE WHEN {column} IS NULL THEN 1 ELSE 2 END",
        )
    )


def _where(random: Random, sources: Sources, tables: Mapping[str, Columns]) -> str:
    conditions = [f"{_column(random, sources)} IS NOT NULL"]
    if tables:
        name = random.choice(list(tables))
        inner = f"SELECT toString({random.choice(tables[name])}) FROM {name}"
        conditions.append(f"toString({_column(random, sources)}) IN ({inner})")
    return f" WHERE {' OR '.join(conditions)}" if random.random() < 0.6 else ""
