"""A table of each kind, as the typed queries make it, with the marks of its result."""

from collections.abc import Mapping
from typing import Any

from maton_posthog.tools.table import Column, Role, Table, dimension, series_columns

DAYS = tuple(f"2026-11-{day:02d}" for day in range(10, 25))
HOSTILE = "<script>alert(1)</script>\u202egnp\x1b[2J datum.v ' \" \\ ${1} [0] .x https://elsewhere.example/x.png"
_DAY = dimension("day", "day")
_BROWSER = dimension("$browser")
_TIMES = (Column("median_s", Role.DURATION), Column("average_s", Role.DURATION))
_STEP = (
    dimension("step"),
    Column("persons", Role.COUNT),
    Column("from_previous_percent", Role.SHARE),
    Column("from_first_percent", Role.SHARE),
    *_TIMES,
)
_COHORT = (dimension("began", "day"), Column("size", Role.COUNT), *series_columns(("Day 1", "Day 2", "Day 3")))
_STATUSES = [Column(name, Role.STATUS) for name in ("new", "returning", "resurrecting", "dormant")]
_TOTAL = Column("value", Role.VALUE)

type Case = tuple[Table, Mapping[str, Any]]

TABLES: Mapping[str, Case] = {
    "line": (
        Table(
            "time",
            (_DAY, *series_columns(["$pageview"])),
            tuple((day, 100 + 7 * at % 40) for at, day in enumerate(DAYS)),
        ),
        {"range": ["2026-11-10", "2026-11-24"], "incomplete_last": "2026-11-24"},
    ),
    "compared": (
        Table(
            "time",
            (_DAY, *series_columns("a"), Column("a before", Role.PREVIOUS, 0)),
            tuple((day, at, at + 2) for at, day in enumerate(DAYS)),
        ),
        {"incomplete_first": "2026-11-10"},
    ),
    "lifecycle": (
        Table(
            "time",
            (_DAY, *_STATUSES),
            tuple((day, 5 + at, 20, 3, -at - 4) for at, day in enumerate(DAYS)),
        ),
        {"incomplete_last": "2026-11-24"},
    ),
    "bars": (Table("bars", (_BROWSER, _TOTAL), (("Chrome", 500), ("Safari", 70), ("(none)", 3))), {}),
    "bars_compared": (
        Table(
            "bars",
            (_BROWSER, _TOTAL, Column("before", Role.PREVIOUS), Column("change_percent", Role.CHANGE)),
            (("Chrome", 500, 400, 25), ("x", 7, 0, None)),
        ),
        {},
    ),
    "stickiness": (
        Table(
            "bars",
            (dimension("active_days"), *series_columns("ab")),
            tuple((at, 90 // at, 30 // at) for at in range(1, 8)),
        ),
        {},
    ),
    "histogram": (
        Table(
            "histogram",
            (Column("from_s", Role.DURATION), Column("persons", Role.COUNT)),
            tuple((at * 5400, 60 - at) for at in range(20)),
        ),
        {},
    ),
    "funnel": (
        Table("funnel", _STEP, (("$pageview", 900, None, 100, None, None), ("buy", 90, 10, 10, 33.5, 40))),
        {},
    ),
    "funnel_split": (
        Table(
            "funnel",
            (_BROWSER, *_STEP),
            tuple((at, step, 90 // n, None, None, None, None) for at in ("A", "B") for n, step in ((1, "a"), (3, "b"))),
        ),
        {},
    ),
    "retention": (
        Table(
            "retention",
            _COHORT,
            ((DAYS[-3], 90, 40, 20, None), (DAYS[-2], 80, 30, None, None), (DAYS[-1], 9, None, None, None)),
        ),
        {"incomplete_last": DAYS[-1]},
    ),
    "retention_split": (
        Table(
            "retention",
            (_BROWSER, *_COHORT),
            (("A", DAYS[0], 90, 40, 20, 9), ("B", "x", 9, 1, 1, 0)),
        ),
        {},
    ),
    "paths": (
        Table(
            "paths",
            (dimension("step"), dimension("from"), dimension("to"), Column("paths", Role.COUNT), _TIMES[1]),
            (
                (1, "https://a.test/", "https://a.test/pricing", 40, 3),
                (2, "https://a.test/pricing", "https://a.test/", 9, 1),
            ),
        ),
        {},
    ),
}
