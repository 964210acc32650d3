"""From what an operation gives to what a client gets: one compact JSON object, clean, and never too large for a model
to hold.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..gateway.errors import Failed
from ..schemas.text import Cleaner

MAX_TEXT_BYTES = 40_000
"""About 20,000 tokens; common hosts cut tool results at 25,000."""
_LONG_TEXT = 500
_NOTE_BYTES = 600
"""Room for what is said about a cut."""


def render(
    result: Mapping[str, Any], secrets: Sequence[str] = (), *, offset: int | None = None
) -> tuple[str, dict[str, Any]]:
    """The text of a result and the same object. `offset` is where a page of a list begins; None: it is no page.

    Foreign text is cleaned (`hidden_characters_removed` counts it). Over 40 kB the longest list is cut at a whole
    row, and where not even one row fits, long texts are cut first; both are said under `truncated` and
    `how_to_continue`. Raises Failed (`response_too_large`) if nothing helps.
    """
    cleaner = Cleaner(secrets)
    value = cast("dict[str, Any]", cleaner.value(result))
    if cleaner.removed:
        value["hidden_characters_removed"] = cleaner.removed
    text = dumps(value)
    if len(text.encode()) <= MAX_TEXT_BYTES:
        return text, value
    for shortened in (value, _cut_texts(value)):
        for cut in (_cut_rows(shortened, offset), shortened):
            text = dumps(cut)
            if len(text.encode()) <= MAX_TEXT_BYTES:
                return text, cut
    raise Failed(
        "response_too_large",
        f"The result is {len(text.encode()) // 1000} kB; at most {MAX_TEXT_BYTES // 1000} kB are shown.",
        "Ask for less: a smaller limit, fewer columns, or without full.",
    )


def dumps(value: object) -> str:
    """Compact JSON. NaN cannot occur: answers are parsed strictly."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _cut_rows(value: dict[str, Any], offset: int | None) -> dict[str, Any]:
    """Without the last rows of the longest list, so that the rest fits; unchanged if not even one row would."""
    lists = {name: cast("list[Any]", item) for name, item in value.items() if isinstance(item, list)}
    if not lists:
        return value
    name = max(lists, key=lambda key: len(dumps(lists[key])))
    rows = lists[name]
    room = MAX_TEXT_BYTES - _NOTE_BYTES - len(dumps({**value, name: []}).encode())
    kept = 0
    for row in rows:
        room -= len(dumps(row).encode()) + 1
        if room < 0:
            break
        kept += 1
    if kept in (0, len(rows)):
        return value
    cut = {**value, name: rows[:kept], "truncated": True}
    if name == "rows":
        cut["rows_returned"] = kept
    if offset is not None:
        cut["next_offset"] = offset + kept
    cut["how_to_continue"] = _how_to_continue(value, name, kept, len(rows), offset)
    return cut


def _how_to_continue(value: dict[str, Any], name: str, kept: int, count: int, offset: int | None) -> str:
    if offset is not None:
        return f"Only {kept} of {count} fit into one answer: go on at next_offset."
    if name != "rows":
        return f"Only {kept} of {count} fit into one answer: ask for one of them by its id."
    said = f"Only {kept} of {count} rows fit into one answer."
    if "query_id" in value:
        return f"{said} get_query_result with this query_id and offset {kept} shows the others, without another query."
    return (
        f"{said} Select fewer columns, aggregate, or page by a key: "
        "ORDER BY a unique column and add WHERE that column > its last value here."
    )


def _cut_texts(value: Any) -> dict[str, Any]:
    """With texts over 500 characters cut, and inner lists after 20 items."""
    cut = cast("dict[str, Any]", _shorten(value, depth=0))
    return {
        **cut,
        "truncated": True,
        "how_to_continue": cut.get("how_to_continue", "Long texts and lists are cut here."),
    }


def _shorten(value: Any, depth: int) -> Any:
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return f"{value[:_LONG_TEXT]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {key: _shorten(item, depth + 1) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        shown = items if depth <= 1 or len(items) <= 20 else [*items[:20], f"… ({len(items)} items)"]
        return [_shorten(item, depth + 1) for item in shown]
    return value
