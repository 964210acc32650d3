"""Rendering of results as one would write it first: everything is cleaned and written, then cut. The server must not
differ from it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.json import is_list, is_object
from maton_posthog.schemas.text import Cleaner, excerpt
from maton_posthog.server.results.render import MAX_TEXT_BYTES

_LONG_TEXT = 500
_NOTE_BYTES = 600
"""Room for the note about a truncated result."""


def plain_render(
    result: Mapping[str, Any], secrets: Sequence[str] = (), *, offset: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Return a result as text and as an object. `offset` is the start of a page of a list; None for other results.

    Text of other people is cleaned (`hidden_characters_removed` counts the characters). Over 40 kB the longest list is
    cut at a whole row; where not even one row fits, long texts are cut first. `truncated` and `how_to_continue` report
    both. Raises Failed (`response_too_large`) when the result is still too large.
    """
    cleaner = Cleaner(secrets)
    value = cast("dict[str, Any]", cleaner.value(result))
    if cleaner.removed:
        value["hidden_characters_removed"] = cleaner.removed
        value["hidden_in"] = [".".join(map(str, place)) for place in _hidden_in(result, (), secrets)][:5]
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
        "Request less: a smaller `limit`, fewer columns, or no `full`.",
    )


def _hidden_in(value: Any, place: tuple[Any, ...], secrets: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the paths of values with hidden characters; the names in them are short and clean."""
    if is_object(value):
        found: list[tuple[Any, ...]] = []
        for key, item in value.items():
            name = excerpt(Cleaner(secrets).text(key), 60)
            found += [(*place, name)] if _removed(key) else []
            found += _hidden_in(item, (*place, name), secrets)
        return found
    if is_list(value):
        return [inner for at, item in enumerate(value) for inner in _hidden_in(item, (*place, at), secrets)]
    return [place] if isinstance(value, str) and _removed(value) else []


def _removed(text: str) -> int:
    cleaner = Cleaner()
    cleaner.text(text)
    return cleaner.removed


def dumps(value: object) -> str:
    """Return compact JSON. NaN cannot occur, because responses are parsed strictly."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _cut_rows(value: dict[str, Any], offset: int | None) -> dict[str, Any]:
    """Return the result without the last rows of its longest list, so that it fits; unchanged if no row would fit."""
    lists = {name: item for name, item in value.items() if is_list(item)}
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
        return f"Only {kept} of {count} fit into one result; continue from next_offset."
    if name != "rows":
        return f"Only {kept} of {count} fit into one result; get single ones by their id."
    cut = f"Only {kept} of {count} rows fit into one result."
    if "query_id" in value:
        return f"{cut} get_query_result with this query_id and offset {kept} returns the rest without another query."
    return (
        f"{cut} Select fewer columns, aggregate, or paginate by a key: "
        "ORDER BY a unique column and add WHERE that column > its last value here."
    )


def _cut_texts(value: Any) -> dict[str, Any]:
    """Return the result with texts cut after 500 characters and inner lists after 20 items."""
    cut = cast("dict[str, Any]", _shorten(value, depth=0))
    return {
        **cut,
        "truncated": True,
        "how_to_continue": cut.get("how_to_continue", "Long texts and lists are truncated."),
    }


def _shorten(value: Any, depth: int) -> Any:
    if isinstance(value, str) and len(value) > _LONG_TEXT:
        return f"{value[:_LONG_TEXT]}… ({len(value)} characters)"
    if is_object(value):
        return {key: _shorten(item, depth + 1) for key, item in value.items()}
    if is_list(value):
        shown = value if depth <= 1 or len(value) <= 20 else [*value[:20], f"… ({len(value)} items)"]
        return [_shorten(item, depth + 1) for item in shown]
    return value
