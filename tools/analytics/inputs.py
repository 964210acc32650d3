"""The parts of a Spec that all typed inputs share."""

from collections.abc import Sequence
from typing import Any

from ...schemas.analytics.events import Breakdown, EventChoice, PropertyFilter
from ...schemas.analytics.queries import Analysis
from .dates import End
from .spec import Condition, Counted, Dates, Split


def shared(args: Analysis, start: End) -> dict[str, Any]:
    """Return the fields of a Spec for the range and the filters of the whole."""
    return {
        "dates": Dates(start, args.date_to),
        "conditions": conditions(args.filters or ()),
        "without_test_accounts": args.filter_test_accounts,
    }


def counted(event: EventChoice, **how: Any) -> Counted:
    """Return an event or action with its own conditions; `how` are further fields of Counted."""
    return Counted(
        event=event.event, action_id=event.action_id, name=event.name, conditions=conditions(event.where), **how
    )


def conditions(filters: Sequence[PropertyFilter]) -> tuple[Condition, ...]:
    """Return the conditions of typed filters."""
    return tuple(Condition.read(one.as_filter()) for one in filters)


def splits(breakdowns: Sequence[Breakdown] | None) -> tuple[Split, ...]:
    """Return what typed breakdowns split by."""
    return tuple(Split(one.property, one.type, one.group_type_index) for one in breakdowns or ())
