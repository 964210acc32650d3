"""Results of experiments, surveys, insights and dashboards against a sandbox in a separate process, compared with the
same numbers counted in plain Python.
"""

from collections import Counter, defaultdict
from collections.abc import Generator
from typing import Any

import pytest

from ..posthog.live import NOW, LiveSandbox, running_sandbox

pytestmark = pytest.mark.anyio

UNTIL = f"timestamp <= toDateTime('{NOW:%Y-%m-%d %H:%M:%S}')"


@pytest.fixture(scope="module")
def sandbox() -> Generator[LiveSandbox]:
    with running_sandbox(60_000) as running:
        yield running


async def test_the_demo_experiment_matches_its_events_and_is_won(sandbox: LiveSandbox) -> None:
    listed = await sandbox.call("list_experiments")
    (one,) = [row for row in listed["experiments"] if row["status"] == "running"]
    shown = await sandbox.call("get_experiment_results", experiment_id=one["id"])
    called = await sandbox.rows(
        "SELECT toString(person_id), properties.$feature_flag_response, toString(timestamp) FROM events WHERE "
        f"event = '$feature_flag_called' AND properties.$feature_flag = '{one['feature_flag_key']}' AND {UNTIL} "
        f"AND timestamp >= toDateTime('{one['start_date'][:19].replace('T', ' ')}') "
        "AND NOT ifNull(person.properties.email, '') ILIKE '%@quillboard.example%'"  # the project's test accounts
    )
    bought = await sandbox.rows(
        f"SELECT toString(person_id), toString(timestamp) FROM events WHERE event = 'purchase_completed' AND {UNTIL}"
    )
    variants: dict[str, set[str]] = defaultdict(set)
    first: dict[str, str] = {}
    for person, variant, at in called:
        variants[person].add(variant)
        first[person] = min(at, first.get(person, at))
    exposed = Counter(next(iter(seen)) for seen in variants.values() if len(seen) == 1)
    buyers = {person for person, at in bought if person in first and at >= first[person]}
    converted = Counter(next(iter(variants[person])) for person in buyers if len(variants[person]) == 1)
    assert {row[0]: row[1] for row in shown["exposures"]["rows"] if row[0] != "$multiple"} == exposed
    (metric,) = shown["metrics"]
    control, test = ({"control": row, "test": row}[row[0]] for row in metric["rows"])
    for row in (control, test):
        assert row[1:4] == [
            exposed[row[0]],
            converted[row[0]],
            round(100 * converted[row[0]] / exposed[row[0]], 2),
        ]
    lift = (converted["test"] / exposed["test"]) / (converted["control"] / exposed["control"]) - 1
    assert test[4] == pytest.approx(100 * lift, abs=0.06)
    assert test[5] < test[4] < test[6]
    assert test[7] > 95
    assert shown["verdict"] == {"conclusive": True, "outcomes": ["test wins on Purchases"]}


async def test_a_draft_and_an_experiment_without_exposures_are_inconclusive(sandbox: LiveSandbox) -> None:
    listed: list[dict[str, Any]] = (await sandbox.call("list_experiments", status="all"))["experiments"]
    said = {
        row["status"]: (await sandbox.call("get_experiment_results", experiment_id=row["id"]))["verdict"]
        for row in listed
    }
    assert "draft" in said["draft"]["reasons"][0]
    assert "No users were exposed" in said["stopped"]["reasons"][0]
    assert said["draft"]["conclusive"] is said["stopped"]["conclusive"] is False


async def test_survey_stats_match_the_events(sandbox: LiveSandbox) -> None:
    (one,) = (await sandbox.call("list_surveys"))["surveys"]
    shown = await sandbox.call("get_survey_stats", survey_id=one["id"])
    found = await sandbox.rows(
        "SELECT event, toString(person_id), toFloat(properties.$survey_response), properties.$survey_response_1 "
        f"FROM events WHERE event LIKE 'survey %' AND properties.$survey_id = '{one['id']}' AND {UNTIL}"
    )
    times = Counter(event for event, *_ in found)
    assert [row[1] for row in shown["rows"]] == [times[f"survey {what}"] for what in ("shown", "dismissed", "sent")]
    assert shown["response_rate_percent"] == round(100 * times["survey sent"] / times["survey shown"], 2)
    scores = [score for event, _, score, _ in found if event == "survey sent"]
    rating, reason = shown["questions"]
    assert rating["answered"] == len(scores) > 20
    assert rating["average"] == round(sum(scores) / len(scores), 2)
    assert {float(score): count for score, count in rating["counts"].items()} == Counter(scores)
    net = sum((score >= 9) - (score <= 6) for score in scores)
    assert rating["nps"]["score"] == round(100 * net / len(scores), 1)
    assert reason["answered"] == sum(bool(text) for event, *_, text in found if event == "survey sent")
    assert 1 <= len(reason["respondents_wrote"]) <= 5


