"""The rows and cells of a retention that count each actor, as HogQL.

The rules are those of PostHog's RetentionQuery; comments mark surprising ones.
"""

from ...queries.property_filters import TRUE
from ..filters import all_of, any_of
from .periods import Periods
from .request import FIRST_EVER, RECURRING, RetentionRequest


def retention_cells(request: RetentionRequest, periods: Periods, condition: str = TRUE) -> str:
    """Return a SELECT with one row per actor, breakdown value and row of the retention that counts the actor.

    Columns: `retention_actor`, `retention_value` (text), `retention_row` (from 0) and `retention_cells`, an array of
    cells from 0, or of pairs of a cell and a number to add up if the request has a `value`. Nothing is cumulative here,
    and cells can be beyond the shown ones. `condition` is a further condition on events; `periods` must not be empty.
    """
    if request.windows:
        return _in_windows(request, periods, condition)
    cells = _cells(request) if request.value is None else _valued_cells(request)
    rows, actors = _rows(request, periods), _actors(request, periods, condition)
    begun = f"SELECT *, arrayJoin({rows}) AS retention_row FROM ({actors})"
    return f"SELECT retention_actor, retention_value, retention_row, {cells} AS retention_cells FROM ({begun})"


def actor_of(request: RetentionRequest) -> str:
    """Return the HogQL of an event's actor."""
    return "person_id" if request.group is None else f"$group_{request.group}"


def _actors(request: RetentionRequest, periods: Periods, condition: str) -> str:
    """Return the periods of an actor's events, per breakdown value.

    The first event ever belongs to the actor, and so does its breakdown value. Any other start is searched among the
    events with one value, so that an actor can start once with each value.
    """
    columns = [f"{actor_of(request)} AS retention_actor", f"{_value(request)} AS retention_value"]
    if request.kind == RECURRING or request.value is not None:
        columns.append(_periods_with(request.target.condition, request, periods, "retention_starts"))
    columns.append(_periods_with(request.returning.condition, request, periods, "retention_returns"))
    if request.kind != RECURRING:
        columns += _first_columns(request)
    range_conditions = periods.conditions if request.kind == RECURRING else [periods.until]
    where = all_of([*range_conditions, *_conditions(request, condition)])
    return f"SELECT {', '.join(columns)} FROM events WHERE {where} GROUP BY {_keys(request)}"


def _conditions(request: RetentionRequest, condition: str) -> list[str]:
    """Return the conditions of a relevant event, except its time."""
    begin = request.target.entity if request.kind == FIRST_EVER else request.target.condition
    relevant = any_of(list(dict.fromkeys([begin, request.returning.condition])))
    has_actor = [] if request.group is None else [f"{actor_of(request)} != ''"]
    return [condition, request.condition, relevant, *has_actor]


def _value(request: RetentionRequest) -> str:
    """Return the breakdown value: of the event, or of the actor's first event ever."""
    if request.breakdown is None or request.breakdown.cohorts:
        return "''"
    if request.kind == FIRST_EVER:
        return f"argMinIf({request.breakdown.value}, timestamp, {request.target.entity})"
    return request.breakdown.value


def _keys(request: RetentionRequest) -> str:
    return "retention_actor" if request.kind == FIRST_EVER else "retention_actor, retention_value"


def _first_columns(request: RetentionRequest) -> list[str]:
    """Return the columns for the number of target events, the first one, and the first one with any properties."""
    target = request.target.condition
    columns = [f"countIf({target}) AS retention_begun", f"minIf(timestamp, {target}) AS retention_first"]
    if request.kind == FIRST_EVER:
        columns.append(f"minIf(timestamp, {request.target.entity}) AS retention_first_ever")
    return columns


def _begins(request: RetentionRequest) -> str:
    """Return the condition on `_first_columns` that the actor starts at all."""
    return "retention_begun > 0" + (" AND retention_first = retention_first_ever" if request.kind == FIRST_EVER else "")


def _periods_with(event: str, request: RetentionRequest, periods: Periods, name: str) -> str:
    """Return the column of the periods with such events: each once, or per event with its value and time."""
    inside = [] if request.kind == RECURRING else [periods.conditions[0]]
    place = periods.place()
    where = all_of([event, *inside])
    if request.value is not None:
        return f"groupArrayIf(tuple({place}, {request.value}, timestamp), {where}) AS {name}"
    if request.occurrences > 1 and name == "retention_returns":
        return f"groupArrayIf({place}, {where}) AS {name}"
    return f"groupUniqArrayIf({place}, {where}) AS {name}"


def _rows(request: RetentionRequest, periods: Periods) -> str:
    """Return the rows that count an actor, as an array."""
    if request.kind == RECURRING:
        return "retention_starts" if request.value is None else _distinct_places("retention_starts")
    begins = all_of([_begins(request), periods.holds("retention_first")])
    return f"if({begins}, [{periods.place('retention_first')}], [])"


