"""A table of each kind, as the typed queries make them, with the marks of its answer."""

from collections.abc import Mapping
from typing import Any

from maton_posthog.tools.table import Table

DAYS = tuple(f"2026-11-{day:02d}" for day in range(10, 25))
HOSTILE = "<script>alert(1)</script>\u202egnp\x1b[2J datum.v ' \" \\ ${1} [0] .x https://elsewhere.example/x.png"
_STEP = ("step", "persons", "from_previous_percent", "from_first_percent", "median_s", "average_s")
_PERIODS = ("Day 1", "Day 2", "Day 3")

type Case = tuple[Table, Mapping[str, Any]]

TABLES: Mapping[str, Case] = {
    "line": (
        Table("time", ("day", "$pageview"), tuple((day, 100 + 7 * at % 40) for at, day in enumerate(DAYS))),
        {"range": ["2026-11-10", "2026-11-24"], "incomplete_last": "2026-11-24"},
    ),
    "compared": (
        Table("time", ("day", "a", "a before"), tuple((day, at, at + 2) for at, day in enumerate(DAYS))),
        {"incomplete_first": "2026-11-10"},
    ),
    "lifecycle": (
        Table(
            "time",
            ("day", "new", "returning", "resurrecting", "dormant"),
            tuple((day, 5 + at, 20, 3, -at - 4) for at, day in enumerate(DAYS)),
        ),
        {"incomplete_last": "2026-11-24"},
    ),
    "bars": (Table("bars", ("$browser", "value"), (("Chrome", 500), ("Safari", 70), ("(none)", 3))), {}),
    "bars_compared": (
        Table("bars", ("$browser", "value", "before", "change_percent"), (("Chrome", 500, 400, 25), ("x", 7, 0, None))),
        {},
    ),
    "stickiness": (Table("bars", ("active_days", "a", "b"), tuple((at, 90 // at, 30 // at) for at in range(1, 8))), {}),
    "histogram": (Table("histogram", ("from_s", "persons"), tuple((at * 5400, 60 - at) for at in range(20))), {}),
    "funnel": (
        Table("funnel", _STEP, (("$pageview", 900, None, 100, None, None), ("buy", 90, 10, 10, 33.5, 40))),
        {},
    ),
    "funnel_split": (
        Table(
            "funnel",
            ("$browser", *_STEP),
            tuple((at, step, 90 // n, None, None, None, None) for at in ("A", "B") for n, step in ((1, "a"), (3, "b"))),
        ),
        {},
    ),
    "retention": (
        Table(
            "retention",
            ("began", "size", *_PERIODS),
            ((DAYS[-3], 90, 40, 20, None), (DAYS[-2], 80, 30, None, None), (DAYS[-1], 9, None, None, None)),
        ),
        {"incomplete_last": DAYS[-1]},
    ),
    "retention_split": (
        Table(
            "retention",
            ("$browser", "began", "size", *_PERIODS),
            (("A", DAYS[0], 90, 40, 20, 9), ("B", "x", 9, 1, 1, 0)),
        ),
        {},
    ),
    "paths": (
        Table(
            "paths",
            ("step", "from", "to", "paths", "average_s"),
            (
                (1, "https://a.test/", "https://a.test/pricing", 40, 3),
                (2, "https://a.test/pricing", "https://a.test/", 9, 1),
            ),
        ),
        {},
    ),
}
