"""The rows of a new sandbox, so that no list is empty and the events have matching objects."""

from contextlib import closing
from copy import deepcopy
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from .api.account import new_project
from .api.actions.resource import ACTIONS
from .api.annotations import ANNOTATIONS
from .api.cohorts.resource import COHORTS
from .api.dashboards.resource import DASHBOARDS
from .api.experiments.resource import EXPERIMENTS
from .api.flags.resource import FLAGS
from .api.insights.resource import INSIGHTS
from .api.surveys.resource import SURVEYS
from .dataset import Story, product
from .example_insights import example_insights
from .http.resource import Change, Resource, add_row, change_row
from .identity import DATA_PROJECT, PROJECT_NAMES, founded
from .maton.connections import move_connections, seed_connection
from .storage.store import Contents, Rows, Store
from .values import Row, timestamp

_ENDED_FLAG, _DRAFT_FLAG = "onboarding-checklist", "yearly-billing-first"


def fill(store: Store, story: Story, base_url: str) -> None:
    """Fill a store that has no projects yet; in a kept store only update the address it is served at."""
    with store.transaction() as rows:
        if rows.all("projects"):
            move_connections(rows, base_url)
        else:
            _fill(rows, story, base_url)


def refill(store: Store, story: Story, base_url: str) -> None:
    """Replace all rows by those of a new sandbox."""
    with store.transaction() as rows:
        _fill(rows, story, base_url)


def _fill(rows: Rows, story: Story, base_url: str) -> None:
    rows.replace(_first_rows(story))
    seed_connection(rows, founded(_midnight(story.today)), base_url)


@lru_cache(1)
def _first_rows(story: Story) -> Contents:
    """Return the rows of a new sandbox without its connection. Making them takes ten times longer than storing them."""
    with closing(Store(None, lambda: _midnight(story.today))) as store, store.transaction() as rows:
        rows.insert("settings", 0, {"current_project": DATA_PROJECT})
        for id in PROJECT_NAMES:
            rows.insert("projects", 0, new_project(id, founded(_midnight(story.today))))
        examples = _Examples(rows, story)
        examples.add_flags()
        examples.add_dashboards()
        examples.add_people()
        examples.add_experiments()
        examples.add_survey()
        examples.add_annotations()
        return rows.contents()


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


