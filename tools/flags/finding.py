"""Finding a flag by id or key: PostHog looks flags up by id only."""

from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused, Rejected
from ...schemas.flags import FlagRow
from ...schemas.json import as_object
from ...schemas.near import near
from ...schemas.text import named
from ..operation import read
from ..operation.pages import PagedRows

FLAGS = "/api/projects/{project_id}/feature_flags/"
FLAG = "/api/projects/{project_id}/feature_flags/{flag_id}/"
_SURVEYS = "/api/projects/{project_id}/surveys/"
_NEAR_KEYS = 5
_OF_SURVEYS = "survey-targeting-"
"""How the keys of the flags begin that PostHog makes for surveys, and leaves out of lists."""


async def find_flag(api: Call, flag: int | str) -> Any:
    """Return the flag with this id or key. A string of digits is an id unless only a flag with that key exists."""
    if isinstance(flag, str) and not flag.isdecimal():
        return await _by_key(api, flag)
    try:
        return await api.get(FLAG, flag_id=flag)
    except GatewayError as error:
        if isinstance(flag, int) or error.code != "not_found":
            raise
        return await _by_key(api, flag)


async def _by_key(api: Call, key: str) -> Any:
    """Return the flag with this key. PostHog has no lookup by key, so search and compare."""
    seen: list[str] = []
    async for row in PagedRows(api, FLAGS, {"search": key}):
        flag = read(FlagRow, row)
        if flag.key == key:
            return await api.get(FLAG, flag_id=flag.id)
        seen.append(flag.key)
    if key.startswith(_OF_SURVEYS) and (number := await _of_a_survey(api, key)) is not None:
        return await api.get(FLAG, flag_id=number)
    if not seen:
        seen = [read(FlagRow, row).key async for row in PagedRows(api, FLAGS, {}, pages=1)]
    similar = near(key, seen, _NEAR_KEYS)
    listed = ", ".join(map(named, similar or dict.fromkeys(seen[:_NEAR_KEYS])))
    raise Rejected(
        "not_found",
        f"`flag`: no flag has the key {named(key, 100)}.",
        f"{'Similar' if similar else 'Some'} keys: {listed}. " * bool(seen)
        + "Pass the numeric id to get a deleted or archived flag.",
    )


async def _of_a_survey(api: Call, key: str) -> int | None:
    """Return the id of the flag that decides who sees a survey."""
    async for row in PagedRows(api, _SURVEYS, {}):
        for name in ("targeting_flag", "internal_targeting_flag"):
            flag = as_object(as_object(row).get(name))
            if flag.get("key") == key and isinstance(flag.get("id"), int):
                return flag["id"]
    return None


async def find_to_change(api: Call, flag: int | str) -> Any:
    """Return the flag to change. Raises Refused for a flag of a survey, unless its key is given."""
    found = await find_flag(api, flag)
    key = read(FlagRow, found).key
    if key.startswith(_OF_SURVEYS) and flag != key:
        raise Refused(
            "invalid_argument",
            f"`flag`: {named(key, 100)} decides who sees a survey, and lists of flags leave it out.",
            "Change the survey instead, or pass the key of the flag.",
        )
    return found