async def test_survey_stats_for_a_date_range_count_only_that_range(sandbox: LiveSandbox) -> None:
    (one,) = (await sandbox.call("list_surveys"))["surveys"]
    shown = await sandbox.call("get_survey_stats", survey_id=one["id"], date_from="2026-10-10", date_to="2026-11-05")
    found = await sandbox.rows(
        f"SELECT event FROM events WHERE properties.$survey_id = '{one['id']}' "
        "AND toDate(timestamp) BETWEEN '2026-10-10' AND '2026-11-05'"
    )
    times = Counter(event for (event,) in found)
    assert [row[1] for row in shown["rows"]] == [times[f"survey {what}"] for what in ("shown", "dismissed", "sent")]
    assert shown["questions"][0]["answered"] == times["survey sent"] > 0


async def test_a_stored_insight_shows_the_numbers_of_its_typed_query(sandbox: LiveSandbox) -> None:
    listed = (await sandbox.call("list_insights"))["insights"]
    ids = {row["name"]: row["id"] for row in listed}
    assert "note" in await sandbox.call("get_insight", insight_id=ids["Daily active users"])
    asked = {
        "Daily active users": ("query_trends", {"events": "$pageview", "math": "dau", "date_from": "-30d"}),
        "Revenue by day": (
            "query_trends",
            {"events": "purchase_completed", "math": "sum", "property": "revenue", "date_from": "-30d"},
        ),
        "Sign-up to purchase": ("query_funnel", {"steps": ["$pageview", "signed_up", "purchase_completed"]}),
        "Weekly retention": ("query_retention", {"event": "$pageview", "period": "Week"}),
        "Days of use": ("query_stickiness", {"events": "task_created"}),
        "New, returning, resurrecting and dormant users": (
            "query_lifecycle",
            {"event": "$pageview", "interval": "week"},
        ),
    }
    for name, (tool, arguments) in asked.items():
        stored = await sandbox.call("get_insight", insight_id=ids[name], refresh=True)
        typed = await sandbox.call(tool, **arguments)
        same = ("columns", "rows", "facts", "range", "incomplete_last", "notes")
        assert {part: stored.get(part) for part in same} == {part: typed.get(part) for part in same}, name
        assert stored["headline"]["value"] is not None, name


async def test_a_dashboard_shows_the_headlines_of_its_insights(sandbox: LiveSandbox) -> None:
    (one,) = [row for row in (await sandbox.call("list_dashboards"))["dashboards"] if row["name"] == "Revenue"]
    shown = await sandbox.call("get_dashboard", dashboard_id=one["id"], refresh=True)
    revenue, browsers = (dict(zip(shown["columns"], row, strict=True)) for row in shown["rows"])
    ((total, number),) = await sandbox.rows(
        "SELECT sum(toFloat(properties.revenue)), uniq(properties.$browser) FROM events WHERE "
        "event = 'purchase_completed' AND toDate(timestamp) >= '2026-10-24' AND toDate(timestamp) <= '2026-11-23'"
    )
    assert (revenue["insight"], revenue["what"]) == ("Revenue by day", "purchase_completed (sum of revenue): total")
    assert revenue["value"] == pytest.approx(total)
    assert (browsers["what"], browsers["value"]) == ("rows", number)
    kept = await sandbox.call("get_dashboard", dashboard_id=one["id"], numbers=True)
    assert [row[:4] for row in kept["rows"]] == [row[:4] for row in shown["rows"]]


async def test_an_insight_of_sql_has_the_rows_of_the_query(sandbox: LiveSandbox) -> None:
    sql = "SELECT event, count() FROM events WHERE event != {name} GROUP BY event ORDER BY event"
    asked = {"query": sql, "values": {"name": "$pageview"}, "limit": 3}
    shown = await sandbox.call("run_hogql", **asked)
    saved = await sandbox.call("create_insight", name="Events", query={"tool": "run_hogql", "arguments": asked})
    stored = await sandbox.call("get_insight", insight_id=saved["id"], refresh=True)
    assert (stored["columns"], stored["rows"]) == (shown["columns"], shown["rows"])