class _Examples:
    """Writer of example rows, each dated to its moment of the story."""

    def __init__(self, rows: Rows, story: Story) -> None:
        self._rows = rows
        self._story = story

    def _add(self, resource: Resource, at: datetime, values: Row, **unstored: object) -> Row:
        self._rows.now = timestamp(at)
        return add_row(resource, Change(self._rows, DATA_PROJECT, {**values, **unstored}, deepcopy(values), None))

    def _change(self, resource: Resource, at: datetime, row: Row, values: Row) -> Row:
        self._rows.now = timestamp(at)
        return change_row(resource, Change(self._rows, DATA_PROJECT, values, values, row), row)

    def _days_ago(self, days: float) -> datetime:
        return _moment(self._story.end) - timedelta(days=days)

    def add_flags(self) -> None:
        """Add the two flags that events refer to, the flags of other experiments, and one of each other kind."""
        started = _moment(self._story.experiment_from)
        everybody: Row = {"properties": [], "rollout_percentage": 100}
        halves = [{"key": key, "name": "", "rollout_percentage": 50} for key in product.EXPERIMENT_VARIANTS]
        tested: Row = {"groups": [everybody], "multivariate": {"variants": halves}}
        on_team: Row = {"key": "plan", "value": ["team"], "operator": "exact", "type": "person"}
        flags: list[tuple[str, str, float, Row, Row]] = [
            ("legacy-editor", "The old board editor", 85, {"groups": [everybody]}, {"active": False}),
            (_ENDED_FLAG, "Onboarding checklist", 81, tested, {}),
            ("dark-mode", "Dark theme for everybody", 75, {"groups": [everybody]}, {"tags": ["design"]}),
            (
                product.BOOLEAN_FLAG,
                "Keyboard command palette",
                60,
                {"groups": [{"properties": [], "rollout_percentage": round(100 * product.BOOLEAN_FLAG_SHARE)}]},
                {"tags": ["growth"]},
            ),
            (
                "beta-reports",
                "New reports for team plans",
                30,
                {"groups": [{"properties": [on_team], "rollout_percentage": 50}]},
                {"tags": ["beta"]},
            ),
            (
                "pricing-banner",
                "Text of the banner on the pricing page",
                12,
                {"groups": [everybody], "payloads": {"true": '{"text": "Two months free with yearly billing"}'}},
                {"is_remote_configuration": True},
            ),
            (_DRAFT_FLAG, "Yearly billing first", 4, tested, {"active": False}),
        ]
        for key, name, days, filters, more in flags:
            values = {"key": key, "name": name, "filters": filters, **more}
            self._add(FLAGS, self._days_ago(days), values, _should_create_usage_dashboard=False)
        self._add(
            FLAGS,
            started - timedelta(days=2),
            {"key": product.EXPERIMENT_FLAG, "name": "One-page checkout", "filters": tested, "tags": ["growth"]},
            _should_create_usage_dashboard=False,
        )

    def add_dashboards(self) -> None:
        """Add dashboards with tiles, and insights on no dashboard."""
        described = {"Product overview": "How the product is used", "Revenue": "What is bought, and where"}
        for place, (title, insights) in enumerate(example_insights().items()):
            at = self._days_ago(70 - 10 * place)
            on: Row = {}
            if title:
                values: Row = {"name": title, "description": described[title], "pinned": place == 0}
                on = {"dashboards": [self._add(DASHBOARDS, at, values)["id"]]}
            for name, query in insights:
                self._add(INSIGHTS, at, {"name": name, "query": query, "saved": True, **on})

    def add_people(self) -> None:
        """Add cohorts and actions."""
        paying: Row = {"key": "plan", "type": "person", "value": ["pro", "team"], "operator": "exact"}
        cohorts: list[tuple[str, str, Row]] = [
            ("Paying customers", "On the pro or team plan", paying),
            ("Bought in the last 30 days", "", _performed(product.EVENT_PURCHASE, 30)),
            ("Power users", "Made a task in the last week", _performed("task_created", 7)),
        ]
        for name, description, leaf in cohorts:
            filters = {"properties": {"type": "OR", "values": [{"type": "AND", "values": [leaf]}]}}
            self._add(COHORTS, self._days_ago(50), {"name": name, "description": description, "filters": filters})
        actions: list[tuple[str, list[Row]]] = [
            ("Signed up", [{"event": product.EVENT_SIGNED_UP}]),
            ("Paid", [{"event": product.EVENT_PURCHASE}, {"event": "subscription_renewed"}]),
            ("Viewed pricing", [{"event": "$pageview", "url": "/pricing", "url_matching": "contains"}]),
        ]
        for name, steps in actions:
            self._add(ACTIONS, self._days_ago(55), {"name": name, "steps": steps})

    def add_experiments(self) -> None:
        """Add a running experiment with events, an ended one and a draft."""
        purchases: Row = {
            "kind": "ExperimentMetric",
            "uuid": "6f0d3a52-8c1b-4b7e-9a45-2d0c7e1f9b63",
            "name": "Purchases",
            "metric_type": "funnel",
            "series": [{"kind": "EventsNode", "event": product.EVENT_PURCHASE}],
        }
        started = _moment(self._story.experiment_from)
        running: Row = {
            "name": "One-page checkout",
            "description": "Does a checkout on one page lead to more purchases?",
            "feature_flag_key": product.EXPERIMENT_FLAG,
            "start_date": timestamp(started),
            "metrics": [purchases],
        }
        self._add(EXPERIMENTS, started, running)
        ended: Row = {"name": "Onboarding checklist", "feature_flag_key": _ENDED_FLAG}
        row = self._add(EXPERIMENTS, self._days_ago(80), {**ended, "start_date": timestamp(self._days_ago(80))})
        end: Row = {"end_date": timestamp(self._days_ago(52)), "conclusion": "inconclusive"}
        self._change(EXPERIMENTS, self._days_ago(52), row, end)
        draft: Row = {"name": "Yearly billing first", "feature_flag_key": _DRAFT_FLAG}
        self._add(EXPERIMENTS, self._days_ago(3), draft)

    def add_survey(self) -> None:
        """Add the survey whose responses are among the events."""
        rating: Row = {
            "id": product.SURVEY_RATING_QUESTION_ID,
            "type": "rating",
            "question": product.SURVEY_RATING_QUESTION,
            "display": "number",
            "scale": 10,
            "lowerBoundLabel": "Not likely at all",
            "upperBoundLabel": "Very likely",
        }
        reason: Row = {
            "id": product.SURVEY_TEXT_QUESTION_ID,
            "type": "open",
            "question": product.SURVEY_TEXT_QUESTION,
            "optional": True,
        }
        at = _moment(self._story.survey_from)
        values: Row = {
            "id": product.SURVEY_ID,
            "name": product.SURVEY_NAME,
            "type": "popover",
            "questions": [rating, reason],
            "start_date": timestamp(at),
        }
        survey = self._add(SURVEYS, at, values)
        flag = self._rows.get("feature_flags", survey["_internal_targeting_flag"])
        if flag is not None:  # PostHog makes the key random, but the examples must be reproducible
            self._rows.save("feature_flags", {**flag, "key": "survey-targeting-0197d0c65b-custom"})

    def add_annotations(self) -> None:
        """Add releases, including the faulty one, and other notable dates."""
        notes: list[tuple[datetime, str, str]] = [
            (_moment(moment), f"Release {version}", "project")
            for moment, version in self._story.releases
            if moment >= self._story.start
        ]
        notes += [
            (_moment(self._story.experiment_from), "One-page checkout goes to half of the visitors", "project"),
            (self._days_ago(64), "Autumn campaign starts", "organization"),
        ]
        for at, content, scope in notes:
            self._add(ANNOTATIONS, at, {"content": content, "date_marker": timestamp(at), "scope": scope})


def _moment(microseconds: int) -> datetime:
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


def _performed(event: str, days: int) -> Row:
    return {
        "type": "behavioral",
        "key": event,
        "event_type": "events",
        "value": "performed_event",
        "time_value": days,
        "time_interval": "day",
        "negation": False,
    }
