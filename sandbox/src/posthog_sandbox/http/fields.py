"""Fields of a request body: checks with the messages of Django REST framework."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import invalid, required
from ..values import Row, as_list, as_object, is_uuid, timestamp

type Check = Callable[[Any, str], Any]
"""Check from the sent value and the field's name to the stored value; raises ApiError."""

_DATETIME_FORMATS = "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]"
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,6}\d*)?)?\s*(Z|[+-]\d\d(:?\d\d)?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """A writable field. Undeclared fields of a body are ignored, as in PostHog."""

    name: str
    check: Check
    required: bool = False
    null: bool = False


def checked(fields: tuple[Field, ...], body: Mapping[str, Any], *, partial: bool) -> Row:
    """Return the declared fields of a body, checked in declaration order; `partial` accepts missing ones, as PATCH."""
    values: Row = {}
    for field in fields:
        if field.name not in body:
            if field.required and not partial:
                raise required(field.name)
            continue
        value = body[field.name]
        if value is None and not field.null:
            raise invalid("This field may not be null.", "null", field.name)
        values[field.name] = None if value is None else field.check(value, field.name)
    return values


def text(max_length: int | None = None, *, blank: bool = True) -> Check:
    """Return a check for a string; numbers become strings and surrounding whitespace is stripped."""

    def check(value: Any, name: str) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise invalid("Not a valid string.", attr=name)
        result = str(value).strip()
        if not result and not blank:
            raise invalid("This field may not be blank.", "blank", name)
        if "\x00" in result:
            raise invalid("Null characters are not allowed.", "null_characters_not_allowed", name)
        if max_length is not None and len(result) > max_length:
            raise invalid(f"Ensure this field has no more than {max_length} characters.", "max_length", name)
        return result

    return check


def boolean(value: Any, name: str) -> bool:
    """Accept true, false and their form encodings."""
    word = value.lower() if isinstance(value, str) else value
    if word in (True, 1, "true", "t", "1", "yes", "y", "on"):
        return True
    if word in (False, 0, "false", "f", "0", "no", "n", "off"):
        return False
    raise invalid("Must be a valid boolean.", attr=name)


def integer(minimum: int | None = None, maximum: int | None = None) -> Check:
    """Return a check for an integer, also given as text."""

    def check(value: Any, name: str) -> int:
        if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d{1,18}(\.0*)?", str(value).strip(), re.ASCII):
            raise invalid("A valid integer is required.", attr=name)
        number = int(float(value)) if isinstance(value, float) else int(str(value).strip().split(".")[0])
        if minimum is not None and number < minimum:
            raise invalid(f"Ensure this value is greater than or equal to {minimum}.", "min_value", name)
        if maximum is not None and number > maximum:
            raise invalid(f"Ensure this value is less than or equal to {maximum}.", "max_value", name)
        return number

    return check


def choice(*accepted: str) -> Check:
    """Return a check for one of the given strings."""

    def check(value: Any, name: str) -> str:
        if not isinstance(value, str) or value not in accepted:
            raise invalid(f'"{value}" is not a valid choice.', "invalid_choice", name)
        return value

    return check


def json_value(value: Any, name: str) -> Any:
    """Accept any JSON and store it unchanged."""
    return value


def json_object(value: Any, name: str) -> Row:
    """Accept a JSON object."""
    found = as_object(value)
    if found is None:
        raise invalid(f'Expected a dictionary of items but got type "{type(value).__name__}".', "not_a_dict", name)
    return found


def json_list(value: Any, name: str) -> list[Any]:
    """Accept a JSON array."""
    found = as_list(value)
    if found is None:
        raise invalid(f'Expected a list of items but got type "{type(value).__name__}".', "not_a_list", name)
    return found


def integers(value: Any, name: str) -> list[int]:
    """Accept a JSON array of integers."""
    return [integer()(item, name) for item in json_list(value, name)]


def tags(value: Any, name: str) -> list[str]:
    """Accept tags and store them lowercased, sorted and without duplicates."""
    return sorted({text()(item, name).lower() for item in json_list(value, name)} - {""})


def uuid_text(value: Any, name: str) -> str:
    """Accept a UUID as text."""
    if not isinstance(value, str) or not is_uuid(value):
        raise invalid("Must be a valid UUID.", attr=name)
    return value


def moment(value: Any, name: str) -> str:
    """Accept an ISO 8601 date-time, UTC without an offset, and store it in the format of `timestamp`."""
    if isinstance(value, str) and _DATETIME.fullmatch(value.strip()):
        try:
            parsed = datetime.fromisoformat(value.strip())
            return timestamp(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            pass
    raise invalid(
        f"Datetime has wrong format. Use one of these formats instead: {_DATETIME_FORMATS}.", "invalid_input", name
    )
