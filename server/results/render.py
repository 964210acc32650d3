"""Rendering of results: one compact, cleaned JSON object of at most 40 kB."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from pydantic_core import to_json

from ...gateway.errors import Failed
from ...schemas.json import as_list, is_list, is_object
from ...schemas.json.rows import Rows
from ...schemas.text import Cleaner, excerpt, hides, may_need_cleaning

MAX_TEXT_BYTES = 40_000
"""About 20,000 tokens; common hosts cut tool results at 25,000."""
_LONG_TEXT = 500
_NOTE_BYTES = 600
"""Room for the note about a truncated result."""
_MANY = 1000
"""Lists of more items are not written as a whole before it is known how many fit."""
_AT_ONCE = 64
"""To write many items at once takes half the time."""
_HIDDEN = "hidden_characters_removed"
_HIDDEN_IN = "hidden_in"
_MOST_PLACES = 5
_PLACE = 60
"""Longest part of the path of a value with hidden characters."""
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)

_ODD_NUMBERS = ("0.0000", "NaN", "Infinity")
_SMALL_NUMBER = re.compile(r"e-\d{1,3}(?:[,\]}]|\Z)")


def render(
    result: Mapping[str, Any],
    secrets: Sequence[str] = (),
    *,
    offset: int | None = None,
    revealed: Sequence[str] = (),
) -> tuple[str, dict[str, Any]]:
    """Return a result as text and as an object. `offset` is the start of a page of a list; None for other results.
    The session tokens of the fields in `revealed` are kept.

    Text of other people is cleaned (`hidden_characters_removed` counts the characters, `hidden_in` has their places).
    Over 40 kB the longest list is cut at a whole row; where not even one row fits, long texts are cut first.
    `truncated` and `how_to_continue` report both. Rows that cannot be shown are neither cleaned nor written. Raises
    Failed (`response_too_large`) when the result is still too large.
    """
    if not any(map(_is_long, result.values())):
        text = dumps(result)
        if len(text) <= MAX_TEXT_BYTES and not may_need_cleaning(text, secrets) and _fits(text):
            return text, dict(result)
    parts = _as_is(result, secrets) or _cleaned(result, secrets, _unchanged, revealed)
    if not parts.is_cut and _fits(text := dumps(parts.value)):
        return text, parts.value
    if (cut := _cut_rows(parts.value, parts, offset)) is not None:
        return cut
    parts = _cleaned(result, secrets, _shorten_item, revealed)
    shortened = _cut_texts(parts.value)
    if (cut := _cut_rows(shortened, parts, offset)) is not None:
        return cut
    if _fits(text := dumps(shortened)):
        return text, shortened
    raise Failed(
        "response_too_large",
        f"The result is {len(text.encode()) // 1000} kB; at most {MAX_TEXT_BYTES // 1000} kB are shown.",
        "Request less: a smaller `limit`, fewer columns, or no `full`.",
    )


def dumps(value: object) -> str:
    """Return compact JSON. Raises ValueError for NaN, which cannot occur, because responses are parsed strictly."""
    try:
        text = to_json(value).decode()
    except ValueError:  # half a surrogate pair
        return _ENCODER.encode(value)
    return _ENCODER.encode(value) if _has_odd_numbers(text) else text


def _has_odd_numbers(text: str) -> bool:
    """Return whether `to_json`, which takes a quarter of the time, may have written some numbers in another way."""
    return any(mark in text for mark in _ODD_NUMBERS) or _SMALL_NUMBER.search(text) is not None


def _is_long(value: object) -> bool:
    return isinstance(value, Rows) or (isinstance(value, (list, tuple)) and len(cast("Sequence[Any]", value)) > _MANY)


def _fits(text: str) -> bool:
    return len(text) <= MAX_TEXT_BYTES and (text.isascii() or len(text.encode()) <= MAX_TEXT_BYTES)


@dataclass(frozen=True, slots=True)
class _Head:
    """A list of a result up to the first items that do not fit, or all of it."""

    items: list[Any]
    """The items before they are cleaned."""
    steps: list[tuple[int, str]]
    """Lists of some of them each, as they are shown: their number, and their JSON."""
    count: int
    """The number of items in the result."""

    @property
    def size(self) -> int:
        """The characters of the items with a comma after each."""
        return sum(len(text) - 1 for _, text in self.steps)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A result whose longest list can lack rows that do not fit anyway."""

    value: dict[str, Any]
    heads: Mapping[str, _Head]
    """Its lists under their cleaned names, without those that are redacted as a whole."""
    secrets: Sequence[str]

    @property
    def is_cut(self) -> bool:
        """Return whether rows are missing."""
        return any(len(head.items) < head.count for head in self.heads.values())


def _as_is(result: Mapping[str, Any], secrets: Sequence[str]) -> _Parts | None:
    """Return the result when there is nothing to clean."""
    try:
        heads = _heads(result, lambda items: to_json(items).decode())
    except ValueError:  # half a surrogate pair
        return None
    others = {name: item for name, item in result.items() if name not in heads}
    text = "".join([part for head in heads.values() for _, part in head.steps])
    if may_need_cleaning(f"{dumps([others, *heads])}{text}", secrets):
        return None
    if _has_odd_numbers(text):
        heads = _heads(result, dumps)
    return _Parts({**result, **{name: head.items for name, head in heads.items()}}, heads, secrets)


