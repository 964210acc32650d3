"""HogQL that tells persons apart: columns and expressions that have a value for one person, session or event."""

from collections.abc import Iterable

from hogql_lang import TooDeep, read, tree
from hogql_lang.walk import walk

from ...schemas.privacy.names import identifies

CONTAINERS = frozenset(["properties", "person_properties", "person", "pdi", "session", "poe", "group_properties", "*"])
"""Columns that contain all properties of a person, an event or a session."""
UNJUDGED = (
    tree.Select, tree.SetQuery, tree.Lambda, tree.WindowCall, tree.Columns, tree.Tag, tree.Opaque, tree.Values,
    tree.CalledExpression, tree.Dict, tree.GroupingSet, tree.Cte,
)  # fmt: skip
"""Constructs whose values are not traced."""


def tells_apart(chain: Iterable[str | int]) -> bool:
    """Return whether a column tells persons apart, by its name and the names of what contains it."""
    parts = [str(part) for part in chain]
    return parts[-1] in CONTAINERS or any(map(identifies, parts))


def names_persons(text: str) -> bool:
    """Return whether a HogQL expression tells persons apart, or cannot be judged."""
    try:
        found = read(f"SELECT {text}").tree
    except TooDeep:
        return True
    if not isinstance(found, tree.Select) or len(found.columns) != 1 or found.source is not None:
        return True
    nodes = list(walk(found))[1:]
    return any(
        isinstance(node, UNJUDGED) or (isinstance(node, tree.Field) and tells_apart(node.chain)) for node in nodes
    )
