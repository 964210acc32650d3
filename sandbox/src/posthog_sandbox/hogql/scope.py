"""The names in scope of an expression: the sources of a FROM clause, aliases, common table expressions, arguments.

Names are looked up in HogQL's order: first the arguments of a lambda, then the aliases of this SELECT, then the
columns of its sources. Outer queries are not in scope, but their common table expressions are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hogql_lang import tree

from . import escape
from .context import Context
from .errors import Span, did_you_mean, query_error
from .name_supply import NameSupply
from .schema.catalog import find_table
from .schema.tables import DATABASE, Column, LazyJoin, Table, VirtualTable
from .values import Fragment, Type

MAX_EXPRESSIONS = 50_000
MAX_DEPTH = 100
MAX_SQL = 1_000_000
"""The most characters of SQL in one expression."""
MAX_WORK = 20_000_000
"""The most characters of SQL in total, where each expression counts on every level that contains it."""
_RESERVED = frozenset({"true", "false", "null", "team_id"})


@dataclass(frozen=True, slots=True)
class OutColumn:
    """A column of a compiled query: its name in HogQL, its name in SQL, its type, and its name in a response."""

    name: str
    sql_name: str
    type: Type
    label: str = ""


@dataclass(frozen=True, slots=True)
class Relation:
    """A compiled query."""

    sql: str
    columns: tuple[OutColumn, ...]


@dataclass(slots=True)
class Compilation:
    """The state of one translation: names used, tables read, work done."""

    context: Context
    compile_expression: Callable[[tree.Expr, Environment], Fragment]
    compile_query: Callable[[tree.Query, Environment], Relation]
    names: NameSupply = field(default_factory=NameSupply)
    tables: dict[str, None] = field(default_factory=dict[str, None])
    expressions: int = 0
    characters: int = 0
    depth: int = 0

    def relation(self, table: str) -> str:
        """Return the SELECT for a table that is not stored in the database."""
        relations = self.context.relations
        sql = None if relations is None else relations(table)
        if sql is None:
            raise query_error(f"Table `{table}` is not available here.")
        return sql


@dataclass(slots=True)
class TableSource:
    """A table of the schema in FROM, with its lazy joins in order of first use."""

    name: str
    sql_name: str
    table: Table
    compilation: Compilation
    lazy: dict[str, TableSource] = field(default_factory=dict[str, "TableSource"])
    link: LazyJoin | None = None

    @property
    def quoted(self) -> str:
        return escape.identifier(self.sql_name)

    def column(self, name: str) -> Fragment | None:
        column = self.table.columns.get(name)
        return None if column is None else self._read(column)

    def star(self) -> list[OutColumn]:
        return [OutColumn(c.name, c.name, c.type) for c in self.table.columns.values() if c.in_star]

    def names(self) -> list[str]:
        return [*self.table.names(), *self._group_names()]

    def has(self, name: str) -> bool:
        table = self.table
        return name in table.columns or name in table.virtual or name in table.joins or name in self._group_names()

    def descend(self, name: str) -> TableSource | VirtualSource | None:
        """Return the table behind `name` and a dot."""
        name = self._group_names().get(name, name)
        virtual = self.table.virtual.get(name)
        if virtual is not None:
            if name == "person" and virtual.otherwise is not None and self.compilation.context.current_persons:
                return self.join(name, virtual.otherwise)
            return VirtualSource(name, self, virtual)
        link = self.table.joins.get(name)
        return None if link is None else self.join(name, link)

    def join(self, name: str, link: LazyJoin) -> TableSource:
        source = self.lazy.get(name)
        if source is None:
            table = find_table(link.table)
            if table is None:
                raise RuntimeError(f"the schema joins {link.table}, which it does not contain")
            self.compilation.tables[table.name] = None
            sql_name = self.compilation.names.take(f"{self.sql_name}__{name}")
            source = self.lazy[name] = TableSource(name, sql_name, table, self.compilation, link=link)
        return source

    def _group_names(self) -> Mapping[str, str]:
        if "group_0" not in self.table.joins:
            return {}
        return {name: f"group_{index}" for index, name in enumerate(self.compilation.context.group_types[:5])}

    def _read(self, column: Column) -> Fragment:
        sql = column.sql.format(table=self.quoted) if column.sql else f"{self.quoted}.{escape.identifier(column.name)}"
        timezone = self.compilation.context.timezone
        if column.type.kind == "datetime" and timezone != "UTC":
            sql = f"toTimeZone({sql}, {escape.string(timezone)})"
        return Fragment(sql, column.type)

    def from_sql(self) -> str:
        if not self.table.physical:
            return f"({self.compilation.relation(self.table.name)})"
        overlay = self.compilation.context.overlays.get(self.table.physical)
        if overlay is not None:
            return f"({overlay})"
        return f"{escape.identifier(DATABASE)}.{escape.identifier(self.table.physical)}"

    def virtual_column(self, column: Column) -> Fragment:
        return self._read(column)


@dataclass(frozen=True, slots=True)
class VirtualSource:
    """`person.` on events: columns of the events row, and a join for the rest."""

    name: str
    parent: TableSource
    virtual: VirtualTable

    def column(self, name: str) -> Fragment | None:
        column = self.virtual.columns.get(name)
        if column is not None:
            return self.parent.virtual_column(column)
        joined = self._joined(name)
        return None if joined is None else joined.column(name)

    def descend(self, name: str) -> TableSource | VirtualSource | None:
        joined = self._joined(name)
        return None if joined is None else joined.descend(name)

    def names(self) -> list[str]:
        link = self.virtual.otherwise
        table = None if link is None else find_table(link.table)
        return [*self.virtual.columns, *(table.names() if table else ())]

    def _joined(self, name: str) -> TableSource | None:
        link = self.virtual.otherwise
        if link is None or name not in self.names():
            return None
        return self.parent.join(self.name, link)


@dataclass(frozen=True, slots=True)
class QuerySource:
    """A subquery, a common table expression, or numbers() in FROM."""

    name: str
    sql_name: str
    columns: tuple[OutColumn, ...]

    @property
    def quoted(self) -> str:
        return escape.identifier(self.sql_name)

    def column(self, name: str) -> Fragment | None:
        for column in self.columns:
            if column.name == name:
                return Fragment(f"{self.quoted}.{escape.identifier(column.sql_name)}", column.type)
        return None

    def star(self) -> list[OutColumn]:
        return list(self.columns)

    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def has(self, name: str) -> bool:
        return any(column.name == name for column in self.columns)

    def descend(self, name: str) -> None:
        return None


type FromSource = TableSource | QuerySource


@dataclass(frozen=True, slots=True)
class CompiledCte:
    sql_name: str
    columns: tuple[OutColumn, ...]


type CteBinding = CompiledCte | tree.Expr
"""A query compiled once, or an expression compiled again at each use of its name."""


@dataclass(slots=True)
class SelectScope:
    """The names that one SELECT brings into scope, filled in the order of its clauses."""

    sources: list[FromSource] = field(default_factory=list["FromSource"])
    aliases: dict[str, Fragment] = field(default_factory=dict[str, Fragment])
    shared: dict[str, FromSource] = field(default_factory=dict[str, "FromSource"])
    """Columns of JOIN ... USING, read from the left side."""
    windows: frozenset[str] = frozenset()

    def declare(self, alias: str, value: Fragment, span: Span | None) -> str:
        """Bring an alias into scope and return its quoted name."""
        if not alias:
            raise query_error("Alias cannot be empty", span)
        if alias.lower() in _RESERVED:
            raise query_error(f'"{alias}" cannot be an alias or identifier, as it\'s a reserved keyword', span)
        if alias in self.aliases:
            raise query_error(f"Cannot redefine an alias with the name: {alias}", span)
        name = escape.identifier(alias)
        self.aliases[alias] = Fragment(name, value.type)
        return name

    def source(self, name: str) -> FromSource | None:
        return next((source for source in self.sources if source.name == name), None)


@dataclass(frozen=True, slots=True)
class Environment:
    """The surroundings of an expression. `plain_nulls` is set inside JOIN ... ON, where comparisons keep null."""

    compilation: Compilation
    scope: SelectScope
    ctes: Mapping[str, CteBinding]
    arguments: Mapping[str, Fragment] = field(default_factory=dict[str, Fragment])
    plain_nulls: bool = False
    in_aggregate: str | None = None

    @property
    def context(self) -> Context:
        return self.compilation.context

    def compile(self, node: tree.Expr) -> Fragment:
        return self.compilation.compile_expression(node, self)

    def query(self, node: tree.Query) -> Relation:
        """Return a compiled subquery, which sees only the common table expressions of this query."""
        outer = Environment(self.compilation, SelectScope(), self.ctes)
        return self.compilation.compile_query(node, outer)

    def with_arguments(self, names: tuple[str, ...]) -> Environment:
        bound = {name: Fragment(escape.identifier(name), Type("unknown", True)) for name in names}
        return replace(self, arguments={**self.arguments, **bound})

    def names(self) -> list[str]:
        """Return all names in scope, for hints."""
        found = [*self.arguments, *self.scope.aliases, *self.ctes]
        for source in self.scope.sources:
            found += source.names()
            found.append(source.name)
        return found


def unresolved(name: object, known: list[str], span: Span | None) -> Exception:
    text = str(name)
    if text.startswith("$") and "properties" in known and text not in known:
        hint = f" Event properties are read as `properties.{text}`."
    else:
        hint = did_you_mean(text, known)
    return query_error(f"Unable to resolve field: {text}{'.' if hint else ''}{hint}", span)


def source_of(name: str, environment: Environment, span: Span | None) -> FromSource | None:
    """Return the only source of FROM that has a column or lazy join with this name."""
    if name in environment.scope.shared:
        return environment.scope.shared[name]
    sources = [source for source in environment.scope.sources if source.has(name)]
    if len(sources) > 1:
        named = " or ".join(f"`{escape.hogql_identifier(source.name)}.{name}`" for source in sources[:2])
        raise query_error(f"Ambiguous query. Found multiple sources for field: {name}. Write {named}.", span)
    return sources[0] if sources else None
