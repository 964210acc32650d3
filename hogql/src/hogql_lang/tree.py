"""HogQL syntax trees: frozen records, one for each construct.

The shapes follow the JSON of PostHog's HogQL parser; only `build` makes them. The tree is total: everything the parser
reads becomes a node, and an unknown construct becomes an `Opaque`. Each node has its `span`, the characters of the
statement it was read from (None for nodes without a text).
"""

from __future__ import annotations

from dataclasses import dataclass

type Span = tuple[int, int]
"""Start and end of a piece of a statement, as character offsets into its text."""
type ConstantValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Constant:
    value: ConstantValue
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A dotted name: `event`, `e.properties.$browser`, `*`, `e.*`."""

    chain: tuple[str | int, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """`name(params)(args)`; the parser also represents CASE, INTERVAL, `||` and `??` as calls."""

    name: str
    args: tuple[Expr, ...]
    params: tuple[Expr, ...] | None = None
    distinct: bool = False
    filter: Expr | None = None
    order_by: tuple[Order, ...] = ()
    within_group: tuple[Order, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class CalledExpression:
    """`(expression)(args)`."""

    expr: Expr
    args: tuple[Expr, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: Expr
    right: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: Expr
    right: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Logical:
    """`and(...)` or `or(...)` over two or more expressions."""

    operator: str
    exprs: tuple[Expr, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Not:
    expr: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Between:
    expr: Expr
    low: Expr
    high: Expr
    negated: bool
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class IsDistinctFrom:
    left: Expr
    right: Expr
    negated: bool
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Alias:
    alias: str
    expr: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Lambda:
    args: tuple[str, ...]
    expr: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Array:
    exprs: tuple[Expr, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Tuple:
    exprs: tuple[Expr, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class GroupingSet:
    """One of the lists in `GROUP BY GROUPING SETS ((a), (a, b))`."""

    exprs: tuple[Expr, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Dict:
    items: tuple[tuple[Expr, Expr], ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ArrayAccess:
    array: Expr
    key: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class ArraySlice:
    array: Expr
    first: Expr | None
    last: Expr | None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class TupleAccess:
    tuple: Expr
    index: int
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Cast:
    """`x::type` and `cast(x as type)`; with `safe` a failed cast gives null."""

    expr: Expr
    type_name: str
    type_args: tuple[Expr, ...] = ()
    safe: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Placeholder:
    """`{name}` or `{variables.name}`, replaced before compilation."""

    expr: Expr
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Columns:
    """`* exclude (a)`, `(* replace (x as a))`, `columns('regex')`, `columns(a, b)`."""

    every: bool
    exclude: tuple[str, ...] = ()
    replace: tuple[tuple[str, Expr], ...] = ()
    regex: str | None = None
    columns: tuple[Expr, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Tag:
    """A HogQLX tag: `<a href={...}>text</a>`; the value of `children` is a tuple if there are several."""

    kind: str
    attributes: tuple[tuple[str, Expr | tuple[Expr, ...]], ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Opaque:
    """A construct without its own class; `kind` is the parser's name for it, `parts` are the nodes in it."""

    kind: str
    parts: tuple[Node, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class WithFill:
    first: Expr | None
    last: Expr | None
    step: Expr | None


@dataclass(frozen=True, slots=True)
class Order:
    expr: Expr
    descending: bool
    fill: WithFill | None = None


@dataclass(frozen=True, slots=True)
class FrameBound:
    """`value` is None for UNBOUNDED and for CURRENT ROW."""

    kind: str
    value: Expr | None


@dataclass(frozen=True, slots=True)
class Window:
    partition_by: tuple[Expr, ...]
    order_by: tuple[Order, ...]
    frame_method: str | None
    frame_start: FrameBound | None
    frame_end: FrameBound | None


@dataclass(frozen=True, slots=True)
class WindowCall:
    """`name(params)(args) over (...)` or `over name`."""

    name: str
    args: tuple[Expr, ...]
    params: tuple[Expr, ...] | None
    over: Window | str
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class JoinConstraint:
    using: bool
    expr: Expr


@dataclass(frozen=True, slots=True)
class Ratio:
    left: Expr
    right: Expr | None


@dataclass(frozen=True, slots=True)
class Sample:
    """`SAMPLE value OFFSET offset`; a value is a ratio or an expression."""

    value: Ratio | Expr
    offset: Ratio | Expr | None


@dataclass(frozen=True, slots=True)
class Join:
    """One table of FROM; `join_type` and `constraint` define how it is joined to the tables before it."""

    table: Expr
    table_args: tuple[Expr, ...] | None
    alias: str | None
    column_aliases: tuple[str, ...]
    join_type: str | None
    constraint: JoinConstraint | None
    sample: Sample | None
    next: Join | None
    final: bool = False
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Cte:
    """`name as (select ...)`, or `expression as name` if `is_column`."""

    name: str
    expr: Expr
    is_column: bool
    recursive: bool
    columns: tuple[str, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class LimitBy:
    count: Expr
    offset: Expr | None
    exprs: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Select:
    columns: tuple[Expr, ...]
    ctes: tuple[Cte, ...] = ()
    distinct: bool = False
    source: Join | None = None
    array_join_operator: str | None = None
    array_joins: tuple[Expr, ...] = ()
    prewhere: Expr | None = None
    where: Expr | None = None
    group_by: tuple[Expr, ...] = ()
    group_by_mode: str | None = None
    having: Expr | None = None
    qualify: Expr | None = None
    windows: tuple[tuple[str, Window], ...] = ()
    order_by: tuple[Order, ...] = ()
    limit_by: LimitBy | None = None
    interpolate: tuple[Opaque, ...] = ()
    limit: Expr | None = None
    limit_with_ties: bool = False
    limit_percent: bool = False
    """The limit is a percentage of the rows."""
    offset: Expr | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class SetQuery:
    """Selects joined by UNION ALL, UNION DISTINCT, INTERSECT, EXCEPT; `rest` pairs each operator with its query."""

    first: Query
    rest: tuple[tuple[str, Query], ...]
    limit: Expr | None = None
    offset: Expr | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Values:
    """`VALUES (1, 2), (3, 4)` instead of a SELECT."""

    rows: tuple[tuple[Expr, ...], ...]
    span: Span | None = None


type Query = Select | SetQuery
type Expr = (
    Constant | Field | Call | CalledExpression | Arithmetic | Comparison | Logical | Not | Between | IsDistinctFrom
    | Alias | Lambda | Array | Tuple | GroupingSet | Dict | ArrayAccess | ArraySlice | TupleAccess | Cast | Placeholder
    | Columns | WindowCall | Tag | Opaque | Values | Select | SetQuery
)  # fmt: skip
type Node = Expr | WithFill | Order | FrameBound | Window | JoinConstraint | Ratio | Sample | Join | Cte | LimitBy
