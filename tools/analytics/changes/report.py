"""The result of an explanation: short whatever the data are, and never a cause, only what a part explains."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ....schemas.privacy import SMALLEST_GROUP, Privacy
from ....schemas.privacy.names import Subject, kind_of
from ....schemas.text import excerpt
from ...table import change as change_percent
from ...table import number, percent
from .causes import NONE, Explanation, NumberChange, Where
from .counts import Counts
from .dimensions import AUTOMATED, NEW
from .happenings import Happening
from .metric import MeasuredNumber
from .queries import Around
from .windows import Windows

_LONGEST_VALUE, _LONGEST_NAME = 60, 40
_MOST_EFFECTS, _MOST_HAPPENINGS, _MOST_ALIKE = 4, 5, 1
_LONGEST_HAPPENING = 90
_MOST_LIBRARIES = 3
_LEAST_SHARE = 0.1
_BUDGET = 2000
"""What the result may weigh: about 800 tokens."""
_NOTICEABLE = 10.0
"""Percent by which something around has to differ."""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that is known of a change."""

    metric: MeasuredNumber
    windows: Windows
    change: NumberChange
    effects: Sequence[Explanation] = ()
    since: datetime | None = None
    until: datetime | None = None
    """The end of the stretch that differs, when it ended within the period."""
    around: Around | None = None
    happenings: Sequence[Happening] = ()
    people: tuple[float, float] | None = None
    """Persons in the period, and events of each."""
    notes: Sequence[str] = ()


def report(found: Found, privacy: Privacy) -> dict[str, Any]:
    """Return the result as JSON."""
    change, windows = found.change, found.windows
    shown: dict[str, Any] = {
        "number": _short(found.metric.label, 120),
        "range": windows.period.shown,
        "value": _amount(change.actual, change),
        "expected": _amount(change.baseline.expected, change),
        "expected_range": [_amount(one, change) for one in _band(found)],
        "real": change.is_real,
    }
    if not change.is_rate and change.baseline.expected:
        shown["change_percent"] = change_percent(change.baseline.expected, change.actual)
    compared = f"{len(change.baseline.weights)} periods before, on the same weekdays"
    left_out = sum(1 for weight in change.baseline.weights if not weight)
    shown["compared_with"] = compared + (f"; {left_out} unusual left out" if left_out else "")
    if not change.is_real and not found.effects:
        shown["summary"] = "Nothing real: the value is within its expected range."
        return _with_notes(shown, found.notes)
    if not change.is_real:
        shown["summary"] = "The whole is within its expected range; these parts are not."
    if found.since:
        shown["since"] = _time(found.since)
    if found.until:
        shown["ended"] = _time(found.until)
    effects = [one for one in found.effects if _is_shown(one, change) and _is_large(one, privacy)]
    shown["explained_by" if change.is_real else "changed_parts"] = [
        _effect(one, change, privacy) for one in effects[:_MOST_EFFECTS]
    ]
    if found.around:
        shown |= _around(found.around, change)
    if found.happenings:
        shown["at_that_time"] = [
            {"what": _short(one.what, _LONGEST_HAPPENING), "at": _minute(one.at)}
            for one in found.happenings[:_MOST_HAPPENINGS]
        ]
    return fitted(_with_notes(shown, found.notes))


def fitted(shown: dict[str, Any]) -> dict[str, Any]:
    """Return the result without the last parts of its lists, until it is short enough."""
    while _weight(shown) > _BUDGET:
        lists = [
            name for name in ("at_that_time", "explained_by", "changed_parts", "notes") if len(shown.get(name, ())) > 1
        ]
        if not lists:
            break
        shown = {**shown, lists[0]: shown[lists[0]][:-1]}
    return shown


def _short(text: str, most: int) -> str:
    """Return the beginning of a foreign text. Scripts with several bytes for a character get fewer characters."""
    line = excerpt(text, most)
    while len(line.encode("utf-8", "replace")) > 1.5 * most:
        line = f"{line[: max(len(line) * 3 // 4 - 1, 1)]}…"
    return line


def _weight(shown: Mapping[str, Any]) -> float:
    """Return about the tokens times 2.5: other scripts need more tokens for a character."""
    text = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    return sum(1.0 if character < "\x80" else 2.5 * len(character.encode("utf-8", "replace")) / 2 for character in text)


