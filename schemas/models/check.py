"""The language of the models: a check finds the flaws of one value.

Scalars are read as PostHog reads them: `"7"` is an integer, and `"yes"` a boolean. Null is absent in every field.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches

from ..json import is_list, is_object
from .flaw import Flaw, within

type Check = Callable[[object], Iterator[Flaw]]

_TRUTHS = frozenset({"true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"})
_RELATIVE = re.compile(r"-?[0-9]{0,5}([hdwmqysM]|[hdmy](Start|End))")
_SHIFT = re.compile(r"-?[0-9]{1,5}[hdwmqyM]")
_UNPADDED = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_NEAR = 0.74
_NAME = 100
"""Longest part of a given name that is compared."""
_MOST_WORDS = 12


def anything(_: object) -> Iterator[Flaw]:
    """Accept every value."""
    yield from ()


def text(value: object) -> Iterator[Flaw]:
    """Accept a text."""
    if not isinstance(value, str):
        yield Flaw("must be a text")


def flag(value: object) -> Iterator[Flaw]:
    """Accept what PostHog reads as true or false."""
    known = value.casefold() in _TRUTHS if isinstance(value, str) else value in (0, 1)
    if not known:
        yield Flaw("must be true or false")


def number(value: object) -> Iterator[Flaw]:
    """Accept a number, also as text."""
    if _number(value) is None:
        yield Flaw("must be a number")


def whole(value: object) -> Iterator[Flaw]:
    """Accept an integer, also as text."""
    found = _number(value)
    if found is None or not found.is_integer():
        yield Flaw("must be an integer")


def date(value: object) -> Iterator[Flaw]:
    """Accept the dates that PostHog reads as they are written; it reads every other text as some date, too."""
    if not isinstance(value, str) or not (value == "all" or _is_date(value)):
        yield Flaw("must be an ISO 8601 date, all, or relative: -7d, -4w, -1m (months), dStart, -1mStart, -1mEnd")


def shift(value: object) -> Iterator[Flaw]:
    """Accept the distance to an earlier period."""
    if not isinstance(value, str) or not _SHIFT.fullmatch(value):
        yield Flaw("must be a shift such as -7d, -4w, -1m or -1y")


def word(*words: str | int) -> Check:
    """Return a check that accepts these words."""

    def check(value: object) -> Iterator[Flaw]:
        if isinstance(value, (str, int, float)) and not isinstance(value, bool) and value in words:
            return
        near = nearest(str(value), [str(one) for one in words]) if isinstance(value, str) else None
        listed = ", ".join([*map(str, words[:_MOST_WORDS]), *(["..."] if len(words) > _MOST_WORDS else [])])
        yield Flaw(f"must be {near}" if near else f"must be one of {listed}")

    return check


def listed(item: Check, *, most: int | None = None) -> Check:
    """Return a check that accepts a list of such items."""

    def check(value: object) -> Iterator[Flaw]:
        if not is_list(value):
            yield Flaw("must be a list")
            return
        if most is not None and len(value) > most:
            yield Flaw(f"must have at most {most} items")
        for at, one in enumerate(value):
            yield from within(item(one), at)

    return check


def keyed(item: Check) -> Check:
    """Return a check that accepts an object with any keys and such values."""

    def check(value: object) -> Iterator[Flaw]:
        if not is_object(value):
            yield Flaw("must be an object")
            return
        for name, one in value.items():
            yield from within(item(one), name)

    return check


def each(check: Check, names: str) -> dict[str, Check]:
    """Return fields of the same kind: `each(flag, "showLegend showTable")`."""
    return dict.fromkeys(names.split(), check)


@dataclass(frozen=True, slots=True)
class Model:
    """The fields of an object, of which `needs` are required. Unknown fields are flaws; `also` finds those of fields
    together.
    """

    name: str
    fields: Mapping[str, Check]
    needs: tuple[str, ...] = ()
    also: Callable[[Mapping[str, object]], Iterator[Flaw]] | None = None
    is_open: bool = False
    """True if PostHog adds fields that are not listed: only those near a known name are flaws."""

    def __call__(self, value: object) -> Iterator[Flaw]:
        """Yield the flaws of a value."""
        if not is_object(value):
            yield Flaw("must be an object")
            return
        for name, item in value.items():
            check = self.fields.get(name)
            if check is None:
                if not self.is_open or nearest(name, list(self.fields)):
                    yield Flaw(self._unknown(name), (name,))
            elif item is not None:
                yield from within(check(item), name)
        for name in self.needs:
            if value.get(name) is None:
                yield Flaw(f"needs `{name}`")
        if self.also is not None:
            yield from self.also(value)

    def place_of(self, name: str) -> str | None:
        """Return the path of a field of an object in this one."""
        for outer, check in self.fields.items():
            if isinstance(check, Model) and name in check.fields:
                return f"{outer}.{name}"
        return None

    def _unknown(self, name: str) -> str:
        if place := self.place_of(name):
            return f"is not a field of {self.name}; write {place}"
        near = nearest(name, list(self.fields))
        return f"is not a field of {self.name}{f' (did you mean {near}?)' if near else ''}"


def nearest(given: str, known: list[str]) -> str | None:
    """Return the known name that was probably meant; `from` is near `date_from`."""
    plain = {_plain(name): name for name in known}
    if (same := plain.get(_plain(given))) is not None:
        return same
    ending = [name for name in known if len(given) > 1 and name.endswith(f"_{given}")]
    if ending:
        return ending[0]
    near = get_close_matches(_plain(given)[:_NAME], list(plain), n=1, cutoff=_NEAR)
    return plain[near[0]] if near else None


def _plain(name: str) -> str:
    return name.replace("_", "").replace("-", "").replace(" ", "").casefold()


def _number(value: object) -> float | None:
    if isinstance(value, (str, int, float)):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return None
    return None


def _is_date(value: str) -> bool:
    if _RELATIVE.fullmatch(value) or _UNPADDED.fullmatch(value):
        return True
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
