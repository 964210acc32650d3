"""Errors about arguments: the field, what is accepted, and the nearest valid name. Never the value, which may be
private.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ..gateway.errors import Refused

_SHOWN = 4
"""Faults told at once; more would bury the first."""


def invalid_arguments(tool: str, error: ValidationError, accepted: Sequence[str]) -> Refused:
    """The refusal of a call whose arguments do not fit the tool's input."""
    faults = error.errors(include_url=False, include_input=False, include_context=True)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    messages = list(dict.fromkeys(_say(fault, accepted) for fault in faults))
    message = f"{tool}: {'; '.join(messages[:_SHOWN])}."
    if len(messages) > _SHOWN:
        message = f"{message[:-1]}; and {len(messages) - _SHOWN} more."
    hint = (
        f"Arguments of {tool}: {', '.join(accepted)}."
        if unknown or any(f["type"] == "missing" for f in faults)
        else None
    )
    return Refused("invalid_argument", message, hint)


def _say(fault: Any, accepted: Sequence[str]) -> str:
    place = [
        str(part) for part in fault["loc"] if not str(part).startswith(("function-", "constrained-", "lax-", "json-"))
    ]
    name = ".".join(place) or "arguments"
    match fault["type"]:
        case "extra_forbidden":
            near = get_close_matches(place[-1], accepted, n=1, cutoff=0.6) if len(place) == 1 else []
            return f"{name} is not an argument{f' (did you mean {near[0]}?)' if near else ''}"
        case "missing":
            return f"{name} is required"
        case "value_error":
            return f"{name}: {fault['ctx']['error']}".removesuffix(".")
        case _:
            return f"{name}: {_plain(fault['msg'])}".removesuffix(".")


def _plain(message: str) -> str:
    return message.replace("Input should be", "must be").replace("String should", "must").replace("List should", "must")
