"""The verdict on an experiment: whether its numbers are conclusive, and the reasons if they are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...schemas.experiments.results import ExperimentSource, ExposureAnswer
from ...schemas.json import as_object, as_objects
from ...schemas.measures import moment_of
from ...schemas.text import named
from ..table import given, number, percent
from .metrics import Reading

MULTIPLE = "$multiple"
"""PostHog's key for users who saw more than one variant; by default they are in no other."""
_NO_VARIANTS = (MULTIPLE, "holdout-")
"""Prefixes of keys that are counted but are not variants."""
FEWEST_EXPOSURES = 50
"""The fewest exposures of a variant for PostHog's statistics."""
MISMATCH = 0.001
"""The p-value of the shares below which PostHog warns of a sample ratio mismatch."""
_MANY = 4
"""Comparisons at 95 % of which one differs by chance in about one experiment of five."""
_WEEK_DAYS = 7
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Shares:
    """Exposures by variant, and whether their shares are those of the flag."""

    counts: Mapping[str, float]
    expected: Mapping[str, float]
    p_value: float | None
    biased_percent: float | None

    @classmethod
    def read(cls, answer: ExposureAnswer, experiment: ExperimentSource) -> "Shares":
        ratio, bias = answer.sample_ratio_mismatch, answer.bias_risk
        return cls(
            answer.total_exposures or {},
            _rollout(experiment),
            ratio.p_value if ratio else None,
            bias.multiple_variant_percentage if bias else None,
        )

    @property
    def is_mismatch(self) -> bool:
        return self.p_value is not None and self.p_value < MISMATCH

    def _is_variant(self, key: str) -> bool:
        return key in self.expected if self.expected else key != MULTIPLE

    def as_json(self) -> dict[str, Any]:
        """Return `{"columns", "rows", "sample_ratio_p_value", "sample_ratio_mismatch"}`."""
        whole = sum(count for key, count in self.counts.items() if self._is_variant(key))
        rows = [
            [
                key,
                number(count),
                percent(count, whole) if self._is_variant(key) else None,
                number(self.expected[key]) if key in self.expected else None,
            ]
            for key, count in self.counts.items()
        ]
        shown: dict[str, Any] = {"columns": ("variant", "exposed", "share_percent", "expected_percent"), "rows": rows}
        if self.p_value is not None:
            shown |= {"sample_ratio_p_value": number(self.p_value), "sample_ratio_mismatch": self.is_mismatch}
        return shown


def days_run(start: str, end: str | None, now: datetime) -> float:
    """Return the days from the start of an experiment to its end, or to now."""
    return ((moment_of(end) if end else now) - moment_of(start)).total_seconds() / _DAY_S


def draft() -> dict[str, Any]:
    """Return the verdict on an experiment that never ran."""
    return {
        "conclusive": False,
        "reasons": ["It is a draft that no users have seen. update_experiment with start_date launches it."],
    }


def verdict(experiment: ExperimentSource, shares: Shares, readings: Sequence[Reading], days: float) -> dict[str, Any]:
    """Return `{"conclusive", "outcomes", "reasons"}`: conclusive without reasons against it, when a primary metric
    differs significantly.
    """
    ended = experiment.end_date is not None
    judged = [reading for reading in readings if reading.metric.is_primary]
    reasons = [*_of_shares(shares), *_of_time(days, ended=ended), *_of_metrics(readings, judged, ended=ended)]
    outcomes = [
        f"{named(key)} {outcome} on {named(reading.metric.name)}"
        for reading in judged
        for key, outcome in reading.outcomes.items()
        if outcome != "undecided"
    ]
    return {
        "conclusive": not reasons and bool(outcomes),
        **given(outcomes=outcomes or None, reasons=reasons or None),
    }


