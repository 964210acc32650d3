"""Which columns of a HogQL result are about persons, by the names that their expressions use.

A name that is made from personal data in a subquery, a WITH or an ARRAY JOIN is personal too. A column that cannot be
traced is treated as text of a person: too much is replaced rather than too little.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hogql_lang import TooDeep, read, tree
from hogql_lang.walk import children, walk

from ...schemas.json.rows import Rows
from ...schemas.privacy.names import Subject, kind_of
from ...schemas.privacy.pseudonyms import Pseudonyms

_BAGS = frozenset(["properties", "person_properties", "person", "group_properties", "metadata"])
"""Columns with the JSON of all properties."""
_KEYED = re.compile(r"JSON_?(?!ExtractKeys)|simpleJSON|visitParam", re.IGNORECASE)
_COUNTING = re.compile(
    r"count|uniq|sum|avg|quantile|median|std|var|length|position|is_?(?:not)?_?null|(?:not)?empty", re.I
)
"""Functions whose numbers are not those of their arguments."""
_WHOLE = re.compile(r"(?:any|argM|group|min|max|tuple|array$|toString|coalesce|ifNull|count|uniq)\w*", re.IGNORECASE)
"""Functions that return the values they are given, or count them."""
_MOST_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Personal:
    """A column that is about persons."""

    kind: Subject
    numbers: bool = True
    """Whether its numbers are personal too; a count is not."""


type Columns = Sequence[Personal | None]
_UNTRACED = Personal(Subject.TEXT, numbers=False)


def personal_columns(sql: str, names: Sequence[str]) -> Columns:
    """Return which columns of a result are about persons. `names` are those of the result."""
    try:
        found = read(sql).tree
    except TooDeep:
        found = None
    if not isinstance(found, tree.Select | tree.SetQuery):
        return [_UNTRACED] * len(names)
    trace = _Trace.of(found)
    columns: list[Personal | None] = [trace.of_name(name) for name in names]
    for select in _members(found):
        traced = [trace.of_expr(column) for column in select.columns]
        if len(traced) == len(columns):
            columns = [one or other for one, other in zip(traced, columns, strict=True)]
    return columns


def expression_kind(text: str) -> Subject | None:
    """Return what the values of a HogQL expression are about; None for nothing personal."""
    found = personal_columns(f"SELECT {text}", ("",))[0]
    return found.kind if found else None


def private_rows(pseudonyms: Pseudonyms, sql: str, names: Sequence[str], rows: Rows) -> Rows:
    """Return the rows of a HogQL result with personal data replaced."""
    columns = personal_columns(sql, names)
    return Rows.of([private_row(pseudonyms, columns, row) for row in rows])


def private_row(pseudonyms: Pseudonyms, columns: Columns, row: Sequence[Any]) -> list[Any]:
    """Return a row with personal data replaced."""
    known = [*columns, *([None] * (len(row) - len(columns)))]
    return [_cell(pseudonyms, column, cell) for column, cell in zip(known, row, strict=False)]


def _cell(pseudonyms: Pseudonyms, column: Personal | None, cell: Any) -> Any:
    replaced = pseudonyms.value(cell, of_person=True)
    if column is None or (
        column.kind is Subject.TEXT and replaced != cell and isinstance(cell, str) and cell[:1] == "{"
    ):
        return replaced
    return pseudonyms.whole(column.kind, cell, numbers=column.numbers)


def _members(query: tree.Query) -> Iterator[tree.Select]:
    """Return the SELECTs whose columns are those of the result."""
    if isinstance(query, tree.Select):
        yield query
        return
    for member in (query.first, *(member for _, member in query.rest)):
        yield from _members(member)


@dataclass(frozen=True, slots=True)
class _Trace:
    """The names that a statement makes from personal data."""

    made: Mapping[str, Subject]
    of_persons: bool
    """Whether `name` is the name of a person: not in queries of PostHog's own objects."""

    @classmethod
    def of(cls, query: tree.Query) -> "_Trace":
        """Return the trace of a statement: aliases of aliases are followed until nothing is added."""
        nodes = list(walk(query))
        sources = [node.table for node in nodes if isinstance(node, tree.Join)]
        tables = [str(table.chain[0]) for table in sources if isinstance(table, tree.Field)]
        of_persons = not tables or any(name != "system" for name in tables)
        trace = cls({}, of_persons)
        for _ in range(_MOST_ROUNDS):
            made = dict(trace._made_by(nodes))
            if made.keys() == trace.made.keys():
                break
            trace = cls(made, of_persons)
        return trace

    def _made_by(self, nodes: Sequence[tree.Node]) -> Iterator[tuple[str, Subject]]:
        yield from self.made.items()
        for node in nodes:
            if isinstance(node, tree.Alias) and (found := self.of_expr(node.expr)):
                yield node.alias, found.kind
            if isinstance(node, tree.Cte):
                personal = self.of_expr(node.expr)
                names = (*node.columns, *((node.name,) if node.is_column else ()))
                yield from ((name, personal.kind) for name in names if personal)
            if isinstance(node, tree.Join) and node.column_aliases and (found := self.of_expr(node.table)):
                yield from ((name, found.kind) for name in node.column_aliases)
            if isinstance(node, tree.Select):
                for column in node.columns:
                    if isinstance(column, tree.Field) and (found := self.of_expr(column)):
                        yield str(column.chain[-1]), found.kind

    def of_name(self, name: str) -> Personal | None:
        """Return what a column is about by the name it has in the result."""
        kind = self.made.get(name) or kind_of(name)
        return Personal(kind) if kind else None

    def of_expr(self, expr: tree.Node) -> Personal | None:
        """Return what the values of an expression are about."""
        nodes = list(walk(expr))
        kind = next((found for node in nodes if isinstance(node, tree.Field) and (found := self._field(node))), None)
        kind = kind or self._from_bag(expr, nodes) or _from_distinct_id(nodes)
        if kind is None:
            return None
        return Personal(kind, not any(isinstance(node, tree.Call) and _COUNTING.match(node.name) for node in nodes))

    def _field(self, node: tree.Field) -> Subject | None:
        parts = [str(part) for part in node.chain]
        in_bag = any(part in _BAGS for part in parts[:-1])
        if not in_bag and (made := self.made.get(parts[-1])):
            return made
        looked = parts if in_bag else parts[-1:]
        return next((kind for part in looked if (kind := kind_of(part, of_person=self.of_persons))), None)

    def _from_bag(self, expr: tree.Node, nodes: Sequence[tree.Node]) -> Subject | None:
        """Return what is read from the JSON of all properties, if a key of it is personal or not known."""
        if not any(isinstance(node, tree.Field) and node.chain[-1] in _BAGS for node in nodes):
            return None
        inner = expr.expr if isinstance(expr, tree.Alias) else expr
        if isinstance(inner, tree.Field):
            return None  # its JSON is read field by field
        texts = [node.value for node in nodes if isinstance(node, tree.Constant) and isinstance(node.value, str)]
        if kind := next((kind for text in texts if (kind := kind_of(text, of_person=True))), None):
            return kind
        return None if all(map(_is_keyed, _readers(nodes))) else Subject.TEXT


