"""Resolves the names of a HogQL statement against a project's schema: which tables and columns there are not, and which
events, properties and functions it uses.

What cannot be judged (a table that the schema does not list, a column of an expression) counts as right: PostHog
decides.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from ..hogql.schema import Column, Schema
from .findings import Findings, Unknown, Used
from .parse import Node, children, place
from .tree import QUERIES, aliases, bounds_time, last_name, shared_columns, sources_of, texts, time_names

_UNLISTED = """person_distinct_ids person_distinct_id_overrides cohort_people static_cohort_people session_replay_events
    log_entries console_logs_log_entries batch_export_log_entries app_metrics heatmaps query_log exchange_rate
    document_embeddings pg_embeddings logs metrics spans ai_events numbers preaggregation_results
    error_tracking_issue_fingerprint_overrides error_tracking_fingerprint_issue_state web_pre_aggregated_stats
    web_pre_aggregated_bounces persons_revenue_analytics groups_revenue_analytics raw_persons raw_groups raw_sessions
    raw_sessions_v3 raw_person_distinct_ids raw_person_distinct_id_overrides raw_cohort_people
    raw_session_replay_events raw_query_log raw_error_tracking_issue_fingerprint_overrides"""
UNLISTED_TABLES = frozenset(_UNLISTED.split())
"""Tables that PostHog answers and DatabaseSchemaQuery does not list (PostHog's `hogql/database/database.py`)."""
UNLISTED_COLUMNS = frozenset({"team_id", "_timestamp", "inserted_at", "_offset"})
_EQUALITIES = ("==", "!=", "in", "not in", "global in", "global not in")
_OTHER = Column("", "unknown")

type Columns = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class _Source:
    """A table or subquery in FROM. `columns` None: which ones it has is not known."""

    names: frozenset[str]
    columns: Columns | None
    table: str = ""
    place: int | None = None


@dataclass(frozen=True, slots=True)
class _Scope:
    """What a statement, or an expression in it, can name."""

    tables: Mapping[str, Columns | None]
    """Subqueries of WITH."""
    sources: tuple[_Source, ...] = ()
    names: frozenset[str] = frozenset()
    """Aliases, arguments of lambdas, expressions of WITH; what is behind them is not known."""
    outer: "_Scope | None" = None

    def within(self, names: frozenset[str]) -> "_Scope":
        return _Scope(self.tables, self.sources, self.names | names, self.outer)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a chain of names leads to."""

    column: Column = _OTHER
    missing: tuple[str, tuple[str, ...], str] | None = None
    """A name that is not there, the names that are, and where."""
    property: tuple[str, str] | None = None
    """The name of a property and its type."""
    outer: bool = False
    """It is a column of the query around."""


def find(tree: Node, schema: Schema) -> Findings:
    """What the statement names, and what of it there is not."""
    resolver = _Resolver(schema)
    resolver.query(tree, _Scope({}))
    return resolver.findings.in_order()


class _Resolver:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.findings = Findings()

    def query(self, node: Node, outer: _Scope) -> Columns | None:
        """Resolves a query; its columns as those around it see them, None when they are not known."""
        if node.get("node") == "SelectSetQuery":
            first = cast("Node", node["initial_select_query"])
            if first.get("ctes"):  # all members see them
                tables, expressions = self._with(first, outer)
                outer = _Scope(tables, names=frozenset(expressions), outer=outer)
                first = {**first, "ctes": [cte for cte in first["ctes"] if cte.get("cte_type") == "column"]}
            columns = self.query(first, outer)
            for member in cast("list[Node]", node["subsequent_select_queries"]):
                self.query(member["select_query"], outer)
            return columns
        if node.get("node") != "SelectQuery":
            return None
        return self._select(node, outer)

    def _select(self, node: Node, outer: _Scope) -> Columns | None:
        untimed = len(self.findings.untimed)
        tables, expressions = self._with(node, outer)
        joins = list(sources_of(node.get("select_from")))
        sources = tuple(self._source(join, _Scope(tables, outer=outer)) for join in joins)
        array_joins = cast("list[Node]", node.get("array_join_list") or [])
        names = (
            frozenset(expressions) | aliases(node) | {last_name(item) for item in array_joins} | shared_columns(joins)
        )
        scope = _Scope(tables, sources, names, outer)
        for key, value in node.items():
            if key not in ("ctes", "select_from", "start", "end", "node"):
                for child in children([value]):
                    self._walk(child, scope)
        for expression in expressions.values():
            self._walk(expression, scope)
        for join in joins:
            for child in children([join.get("constraint")]):
                self._walk(child, scope)
        self._time(node, scope, joins, untimed)
        return self._columns(cast("list[Node]", node.get("select") or []), scope)

    def _with(self, node: Node, outer: _Scope) -> tuple[dict[str, Columns | None], dict[str, Node]]:
        tables, expressions = dict(outer.tables), dict[str, Node]()
        for cte in cast("list[Node]", node.get("ctes") or []):
            name, value = str(cte["name"]), cast("Node", cte["expr"])
            if cte.get("cte_type") == "column":
                expressions[name] = value
                continue
            if cte.get("recursive"):
                tables[name] = None
            columns = self.query(value, _Scope(dict(tables), names=frozenset(expressions), outer=outer))
            tables[name] = None if cte.get("columns") or cte.get("recursive") else columns
        return tables, expressions

    def _source(self, join: Node, scope: _Scope) -> _Source:
        table, alias = cast("Node", join["table"]), join.get("alias")
        names = frozenset({alias} if alias else ())
        if join.get("column_aliases"):
            return _Source(names, None)
        if table.get("node") in QUERIES:
            return _Source(names, self.query(table, scope), place=place(table))
        if table.get("node") != "Field":
            self._walk(table, scope)
            return _Source(names, None)
        chain = [str(part) for part in table["chain"]]
        name = ".".join(chain).removeprefix("posthog.")
        if join.get("table_args") is not None:
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

    def _walk(self, node: Node, scope: _Scope) -> None:
        kind = node.get("node")
        if kind in QUERIES:
            self.query(node, _Scope(scope.tables, outer=scope))
            return
        if kind == "Field":
            self._field(node, scope)
        elif kind == "Lambda":
            self._arrow(node)
            scope = scope.within(frozenset(map(str, node["args"])))
        elif kind == "ArrayAccess":
            self._property(node["array"], node["property"], scope)
        elif kind == "Call":
            if str(node["name"]).startswith("JSONExtract") and len(node.get("args") or ()) > 1:
                self._property(node["args"][0], node["args"][1], scope)
            self.findings.functions.append(Used(str(node["name"]), place(node), "function"))
        elif kind == "CompareOperation":
            self._comparison(node, scope)
        elif kind == "Placeholder":
            return
        for child in children(node):
            self._walk(child, scope)

    def _field(self, node: Node, scope: _Scope) -> None:
        chain = [str(part) for part in node["chain"]]
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

    def _property(self, holder: Node, name: Node, scope: _Scope) -> None:
        """A property that is named by a text: `properties['plan']`, `JSONExtractString(properties, 'plan')`."""
        column = self._of(holder, scope)
        if column.type == "json" and name.get("node") == "Constant" and isinstance(name.get("value"), str):
            self.findings.properties.append(Used(name["value"], place(name), _property_type(column.table or "")))

    def _arrow(self, node: Node) -> None:
        body = cast("Node", node["expr"])
        if [*map(str, node["args"])] == ["properties"] and isinstance(body.get("value"), str):
            self.findings.arrows.append(Used(f"properties.{body['value']}", place(node), "column"))

    def _resolve(self, chain: list[str], scope: _Scope | None) -> "_Found | None":
        """What a chain names; None when nothing in the scope has its first name."""
        if scope is None:
            return None
        for source in scope.sources:
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

    def _column(self, chain: list[str], source: _Source) -> "_Found":
        if source.columns is None or chain[0] == "*" or chain[0] in UNLISTED_COLUMNS:
            return _Found()
        column = source.columns.get(chain[0])
        if column is None:
            owner = source.table or min(source.names, default="")
            return _Found(missing=(chain[0], tuple(source.columns), owner))
        return self._behind(column, chain[1:], source.table)

    def _behind(self, column: Column, rest: list[str], table: str) -> "_Found":
        """What `rest` names behind a column: a property, a column of a joined table, or what is not judged."""
        if not rest:
            return _Found(replace(column, table=column.table or table))
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

    def _comparison(self, node: Node, scope: _Scope) -> None:
        """Texts that are compared with the name of an event."""
        for one, other in ((node["left"], node["right"]), (node["right"], node["left"])):
            if one.get("node") != "Field" or node.get("op") not in _EQUALITIES:
                continue
            column = self._of(one, scope)
            if (column.name, column.table) == ("event", "events"):
                self.findings.events += [Used(text, at, "event") for text, at in texts(other)]

    def _time(self, node: Node, scope: _Scope, joins: list[Node], before: int) -> None:
        """Notes where events are read without a condition on their time, here or in what reads them from here.

        `before` is how many of such places had been noted before this query.
        """
        conditions = [node.get(key) for key in ("where", "prewhere", "having", "qualify")]
        conditions += [join.get("constraint") for join in joins]
        if not any(bounds_time(each, time_names(node)) for each in conditions if each):
            self.findings.untimed += [source.place for source in scope.sources if source.table == "events"]
        elif any(not source.table for source in scope.sources):
            del self.findings.untimed[before:]

    def _columns(self, select: list[Node], scope: _Scope) -> Columns | None:
        columns: dict[str, Column] = {}
        for item in select:
            kind = item.get("node")
            if kind == "Alias":
                columns[str(item["alias"])] = self._of(item["expr"], scope)
            elif kind == "Field" and item["chain"][-1] == "*":
                if len(item["chain"]) == 1 and len(scope.sources) > 1:
                    names = min(scope.sources[0].names, default="")
                    self.findings.stars.append(Used(names, place(item), "table"))
                chosen = [
                    source for source in scope.sources if len(item["chain"]) == 1 or item["chain"][0] in source.names
                ]
                for source in chosen:
                    if source.columns is None:
                        return None
                    columns |= source.columns
            elif kind == "Field":
                columns[str(item["chain"][-1])] = self._of(item, scope)
            elif kind == "ColumnsExpr":
                return None
        return columns

    def _of(self, node: Node, scope: _Scope) -> Column:
        if node.get("node") != "Field":
            return _OTHER
        found = self._resolve([str(part) for part in node["chain"]], scope)
        return found.column if found else _OTHER


def _holders(chain: list[str], scope: _Scope) -> list[str]:
    """The names of the sources that all have the column which a chain begins with; nothing unless it is ambiguous."""
    holders = [min(source.names, default="") for source in scope.sources if chain[0] in (source.columns or ())]
    named = chain[0] in scope.names or any(_after(chain, source) for source in scope.sources)
    return [] if named or len(holders) < 2 else [name for name in holders if name]


def _of_others(chain: list[str], scope: _Scope) -> tuple[str, ...]:
    """The columns of that name which sources have under another alias, or which events lead to."""
    if len(chain) == 1:
        return ()
    having = [source for source in scope.sources if chain[1] in (source.columns or ()) and source.names]
    columns = [".".join((min(source.names), *chain[1:])) for source in having]
    if any(source.table == "events" for source in scope.sources) and chain[0].lower() in _JOINED:
        rest = chain[1:] if chain[1] == "properties" else ["properties", *chain[1:]]
        columns.append(".".join((_JOINED[chain[0].lower()], *rest)))
    return tuple(columns)


_JOINED = {"user": "person", "users": "person", "persons": "person", "people": "person", "groups": "group_0"}
"""What people of other databases call what events lead to."""


def _after(chain: list[str], source: _Source) -> list[str]:
    """What follows the name of a source in a chain; nothing when the chain does not begin with it."""
    for length in range(1, len(chain)):
        if ".".join(chain[:length]) in source.names:
            return chain[length:]
    return []


def _property_type(owner: str) -> str:
    """Whose properties a table, or a virtual table of events, holds."""
    if owner in ("persons", "raw_persons", "person", "poe"):
        return "person"
    return "group" if owner.startswith(("group", "goe", "raw_groups")) else "event"
