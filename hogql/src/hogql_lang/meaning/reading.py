"""How a SELECT reads names: as columns of its tables, of an outer query, or as JSON access in the way of Postgres."""

from __future__ import annotations

from .. import tree
from .scope import Scope, after


def is_outer(chain: list[str], scope: Scope) -> bool:
    """Return whether a chain begins with the name of a table of an outer query and with no column of this one."""
    if any(chain[0] in (source.columns or ()) for source in scope.sources):
        return False
    around = scope.outer
    while around is not None:
        if any(after(chain, source) for source in around.sources):
            return True
        around = around.outer
    return False


class ScopedNames:
    """How a SELECT reads its fields."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def is_column(self, field: tree.Field) -> bool:
        chain = [str(part) for part in field.chain]
        sources = self._scope.sources
        if any(after(chain, source) for source in sources):
            return True
        if chain[0] in self._scope.names:
            return False
        return any(source.columns is None or chain[0] in source.columns for source in sources)

    def has_column(self, name: str) -> bool:
        return any(name in (source.columns or ()) for source in self._scope.sources)

    def chain(self, field: tree.Field) -> tuple[object, ...]:
        chain = [str(part) for part in field.chain]
        for number, source in enumerate(self._scope.sources):
            if rest := after(chain, source):
                return (number, *_one_person(rest))
        for number, source in enumerate(self._scope.sources):
            if len(self._scope.sources) == 1 or chain[0] in (source.columns or ()):
                return (number, *_one_person(chain))
        return tuple(chain)


def _one_person(chain: list[str]) -> list[str]:
    """Return a chain with one name for a person's id, which events have under several."""
    return ["person_id"] if tuple(chain) in (("person", "id"), ("pdi", "person_id")) else chain


def json_path(node: tree.Lambda) -> list[str]:
    """Return the path in `properties -> plan -> 'name'`, which is a lambda here; nothing for another lambda."""
    path: list[str] = []
    body: tree.Expr = node
    while isinstance(body, tree.Lambda) and len(body.args) == 1:
        path.append(body.args[0])
        body = body.expr
    if path[:1] != ["properties"]:
        return []
    while True:  # the body of a lambda extends as far to the right as it can
        match body:
            case tree.Comparison(left=left):
                body = left
            case tree.Logical(exprs=(left, *_)) | tree.Alias(expr=left):
                body = left
            case tree.Constant(str() as text):
                return [*path, text]
            case tree.Field(chain):
                return [*path, *map(str, chain)]
            case _:
                return []