def notes(
    experiment: ExperimentSource, shares: Shares, readings: Sequence[Reading], *, has_test_accounts: bool | None = None
) -> list[str]:
    """Return the notes that do not affect the verdict."""
    found: list[str] = []
    compared = sum(len(reading.outcomes) for reading in readings)
    if compared >= _MANY and any(outcome != "undecided" for one in readings for outcome in one.outcomes.values()):
        found.append(f"{compared} comparisons, each tested separately: one of them may differ by chance.")
    flag = experiment.feature_flag or {}
    if experiment.end_date is None and flag.get("active") is False:
        found.append("Its flag is off: no new users are exposed.")
    if several := shares.counts.get(MULTIPLE):
        found.append(f"{number(several)} users saw more than one variant ({MULTIPLE}) and are excluded.")
    if shares.biased_percent is not None:
        found.append(
            f"{round(shares.biased_percent, 1)} % of users saw more than one variant of an uneven split; "
            "excluding them biases the result."
        )
    gone = [key for key in shares.counts if key not in shares.expected and not key.startswith(_NO_VARIANTS)]
    if gone and shares.expected:
        found.append("Some exposures are of variants that the flag no longer has.")
    if (experiment.exposure_criteria or {}).get("filterTestAccounts") is True and has_test_accounts is not False:
        found.append("Test accounts are left out; the experiment's page in PostHog has the switch.")
    return found


def _of_shares(shares: Shares) -> list[str]:
    counted = {key: count for key, count in shares.counts.items() if key != MULTIPLE}
    if not any(counted.values()):
        return [
            "No users were exposed. Check that the flag is called ($feature_flag_called) and has the right variants."
        ]
    reasons: list[str] = []
    wanted = [key for key, share in shares.expected.items() if share > 0] or list(counted)
    few = [f"{named(key)} {number(counted.get(key, 0))}" for key in wanted if counted.get(key, 0) < FEWEST_EXPOSURES]
    if few:
        reasons.append(f"Too few exposures: {', '.join(few)}; PostHog needs {FEWEST_EXPOSURES} per variant.")
    if shares.is_mismatch:
        reasons.append(
            f"Sample ratio mismatch (p = {shares.p_value:.1g}): the variants do not get the shares that the flag gives "
            "out, so exposure or counting is broken and none of its numbers can be trusted. Find the cause first."
        )
    return reasons


def _of_time(days: float, *, ended: bool) -> list[str]:
    if days >= _WEEK_DAYS:
        return []
    tense = "It ran for" if ended else "It has run for"
    return [f"{tense} {days:.1f} days, less than a full week: day-of-week effects may skew the result."]


def _of_metrics(readings: Sequence[Reading], judged: Sequence[Reading], *, ended: bool) -> list[str]:
    if not readings:
        return ["It has no such metrics, so nothing is measured. update_experiment sets metrics."]
    if not judged:
        return ["Only secondary metrics were requested; they do not decide on their own."]
    reasons: list[str] = []
    lacking = list(dict.fromkeys(f"{named(one.metric.name)}: {lack}" for one in judged for lack in one.lacking))
    if lacking:
        reasons.append(f"PostHog has no verdict yet: {'; '.join(lacking[:5])}.")
    by_variant: dict[str, set[str]] = {}
    for reading in judged:
        for key, outcome in reading.outcomes.items():
            by_variant.setdefault(key, set()).add(outcome)
    torn = [key for key, outcomes in by_variant.items() if {"wins", "loses"} <= outcomes]
    if torn:
        reasons.append(
            f"{', '.join(map(named, torn))} wins on one primary metric and loses on another; weigh them yourself."
        )
    decided = any(outcome != "undecided" for outcomes in by_variant.values() for outcome in outcomes)
    if not decided and len(lacking) == 0:
        more = "it has ended, so it is inconclusive" if ended else "more exposures may decide it"
        reasons.append(f"Not significant on any primary metric; {more}.")
    return reasons


def _rollout(experiment: ExperimentSource) -> dict[str, float]:
    """Return the percentage that the flag gives each variant."""
    filters = as_object((experiment.feature_flag or {}).get("filters"))
    variants = as_objects(as_object(filters.get("multivariate")).get("variants"))
    return {str(one.get("key")): float(one.get("rollout_percentage") or 0) for one in variants}
