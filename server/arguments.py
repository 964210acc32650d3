"""Errors about arguments: the field, the accepted values and the nearest valid name. Never the value, which can be
private.
"""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from ..gateway.errors import Refused
from ..schemas.base.forms import from_text
from ..schemas.json import is_list, is_object
from ..schemas.links import Unpasted, WrongPage, unpasted
from ..schemas.text import MARK

_BRANCH = re.compile(r"(function-|constrained-|lax-|json-|literal\[|list\[|dict\[|(int|float|str|bool)$)")
_SHOWN = 4
"""Most problems in one message."""
_MOST_UNKNOWN = 100
_MOST_VALUES = 50_000
_BRANCHES = 8
"""Most accepted forms that are listed for one argument."""
_PLACE = 200
"""Longest path of a value, in characters."""


def invalid_arguments(tool: str, error: ValidationError, accepted: Sequence[str]) -> Refused:
    """Return the error for arguments that do not match the tool's input."""
    faults = error.errors(include_url=False, include_input=False, include_context=True)
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    shown: dict[str, list[str]] = {}
    others: set[str] = set()
    for fault in faults:
        place = _place(fault)
        if place not in shown and len(shown) == _SHOWN:
            others.add(place)
        elif len(parts := shown.setdefault(place, [])) < _BRANCHES:
            parts.append(_problem(fault, accepted))
    problems = (f"{place}{_either(parts)}".removeprefix(": ") for place, parts in shown.items())
    message = f"{tool}: {'; '.join(problems)}."
    if others:
        message = f"{message[:-1]}; and {len(others)} more."
    hint = (
        f"Arguments of {tool}: {', '.join(accepted)}."
        if unknown or any(f["type"] == "missing" for f in faults)
        else None
    )
    return Refused("invalid_argument", message, hint)


def read_addresses(arguments: Mapping[str, Any]) -> Unpasted:
    """Return the arguments with identifiers in place of pasted addresses. Raises Refused for those of other objects."""
    try:
        return unpasted(arguments)
    except WrongPage as error:
        raise Refused("invalid_argument", f"`{error.argument}`: {error}.") from None


def reject_flood(tool: str, arguments: Mapping[str, Any], accepted: Sequence[str]) -> None:
    """Raise Refused for more than 100 unknown names, or 50,000 values, before each of them is validated."""
    if len(arguments) > len(accepted) + _MOST_UNKNOWN:
        first = next(name for name in arguments if name not in accepted)
        more = len(arguments) - len(accepted) - 1
        raise Refused(
            "invalid_argument",
            f"{tool}: {first[:100]} is not an argument; and at least {more} more.",
            f"Arguments of {tool}: {', '.join(accepted)}.",
        )
    if _has_more_values(arguments, _MOST_VALUES):
        raise Refused(
            "invalid_argument",
            f"{tool}: the arguments must have at most {_MOST_VALUES} values.",
            "Send fewer at a time.",
        )


def _has_more_values(arguments: Mapping[str, Any], most: int) -> bool:
    """Return whether the arguments have more values than this, also inside JSON texts."""
    waiting: list[Any] = [arguments]
    count = 0
    while waiting:
        value = waiting.pop()
        parts: list[Any] = list(value.values()) if is_object(value) else value if is_list(value) else []
        count += len(parts)
        if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
            count += value.count(",")
        if count > most:
            return True
        waiting += parts
    return False


def reject_marks(tool: str, arguments: Mapping[str, Any]) -> None:
    """Raise Refused when a write contains a mark of redaction or truncation, which would replace the real value."""
    waiting: list[tuple[str, Any]] = list(arguments.items())
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and (parsed := from_text(value)) is not value:
            waiting.append((place, parsed))  # JSON text can write a mark in escapes
        if is_object(value):
            waiting += [(f"{place}.{name}"[:_PLACE], item) for name, item in value.items()]
            value = "\n".join(value)
        elif is_list(value):
            waiting += [(f"{place}.{number}"[:_PLACE], item) for number, item in enumerate(value)]
        if isinstance(value, str) and (mark := MARK.search(value)):
            raise Refused(
                "invalid_argument",
                f"{tool}: {place[:_PLACE]} contains {mark[0]}, which this server shows in place of a value. "
                "Storing it would lose the value.",
                "Omit the field to keep the stored value, or pass the real value.",
            )


def _place(fault: Any) -> str:
    """Return the path of the argument, shortened, without the union branches that pydantic adds; "" for them all."""
    place = [str(part)[:100] for part in fault["loc"] if not _BRANCH.match(str(part))]
    return ".".join(place)


def _either(parts: Sequence[str]) -> str:
    """Return the accepted values of all branches of a union as one sentence.

    A branch that says what is wrong, not what must be, was written for this argument, and the others add nothing.
    """
    explained = [part for part in parts if part.startswith(": ") and not part.startswith(": must")]
    first, *others = dict.fromkeys(explained[:1] or parts)
    return " or ".join([first, *(other.removeprefix(": must be ") for other in others)])


def _problem(fault: Any, accepted: Sequence[str]) -> str:
    match fault["type"]:
        case "extra_forbidden":
            is_argument = len(fault["loc"]) == 1
            near = get_close_matches(str(fault["loc"][-1])[:100], accepted, n=1, cutoff=0.6) if is_argument else None
            return f" is not an argument{f' (did you mean {near[0]}?)' if near else ''}"
        case "missing":
            return " is required"
        case "value_error":
            return f": {fault['ctx']['error']}".removesuffix(".")
        case "too_short":
            return f": must have at least {_items(fault['ctx']['min_length'])}, not {fault['ctx']['actual_length']}"
        case "too_long":
            return f": must have at most {_items(fault['ctx']['max_length'])}"
        case _:
            return f": {_plain(fault['msg'])}".removesuffix(".")


def _plain(message: str) -> str:
    return message.replace("Input should be", "must be").replace("String should", "must").split(", unable to", 1)[0]


def _items(number: int) -> str:
    return "1 item" if number == 1 else f"{number} items"