def _cleaned(
    result: Mapping[str, Any], secrets: Sequence[str], change: Callable[[Any], Any], revealed: Sequence[str]
) -> _Parts:
    """Return the result cleaned. `change` is what is done to the items of lists before they are shown."""
    heads = _heads(result, lambda items: dumps([change(item) for item in Cleaner(secrets).value(items)]))
    cleaner = Cleaner(secrets)
    value = cast("dict[str, Any]", cleaner.value({**result, **{name: head.items for name, head in heads.items()}}))
    shown = {name: heads[raw] for raw, name in zip(result, value, strict=True) if raw in heads and is_list(value[name])}
    value |= {name: cleaner.revealed(result[name]) for name in revealed if name in result}
    if cleaner.removed:
        value[_HIDDEN] = cleaner.removed
        value[_HIDDEN_IN] = _hidden_in({**result, **{name: head.items for name, head in heads.items()}}, secrets)
    return _Parts(value, shown, secrets)


def _hidden_in(result: Mapping[str, Any], secrets: Sequence[str]) -> list[str]:
    """Return where hidden characters were removed, at most five paths such as `rows.2.email`. The cells of tables have
    the names of their columns.
    """
    columns = [str(name) for name in as_list(result.get("columns"))]
    found: list[str] = []
    for place in islice(_hiding(result, ()), _MOST_PLACES):
        names = list(place)
        if len(names) > 2 and names[0] == "rows" and isinstance(at := names[2], int) and at < len(columns):
            names[2] = columns[at]
        found.append(".".join(_part(name, secrets) for name in names))
    return found


def _part(name: str | int, secrets: Sequence[str]) -> str:
    return excerpt(Cleaner(secrets).text(str(name)), _PLACE)


def _hiding(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of texts, and of fields with names, that contain hidden characters."""
    if isinstance(value, str):
        if hides(value):
            yield place
    elif is_object(value):
        for name, item in value.items():
            if hides(name):
                yield (*place, name)
            yield from _hiding(item, (*place, name))
    elif isinstance(value, (list, tuple)):
        for at, item in enumerate(cast("Sequence[Any]", value)):
            yield from _hiding(item, (*place, at))


def _heads(result: Mapping[str, Any], written: Callable[[list[Any]], str]) -> dict[str, _Head]:
    """Return the lists of the result. `written` is how their items are shown."""
    lists: dict[str, Sequence[Any]] = {
        name: item for name, item in result.items() if isinstance(item, (list, tuple, Rows))
    }
    heads = {name: _head(item, written, MAX_TEXT_BYTES) for name, item in lists.items()}
    if sum(len(head.items) < head.count for head in heads.values()) > 1:
        # The longest is known only when all are written.
        return {name: _head(item, written, math.inf) for name, item in lists.items()}
    return heads


def _head(items: Sequence[Any], written: Callable[[list[Any]], str], room: float) -> _Head:
    left, step = iter(items), 1
    head = _Head([], [], len(items))
    while room >= 0 and (more := list(islice(left, step))):
        text = written(more)
        head.items.extend(more)
        head.steps.append((len(more), text))
        room -= len(text) - 1
        step = min(2 * step, _AT_ONCE)
    return head


def _unchanged(item: Any) -> Any:
    return item


def _cut_rows(value: dict[str, Any], parts: _Parts, offset: int | None) -> tuple[str, dict[str, Any]] | None:
    """Return the result without the last rows of its longest list, so that it fits; None if no row or all would fit."""
    if not parts.heads:
        return None
    name = max(parts.heads, key=lambda key: parts.heads[key].size)
    rows, head = value[name], parts.heads[name]
    texts, kept = _fitting(rows, head, MAX_TEXT_BYTES - _NOTE_BYTES - len(dumps({**value, name: []}).encode()))
    if kept in (0, len(rows)):
        return None
    cut = {**value, name: rows[:kept], "truncated": True}
    if _HIDDEN in value:
        cleaner = Cleaner(parts.secrets)
        cleaner.value(head.items[kept:])
        cut[_HIDDEN] = value[_HIDDEN] - cleaner.removed
        cut[_HIDDEN_IN] = [place for place in value[_HIDDEN_IN] if not _is_cut(place, _part(name, ()), kept)]
        for mark in (_HIDDEN, _HIDDEN_IN):
            if not cut[mark]:
                del cut[mark]
    if name == "rows":
        cut["rows_returned"] = kept
    if offset is not None:
        cut["next_offset"] = offset + kept
    cut["how_to_continue"] = _how_to_continue(value, name, kept, head.count, offset)
    names = list(cut)
    before, after = (
        dumps({key: cut[key] for key in part})[1:-1]
        for part in (names[: names.index(name)], names[names.index(name) + 1 :])
    )
    rows_text = f"{dumps(name)}:[{','.join(texts)}]"
    return f"{{{','.join(filter(None, (before, rows_text, after)))}}}", cut


def _is_cut(place: str, name: str, kept: int) -> bool:
    """Return whether a place is in the items of a list that are not shown."""
    if not place.startswith(f"{name}."):
        return False
    at = place[len(name) + 1 :].split(".", 1)[0]
    return at.isdecimal() and int(at) >= kept


def _fitting(rows: list[Any], head: _Head, room: int) -> tuple[list[str], int]:
    """Return the JSON of the rows that fit into a number of bytes, with a comma after each, and their number."""
    texts: list[str] = []
    kept = 0
    for count, text in head.steps:
        if (size := len(text.encode()) - 1) > room:
            break
        texts.append(text[1:-1])
        kept += count
        room -= size
    step = _AT_ONCE
    while step := step // 2:  # fewer rows than `_AT_ONCE` are left that fit
        more = rows[kept : kept + step]
        if more and (size := len((text := dumps(more)).encode()) - 1) <= room:
            texts.append(text[1:-1])
            kept += len(more)
            room -= size
    return texts, kept


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


def _shorten_item(item: Any) -> Any:
    """Return an item of a list as `_cut_texts` does."""
    return _shorten(item, depth=2)


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
