"""Evaluation of flags for a user, definitions for SDKs, and the reach of a condition.

The endpoints are `evaluation_reasons/`, `my_flags/`, `local_evaluation/` and `user_blast_radius/`.
"""

import json

from anyio import to_thread
from starlette.responses import Response

from ...errors import invalid
from ...http.resource import of_project
from ...http.responses import json_response
from ...http.routing import Call, Route
from ...identity import user_basic
from ...storage.events import literal
from ...values import Row, as_object, objects
from ..account import group_types
from ..persons.changes import people
from ..removals import removed_keys
from .matching import Condition, evaluated, persons_who_fit, read_conditions
from .resource import minimal_flag
from .rules import flag_properties


async def _reasons(call: Call) -> Response:
    """Return `{key: {"value", "evaluation": {"reason", "condition_index"}}}` of every flag for `?distinct_id=`."""
    distinct_id = call.params.get("distinct_id")
    if not distinct_id:
        raise invalid("distinct_id is required")
    try:
        groups = as_object(json.loads(call.params.get("groups") or "{}"))
    except (ValueError, RecursionError):
        groups = None
    if groups is None:
        raise invalid("Invalid JSON passed in groups parameter", attr="groups")
    return json_response({flag["key"]: result for flag, result in await _evaluate_all(call, distinct_id)})


async def _evaluate_all(call: Call, distinct_id: str) -> list[tuple[Row, Row]]:
    """Evaluate every flag that is not deleted for a distinct id."""
    flags = await to_thread.run_sync(_flags, call)
    matching = await _matching(call, distinct_id, [condition for _, found in flags for condition in found])
    results: list[tuple[Row, Row]] = []
    for flag, conditions in flags:
        fitting, matching = matching[: len(conditions)], matching[len(conditions) :]
        results.append((flag, evaluated(flag, conditions, fitting, distinct_id)))
    return results


async def _my_flags(call: Call) -> Response:
    """Return `[{"feature_flag", "value"}]` for the person with the user's distinct id."""
    found = await _evaluate_all(call, user_basic()["distinct_id"])
    return json_response(
        [{"feature_flag": minimal_flag(flag), "value": result["value"]} for flag, result in reversed(found)]
    )


def _definitions(call: Call) -> Row:
    with call.services.store.transaction() as rows:
        flags = [flag for flag in of_project(rows, "feature_flags", call.project_id) if not flag["deleted"]]
        ids = {item.get("value") for flag in flags for item in flag_properties(flag["filters"], "cohort")}
        cohorts = [row for row in of_project(rows, "cohorts", call.project_id) if row["id"] in ids]
    mapping = {str(kind["group_type_index"]): kind["group_type"] for kind in group_types(call.project_id)}
    dynamic = {
        str(row["id"]): row["filters"]["properties"] for row in cohorts if not row["is_static"] and row["filters"]
    }
    return {
        "flags": [minimal_flag(flag) for flag in flags],
        "group_type_mapping": mapping,
        "cohorts": dynamic if "send_cohorts" in call.params else {},
    }


async def _local_evaluation(call: Call) -> Response:
    """Return `{"flags", "group_type_mapping", "cohorts"}`; the cohorts that flags use only with `send_cohorts`."""
    return json_response(await to_thread.run_sync(_definitions, call))


def _flags(call: Call) -> list[tuple[Row, list[Condition]]]:
    with call.services.store.transaction() as rows:
        flags = [flag for flag in of_project(rows, "feature_flags", call.project_id) if not flag["deleted"]]
        return [(flag, read_conditions(rows, flag)) for flag in flags]


async def _matching(call: Call, distinct_id: str, conditions: list[Condition]) -> list[bool]:
    """Return whether the person of the distinct id matches each condition. Unknown persons have no properties."""
    if not conditions:
        return []
    person = "id IN (SELECT person_id FROM posthog.person_distinct_ids WHERE distinct_id = {})"
    tests = [condition.sql or "false" for condition in conditions]
    source = f"FROM {await people(call)} WHERE {person.format(literal(distinct_id))} LIMIT 1"
    sql = f"SELECT {', '.join(f'{test} AS fits_{index}' for index, test in enumerate(tests))} {source}"
    found = await call.services.events.rows(call.project_id, sql)
    if found:
        return [bool(value) for value in found[0]]
    return [condition.sql == "(true)" for condition in conditions]


async def _blast_radius(call: Call) -> Response:
    """Return `{"affected", "total"}`: the persons whose properties match, regardless of rollout."""
    if "condition" not in call.body:
        raise invalid("Missing condition for which to get blast radius")
    if call.body.get("group_type_index") is not None:
        raise invalid("The sandbox supports only persons here; omit `group_type_index`.", attr="group_type_index")
    properties = objects((as_object(call.body["condition"]) or {}).get("properties"))
    condition = await to_thread.run_sync(_reached, call, properties)
    removed = ", ".join(map(literal, sorted(await removed_keys(call, "person"))))
    kept = f"WHERE toString(id) NOT IN ({removed})" if removed else ""
    sql = f"SELECT countIf({condition}), count() FROM {await people(call)} {kept}"
    [[affected, total]] = await call.services.events.rows(call.project_id, sql)
    return json_response({"affected": affected, "total": total})


def _reached(call: Call, properties: list[Row]) -> str:
    with call.services.store.transaction() as rows:
        condition = persons_who_fit(rows, call.project_id, properties)
    if condition is None:
        raise invalid(
            "The sandbox does not support this condition. Use only person properties and cohorts.", attr="condition"
        )
    return condition


_COLLECTION = "projects/{project_id}/feature_flags"
ROUTES = (
    Route("GET", f"{_COLLECTION}/evaluation_reasons", _reasons),
    Route("GET", f"{_COLLECTION}/my_flags", _my_flags),
    Route("GET", f"{_COLLECTION}/local_evaluation", _local_evaluation),
    Route("POST", f"{_COLLECTION}/user_blast_radius", _blast_radius),
)
