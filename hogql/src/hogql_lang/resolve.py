"""Resolve the names of a HogQL statement against a project's schema: tables and columns that do not exist, and the
events, properties and functions that it uses.

Anything that cannot be judged (a table that the schema does not list, a column of an expression) counts as correct,
because only PostHog can decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from . import tree
from .findings import Findings, Unknown, Used
from .schema import Column, Schema
from .walk import (
    aliases,
    bounds_time,
    children,
    clauses,
    last_name,
    place,
    shared_columns,
    sources,
    texts,
    time_names,
)  # fmt: skip

_UNLISTED = """person_distinct_ids person_distinct_id_overrides cohort_people static_cohort_people session_replay_events
    log_entries console_logs_log_entries batch_export_log_entries app_metrics heatmaps query_log exchange_rate
    document_embeddings pg_embeddings logs metrics spans ai_events numbers preaggregation_results
    error_tracking_issue_fingerprint_overrides error_tracking_fingerprint_issue_state web_pre_aggregated_stats
    web_pre_aggregated_bounces persons_revenue_analytics groups_revenue_analytics raw_persons raw_groups raw_sessions
    raw_sessions_v3 raw_person_distinct_ids raw_person_distinct_id_overrides raw_cohort_people
    raw_session_replay_events raw_query_log raw_error_tracking_issue_fingerprint_overrides"""
UNLISTED_TABLES = frozenset(_UNLISTED.split())
"""Tables that exist and that DatabaseSchemaQuery does not list (PostHog's `hogql/database/database.py`)."""
UNLISTED_COLUMNS = frozenset({"team_id", "_timestamp", "inserted_at", "_offset"})
_EQUALITIES = ("==", "!=", "in", "not in", "global in", "global not in")
_OTHER = Column("", "unknown")

type TableColumns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class _Source:
    """A table or subquery in FROM. `columns` is None if they are unknown."""

    names: frozenset[str]
    columns: TableColumns | None
    table: str = ""
    place: int | None = None


_UNKNOWN_SOURCE = _Source(frozenset(), None)
"""A source for the names that an unknown construct may define."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The names that a statement, or an expression in it, can use."""

    tables: Mapping[str, TableColumns | None]
    """The subqueries of WITH."""
    sources: tuple[_Source, ...] = ()
    names: frozenset[str] = frozenset()
    """Aliases, arguments of lambdas and expressions of WITH, whose columns are unknown."""
    outer: _Scope | None = None

    def within(self, names: frozenset[str]) -> _Scope:
        return _Scope(self.tables, self.sources, self.names | names, self.outer)


@dataclass(frozen=True, slots=True)
class _Found:
    """The column or property that a chain of names leads to."""

    column: Column = _OTHER
    missing: tuple[str, tuple[str, ...], str] | None = None
    """A name that does not exist, the names that do, and the table."""
    property: tuple[str, str] | None = None
    """The name of a property and its type."""
    outer: bool = False
    """The column belongs to the outer query."""


def find(root: tree.Expr, schema: Schema) -> Findings:
    """Return the names used in the statement, and those that do not exist."""
    resolver = _Resolver(schema)
    resolver.query(root, _Scope({}))
    return resolver.findings.in_order()


class _Resolver:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.findings = Findings()

    def query(self, node: tree.Expr, outer: _Scope) -> TableColumns | None:
        """Resolve a query. Return its columns as the outer query sees them, None if they are unknown."""
        match node:
            case tree.SetQuery():
                return self._members(node, outer)
            case tree.Select():
                return self._select(node, outer)
            case _:
                return None

    def _members(self, node: tree.SetQuery, outer: _Scope) -> TableColumns | None:
        first = node.first
        if isinstance(first, tree.Select) and first.ctes:  # all members see them
            tables, expressions = self._with(first, outer)
            outer = _Scope(tables, names=frozenset(expressions), outer=outer)
            first = replace(first, ctes=tuple([cte for cte in first.ctes if cte.is_column]))
        columns = self.query(first, outer)
        for _, member in node.rest:
            self.query(member, outer)
        return columns

    def _select(self, node: tree.Select, outer: _Scope) -> TableColumns | None:
        untimed = len(self.findings.untimed)
        tables, expressions = self._with(node, outer)
        joins = list(sources(node.source))
        found = tuple([self._source(join, _Scope(tables, outer=outer)) for join in joins])
        names = (
            frozenset(expressions)
            | aliases(node)
            | {last_name(item) for item in node.array_joins}
            | shared_columns(joins)
        )
        scope = _Scope(tables, found, names, outer)
        for child in children(node, clauses()):
            self._walk(child, scope)
        for expression in expressions.values():
            self._walk(expression, scope)
        for join in joins:
            if join.constraint is not None:
                self._walk(join.constraint.expr, scope)
        self._time(node, scope, joins, untimed)
        return self._columns(node.columns, scope)

    def _with(self, node: tree.Select, outer: _Scope) -> tuple[dict[str, TableColumns | None], dict[str, tree.Expr]]:
        tables = dict(outer.tables)
        expressions = dict[str, tree.Expr]()
        for cte in node.ctes:
            if cte.is_column:
                expressions[cte.name] = cte.expr
                continue
            if cte.recursive:
                tables[cte.name] = None
            columns = self.query(cte.expr, _Scope(dict(tables), names=frozenset(expressions), outer=outer))
            tables[cte.name] = None if cte.columns or cte.recursive else columns
        return tables, expressions

    def _source(self, join: tree.Join, scope: _Scope) -> _Source:
        table = join.table
        names = frozenset({join.alias} if join.alias else ())
        if join.column_aliases:
            return _Source(names, None)
        if isinstance(table, tree.Select | tree.SetQuery):
            return _Source(names, self.query(table, scope), place=place(table))
        if not isinstance(table, tree.Field):
            self._walk(table, scope)
            return _Source(names, None)
        chain = [str(part) for part in table.chain]
        name = ".".join(chain).removeprefix("posthog.")
        if join.table_args is not None:
            return _Source(names, None)
        names = names or frozenset({name, chain[-1]})
        if name in scope.tables:
            return _Source(names, scope.tables[name])
        if (columns := self._schema.tables.get(name)) is not None:
            return _Source(names, columns, name, place(table))
        if name not in UNLISTED_TABLES and "information_schema" not in chain:
            known = (*self._schema.tables, *scope.tables, *UNLISTED_TABLES)
            self.findings.unknown.append(Unknown("table", name, place(table), known))
        return _Source(names, None, name, place(table))

    def _walk(self, node: tree.Node, scope: _Scope) -> None:
        match node:
            case tree.Field():
                self._field(node, scope)
                return
            case tree.Constant() | tree.Placeholder():
                return
            case tree.Select() | tree.SetQuery():
                self.query(node, _Scope(scope.tables, outer=scope))
                return
            case tree.Opaque():
                scope = replace(scope, sources=(*scope.sources, _UNKNOWN_SOURCE))
            case tree.Lambda():
                self._arrow(node)
                scope = scope.within(frozenset(node.args))
            case tree.ArrayAccess():
                self._property(node.array, node.key, scope)
            case tree.Call():
                if node.name.startswith("JSONExtract") and len(node.args) > 1:
                    self._property(node.args[0], node.args[1], scope)
                self.findings.functions.append(Used(node.name, place(node), "function"))
            case tree.Comparison():
                self._comparison(node, scope)
            case _:
                pass
        for child in children(node):
            self._walk(child, scope)

    def _field(self, node: tree.Field, scope: _Scope) -> None:
        chain = [str(part) for part in node.chain]
        if chain[0] == "*":
            return
        found = self._resolve(chain, scope)
        if found is None:
            known = {name: None for source in scope.sources for name in source.columns or ()}
            known |= dict.fromkeys(sorted(scope.names - {""}))
            fixes = _of_others(chain, scope)
            self.findings.unknown.append(Unknown("column", chain[0], place(node), tuple(known), fixes=fixes))
        elif found.missing is not None:
            name, known, owner = found.missing
            prefix = ".".join(chain[: chain.index(name)]) + "."
            self.findings.unknown.append(Unknown("column", name, place(node), known, owner, prefix))
        elif found.property is not None:
            name, kind = found.property
            self.findings.properties.append(Used(name, place(node), kind))
        if found is not None and (holders := _holders(chain, scope)):
            fixes = tuple(".".join((name, *chain)) for name in holders)
            self.findings.unknown.append(Unknown("ambiguous", chain[0], place(node), (), fixes=fixes))
        if found is not None and found.outer:
            self.findings.outer.append(Used(".".join(chain), place(node), "column"))

    def _property(self, holder: tree.Expr, name: tree.Expr, scope: _Scope) -> None:
        """Record a property named by a string: `properties['plan']`, `JSONExtractString(properties, 'plan')`."""
        column = self._of(holder, scope)
        if column.type == "json" and isinstance(name, tree.Constant) and isinstance(name.value, str):
            self.findings.properties.append(Used(name.value, place(name), _property_type(column.table or "")))

    def _arrow(self, node: tree.Lambda) -> None:
        body = node.expr
        if node.args == ("properties",) and isinstance(body, tree.Constant) and isinstance(body.value, str):
            self.findings.arrows.append(Used(f"properties.{body.value}", place(node), "column"))

    def _resolve(self, chain: list[str], scope: _Scope | None) -> _Found | None:
        """Return what a chain names, None if nothing in the scope has its first name."""
        if scope is None:
            return None
        for source in scope.sources if len(chain) > 1 else ():
            if rest := _after(chain, source):
                return self._column(rest, source)
        if len(chain) == 1 and (chain[0] in scope.tables or any(chain[0] in each.names for each in scope.sources)):
            return _Found()
        for source in scope.sources:
            if source.columns is not None and chain[0] in source.columns:
                return self._column(chain, source)
        if chain[0] in scope.names or any(source.columns is None for source in scope.sources):
            return _Found()
        if chain[0] in UNLISTED_COLUMNS and scope.sources:
            return _Found()
        found = self._resolve(chain, scope.outer)
        around = scope.outer.sources if scope.outer else ()
        named = any(_after(chain, source) or chain[0] in (source.columns or ()) for source in around)
        return replace(found, outer=True) if found and named else found

    def _column(self, chain: list[str], source: _Source) -> _Found:
        if source.columns is None or chain[0] == "*" or chain[0] in UNLISTED_COLUMNS:
            return _Found()
        column = source.columns.get(chain[0])
        if column is None:
            owner = source.table or min(source.names, default="")
            return _Found(missing=(chain[0], tuple(source.columns), owner))
        return self._behind(column, chain[1:], source.table)

    def _behind(self, column: Column, rest: list[str], table: str) -> _Found:
        """Return what `rest` names behind a column: a property, a column of a joined table, or something not judged."""
        if not rest:
            return _Found(Column(column.name, column.type, column.table or table, column.fields, column.chain))
        if column.type == "json":
            return _Found(property=(rest[0], _property_type(column.table or table)))
        if column.type not in ("lazy_table", "virtual_table") or rest[0] in UNLISTED_COLUMNS or rest[0] == "*":
            return _Found()
        joined = self._schema.tables.get(column.table or "") if column.type == "lazy_table" else None
        known = (*column.fields, *(joined or ()))
        if rest[0] not in known:
            return _Found(missing=(rest[0], known, column.name)) if known else _Found()
        inner = joined.get(rest[0]) if joined else None
        if inner is None:
            inner = Column(rest[0], "json" if rest[0] == "properties" else "unknown")
        return self._behind(inner, rest[1:], column.name if column.type == "virtual_table" else column.table or "")

    def _comparison(self, node: tree.Comparison, scope: _Scope) -> None:
        """Record the strings that are compared with the name of an event."""
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if not isinstance(one, tree.Field) or node.operator not in _EQUALITIES:
                continue
            column = self._of(one, scope)
            if (column.name, column.table) == ("event", "events"):
                self.findings.events += [Used(text, at, "event") for text, at in texts(other)]

    def _time(self, node: tree.Select, scope: _Scope, joins: list[tree.Join], before: int) -> None:
        """Record where events are read without a condition on their time, here or in an outer query.

        `before` is the number of such places recorded before this query.
        """
        conditions: list[tree.Node | None] = [node.where, node.prewhere, node.having, node.qualify]
        conditions += [join.constraint for join in joins]
        times = time_names(node)
        if not any(bounds_time(each, times) for each in conditions if each is not None):
            self.findings.untimed += [source.place for source in scope.sources if source.table == "events"]
        elif any(not source.table for source in scope.sources):
            del self.findings.untimed[before:]

    def _columns(self, select: tuple[tree.Expr, ...], scope: _Scope) -> TableColumns | None:
        columns: dict[str, Column] = {}
        for item in select:
            match item:
                case tree.Alias():
                    columns[item.alias] = self._of(item.expr, scope)
                case tree.Field() if item.chain[-1] == "*":
                    starred = self._starred(item, scope)
                    if starred is None:
                        return None
                    columns |= starred
                case tree.Field():
                    columns[str(item.chain[-1])] = self._of(item, scope)
                case tree.Columns():
                    return None
                case _:
                    pass
        return columns

    def _starred(self, item: tree.Field, scope: _Scope) -> TableColumns | None:
        if len(item.chain) == 1 and len(scope.sources) > 1:
            names = min(scope.sources[0].names, default="")
            self.findings.stars.append(Used(names, place(item), "table"))
        columns: dict[str, Column] = {}
        for source in scope.sources:
            if len(item.chain) == 1 or item.chain[0] in source.names:
                if source.columns is None:
                    return None
                columns |= source.columns
        return columns

    def _of(self, node: tree.Expr, scope: _Scope) -> Column:
        if not isinstance(node, tree.Field):
            return _OTHER
        found = self._resolve([str(part) for part in node.chain], scope)
        return found.column if found else _OTHER


def _holders(chain: list[str], scope: _Scope) -> list[str]:
    """Return the names of the sources that share the first column of a chain; nothing unless it is ambiguous."""
    if len(scope.sources) < 2:
        return []
    holders = [min(source.names, default="") for source in scope.sources if chain[0] in (source.columns or ())]
    named = chain[0] in scope.names or any(_after(chain, source) for source in scope.sources)
    return [] if named or len(holders) < 2 else [name for name in holders if name]


def _of_others(chain: list[str], scope: _Scope) -> tuple[str, ...]:
    """Return the columns with this name in sources with another alias, or in tables joined to events."""
    if len(chain) == 1:
        return ()
    having = [source for source in scope.sources if chain[1] in (source.columns or ()) and source.names]
    columns = [".".join((min(source.names), *chain[1:])) for source in having]
    if any(source.table == "events" for source in scope.sources) and chain[0].lower() in _JOINED:
        rest = chain[1:] if chain[1] == "properties" else ["properties", *chain[1:]]
        columns.append(".".join((_JOINED[chain[0].lower()], *rest)))
    return tuple(columns)


_JOINED = {"user": "person", "users": "person", "persons": "person", "people": "person", "groups": "group_0"}
"""Other names for the tables that events lead to."""


def _after(chain: list[str], source: _Source) -> list[str]:
    """Return the rest of a chain after the name of a source; nothing if the chain does not begin with it."""
    for length in range(1, len(chain)):
        if ".".join(chain[:length]) in source.names:
            return chain[length:]
    return []


def _property_type(owner: str) -> str:
    """Return whose properties a table, or a virtual table of events, has."""
    if owner in ("persons", "raw_persons", "person", "poe"):
        return "person"
    return "group" if owner.startswith(("group", "goe", "raw_groups")) else "event"
