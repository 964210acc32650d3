"""What names in a HogQL query mean where readers expect something else: numbers in texts, and the timezone of hours."""

import re
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...schemas.text import excerpt
from ...schemas.wordy import is_wordy_name
from .seen_names import property_names

_TO_NUMBER = re.compile(r"\b(to(?:Float|Int))\s*\(\s*(?:\w+\.)??(person\.)?properties\.(?:`([^`]+)`|([$\w]+))\s*\)")
_HOURS = re.compile(
    r"\b(?:toHour|toMinute|toDayOfWeek|toStartOf(?:Hour|Minute|FiveMinutes?|TenMinutes|FifteenMinutes))\s*\("
    r"|\bdateTrunc\s*\(\s*'(?:hour|minute)'"
)
_DAYS = re.compile(
    r"\b(?:toDate|toStartOf(?:Day|Week|Month|Quarter|Year|Interval)|toMonday|toYYYYMM(?:DD)?|toDayOf(?:Month|Year)"
    r"|toMonth|formatDateTime|dateTrunc)\s*\(\s*(?!now\b|today\b)"
)
_OWN_ZONE = re.compile(r"\btoTimeZone\s*\(|'(?:UTC|[A-Z][A-Za-z]+/[A-Z][\w/+-]+)'")
_MOST = 5


def timezone_of(api: Call, sql: str) -> dict[str, Any]:
    """Return `{"timezone"}` of the hours and weekdays in a query, and of its days where they are not those of UTC."""
    zone = api.project.timezone if api.project else "UTC"
    grouped = _HOURS.search(sql) or (zone != "UTC" and _DAYS.search(sql))
    return {"timezone": zone} if grouped and not _OWN_ZONE.search(sql) else {}


async def text_numbers(api: Call, sql: str) -> dict[str, Any]:
    """Return `{"text_numbers"}` when a query converts properties to numbers that are text in the project."""
    for function, of_person, quoted, plain in list(_TO_NUMBER.findall(sql))[:_MOST]:
        name, kind = quoted or plain, "person" if of_person else "event"
        try:
            is_text = name in (await property_names(api, kind)).strings
        except GatewayError:
            return {}
        if is_text and not is_wordy_name(name):
            shown = excerpt(f"{of_person}properties.{name}", 60)
            return {
                "text_numbers": f"{shown} is text: {function} is null where it is no number, and aggregates skip it."
            }
    return {}
