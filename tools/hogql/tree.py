"""What stands where in the tree of a HogQL statement."""

from collections.abc import Container, Iterator
from typing import Any, cast

from .parse import Node, children, place

QUERIES = ("SelectQuery", "SelectSetQuery")


def sources_of(join: Any) -> Iterator[Node]:
    """The tables of a FROM, one after the other, each with how it is joined."""
    while isinstance(join, dict):
        yield cast("Node", join)
        join = cast("Node", join).get("next_join")


def aliases(node: Node) -> frozenset[str]:
    """Aliases anywhere in a SELECT, which HogQL lets be used anywhere in it; not those of subqueries."""
    found: set[str] = set()
    waiting = [
        child for key, value in node.items() if key not in ("ctes", "select_from") for child in children([value])
    ]
    while waiting:
        item = waiting.pop()
        if item.get("node") in QUERIES:
            continue
        if item.get("node") == "Alias":
            found.add(str(item["alias"]))
        waiting += children(item)
    return frozenset(found)


def shared_columns(joins: list[Node]) -> set[str]:
    """The columns that both sides of a JOIN … USING share."""
    constraints = [cast("Node", join["constraint"]) for join in joins if join.get("constraint")]
    by_name = [each["expr"] for each in constraints if each.get("constraint_type") == "USING"]
    fields = [field for each in by_name for field in (each, *children(each)) if field.get("node") == "Field"]
    return {last_name(each) for each in fields}


def last_name(node: Node) -> str:
    """The name that an ARRAY JOIN gives to an array without an alias."""
    return str(node["chain"][-1]) if node.get("node") == "Field" else ""


def texts(node: Node) -> Iterator[tuple[str, int | None]]:
    """A text, or those of a list, each with its place."""
    if node.get("node") == "Constant" and isinstance(node.get("value"), str):
        yield node["value"], place(node)
    elif node.get("node") in ("Tuple", "Array"):
        for item in cast("list[Node]", node.get("exprs") or []):
            yield from texts(item)


def bounds_time(condition: Node, times: Container[str]) -> bool:
    """Whether one of these columns, or what a placeholder stands for, is part of a condition."""
    waiting = list(children([condition]))
    while waiting:
        item = waiting.pop()
        if item.get("node") == "Placeholder" or (item.get("node") == "Field" and item["chain"][-1] in times):
            return True
        waiting += children(item)
    return False


def time_names(node: Node) -> set[str]:
    """`timestamp` and the aliases of a SELECT that stand for something made of it."""
    times = {"timestamp"}
    for item in cast("list[Node]", node.get("select") or []):
        if item.get("node") == "Alias" and bounds_time(item, times):
            times.add(str(item["alias"]))
    return times
