"""Rendering of results: one compact, cleaned JSON object of at most 40 kB."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from ..gateway.errors import Failed
from ..schemas.json import is_list, is_object
from ..schemas.rows import Rows
from ..schemas.text import Cleaner, may_need_cleaning

MAX_TEXT_BYTES = 40_000
"""About 20,000 tokens; common hosts cut tool results at 25,000."""
_LONG_TEXT = 500
_NOTE_BYTES = 600
"""Room for the note about a truncated result."""
_MANY = 1000
"""Lists of more items are not written as a whole before it is known how many fit."""
_HIDDEN = "hidden_characters_removed"
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def render(
    result: Mapping[str, Any], secrets: Sequence[str] = (), *, offset: int | None = None
) -> tuple[str, dict[str, Any]]:
    """Return a result as text and as an object. `offset` is the start of a page of a list; None for other results.

    Text of other people is cleaned (`hidden_characters_removed` counts the characters). Over 40 kB the longest list is
    cut at a whole row; where not even one row fits, long texts are cut first. `truncated` and `how_to_continue` report
    both. Rows that cannot be shown are neither cleaned nor written. Raises Failed (`response_too_large`) when the
    result is still too large.
    """
    if not any(map(_is_long, result.values())):
        text = dumps(result)
        if _fits(text) and not may_need_cleaning(text, secrets):
            return text, dict(result)
    parts = _cleaned(result, secrets)
    text = dumps(parts.value)
    if _fits(text):
        return text, parts.value
    cut = _cut_rows(parts.value, parts, offset)
    if cut is not parts.value:
        return dumps(cut), cut
    parts = _cleaned(result, secrets, _shorten_item)
    shortened = _cut_texts(parts.value)
    for cut in (_cut_rows(shortened, parts, offset), shortened):
        text = dumps(cut)
        if _fits(text):
            return text, cut
    raise Failed(
        "response_too_large",
        f"The result is {len(text.encode()) // 1000} kB; at most {MAX_TEXT_BYTES // 1000} kB are shown.",
        "Request less: a smaller `limit`, fewer columns, or no `full`.",
    )


def dumps(value: object) -> str:
    """Return compact JSON. NaN cannot occur, because responses are parsed strictly."""
    return _ENCODER.encode(value)


def _is_long(value: object) -> bool:
    return isinstance(value, Rows) or (isinstance(value, (list, tuple)) and len(cast("Sequence[Any]", value)) > _MANY)


def _fits(text: str) -> bool:
    return len(text) <= MAX_TEXT_BYTES and (text.isascii() or len(text.encode()) <= MAX_TEXT_BYTES)


@dataclass(frozen=True, slots=True)
class _Parts:
    """A cleaned result, whose longest list can lack rows that do not fit anyway."""

    value: dict[str, Any]
    raw: Mapping[str, Sequence[Any]]
    """The lists of the result before cleaning, under their cleaned names, as far as they are in `value`."""
    counts: Mapping[str, int]
    """How many rows each list has in the result."""
    secrets: Sequence[str]

    def hidden_after(self, name: str, kept: int) -> int:
        """Return how many characters were removed from the rows of a list that are not kept."""
        cleaner = Cleaner(self.secrets)
        cleaner.value(self.raw[name][kept:])
        return cleaner.removed


def _cleaned(result: Mapping[str, Any], secrets: Sequence[str], change: Callable[[Any], Any] | None = None) -> _Parts:
    """Return the result cleaned. `change` is what is done to the items of lists before they are shown."""
    lists: dict[str, Sequence[Any]] = {
        name: item for name, item in result.items() if isinstance(item, (list, tuple, Rows))
    }
    heads = {name: _head(item, secrets, change) for name, item in lists.items()}
    if sum(len(heads[name]) < len(item) for name, item in lists.items()) > 1:
        heads = {name: list(item) for name, item in lists.items()}  # the longest is known only when all are written
    cleaner = Cleaner(secrets)
    value = cast("dict[str, Any]", cleaner.value({**result, **heads}))
    names = {name: shown for name, shown in zip(result, value, strict=True) if name in lists}
    if cleaner.removed:
        value[_HIDDEN] = cleaner.removed
    return _Parts(
        value,
        raw={shown: heads[name] for name, shown in names.items()},
        counts={shown: len(lists[name]) for name, shown in names.items()},
        secrets=secrets,
    )


def _head(items: Sequence[Any], secrets: Sequence[str], change: Callable[[Any], Any] | None) -> list[Any]:
    """Return the items up to the first one that does not fit into a result, or all of them."""
    if change is None:
        head, text = _until_full(items, dumps)
        if not may_need_cleaning(text, secrets):
            return head
    as_is = change or _unchanged
    return _until_full(items, lambda item: dumps(as_is(Cleaner(secrets).value(item))))[0]


def _until_full(items: Sequence[Any], written: Callable[[Any], str]) -> tuple[list[Any], str]:
    head, texts, size = list[Any](), list[str](), 0
    for item in items:
        text = written(item)
        head.append(item)
        texts.append(text)
        size += len(text) + 1
        if size > MAX_TEXT_BYTES:
            break
    return head, ",".join(texts)


def _unchanged(item: Any) -> Any:
    return item


def _cut_rows(value: dict[str, Any], parts: _Parts, offset: int | None) -> dict[str, Any]:
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
    if _HIDDEN in value:
        cut[_HIDDEN] = value[_HIDDEN] - parts.hidden_after(name, kept)
        if not cut[_HIDDEN]:
            del cut[_HIDDEN]
    if name == "rows":
        cut["rows_returned"] = kept
    if offset is not None:
        cut["next_offset"] = offset + kept
    cut["how_to_continue"] = _how_to_continue(value, name, kept, parts.counts[name], offset)
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