def _from_distinct_id(nodes: Sequence[tree.Node]) -> Subject | None:
    """Return that a column is made from a part or another form of distinct ids, which can be emails.

    Whole ones are kept unless they look like one.
    """
    if not any(isinstance(node, tree.Field) and "distinct_id" in node.chain for node in nodes):
        return None
    forms = (tree.Call, tree.ArrayAccess, tree.ArraySlice, tree.Arithmetic)
    return None if all(_is_whole(node) for node in nodes if isinstance(node, forms)) else Subject.USER


def _is_whole(node: tree.Node) -> bool:
    return isinstance(node, tree.Call) and _WHOLE.fullmatch(node.name) is not None


def _readers(nodes: Sequence[tree.Node]) -> Iterator[tree.Node]:
    """Return the nodes directly around a column with all properties."""
    yield from (node for node in nodes if any(map(_is_bag, children(node))))


def _is_keyed(node: tree.Node) -> bool:
    """Return whether a key that is known chooses what is read."""
    if isinstance(node, tree.ArrayAccess):
        return isinstance(node.key, tree.Constant)
    if isinstance(node, tree.Call):
        return bool(_KEYED.match(node.name)) and len(node.args) > 1 and all(_is_constant(one) for one in node.args[1:])
    return False


def _is_constant(node: tree.Expr) -> bool:
    return isinstance(node, tree.Constant)


def _is_bag(node: tree.Node) -> bool:
    return isinstance(node, tree.Field) and node.chain[-1] in _BAGS
