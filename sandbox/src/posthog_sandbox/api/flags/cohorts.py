"""Static cohorts of the persons a flag is on for: `feature_flags/{id}/create_static_cohort_for_flag/`."""

from functools import partial

from anyio import to_thread
from starlette.responses import Response

from ...http.resource import Change, add_row, reach
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...values import Row
from ..cohorts.resource import COHORTS, calculate
from ..persons.changes import people
from .matching import Condition, evaluated, read_conditions
from .resource import FLAGS

_IDS = "SELECT person_id, min(distinct_id) AS first_distinct_id FROM posthog.person_distinct_ids GROUP BY person_id"


def _flag(call: Call) -> tuple[Row, list[Condition]]:
    with call.services.store.transaction() as rows:
        flag = reach(FLAGS, rows, call)
        return flag, read_conditions(rows, flag)


async def _members(call: Call, flag: Row, conditions: list[Condition]) -> list[str]:
    """Return the persons the flag is on for, each evaluated by the first of its distinct ids."""
    tests = "".join(f", {condition.sql or 'false'} AS fits_{index}" for index, condition in enumerate(conditions))
    joined = f"{await people(call)} INNER JOIN ({_IDS}) AS ids ON id = ids.person_id"
    sql = f"SELECT toString(id), first_distinct_id{tests} FROM {joined}"
    found = await call.services.events.rows(call.project_id, sql)

    def draw() -> list[str]:
        return [
            person
            for person, distinct_id, *fitting in found
            if evaluated(flag, conditions, fitting, distinct_id)["value"] is not False
        ]

    return await to_thread.run_sync(draw)


async def _make(call: Call) -> Response:
    """Create the cohort; it is counted in the background."""
    flag, conditions = await to_thread.run_sync(_flag, call)
    members = await _members(call, flag, conditions)

    def add() -> Row:
        with call.services.store.transaction() as rows:
            moment = rows.now[:19].replace("T", " ")
            values: Row = {"name": f"Users with feature flag {flag['key']} enabled at {moment}", "is_static": True}
            body: Row = {**values, "_create_static_person_ids": members}
            return COHORTS.show(rows, add_row(COHORTS, Change(rows, call.project_id, body, values, None)))

    cohort = await to_thread.run_sync(add)
    call.services.spawn(partial(calculate, call.services, cohort["id"]))
    return json_response({"cohort": cohort}, 201)


ROUTES = (Route("POST", "projects/{project_id}/feature_flags/{id}/create_static_cohort_for_flag", _make),)