def _distinct_places(events: str) -> str:
    return f"arrayDistinct(arrayMap(event -> tupleElement(event, 1), {events}))"


def _cells(request: RetentionRequest) -> str:
    """Return the cells of a row: 0, and those of the periods in which the actor returned."""
    returns = "retention_returns"
    if request.occurrences > 1:
        enough = f"countEqual(retention_returns, place) >= {request.occurrences}"
        returns = f"arrayFilter(place -> {enough}, arrayDistinct(retention_returns))"
    if request.brackets:
        # PostHog measures brackets from the actor's first starting period, in all of the actor's rows.
        first = "arrayMin(retention_starts)" if request.kind == RECURRING else "retention_row"
        cells = f"arrayMap(place -> {_bracket(request.brackets, f'place - {first}')}, {returns})"
        return f"arrayDistinct(arrayConcat([0], arrayFilter(cell -> cell > 0, {cells})))"
    cells = f"arrayMap(place -> place - retention_row, {returns})"
    return f"arrayConcat([0], arrayFilter(cell -> cell > 0 AND cell < {request.total}, {cells}))"


def _bracket(brackets: tuple[int, ...], distance: str) -> str:
    """Return the cell of a distance in periods, 0 for none."""
    arms = [f"{distance} <= 0, 0"]
    reach = 0
    for cell, size in enumerate(brackets, 1):
        reach += size
        arms.append(f"{distance} <= {reach}, {cell}")
    return f"multiIf({', '.join(arms)}, 0)"


def _valued_cells(request: RetentionRequest) -> str:
    """Return pairs of cell and number: target events of the row's period, and returns.

    A return in the row's period counts if it is a different event after the period's first target event. Brackets and
    the minimum number of occurrences have no effect.
    """
    begun = "arrayFilter(event -> tupleElement(event, 1) = retention_row, retention_starts)"
    starts = f"arrayMap(event -> tuple(0, tupleElement(event, 2)), {begun})"
    later = "tupleElement(event, 1) > retention_row"
    if not request.same_entity:
        earliest = f"arrayMin(arrayMap(event -> tupleElement(event, 3), {begun}))"
        later += f" OR (tupleElement(event, 1) = retention_row AND tupleElement(event, 3) > {earliest})"
    pair = "tuple(tupleElement(event, 1) - retention_row, tupleElement(event, 2))"
    returns = f"arrayMap(event -> {pair}, arrayFilter(event -> {later}, retention_returns))"
    return f"arrayConcat({starts}, {returns})"


def _in_windows(request: RetentionRequest, periods: Periods, condition: str) -> str:
    """Return the rows of `retention_cells` with windows that begin at each actor's first target event.

    That event, in the range or ever, belongs to the actor regardless of its breakdown value; a value counts if the
    actor has a later event with it. Rows are windows from the start of the range, so a month is 30 days there too.
    Brackets and the minimum number of occurrences have no effect; for first-ever events, returns after the range count.
    """
    columns = [
        f"{actor_of(request)} AS retention_actor",
        f"{_value(request)} AS retention_value",
        *_first_columns(request),
        "max(timestamp) AS retention_last",
        f"groupUniqArrayIf({periods.tick()}, {request.returning.condition}) AS retention_ticks",
    ]
    range_conditions = periods.conditions if request.kind == RECURRING else []
    where = all_of([*range_conditions, *_conditions(request, condition)])
    by_value = f"SELECT {', '.join(columns)} FROM events WHERE {where} GROUP BY {_keys(request)}"
    begins = _begins(request)
    by_actor = (
        "SELECT retention_actor, "
        f"minIf(retention_first, {begins}) AS retention_begin, "
        "groupArray(tuple(retention_value, retention_last, retention_ticks)) AS retention_values "
        f"FROM ({by_value}) GROUP BY retention_actor HAVING countIf({begins}) > 0"
    )
    begin, first = periods.tick("retention_begin"), periods.first_tick
    since = "arrayFilter(item -> tupleElement(item, 2) >= retention_begin, retention_values)"
    rows = (
        f"SELECT retention_actor, {begin} - {first} AS retention_distance, {begin} AS retention_tick, "
        f"arrayJoin({since}) AS retention_item FROM ({by_actor})"
    )
    passed = "arrayMap(tick -> tick - retention_tick, tupleElement(retention_item, 3))"
    cells = f"arrayMap(passed -> intDiv(passed, {periods.ticks}), arrayFilter(passed -> passed >= 0, {passed}))"
    return (
        f"SELECT retention_actor, tupleElement(retention_item, 1) AS retention_value, "
        f"intDiv(retention_distance, {periods.ticks}) AS retention_row, "
        f"arrayDistinct(arrayConcat([0], {cells})) AS retention_cells FROM ({rows}) "
        f"WHERE retention_distance >= 0 AND retention_distance < {len(periods.starts) * periods.ticks}"
    )
