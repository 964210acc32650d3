"""The one measure of whether a name is a misspelling of another: `serach` is `search`, `status` is not `tags`."""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice, takewhile

CLOSE = 0.75
"""The share of equal characters from which two names are near."""
_LONGEST = 100
_MOST_KNOWN = 10_000
"""The time of a comparison grows with the length of the name and the number of known names."""
_LEAST_PART, _LEAST_PREFIX = 4, 6


def near(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Return up to `most` known names that `name` probably means, best first; none if none is near."""
    wanted = _bare(name[:_LONGEST])
    by_bare: dict[str, str] = {}
    for one in islice(dict.fromkeys(known), _MOST_KNOWN):
        by_bare.setdefault(_bare(one), one)
    found = [by_bare[wanted]] if wanted in by_bare else []
    found += [by_bare[one] for one in get_close_matches(wanted, by_bare, n=most, cutoff=CLOSE)]
    if len(wanted) >= _LEAST_PART:
        found += sorted((one for bare, one in by_bare.items() if wanted in bare or _begin_alike(wanted, bare)), key=len)
    return list(dict.fromkeys(found))[:most]


def _begin_alike(one: str, other: str) -> bool:
    """Return whether most of the shorter name is the beginning of both: `purchased` and `purchase_completed`."""
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    return shared >= _LEAST_PREFIX and shared >= CLOSE * min(len(one), len(other))


def _bare(name: str) -> str:
    """Return a name in one form for all conventions: `date_from`, `dateFrom`, `Date from`."""
    return "".join(filter(str.isalnum, name.casefold())) or name.casefold()