def _with_notes(shown: dict[str, Any], notes: Sequence[str]) -> dict[str, Any]:
    return shown | ({"notes": list(notes)} if notes else {})


def _is_shown(effect: Explanation, change: NumberChange) -> bool:
    return effect.share >= _LEAST_SHARE or not change.is_real


def _is_large(effect: Explanation, privacy: Privacy) -> bool:
    """Return whether a part can be shown where only groups are."""
    return not privacy.aggregate_only or not effect.where or max(effect.actual, effect.expected) >= SMALLEST_GROUP


def _effect(effect: Explanation, change: NumberChange, privacy: Privacy) -> dict[str, Any]:
    where = where_shown(effect.where, privacy)
    match effect.kind:
        case "everywhere":
            shown: dict[str, Any] = {"what": "all values of all dimensions alike"}
        case "mix":
            shown = {
                "what": "mix: this part's share of all changed, at its own rate",
                "where": where,
                "share_percent": percent(effect.actual, 1.0),
                "share_before_percent": percent(effect.expected, 1.0),
            }
        case "release":
            shown = {"what": "release that first appears in the period; numbers of all its versions", "where": where}
        case "property_missing":
            shown = {"what": "tracking: a property that the number needs is missing", "where": where}
        case _:
            shown = {"where": where}
    if effect.kind != "mix":
        shown |= {"value": _amount(effect.actual, change), "expected": _amount(effect.expected, change)}
    if change.is_real:
        shown["explains_percent"] = number(round(100 * effect.share))
    if effect.alike:
        shown["same_numbers"] = [where_shown(one, privacy) for one in effect.alike[:_MOST_ALIKE]]
    return shown


def where_shown(where: Where, privacy: Privacy) -> dict[str, str]:
    """Return the values of a part as they can be shown."""
    return {_short(name, _LONGEST_NAME): _value(name, value, privacy) for name, value in where}


def _value(name: str, value: str, privacy: Privacy) -> str:
    if value == NONE:
        return "(none)"
    if privacy.pseudonyms and name not in (NEW, AUTOMATED):
        kind: Subject | None = kind_of(name.rpartition(".")[2], of_person=True)
        value = str(privacy.pseudonyms.whole(kind, value)) if kind else privacy.pseudonyms.text(value)
    return _short(value, _LONGEST_VALUE)


def _around(around: Around, change: NumberChange) -> dict[str, Any]:
    """Return what else differs from what was expected, by more than a tenth."""
    shown: dict[str, Any] = {}
    whole = _differs(around.everything, change)
    if whole is not None:
        shown["all_events_percent"] = whole
    libraries = {
        _short(name or "(none)", _LONGEST_NAME): differs
        for name, cell in around.libraries.items()
        if (differs := _differs(cell, change)) is not None and abs(differs) >= 2 * _NOTICEABLE
    }
    if libraries:
        most = sorted(libraries, key=lambda name: -abs(libraries[name]))[:_MOST_LIBRARIES]
        shown["all_events_by_library_percent"] = {name: libraries[name] for name in most}
    errors = change.baseline.mean(around.errors.counts[1:])
    if around.errors.counts[0] > 1.5 * errors + 5:
        shown["errors"] = {
            "value": number(around.errors.counts[0]),
            "expected": number(round(errors, 1)),
            "new": [_short(kind, _LONGEST_VALUE) for kind in around.error_types[:3]],
        }
    return shown


def _band(found: Found) -> tuple[float, float]:
    """Return the numbers that chance can reach: a conversion is at most 1."""
    low, high = found.change.baseline.band
    return low, min(high, 1.0) if found.metric.steps else high


def _differs(cell: Counts, change: NumberChange) -> float | None:
    """Return the change of a volume in percent; None when it is small or nothing was expected."""
    expected = change.baseline.mean(cell.counts[1:])
    differs = 100 * (cell.counts[0] - expected) / expected if expected >= 20 else 0.0
    return round(differs, 1) if abs(differs) >= _NOTICEABLE else None


def _amount(value: float, change: NumberChange) -> int | float | None:
    if change.is_rate:
        return number(round(value, 4))
    return number(round(value, 1 if value < 100 else 0))


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"


def _time(moment: datetime) -> str:
    return _minute(moment).removesuffix(" 00:00")
