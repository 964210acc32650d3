"""Compile FROM and JOIN. Each table expression is a table of the schema, a common table expression, a subquery or
numbers(); nothing else can be read."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hogql_lang import tree

from .. import escape
from ..errors import did_you_mean, query_error
from ..schema.catalog import SYSTEM_TABLES, TABLES, UNAVAILABLE_TABLES, find_table
from ..scope import CompiledCte, Environment, FromSource, OutColumn, QuerySource, Relation, SelectScope, TableSource
from ..values import INTEGER

_KINDS = ("INNER", "LEFT", "RIGHT", "FULL", "CROSS")
_STRICTNESSES = ("ANY", "ALL", "SEMI", "ANTI", "ASOF")
_SAMPLE_STEPS = 1_000_000


@dataclass(frozen=True, slots=True)
class FromPart:
    """One table of the clause, rendered last, when its lazy joins are known."""

    keyword: str
    source: FromSource
    table: str
    constraint: str


def compile_from(join: tree.Join | None, environment: Environment) -> list[FromPart]:
    """Return the parts of a FROM clause and add their sources to the scope in order."""
    parts: list[FromPart] = []
    while join is not None:
        source, table = _source(join, environment)
        if source.name and environment.scope.source(source.name) is not None:
            name = escape.hogql_identifier(source.name)
            raise query_error(f'Already have joined a table called "{name}". Can\'t redefine.', join.span)
        earlier = list(environment.scope.sources)
        environment.scope.sources.append(source)
        keyword = _keyword(join) if parts else ""
        constraint = "" if join.constraint is None else _constraint(join.constraint, source, earlier, environment)
        parts.append(FromPart(keyword, source, table, constraint))
        join = join.next
    return parts


def render_from(parts: list[FromPart]) -> str:
    """Return the clause with each lazy join directly after the table it was used on."""
    pieces = ["FROM"] if parts else []
    for part in parts:
        if part.keyword:
            pieces.append(part.keyword)
        pieces.append(f"{part.table} AS {part.source.quoted}")
        if part.constraint:
            pieces.append(f"ON {part.constraint}")
        if isinstance(part.source, TableSource):
            pieces += _lazy_joins(part.source)
    return " ".join(pieces)


def _lazy_joins(parent: TableSource) -> list[str]:
    pieces: list[str] = []
    for source in parent.lazy.values():
        link = source.link
        if link is None:
            continue
        table = f"(SELECT * FROM {source.from_sql()} WHERE {link.where})" if link.where else source.from_sql()
        condition = link.on.format(parent=parent.quoted, child=source.quoted)
        pieces.append(f"LEFT JOIN {table} AS {source.quoted} ON {condition}")
        pieces += _lazy_joins(source)
    return pieces


def _keyword(join: tree.Join) -> str:
    words = (join.join_type or "JOIN").split()
    unknown = [word for word in words if word not in (*_KINDS, *_STRICTNESSES, "OUTER", "JOIN")]
    if unknown:
        raise query_error(f"{join.join_type} is not supported here.", join.span)
    chosen = [word for word in words if word in _STRICTNESSES] + [word for word in words if word in _KINDS]
    return " ".join([*chosen, "JOIN"])


def _constraint(
    constraint: tree.JoinConstraint, source: FromSource, earlier: list[FromSource], environment: Environment
) -> str:
    if not constraint.using:
        return replace(environment, plain_nulls=True).compile(constraint.expr).sql
    columns = constraint.expr.exprs if isinstance(constraint.expr, tree.Tuple) else (constraint.expr,)
    return " AND ".join(_shared_column(column, source, earlier, environment) for column in columns)


def _shared_column(column: tree.Expr, source: FromSource, earlier: list[FromSource], environment: Environment) -> str:
    """Return one column of USING as an equation."""
    name = str(column.chain[0]) if isinstance(column, tree.Field) and len(column.chain) == 1 else None
    if name is None:
        raise query_error("USING must list names of columns.", None)
    left_source = next((candidate for candidate in earlier if candidate.has(name)), None)
    left, right = left_source and left_source.column(name), source.column(name)
    if left_source is None or left is None or right is None:
        raise query_error(f"Unable to resolve field: {name}. USING needs it on both sides.", None)
    environment.scope.shared[name] = left_source
    return f"{left.sql} = {right.sql}"


def _source(join: tree.Join, environment: Environment) -> tuple[FromSource, str]:
    match join.table:
        case tree.Select() | tree.SetQuery() as query:
            _refuse(join, arguments=True, sample=True)
            relation = environment.query(query)
            name = environment.compilation.names.take(join.alias or "subquery")
            source = QuerySource(join.alias or "", name, _renamed(relation, join))
            return source, f"({relation.sql})"
        case tree.Field(chain):
            return _named(".".join(str(part) for part in chain), join, environment)
        case _:
            raise query_error("Only tables and subqueries can be read from.", join.span)


def _named(name: str, join: tree.Join, environment: Environment) -> tuple[FromSource, str]:
    compilation = environment.compilation
    alias = join.alias or name
    binding = environment.ctes.get(name)
    if isinstance(binding, CompiledCte):
        _refuse(join, arguments=True, sample=True)
        columns = _renamed(Relation("", binding.columns), join)
        return QuerySource(alias, compilation.names.take(alias), columns), escape.identifier(binding.sql_name)
    if name == "numbers" and join.table_args is not None:
        return _numbers(join, alias, environment)
    _refuse(join, arguments=True, renaming=True)
    table = find_table(name)
    if table is None:
        if name in UNAVAILABLE_TABLES:
            raise query_error(f"Table `{name}` exists in PostHog, but has no data here.", join.span)
        hint = did_you_mean(name, [*TABLES, *SYSTEM_TABLES, *environment.ctes])
        raise query_error(f"Unknown table `{name}`.{hint}", join.span)
    compilation.tables[table.name] = None
    source = TableSource(alias, compilation.names.take(alias), table, compilation)
    return source, _sampled(join, source) if join.sample else source.from_sql()


def _renamed(relation: Relation, join: tree.Join) -> tuple[OutColumn, ...]:
    names = join.column_aliases
    if not names:
        return relation.columns
    if len(names) != len(relation.columns):
        raise query_error(f"{len(names)} names for {len(relation.columns)} columns.", join.span)
    return tuple(replace(column, name=name) for name, column in zip(names, relation.columns, strict=True))


def _refuse(join: tree.Join, *, arguments: bool = False, sample: bool = False, renaming: bool = False) -> None:
    if arguments and join.table_args is not None:
        name = join.table.chain[-1] if isinstance(join.table, tree.Field) else "it"
        raise query_error(f"Table function `{name}` is not allowed; only numbers() is.", join.span)
    if sample and join.sample is not None:
        raise query_error("Only tables can be sampled.", join.span)
    if renaming and join.column_aliases:
        raise query_error("The columns of a table cannot be renamed in FROM.", join.span)


def _numbers(join: tree.Join, alias: str, environment: Environment) -> tuple[FromSource, str]:
    _refuse(join, sample=True)
    arguments = join.table_args or ()
    if len(arguments) not in (1, 2):
        raise query_error("The arguments of numbers() must be a count, or a start and a count.", join.span)
    alone = replace(environment, scope=SelectScope())
    shown = ", ".join(alone.compile(argument).sql for argument in arguments)
    columns = _renamed(Relation("", (OutColumn("number", "number", INTEGER),)), join)
    return QuerySource(alias, environment.compilation.names.take(alias), columns), f"numbers({shown})"


def _sampled(join: tree.Join, source: TableSource) -> str:
    """Return SAMPLE as a condition on a hash, so that every query samples the same people."""
    ratio = join.sample and join.sample.value
    key = source.table.sample_key
    if not isinstance(ratio, tree.Ratio) or not key:
        raise query_error(f"Table `{source.table.name}` cannot be sampled.", join.span)
    share = _number(ratio.left) / (_number(ratio.right) if ratio.right is not None else 1)
    if not 0 < share <= 1:
        raise query_error("SAMPLE must be greater than 0 and at most 1.", join.span)
    kept = f"{key} % {_SAMPLE_STEPS} < {round(share * _SAMPLE_STEPS)}"
    return source.from_sql() if share == 1 else f"(SELECT * FROM {source.from_sql()} WHERE {kept})"


def _number(node: tree.Expr) -> float:
    if (
        not isinstance(node, tree.Constant)
        or isinstance(node.value, bool)
        or not isinstance(node.value, int | float)
        or not node.value
    ):
        raise query_error("SAMPLE must be a number.", node.span)
    return float(node.value)
