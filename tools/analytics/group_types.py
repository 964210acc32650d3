"""Properties of groups by the name of their type: `organization.industry`.

PostHog would read such a name as a property of events, which no event has, and count everything as having no value.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused
from ...schemas.text import code
from ..query.seen_names import group_types, property_names
from .spec import GROUP, Condition, Counted, Spec, Split


async def with_group_types(api: Call, spec: Spec[Any]) -> Spec[Any]:
    """Return the spec in which names such as `organization.industry` are properties of groups.

    One look-up, cached, and only for names with a dot. Raises Refused for a type of groups that does not exist.
    """
    names = [name for name in _names(spec) if "." in name]
    if not names:
        return spec
    try:
        indexes = await group_types(api)
        # An event can have a property with a dot in its name.
        known = (await property_names(api, "event")).distinct if indexes else frozenset[str]()
    except GatewayError:
        indexes, known = {}, frozenset[str]()

    def index_of(kind: str, name: str) -> tuple[int, str] | None:
        group, dot, rest = name.partition(".")
        if dot and rest and group in indexes and not (kind == "event" and name in known):
            return indexes[group], rest
        if kind == GROUP:
            raise _unknown(name, list(indexes))
        return None

    return replace(
        spec,
        conditions=_conditions(spec.conditions, index_of),
        counted=_counted(spec.counted, index_of),
        excluded=_counted(spec.excluded, index_of),
        splits=tuple(_split(one, index_of) for one in spec.splits),
    )


type _IndexOf = Callable[[str, str], tuple[int, str] | None]


def _names(spec: Spec[Any]) -> list[str]:
    counted = (*spec.counted, *spec.excluded)
    conditions = [*spec.conditions, *(condition for one in counted for condition in one.conditions)]
    return [
        *(one.key for one in conditions if _is_open(one.type, one.group_type_index)),
        *(str(one.property) for one in spec.splits if _is_open(one.type, one.group_type_index)),
    ]


def _is_open(kind: str, index: int | None) -> bool:
    return kind == "event" or (kind == GROUP and index is None)


def _conditions(conditions: Sequence[Condition], index_of: _IndexOf) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for one in conditions:
        group = index_of(one.type, one.key) if _is_open(one.type, one.group_type_index) else None
        found.append(replace(one, type=GROUP, key=group[1], group_type_index=group[0]) if group else one)
    return tuple(found)


def _counted(counted: Sequence[Counted], index_of: _IndexOf) -> tuple[Counted, ...]:
    return tuple(replace(one, conditions=_conditions(one.conditions, index_of)) for one in counted)


def _split(one: Split, index_of: _IndexOf) -> Split:
    name = str(one.property)
    group = index_of(one.type, name) if _is_open(one.type, one.group_type_index) else None
    return Split(group[1], GROUP, group[0], name) if group else one


def _unknown(name: str, types: Sequence[str]) -> Refused:
    known = ", ".join(code(one, 60) for one in types) or "none"
    return Refused(
        "invalid_argument",
        f"{code(name)} names no type of groups.",
        f"Group types of this project: {known}. Write a property as <group type>.<property>.",
    )
