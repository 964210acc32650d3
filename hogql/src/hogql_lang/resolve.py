"""Resolve the names of a HogQL statement against a project's schema: tables and columns that do not exist, and the
events, properties and functions that it uses.

Anything that cannot be judged (a table that the schema does not list, a column of an expression) counts as correct,
because only PostHog can decide.
"""

from __future__ import annotations

from dataclasses import replace

from . import tree
from .findings import Findings, Unknown, Used
from .meaning.aggregation import aggregation, widths
from .meaning.mismatches import condition as string_as_condition
from .meaning.mismatches import mismatches, not_a_person, written
from .meaning.reading import ScopedNames, is_outer, json_path
from .meaning.scope import (
    OTHER,
    UNKNOWN_SOURCE,
    UNLISTED_COLUMNS,
    Found,
    Scope,
    Source,
    TableColumns,
    after,
    holders,
    of_others,
    property_type,
)
from .meaning.types import UNKNOWN, Type, of_column, of_constant, result_of
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
_EQUALITIES = ("==", "!=", "in", "not in", "global in", "global not in")


def find(root: tree.Expr, schema: Schema) -> Findings:
    """Return the names used in the statement, and those that do not exist."""
    resolver = _Resolver(schema)
    resolver.query(root, Scope({}))
    return resolver.findings.in_order()


