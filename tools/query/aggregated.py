"""HogQL that is about groups of persons only.

A statement is judged on its tree, and what cannot be judged is rejected. Two things are added to what is sent: a HAVING
that drops groups of fewer than five persons, and around each aggregate over a part of a group (`countIf`, or `sum` of a
property that few rows have) a condition that makes it null when the part has fewer.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, cast

from hogql_lang import Statement, TooDeep, Unparsed, read, tree
from hogql_lang.walk import children, field_names, rebuilt, walk

from ...gateway.errors import Refused
from ...schemas.privacy import SMALLEST_GROUP
from ...schemas.privacy.names import identifies
from ...schemas.text import excerpt
from ..people.identifying import CONTAINERS, UNJUDGED, tells_apart
from .aggregates import CASTS, EDGES, MOMENTS, NUMERIC_CASTS, PERSON, RAW, base_name, is_aggregate, is_count

NOTE = (
    f"Groups of fewer than {SMALLEST_GROUP} persons are left out, and aggregates over fewer are null "
    "(--aggregate-only)."
)
_HINT = (
    "Only groups of persons can be queried here (--aggregate-only): SELECT event, count(), uniq(person_id) "
    "FROM events WHERE … GROUP BY event."
)
_ALWAYS_SET = frozenset(["person_id", "distinct_id", "event", "timestamp", "uuid", "id"])
_RESERVED = CONTAINERS | _ALWAYS_SET | {"created_at", "elements_chain"}
_AFTER_HAVING = frozenset(["WINDOW", "QUALIFY", "ORDER", "LIMIT", "OFFSET", ";"])
_FOREIGN_CLAUSES = frozenset(["WITH", "ROLLUP", "CUBE", "TOTALS", "SETTINGS", "FORMAT", "INTO", "FINAL"])
_CLAUSES = {
    "ctes": "WITH", "distinct": "DISTINCT", "array_join_operator": "ARRAY JOIN", "prewhere": "PREWHERE",
    "qualify": "QUALIFY", "windows": "WINDOW", "limit_by": "LIMIT BY", "interpolate": "INTERPOLATE",
    "group_by_mode": "this form of GROUP BY", "limit_with_ties": "WITH TIES", "limit_percent": "a LIMIT in percent",
}  # fmt: skip
_COMPOSED = (
    tree.Arithmetic, tree.Comparison, tree.Logical, tree.Not, tree.Between, tree.IsDistinctFrom, tree.Cast, tree.Array,
    tree.Tuple, tree.ArrayAccess, tree.TupleAccess,
)  # fmt: skip
_NAME = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Aggregated:
    """A statement as it is sent, and the names of its columns, which are those of the caller's statement."""

    statement: Statement
    names: tuple[str | None, ...]
    """The name of each column whose expression was changed; None for the others."""


def aggregated(statement: Statement) -> Aggregated:
    """Return the statement as it is sent. Raises Refused (`hogql_query_error`) for one that is not about groups."""
    found = statement.tree
    if isinstance(found, tree.SetQuery):
        _reject("UNION, INTERSECT and EXCEPT are not judged; run each SELECT on its own")
    if not isinstance(found, tree.Select):
        _reject(found.message if isinstance(found, Unparsed) else "the query cannot be judged")
    judged = _Judge(statement, found)
    judged.judge()
    try:
        sent = read(judged.rewritten())
    except TooDeep:
        _reject("the query is nested too deeply to be judged")
    if not isinstance(sent.tree, tree.Select) or not judged.is_rewritten_in(sent.tree):
        _reject("the query cannot be judged; write it without brackets around its clauses")
    return Aggregated(sent, judged.names())


def _reject(what: str) -> NoReturn:
    raise Refused("hogql_query_error", f"query: {excerpt(what, 300)}.", _HINT)


