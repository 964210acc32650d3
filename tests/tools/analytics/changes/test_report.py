"""The result of an explanation is short whatever the data are, and shows what the operator allows."""

import json
from datetime import UTC, date, datetime

import pytest

from maton_posthog.schemas.privacy import Privacy
from maton_posthog.schemas.privacy.pseudonyms import Pseudonyms
from maton_posthog.tools.analytics.changes.causes import Explanation, NumberChange
from maton_posthog.tools.analytics.changes.counts import Counts
from maton_posthog.tools.analytics.changes.happenings import Happening
from maton_posthog.tools.analytics.changes.metric import MeasuredNumber
from maton_posthog.tools.analytics.changes.queries import Around
from maton_posthog.tools.analytics.changes.report import Found, report
from maton_posthog.tools.analytics.changes.statistics import counted_baseline
from maton_posthog.tools.analytics.changes.windows import windows_of
from tests.questions.asking import count_tokens

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
MOST_TOKENS = 900
ABOUT_THE_CALL = 110
"""Tokens of project, connection and budget."""
TEXTS = ("purchase", "用户购买已完成的页面" * 30, "🧑‍🚀🛰️" * 60, "ქართული ენა " * 40, "x" * 5000, '\\"\n' * 200)


def found(text: str, *, actual: float = 10.0) -> Found:
    cell = Counts((actual, *[100.0] * 8))
    baseline = counted_baseline(cell.counts[1:])
    assert baseline
    where = ((f"{text} a", text), (f"{text} b", text))
    effects = [Explanation(where, 1.0, 50.0, 0.6, 40.0, alike=(where, where)) for _ in range(12)]
    windows = windows_of(None, None, now=NOW, zone=UTC)
    volume = Around(cell, {f"{text}{at}": cell for at in range(8)}, Counts((900.0, *[1.0] * 8)), (text,) * 9, {}, cell)
    return Found(
        MeasuredNumber(label=text, number="1", where=""), windows, NumberChange(cell, baseline, 1.0), effects,
        windows.period.start, windows.period.end, volume, [Happening(text[:80], NOW)] * 9,
        notes=["Not read: flags, experiments."] * 3,
    )  # fmt: skip


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_the_result_has_at_most_900_tokens_in_the_worst_case(text: str) -> None:
    shown = report(found(text), Privacy())
    written = json.dumps(shown, ensure_ascii=False, separators=(",", ":"))
    assert count_tokens(written) <= MOST_TOKENS - ABOUT_THE_CALL
    assert shown["real"] is True
    assert shown["explained_by"]


def test_a_value_within_the_band_is_nothing_real() -> None:
    quiet = found("purchase", actual=104.0)
    shown = report(Found(quiet.metric, quiet.windows, quiet.change), Privacy())
    assert (shown["real"], shown["value"], shown["expected"]) == (False, 104, 100)
    assert shown["summary"].startswith("Nothing real")
    assert "explained_by" not in shown


@pytest.mark.parametrize(
    ("start", "end", "shown"),
    [
        (None, None, ["2026-11-16", "2026-11-22"]),
        (date(2026, 11, 16), date(2026, 11, 16), ["2026-11-16", "2026-11-16"]),
        (datetime(2026, 11, 22, 9, tzinfo=UTC), datetime(2026, 11, 22, 11, 59, 59, tzinfo=UTC),
         ["2026-11-22 09:00", "2026-11-22 11:59"]),
    ],
)  # fmt: skip
def test_the_range_ends_with_what_is_counted(start: date | None, end: date | None, shown: list[str]) -> None:
    one = found("purchase")
    windows = windows_of(start, end, now=NOW, zone=UTC)
    assert report(Found(one.metric, windows, one.change), Privacy())["range"] == shown


def test_no_cause_is_claimed() -> None:
    text = json.dumps(report(found("purchase"), Privacy()))
    assert "explains_percent" in text
    assert "cause" not in text


def test_values_of_persons_are_pseudonyms_with_redact() -> None:
    effect = Explanation((("person.email", "zebulon@corp.example"),), 1.0, 50.0, 0.6, 40.0)
    one = found("purchase")
    shown = report(Found(one.metric, one.windows, one.change, [effect]), Privacy(Pseudonyms(b"k" * 32)))
    assert "zebulon" not in json.dumps(shown)


def test_small_parts_are_not_told_with_aggregate_only() -> None:
    small, large = (Explanation((("plan", name),), size, 0.0, 0.6, 9.0) for name, size in (("a", 3.0), ("b", 9.0)))
    one = found("purchase")
    shown = report(Found(one.metric, one.windows, one.change, [small, large]), Privacy(aggregate_only=True))
    assert [each["where"] for each in shown["explained_by"]] == [{"plan": "b"}]
