"""The current and previous periods of a funnel in one result, distinguished by `compare_label`."""

from collections.abc import Iterable, Sequence

from ...values import Row


def compared_rows(current: Iterable[Row], previous: Iterable[Row]) -> list[Row]:
    """Return the rows of both periods."""
    return [row | {"compare_label": label} for label, rows in _labelled(current, previous) for row in rows]


def compared_groups(current: Sequence[list[Row]], previous: Sequence[list[Row]]) -> list[list[Row]]:
    """Return the steps of every breakdown value in both periods, with 0 actors where a period lacks the value."""
    values = list(dict.fromkeys(map(_value, [*current, *previous])))
    empty = {_value(group): _without_actors(group) for group in (*previous, *current)}
    found: list[list[Row]] = []
    for label, groups in _labelled(current, previous):
        known = {_value(group): group for group in groups}
        found += [[step | {"compare_label": label} for step in known.get(value, empty[value])] for value in values]
    return found


def _labelled[T](current: Iterable[T], previous: Iterable[T]) -> tuple[tuple[str, Iterable[T]], ...]:
    return ("current", current), ("previous", previous)


def _value(group: list[Row]) -> str:
    return repr(group[0].get("breakdown_value"))


def _without_actors(group: list[Row]) -> list[Row]:
    return [step | {"count": 0, "average_conversion_time": None, "median_conversion_time": None} for step in group]
