"""What an `$exception` event says: types, messages and stacks. Anyone can write into it, so nothing of its form is
taken for granted, and what has another form is left out.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...schemas.json import as_list, as_object, as_objects, is_list, is_object
from ...schemas.text import shortened
from ..table import given

_TOP, _MOST_FRAMES, _MOST_CAUSES = 5, 50, 3
_LONGEST_FRAME = 200
_PLACES = ("source", "filename", "abs_path", "module")
_LINES = ("line", "lineno")
_FUNCTIONS = ("resolved_name", "function", "mangled_name")
"""Names of the parts of a frame: those of PostHog, which resolves minified code, and those of SDKs."""


def first_exception(properties: Any, *, full: bool, messages: bool) -> dict[str, Any]:
    """Return `{"type", "message", "handled", "stack", "caused_by"}` of an event, the top of the stack first.

    The stack is its five topmost lines, those of the app if it has some; with `full` all lines. `messages` can contain
    data of a person.
    """
    found = as_objects(_parsed(as_object(_parsed(properties)).get("$exception_list")))
    if not found:
        return {}
    raised, *others = found
    stacked = next((one for one in found if _frames(one)), raised)
    shown = given(
        type=_text(raised.get("type")),
        message=_text(raised.get("value")) if messages else None,
        handled=_handled(raised),
        stack=_stack(_frames(stacked), full=full) or None,
        caused_by=[_named(one, messages=messages) for one in others[: None if full else _MOST_CAUSES]] or None,
    )
    return shown if full else shortened(shown)


def release_in(value: Any) -> str | None:
    """Return the newest version in `$exception_releases`, a map of releases by their ids; another text is returned
    as it is: it is the version of an app.
    """
    parsed = _parsed(value)
    releases = list(parsed.values()) if is_object(parsed) else parsed if is_list(parsed) else None
    if releases is None:
        return _text(value)
    newest = max([*as_objects(releases), dict[str, Any]()], key=_made_at)
    return _text(newest.get("version")) or _text(
        as_object(as_object(newest.get("metadata")).get("git")).get("commit_id")
    )


def _made_at(release: Mapping[str, Any]) -> str:
    return str(release.get("timestamp") or release.get("created_at") or "")


def _parsed(value: Any) -> Any:
    """Return JSON text as its value; anything else is returned unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _text(value: object) -> str | None:
    return str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value != "" else None


def _first(values: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((text for name in names if (text := _text(values.get(name)))), None)


def _handled(exception: Mapping[str, Any]) -> bool | None:
    handled = as_object(exception.get("mechanism")).get("handled")
    return handled if isinstance(handled, bool) else None


def _named(exception: Mapping[str, Any], *, messages: bool) -> str:
    parts = [_text(exception.get("type")), _text(exception.get("value")) if messages else None]
    return ": ".join(part for part in parts if part)


def _frames(exception: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the frames of an exception, the top first: PostHog has it last."""
    return as_objects(as_list(as_object(exception.get("stacktrace")).get("frames")))[::-1]


def _stack(frames: Sequence[Mapping[str, Any]], *, full: bool) -> list[str]:
    own = [frame for frame in frames if frame.get("in_app") is True]
    shown = frames[:_MOST_FRAMES] if full else (own or frames)[:_TOP]
    return shortened([line for frame in shown if (line := _line(frame))], _LONGEST_FRAME)


def _line(frame: Mapping[str, Any]) -> str:
    """Return `file:line function`."""
    place, line, function = _first(frame, _PLACES), _first(frame, _LINES), _first(frame, _FUNCTIONS)
    return " ".join(part for part in (f"{place or '?'}{f':{line}' if line else ''}", function) if part)
