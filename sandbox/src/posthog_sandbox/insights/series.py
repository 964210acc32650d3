"""The series of an insight: its events and its aggregation."""

from dataclasses import dataclass
from typing import Literal

from ..errors import ApiError, invalid
from ..hogql import HogqlError, escape
from ..http.routing import Call
from ..queries.project import Project
from ..queries.property_filters import TRUE
from ..values import Row, as_list, as_object, objects
from .filters import all_of, any_of
from .requests import malformed_query

PROPERTY_MATHS = ("avg", "sum", "min", "max", "median", "p75", "p90", "p95", "p99")
ACTOR_MATHS = tuple(f"{math}_count_per_actor" for math in PROPERTY_MATHS if math != "sum")
BASE_MATHS = (
    "total",
    "dau",
    "weekly_active",
    "monthly_active",
    "unique_session",
    "first_time_for_user",
    "first_matching_event_for_user",
)
FUNNEL_MATHS = ("total", "first_time_for_user", "first_time_for_user_with_filters")
MATHS = (*BASE_MATHS, *PROPERTY_MATHS, *ACTOR_MATHS, "unique_group", "hogql")
_NODES = ("EventsNode", "ActionsNode", "GroupNode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A node of `series`.

    `entity` is the HogQL condition of the event or action, `filters` that of the node's own properties. `label` is the
    event's or action's name, or `All events`. `key` identifies the event: its name, None for all events, or the action
    id.
    """

    order: int
    node: Row
    kind: Literal["events", "actions"]
    key: str | int | None
    label: str
    entity: str
    filters: str

    @property
    def condition(self) -> str:
        """The conjunction of `entity` and `filters`."""
        return all_of([self.entity, self.filters])

    @property
    def math(self) -> str:
        """The node's `math`, `total` by default."""
        return str(self.node.get("math") or "total")

    @property
    def custom_name(self) -> str | None:
        """The custom name of the series, if any."""
        name = self.node.get("custom_name")
        return name if isinstance(name, str) else None


def read_series(
    call: Call, query: Row, project: Project, *, maths: tuple[str, ...] = MATHS, unknown_actions: bool = False
) -> tuple[Series, ...]:
    """Return the `series` of a query, with their index as `order`. Blocking: it reads actions. Raises ApiError 400.

    With `unknown_actions` a series of an action that does not exist is left out; otherwise it is rejected.
    """
    nodes = as_list(query.get("series"))
    if nodes is None:
        raise malformed_query("series", "Field required")
    found: list[Series] = []
    for order, value in enumerate(nodes):
        node = as_object(value)
        if node is None or node.get("kind") not in _NODES:
            raise malformed_query(f"series.{order}.kind", f"Input should be {', '.join(map(repr, _NODES))}")
        if node.get("math") is not None and node["math"] not in maths:
            raise malformed_query(f"series.{order}.math", f"Input should be {', '.join(map(repr, maths))}")
        series = read_node(call, node, project, order)
        if series is not None:
            found.append(series)
        elif not unknown_actions:
            raise unknown_action(node.get("id"))
    return tuple(found)


def read_node(call: Call, node: Row, project: Project, order: int = 0) -> Series | None:
    """Return the series of a node; None for an action that does not exist. Blocking. Raises ApiError 400."""
    filters = all_of([project.condition(node.get(name) or []) for name in ("properties", "fixedProperties")])
    if node.get("kind") == "ActionsNode":
        return _action(call, node, project, order, filters)
    if node.get("kind") == "GroupNode":
        return _group(call, node, project, order, filters)
    event = node.get("event")
    if event is not None and not isinstance(event, str):
        raise malformed_query(f"series.{order}.event", "Input should be a valid string")
    return Series(
        order=order,
        node=node,
        kind="events",
        key=event or None,
        label=event or "All events",
        entity=f"event = {_text(event)}" if event else TRUE,
        filters=filters,
    )


def unknown_action(identity: object) -> ApiError:
    """Return a 400 error for an action that does not exist."""
    return invalid(f"Action ID {identity} does not exist!")


def _action(call: Call, node: Row, project: Project, order: int, filters: str) -> Series | None:
    identity = node.get("id")
    if not isinstance(identity, int) or isinstance(identity, bool):
        raise malformed_query(
            f"series.{order}.id", "Field required" if identity is None else "Input should be an integer"
        )
    with call.services.store.transaction() as rows:
        action = next(
            (row for row in rows.all("actions", call.project_id) if row["id"] == identity and not row["deleted"]), None
        )
    if action is None:
        return None
    return Series(
        order=order,
        node=node,
        kind="actions",
        key=identity,
        label=str(action["name"] or ""),
        entity=f"matchesAction({identity})",
        filters=filters,
    )


def _group(call: Call, node: Row, project: Project, order: int, filters: str) -> Series | None:
    operator = node.get("operator") or "OR"
    if operator not in ("AND", "OR"):
        raise malformed_query(f"series.{order}.operator", "Input should be 'AND' or 'OR'")
    members = [read_node(call, member, project, order) for member in objects(node.get("nodes"))]
    known = [member for member in members if member is not None]
    if not known:
        return None
    name = node.get("name")
    return Series(
        order=order,
        node=node,
        kind="events",
        key=None,
        label=name if isinstance(name, str) and name else ", ".join(member.label for member in known),
        entity=(all_of if operator == "AND" else any_of)([member.condition for member in known]),
        filters=filters,
    )


def _text(value: str) -> str:
    try:
        return escape.string(value)
    except HogqlError as error:
        raise invalid(error.message, error.code) from error
