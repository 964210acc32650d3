"""ExperimentExposureQuery: exposures to each variant by day, and a test of their shares."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from anyio import to_thread

from ...errors import invalid
from ...http.routing import Call
from ...queries.project import Project
from ...queries.running import response_fields
from ...values import Row, as_object, objects
from ..requests import malformed_query, options
from ..running import Session
from .distributions import chi_squared_above
from .request import MULTIPLE, Exposures, analysis_window, flag_variants, read_exposures, read_moment, stored_experiment

_MOST_ROWS = 5000
_FEWEST_FOR_SHARES = 100
_BIASED_PERCENT = 0.1


async def experiment_exposure_query(call: Call, query: Row, project: Project) -> Row:
    """Return `timeseries` (cumulative by day), `total_exposures` by variant and `date_range`. Raises ApiError 400."""
    exposures = await to_thread.run_sync(_read, call, query, project)
    zone = ZoneInfo(project.context.timezone)
    started, ended = (read_moment(query.get(name), name, zone) for name in ("start_date", "end_date"))
    rows = await Session(call, project).rows(_query(exposures)) if started else []
    # PostHog cuts the days of a running experiment in its servers' time zone, UTC.
    days = _days(started, (ended or project.scope.now).date()) if started else []
    series = _series(rows, days, exposures)
    totals = {found["variant"]: found["exposure_counts"][-1] for found in series if days}
    flag = options(query, "feature_flag")
    return {
        **response_fields(call, query, project),
        "kind": "ExperimentExposureQuery",
        "timeseries": series,
        "total_exposures": totals,
        "date_range": {
            "date_from": None if started is None else started.isoformat(),
            "date_to": None if ended is None or started is None else ended.isoformat(),
            "explicitDate": True,
        },
        "sample_ratio_mismatch": _mismatch(_shares(flag, query), totals),
        "bias_risk": None if ended or exposures.first_seen else _bias_risk(_shares(flag, {}), totals),
        "query_status": None,
    }


def _read(call: Call, query: Row, project: Project) -> Exposures:
    for name in ("experiment_name", "feature_flag", "start_date", "end_date"):
        if name not in query:
            raise malformed_query(name, "Field required")
    flag = options(query, "feature_flag")
    _, stored = stored_experiment(call, query)
    if not isinstance(flag.get("key"), str) or not flag["key"]:
        raise invalid("feature_flag key is required")
    start, end = analysis_window(project, query["start_date"], query["end_date"])
    return read_exposures(
        call,
        project,
        flag={**flag, "key": stored["key"]},
        criteria=options(query, "exposure_criteria"),
        start=start,
        end=end,
    )


def _query(exposures: Exposures) -> str:
    """Return HogQL for the number of entities first exposed on each day, by variant."""
    return (
        f"SELECT toDate(experiment_first) AS day, experiment_variant, count() FROM ({exposures.query()}) "
        f"GROUP BY day, experiment_variant ORDER BY day LIMIT {_MOST_ROWS}"
    )


def _days(start: datetime, last: date) -> list[str]:
    first = start.date()
    return [(first + timedelta(days=past)).isoformat() for past in range((last - first).days + 1)]


def _series(rows: list[list[Any]], days: list[str], exposures: Exposures) -> list[Row]:
    """Return the variants in the flag's order, `$multiple` last; nothing for an experiment that has not started."""
    counts = {(str(day)[:10], str(variant)): int(count) for day, variant, count in rows}
    seen = {variant for day, variant in counts if day in set(days)}
    names = [*exposures.variants, *([MULTIPLE] if MULTIPLE in seen else [])]
    return [_one(variant, days, counts) for variant in names if days]


def _one(variant: str, days: list[str], counts: dict[tuple[str, str], int]) -> Row:
    total = 0
    cumulative = list[float]()
    for day in days:
        total += counts.get((day, variant), 0)
        cumulative.append(float(total))
    return {"variant": variant, "days": days, "exposure_counts": cumulative}


def _shares(flag: Row, query: Row) -> dict[str, float]:
    """Return the rollout percentage of each variant; a holdout reduces all of them."""
    multivariate = as_object((as_object(flag.get("filters")) or {}).get("multivariate")) or {}
    variants = objects(multivariate.get("variants"))
    held = objects((as_object(query.get("holdout")) or {}).get("filters"))
    left = 1 - float((held[0].get("rollout_percentage") if held else 0) or 0) / 100
    keys = flag_variants(flag)
    return {
        key: float(variant.get("rollout_percentage") or 0) * left for key, variant in zip(keys, variants, strict=True)
    }


def _mismatch(shares: dict[str, float], totals: dict[str, float]) -> Row | None:
    """Test the exposures against the flag's rollout with a chi-squared test."""
    rolled_out = {key: share for key, share in shares.items() if share > 0}
    observed = sum(totals.get(key, 0) for key in rolled_out)
    if observed < _FEWEST_FOR_SHARES or len(rolled_out) < 2:
        return None
    expected = {key: share / sum(rolled_out.values()) * observed for key, share in rolled_out.items()}
    statistic = sum((totals.get(key, 0) - wanted) ** 2 / wanted for key, wanted in expected.items())
    return {"expected": expected, "p_value": chi_squared_above(statistic, len(expected) - 1)}


def _bias_risk(shares: dict[str, float], totals: dict[str, float]) -> Row | None:
    """Return the bias risk of excluding users with several variants: uneven splits with more than a few of them."""
    everybody = sum(totals.values())
    several = totals.get(MULTIPLE, 0)
    if not everybody or list(shares.values()) == _even_shares(len(shares)):
        return None
    percent = several / everybody * 100
    return {"multiple_variant_percentage": percent} if percent > _BIASED_PERCENT else None


def _even_shares(count: int) -> list[float]:
    """Return PostHog's default percentages: 34, 33, 33 for three variants."""
    return [100 // count + (place < 100 % count) for place in range(count)]