class _Resolver:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.findings = Findings()

    def query(self, node: tree.Expr, outer: Scope) -> TableColumns | None:
        """Resolve a query. Return its columns as the outer query sees them, None if they are unknown."""
        match node:
            case tree.SetQuery():
                return self._members(node, outer)
            case tree.Select():
                return self._select(node, outer)
            case _:
                return None

    def _members(self, node: tree.SetQuery, outer: Scope) -> TableColumns | None:
        first = node.first
        if isinstance(first, tree.Select) and first.ctes:  # all members see them
            tables, expressions = self._with(first, outer)
            outer = Scope(tables, names=frozenset(expressions), outer=outer)
            first = replace(first, ctes=tuple([cte for cte in first.ctes if cte.is_column]))
        columns = self.query(first, outer)
        for operator, member in node.rest:
            self.query(member, outer)
            self.findings.mistakes += widths(node.first, operator, member)
        return columns

    def _select(self, node: tree.Select, outer: Scope) -> TableColumns | None:
        untimed = len(self.findings.untimed)
        tables, expressions = self._with(node, outer)
        joins = list(sources(node.source))
        found = tuple([self._source(join, Scope(tables, outer=outer)) for join in joins])
        names = (
            frozenset(expressions)
            | aliases(node)
            | {last_name(item) for item in node.array_joins}
            | shared_columns(joins)
        )
        scope = Scope(tables, found, names, outer)
        types = [self._clause(child, node, scope) for child in children(node, clauses())]
        for expression in expressions.values():
            self._walk(expression, scope)
        for join in joins:
            if join.constraint is not None:
                self._walk(join.constraint.expr, scope)
        self._time(node, scope, joins, untimed)
        self.findings.mistakes += aggregation(node, ScopedNames(scope))
        return self._columns(node.columns, types, scope)

    def _clause(self, child: tree.Node, select: tree.Select, scope: Scope) -> Type:
        found = self._walk(child, scope)
        for clause, condition in (("WHERE", select.where), ("PREWHERE", select.prewhere), ("HAVING", select.having)):
            if condition is child and condition is not None:
                self.findings.mistakes += string_as_condition(condition, found, clause)
        return found

    def _with(self, node: tree.Select, outer: Scope) -> tuple[dict[str, TableColumns | None], dict[str, tree.Expr]]:
        tables = dict(outer.tables)
        expressions = dict[str, tree.Expr]()
        for cte in node.ctes:
            if cte.is_column:
                expressions[cte.name] = cte.expr
                continue
            if cte.recursive:
                tables[cte.name] = None
            columns = self.query(cte.expr, Scope(dict(tables), names=frozenset(expressions), outer=outer))
            tables[cte.name] = None if cte.columns or cte.recursive else columns
        return tables, expressions

    def _source(self, join: tree.Join, scope: Scope) -> Source:
        table = join.table
        names = frozenset({join.alias} if join.alias else ())
        if join.column_aliases:
            return Source(names, None)
        if isinstance(table, tree.Select | tree.SetQuery):
            return Source(names, self.query(table, scope), place=place(table))
        if not isinstance(table, tree.Field):
            self._walk(table, scope)
            return Source(names, None)
        chain = [str(part) for part in table.chain]
        name = ".".join(chain).removeprefix("posthog.")
        if join.table_args is not None:
            return Source(names, None)
        names = names or frozenset({name, chain[-1]})
        if name in scope.tables:
            return Source(names, scope.tables[name])
        if (columns := self._schema.tables.get(name)) is not None:
            return Source(names, columns, name, place(table))
        if name not in UNLISTED_TABLES and "information_schema" not in chain:
            known = (*self._schema.tables, *scope.tables, *UNLISTED_TABLES)
            self.findings.unknown.append(Unknown("table", name, place(table), known))
        return Source(names, None, name, place(table))

    def _walk(self, node: tree.Node, scope: Scope) -> Type:
        """Resolve the names in an expression. Return its type."""
        match node:
            case tree.Field():
                return self._field(node, scope)
            case tree.Constant():
                return of_constant(node)
            case tree.Placeholder():
                return UNKNOWN
            case tree.Select() | tree.SetQuery():
                self.query(node, Scope(scope.tables, outer=scope))
                return UNKNOWN
            case tree.Opaque():
                scope = replace(scope, sources=(*scope.sources, UNKNOWN_SOURCE))
            case tree.Lambda() if self._arrow(node, scope):
                return UNKNOWN
            case tree.Lambda():
                scope = scope.within(frozenset(node.args))
            case tree.ArrayAccess():
                self._property(node.array, node.key, scope)
            case tree.Call():
                if node.name.startswith("JSONExtract") and len(node.args) > 1:
                    self._property(node.args[0], node.args[1], scope)
                self.findings.functions.append(Used(node.name, place(node), "function", len(node.args)))
            case tree.Comparison():
                self._comparison(node, scope)
            case _:
                pass
        types = [self._walk(child, scope) for child in children(node)]
        self.findings.mistakes += mismatches(node, types)
        return result_of(node, types)

    def _field(self, node: tree.Field, scope: Scope) -> Type:
        chain = [str(part) for part in node.chain]
        if chain[0] == "*":
            return UNKNOWN
        found = self._resolve(chain, scope)
        if found is None:
            known = {name: None for source in scope.sources for name in source.columns or ()}
            known |= dict.fromkeys(sorted(scope.names - {""}))
            fixes = of_others(chain, scope)
            self.findings.unknown.append(Unknown("column", chain[0], place(node), tuple(known), fixes=fixes))
            return UNKNOWN
        if found.missing is not None:
            name, known, owner = found.missing
            prefix = ".".join(chain[: chain.index(name)]) + "."
            self.findings.unknown.append(Unknown("column", name, place(node), known, owner, prefix))
        elif found.property is not None:
            name, kind = found.property
            self.findings.properties.append(Used(name, place(node), kind))
        if several := holders(chain, scope):
            fixes = tuple(".".join((name, *chain)) for name in several)
            self.findings.unknown.append(Unknown("ambiguous", chain[0], place(node), (), fixes=fixes))
        if found.outer:
            self.findings.outer.append(Used(".".join(chain), place(node), "column"))
        return UNKNOWN if chain[0] in scope.names else of_column(found.column)

    def _property(self, holder: tree.Expr, name: tree.Expr, scope: Scope) -> None:
        """Record a property named by a string: `properties['plan']`, `JSONExtractString(properties, 'plan')`."""
        column = self._of(holder, scope)
        if column.type == "json" and isinstance(name, tree.Constant) and isinstance(name.value, str):
            self.findings.properties.append(Used(name.value, place(name), property_type(column.table or "")))

    def _arrow(self, node: tree.Lambda, scope: Scope) -> bool:
        """Record `properties -> 'plan'`, which Postgres reads as JSON access."""
        path = [] if "properties" in scope.names else json_path(node)
        if path:
            self.findings.arrows.append(Used(".".join(map(written, path)), place(node), "column"))
        return bool(path)

    def _resolve(self, chain: list[str], scope: Scope | None) -> Found | None:
        """Return what a chain names, None if nothing in the scope has its first name."""
        if scope is None:
            return None
        for source in scope.sources if len(chain) > 1 else ():
            if rest := after(chain, source):
                return self._column(rest, source)
        if len(chain) > 1 and chain[0] not in scope.names and is_outer(chain, scope):
            found = self._resolve(chain, scope.outer)
            return replace(found, outer=True) if found else None
        if len(chain) == 1 and (chain[0] in scope.tables or any(chain[0] in each.names for each in scope.sources)):
            return Found()
        for source in scope.sources:
            if source.columns is not None and chain[0] in source.columns:
                return self._column(chain, source)
        if chain[0] in scope.names or any(source.columns is None for source in scope.sources):
            return Found()
        if chain[0] in UNLISTED_COLUMNS and scope.sources:
            return Found()
        found = self._resolve(chain, scope.outer)
        around = scope.outer.sources if scope.outer else ()
        named = any(after(chain, source) or chain[0] in (source.columns or ()) for source in around)
        return replace(found, outer=True) if found and named else found

    def _column(self, chain: list[str], source: Source) -> Found:
        if source.columns is None or chain[0] == "*" or chain[0] in UNLISTED_COLUMNS:
            return Found()
        column = source.columns.get(chain[0])
        if column is None:
            owner = source.table or min(source.names, default="")
            return Found(missing=(chain[0], tuple(source.columns), owner))
        return self._behind(column, chain[1:], source.table)

    def _behind(self, column: Column, rest: list[str], table: str) -> Found:
        """Return what `rest` names behind a column: a property, a column of a joined table, or something not judged."""
        if not rest:
            return Found(Column(column.name, column.type, column.table or table, column.fields, column.chain))
        if column.type == "json":
            kind = property_type(column.table or table)
            return Found(Column(rest[0], "property", kind) if len(rest) == 1 else OTHER, property=(rest[0], kind))
        if column.type not in ("lazy_table", "virtual_table") or rest[0] in UNLISTED_COLUMNS or rest[0] == "*":
            return Found()
        joined = self._schema.tables.get(column.table or "") if column.type == "lazy_table" else None
        known = (*column.fields, *(joined or ()))
        if rest[0] not in known:
            return Found(missing=(rest[0], known, column.name)) if known else Found()
        inner = joined.get(rest[0]) if joined else None
        if inner is None:
            inner = Column(rest[0], "json" if rest[0] == "properties" else "unknown")
        return self._behind(inner, rest[1:], column.name if column.type == "virtual_table" else column.table or "")

    def _comparison(self, node: tree.Comparison, scope: Scope) -> None:
        """Record the strings that are compared with the name of an event."""
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if not isinstance(one, tree.Field) or node.operator not in _EQUALITIES:
                continue
            column = self._of(one, scope)
            self.findings.mistakes += not_a_person(one, column, node.operator, other)
            if (column.name, column.table) == ("event", "events"):
                self.findings.events += [Used(text, at, "event") for text, at in texts(other)]

    def _time(self, node: tree.Select, scope: Scope, joins: list[tree.Join], before: int) -> None:
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

    def _columns(self, select: tuple[tree.Expr, ...], types: list[Type], scope: Scope) -> TableColumns | None:
        columns: dict[str, Column] = {}
        for item, found in zip(select, types, strict=False):
            match item:
                case tree.Alias(expr=tree.Field() as field):
                    columns[item.alias] = self._of(field, scope)
                case tree.Alias():
                    columns[item.alias] = Column("", found.kind)
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

    def _starred(self, item: tree.Field, scope: Scope) -> TableColumns | None:
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

    def _of(self, node: tree.Expr, scope: Scope) -> Column:
        if not isinstance(node, tree.Field):
            return OTHER
        found = self._resolve([str(part) for part in node.chain], scope)
        return found.column if found else OTHER