@dataclass(slots=True)
class _Judge:
    """One SELECT, and the changes to its text."""

    statement: Statement
    select: tree.Select
    aliases: Mapping[str, tree.Expr] = field(default_factory=dict[str, tree.Expr])
    table: str = "events"
    """The name of the table in the statement."""
    person: str = "person_id"
    """The column that tells persons apart."""
    keys: frozenset[Any] = frozenset()
    edits: dict[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])

    def judge(self) -> None:
        """Raise Refused for a statement that is not about groups; collect the changes to its text."""
        self._judge_clauses()
        self._judge_source()
        self._judge_aliases()
        if self.select.where is not None:
            self._judge_rows(self.select.where)
        keys = [self._key(key) for key in self.select.group_by]
        self.keys = frozenset(map(self._shape, keys))
        having = [] if self.select.having is None else [self.select.having]
        for expr in (*self.select.columns, *having, *(order.expr for order in self.select.order_by)):
            self._judge_shown(expr)

    def rewritten(self) -> str:
        """Return the text with the changes."""
        sql = self.statement.sql
        edits = [*self.edits.items(), *self._having()]
        for (start, end), text in sorted(edits, reverse=True):
            sql = sql[:start] + text + sql[end:]
        return sql

    def names(self) -> tuple[str | None, ...]:
        """Return the names of columns without an alias that were changed."""
        changed = [start for start, _ in self.edits]
        spans = [None if isinstance(one, tree.Alias) else getattr(one, "span", None) for one in self.select.columns]
        return tuple(
            [
                self.statement.sql[slice(*span)] if span and any(span[0] <= at < span[1] for at in changed) else None
                for span in spans
            ]
        )

    def is_rewritten_in(self, sent: tree.Select) -> bool:
        """Return whether the sent tree is this one with the added conditions, and nothing else changed."""
        asked = self._smallest()
        added = sent.having
        if self.select.having is not None:
            if not isinstance(added, tree.Logical) or added.operator != "and" or len(added.exprs) < 2:
                return False
            first, *rest = added.exprs
            own = rest[0] if len(rest) == 1 else replace(added, exprs=tuple(rest), span=None)
        else:
            first, own = added, None
        if first is None or self._shape(first) != self._shape(asked):
            return False
        return self._shape(_unmasked(replace(sent, having=own))) == self._shape(self.select)

    def _smallest(self) -> tree.Expr:
        """Return the added condition of HAVING."""
        counted = tree.Call("uniq", (tree.Field((self.person,)),))
        return tree.Comparison(">=", counted, tree.Constant(SMALLEST_GROUP))

    def _text(self, node: tree.Node) -> str:
        span = getattr(node, "span", None)
        return self.statement.sql[slice(*span)] if span else ""

    def _judge_clauses(self) -> None:
        for name, clause in _CLAUSES.items():
            if getattr(self.select, name):
                _reject(f"{clause} is not judged")
        tokens = self.statement.tokens
        before = ("", *(token.word for token in tokens))
        for token, previous in zip(tokens, before, strict=False):
            if token.word in _FOREIGN_CLAUSES and previous not in (".", "AS"):
                _reject(f"{token.word} is not judged")
        if not tokens or tokens[0].word != "SELECT":
            _reject("a query in brackets is not judged")
        for node in list(walk(self.select))[1:]:
            if isinstance(node, UNJUDGED):
                _reject(f"{self._text(node) or type(node).__name__}: subqueries, windows and lambdas are not judged")
        for bound in (self.select.limit, self.select.offset):
            if bound is not None and any(isinstance(node, tree.Field | tree.Call) for node in _values(bound)):
                _reject("LIMIT and OFFSET must be numbers")

    def _source(self) -> tree.Join:
        source = self.select.source
        if source is None:
            _reject("a query needs FROM events or FROM persons")
        return source

    def _judge_source(self) -> None:
        source = self._source()
        if source.next is not None or source.constraint is not None:
            _reject("joins are not judged; use the columns of events, such as person.properties.plan")
        chain = source.table.chain if isinstance(source.table, tree.Field) else ()
        if len(chain) != 1 or chain[0] not in PERSON or source.table_args or source.column_aliases or source.final:
            _reject(
                f"{self._text(source) or 'this table'} cannot be counted in persons; use FROM events or FROM persons"
            )
        if source.sample is not None:
            _reject("SAMPLE is not judged")
        self.table, self.person = source.alias or str(chain[0]), PERSON[chain[0]]
        if not _NAME.fullmatch(self.table) or (source.alias and source.alias in _RESERVED):
            _reject(f"the alias {self.table} of the table is a name of HogQL")

    def _judge_aliases(self) -> None:
        shown = [column for column in self.select.columns if isinstance(column, tree.Alias)]
        every = [node for node in walk(self.select) if isinstance(node, tree.Alias)]
        if len(every) != len(shown):
            _reject("an alias can only name a whole column of the SELECT")
        for column in shown:
            if column.alias in _RESERVED or identifies(column.alias):
                _reject(f"the alias {column.alias} is the name of a column; choose another")
        self.aliases = {column.alias: column.expr for column in shown}
        if len(self.aliases) != len(shown):
            _reject("two columns have the same alias")

    def _chain(self, node: tree.Field) -> tuple[str | int, ...]:
        """Return the name of a column without the name of its table."""
        return node.chain[1:] if len(node.chain) > 1 and node.chain[0] == self.table else node.chain

    def _judge_rows(self, condition: tree.Expr) -> None:
        """Reject a condition on rows that tells persons apart, except for membership in a cohort."""
        for node in _values(condition):
            if isinstance(node, tree.Field) and tells_apart(self._chain(node)):
                _reject(f"{self._text(node)} tells persons apart, so it cannot be in a condition")
            if isinstance(node, tree.Call) and is_aggregate(node.name):
                _reject(f"{self._text(node)} is an aggregate inside a condition on rows")

    def _key(self, key: tree.Expr) -> tree.Expr:
        """Return a key of GROUP BY, also of one that is named by its alias or position."""
        if isinstance(key, tree.Constant) and isinstance(key.value, int) and not isinstance(key.value, bool):
            if not 1 <= key.value <= len(self.select.columns):
                _reject(f"GROUP BY {key.value} is no column")
            key = self.select.columns[key.value - 1]
        key = key.expr if isinstance(key, tree.Alias) else key
        if isinstance(key, tree.Field) and len(key.chain) == 1 and str(key.chain[0]) in self.aliases:
            key = self.aliases[str(key.chain[0])]
        for node in _values(key, cohorts=False):
            if isinstance(node, tree.Field) and tells_apart(self._chain(node)):
                _reject(f"{self._text(node)} tells persons apart, so it cannot be in GROUP BY")
            if isinstance(node, tree.Call) and is_aggregate(node.name):
                _reject(f"{self._text(node)} is an aggregate in GROUP BY")
        return key

    def _judge_shown(self, expr: tree.Expr) -> None:
        """Reject a value that is neither the same for a whole group nor computed over it."""
        expr = expr.expr if isinstance(expr, tree.Alias) else expr
        if self._shape(expr) in self.keys or isinstance(expr, tree.Constant | tree.Placeholder):
            return
        if isinstance(expr, tree.Field):
            if len(expr.chain) == 1 and str(expr.chain[0]) in self.aliases:
                return
            _reject(f"{self._text(expr)} is neither an aggregate nor in GROUP BY")
        if isinstance(expr, tree.Call):
            self._judge_call(expr)
        elif isinstance(expr, _COMPOSED):
            for child in _operands(expr):
                self._judge_shown(child)
        else:
            _reject(f"{self._text(expr)} is not judged")

    def _judge_call(self, call: tree.Call) -> None:
        if RAW.match(call.name):
            _reject(f"{call.name} returns values of single rows")
        if is_aggregate(call.name):
            self._judge_aggregate(call)
        elif call.distinct or call.filter or call.order_by or call.within_group:
            _reject(f"{self._text(call)} is not judged")
        else:
            for child in (*call.args, *(call.params or ())):
                self._judge_shown(child)

    def _judge_aggregate(self, call: tree.Call) -> None:
        name, args, condition = base_name(call.name), call.args, call.filter
        if call.order_by or call.within_group or any(not isinstance(one, tree.Constant) for one in call.params or ()):
            _reject(f"{self._text(call)} is not judged")
        if name != call.name.lower():
            if not args or condition is not None:
                _reject(f"{self._text(call)} needs one condition")
            *given, condition = args
            args = tuple(given)
        if condition is not None:
            self._judge_rows(condition)
        needed: list[str] = []
        for arg in args:
            if isinstance(arg, tree.Field) and is_count(name):
                self._not_an_alias(arg)
            elif name in EDGES and not self._is_number(arg):
                _reject(f"{self._text(call)} can return a text of one row; write {name}(toFloat(…))")
            else:
                self._judge_operand(arg)
            needed += [self._text(node) for node in walk(arg) if isinstance(node, tree.Field) and self._can_lack(node)]
        conditions = [f"isNotNull({one})" for one in dict.fromkeys(needed)]
        conditions += [f"({self._text(condition)})"] if condition is not None else []
        if conditions and call.span:
            part = f"uniqIf({self.person}, {' and '.join(conditions)}) >= {SMALLEST_GROUP}"
            self.edits[call.span] = f"if({part}, {self._text(call)}, null)"

    def _can_lack(self, node: tree.Field) -> bool:
        chain = self._chain(node)
        return not (len(chain) == 1 and (chain[0] in _ALWAYS_SET or chain[0] == "*"))

    def _is_number(self, arg: tree.Expr) -> bool:
        """Return whether an operand is a number, or a time of the table itself."""
        match arg:
            case tree.Field():
                return self._chain(arg) in MOMENTS
            case tree.Call() if arg.name.lower() in NUMERIC_CASTS:
                return True
            case tree.Call():
                return bool(arg.args) and all(
                    isinstance(one, tree.Constant) or self._is_number(one) for one in arg.args
                )
            case tree.Arithmetic():
                return self._is_number(arg.left) or self._is_number(arg.right)
            case _:
                return False

    def _not_an_alias(self, node: tree.Field) -> None:
        if len(node.chain) == 1 and str(node.chain[0]) in self.aliases:
            _reject(f"{self._text(node)} is an alias; write its expression inside the aggregate")

    def _judge_operand(self, arg: tree.Expr) -> None:
        """Reject what is aggregated when it could pick out single rows."""
        match arg:
            case tree.Constant() | tree.Placeholder():
                return
            case tree.Field():
                self._not_an_alias(arg)
                if tells_apart(self._chain(arg)):
                    _reject(f"{self._text(arg)} tells persons apart, so it can only be counted")
            case tree.Call() if arg.name.lower() in CASTS and not arg.distinct and arg.filter is None:
                for child in arg.args:
                    self._judge_operand(child)
            case tree.Arithmetic() | tree.Cast():
                for child in _operands(arg):
                    self._judge_operand(child)
            case _:
                _reject(f"{self._text(arg)} inside an aggregate is not judged; use WHERE, or countIf and sumIf")

    def _having(self) -> Iterator[tuple[tuple[int, int], str]]:
        tokens = [token for token in self.statement.tokens if token.depth == 0]
        before = ("", *(token.word for token in tokens))
        words = [
            token if previous not in (".", "AS") else token._replace(word="")
            for token, previous in zip(tokens, before, strict=False)
        ]
        begun = next((at for at, token in enumerate(words) if token.word == "HAVING"), None)
        from_ = next((at for at, token in enumerate(words) if token.word == "FROM"), 0)
        end = next((token.start for token in words[begun or from_ :] if token.word in _AFTER_HAVING), None)
        end = self.statement.tokens[-1].end if end is None else end
        asked = f"uniq({self.person}) >= {SMALLEST_GROUP}"
        if begun is None:
            yield (end, end), f"\nHAVING {asked}\n"
        else:
            at = words[begun].end
            yield (at, at), f" {asked} and ("
            yield (end, end), "\n) "

    def _shape(self, node: Any) -> Any:
        """Return a node as a value to compare, without its place and the name of its table."""
        if isinstance(node, tree.Field):
            return ("Field", self._chain(node))
        if isinstance(node, tuple):
            return tuple([self._shape(item) for item in cast("tuple[Any, ...]", node)])
        kind = cast("Any", type(node))
        if kind.__module__ != tree.__name__:
            return (kind.__name__, node)
        return (kind.__name__, *(self._shape(getattr(node, name)) for name in field_names(kind)))


def _values(condition: tree.Node, *, cohorts: bool = True) -> Iterator[tree.Node]:
    """Return the nodes of a condition, without what placeholders stand for and, with `cohorts`, without the persons of
    IN COHORT.
    """
    waiting = [condition]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, tree.Comparison) and node.operator in ("in cohort", "not in cohort") and cohorts:
            waiting.append(node.right)
        elif not isinstance(node, tree.Placeholder):
            waiting += children(node)


def _operands(expr: tree.Expr) -> list[tree.Expr]:
    """Return the expressions directly below one that has no other nodes."""
    return cast("list[tree.Expr]", children(expr))


def _unmasked(node: Any) -> Any:
    """Return a tree without the conditions that were added around its aggregates."""
    match node:
        case tree.Call(
            "if",
            (tree.Comparison(">=", tree.Call("uniqIf"), tree.Constant(limit)), tree.Call() as own, tree.Constant(None)),
        ) if limit == SMALLEST_GROUP:
            return own
        case _:
            return rebuilt(node, _unmasked)
