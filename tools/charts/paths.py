"""Paths: where users go from step to step; the width of a band is the number of paths."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..table import Role, Row, Table
from .style import COLOURS, MOST_HEIGHT, Chart, DataRows, Heading, Layer, amount, label, sheet, written

MOST_STEPS, MOST_EDGES = 6, 40
_CURVE = 24
"""The number of points of a band."""
_NODE_WIDTH = 0.035
_GAP = 0.35
"""The space between nodes, as a part of the height of a column."""
_LEAST_FOR_TEXT = 0.016

type _Node = tuple[int, str]
"""Column and item."""


@dataclass(frozen=True, slots=True)
class _Edge:
    source: _Node
    target: _Node
    count: float


@dataclass(slots=True)
class _Place:
    """The position and height of a node, and how much of its sides bands already take."""

    top: float
    height: float
    taken_in: float = 0.0
    taken_out: float = 0.0


def paths(table: Table, marks: Mapping[str, Any], heading: Heading) -> Chart | None:
    """Return nodes in columns, one per step, with edges from left to right."""
    dimensions, counted = table.at(Role.DIMENSION), table.at(Role.COUNT)
    if len(dimensions) < 3 or not counted:
        return None
    places_of = (*dimensions[:3], counted[0])
    found = [edge for row in table.rows if (edge := _edge(tuple(row[at] for at in places_of))) is not None]
    near = [edge for edge in found if edge.target[0] <= MOST_STEPS]
    edges = sorted(near, key=lambda edge: -edge.count)[:MOST_EDGES]
    if not edges:
        return None
    places, unit = _layout(edges)
    last = max(column for column, _ in places)
    bands = [point for at, edge in enumerate(edges) for point in _band(at, edge, places, unit)]
    nodes: DataRows = []
    names: DataRows = []
    totals = _flows(edges)
    for (column, item), place in places.items():
        nodes.append(
            {
                "x": column, "x2": column + _NODE_WIDTH, "y": -place.top, "y2": -place.top - place.height,
            }
        )  # fmt: skip
        if place.height >= _LEAST_FOR_TEXT:
            words = f"{label(_short(item), 20 if last > 3 else 30)}  {written(totals[(column, item)])}"
            names.append({"x": column + _NODE_WIDTH, "y": -place.top - place.height / 2, "w": words})
    scale = {"domain": [1, last + _room(last)], "nice": False, "zero": False}
    x = {"field": "x", "type": "quantitative", "axis": None, "scale": scale}
    y = {"field": "y", "type": "quantitative", "axis": None, "scale": {"domain": [-1, 0], "nice": False}}
    most = max(sum(column == one for one, _ in places) for column in range(1, last + 1))
    layers: list[Layer] = [
        {
            "data": {"values": bands},
            "mark": {"type": "area", "opacity": 0.28, "color": COLOURS[0], "line": False},
            "encoding": {"x": x, "y": y, "y2": {"field": "y2"}, "detail": {"field": "e", "type": "nominal"}},
        },
        {
            "data": {"values": nodes},
            "mark": {"type": "rect", "color": COLOURS[0]},
            "encoding": {"x": x, "x2": {"field": "x2"}, "y": y, "y2": {"field": "y2"}},
        },
        {
            "data": {"values": names},
            "mark": {"type": "text", "align": "left", "dx": 5, "baseline": "middle", "fontSize": 12},
            "encoding": {"x": x, "y": y, "text": {"field": "w", "type": "nominal"}},
        },
    ]
    spec = sheet(heading, max(380, min(MOST_HEIGHT, 100 + 34 * most)), layers, legend="each column is a step")
    return Chart(spec, _cuts(len(edges), len(found)))


def _edge(row: Row) -> _Edge | None:
    """Return the edge of a row of step, source, target and count."""
    step, count = amount(row[0]) or 1, amount(row[3])
    if count is None or count <= 0 or step < 1:
        return None
    return _Edge((int(step), str(row[1])), (int(step) + 1, str(row[2])), count)


def _flows(edges: Sequence[_Edge]) -> dict[_Node, float]:
    """Return the flow through each node: the larger of its incoming and outgoing counts."""
    into: dict[_Node, float] = {}
    out: dict[_Node, float] = {}
    for edge in edges:
        out[edge.source] = out.get(edge.source, 0) + edge.count
        into[edge.target] = into.get(edge.target, 0) + edge.count
    return {node: max(into.get(node, 0), out.get(node, 0)) for node in {**out, **into}}


def _layout(edges: Sequence[_Edge]) -> tuple[dict[_Node, _Place], float]:
    """Return the nodes of each column from the largest down, and the height of one path."""
    flows = _flows(edges)
    columns: dict[int, list[_Node]] = {}
    for node in sorted(flows, key=lambda node: (-flows[node], node[1])):
        columns.setdefault(node[0], []).append(node)
    unit = (1 - _GAP) / max(sum(flows[node] for node in nodes) for nodes in columns.values())
    places: dict[_Node, _Place] = {}
    for nodes in columns.values():
        gap = min(0.06, _GAP / len(nodes))
        top = 0.0
        for node in nodes:
            places[node] = _Place(top, flows[node] * unit)
            top += flows[node] * unit + gap
    return places, unit


def _band(at: int, edge: _Edge, places: Mapping[_Node, _Place], unit: float) -> DataRows:
    """Return a curve with level ends from the right side of one node to the left side of another."""
    source, target, height = places[edge.source], places[edge.target], edge.count * unit
    start, end = source.top + source.taken_out, target.top + target.taken_in
    source.taken_out += height
    target.taken_in += height
    left, right = edge.source[0] + _NODE_WIDTH, float(edge.target[0])
    points: DataRows = []
    for place in range(_CURVE + 1):
        part = place / _CURVE
        y = start + (end - start) * part * part * (3 - 2 * part)
        points.append({"x": left + (right - left) * part, "y": -y, "y2": -y - height, "e": at})
    return points


def _room(last: int) -> float:
    """Return the space for the names of the last column, in columns."""
    return max(0.35, 0.3 * (last - 1))


def _short(item: str) -> str:
    """Return a URL without its scheme and host, unless nothing else is left."""
    _, mark, rest = item.partition("://")
    path = rest[rest.find("/") :] if mark and "/" in rest else item
    return path if len(path) > 1 or not mark else rest


def _cuts(shown: int, of: int) -> tuple[str, ...]:
    return (f"only the {shown} most frequent of {of} edges",) if shown < of else ()
