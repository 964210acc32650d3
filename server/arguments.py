"""Errors about arguments: the field, what is accepted, and the nearest valid name. Never the value, which may be
private.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, cast

from pydantic import ValidationError

from ..gateway.errors import Refused
from ..schemas.text import MARK

_BRANCH = re.compile(r"(function-|constrained-|lax-|json-|literal\[|list\[|dict\[|(int|float|str|bool)$)")
_SHOWN = 4
"""Faults told at once; more would bury the first."""
_MOST_UNKNOWN = 100
_BRANCHES = 8
"""Forms that are told of one argument."""
_PLACE = 200
"""Characters of the place of a value."""


def invalid_arguments(tool: str, error: ValidationError, accepted: Sequence[str]) -> Refused:
    """The refusal of a call whose arguments do not fit the tool's input."""
    faults = error.errors(include_url=False, include_input=False, include_context=True)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    said: dict[str, list[str]] = {}
    others: set[str] = set()
    for fault in faults:
        place = _place(fault)
        if place not in said and len(said) == _SHOWN:
            others.add(place)
        elif len(parts := said.setdefault(place, [])) < _BRANCHES:
            parts.append(_say(fault, accepted))
    message = f"{tool}: {'; '.join(f'{place}{_either(parts)}' for place, parts in said.items())}."
    if others:
        message = f"{message[:-1]}; and {len(others)} more."
    hint = (
        f"Arguments of {tool}: {', '.join(accepted)}."
        if unknown or any(f["type"] == "missing" for f in faults)
        else None
    )
    return Refused("invalid_argument", message, hint)


def refuse_flood(tool: str, arguments: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """Raise Refused for very many unknown names before anything looks at each of them."""
    if len(arguments) > len(accepted) + _MOST_UNKNOWN:
        first = next(name for name in arguments if name not in accepted)
        more = len(arguments) - len(accepted) - 1
        raise Refused(
            "invalid_argument",
            f"{tool}: {first[:100]} is not an argument; and at least {more} more.",
            f"Arguments of {tool}: {', '.join(accepted)}.",
        )


def refuse_marks(tool: str, arguments: Mapping[str, Any]) -> None:
    """Raise Refused when a write holds one of our marks: what was redacted or cut in a result must not be stored."""
    waiting: list[tuple[str, Any]] = list(arguments.items())
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            fields = cast("dict[str, Any]", value)
            waiting += [(f"{place}.{name}"[:_PLACE], item) for name, item in fields.items()]
            value = "\n".join(fields)
        elif isinstance(value, list):
            waiting += [(f"{place}.{number}"[:_PLACE], item) for number, item in enumerate(cast("list[Any]", value))]
        if isinstance(value, str) and (mark := MARK.search(value)):
            raise Refused(
                "invalid_argument",
                f"{tool}: {place[:_PLACE]} contains {mark[0]}, which this server shows in place of a value. "
                "Storing it would lose the value.",
                "Leave the field out to keep what is stored, or give the real value.",
            )


def _place(fault: Any) -> str:
    """The argument, cut to a length that can be read; without the branches of a union that pydantic adds."""
    place = [str(part)[:100] for part in fault["loc"] if not _BRANCH.match(str(part))]
    return ".".join(place) or "arguments"


def _either(parts: Sequence[str]) -> str:
    """What each branch of a union accepts, as one sentence."""
    first, *others = dict.fromkeys(parts)
    return " or ".join([first, *(other.removeprefix(": must be ") for other in others)])


def _say(fault: Any, accepted: Sequence[str]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            is_argument = len(fault["loc"]) == 1
            near = get_close_matches(str(fault["loc"][-1])[:100], accepted, n=1, cutoff=0.6) if is_argument else None
            return f" is not an argument{f' (did you mean {near[0]}?)' if near else ''}"
        case "missing":
            return " is required"
        case "value_error":
            return f": {fault['ctx']['error']}".removesuffix(".")
        case _:
            return f": {_plain(fault['msg'])}".removesuffix(".")


def _plain(message: str) -> str:
    plain = (
        message.replace("Input should be", "must be").replace("String should", "must").replace("List should", "must")
    )
    return plain.split(", unable to", 1)[0]
