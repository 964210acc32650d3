"""Notes on numbers in texts and on the timezone of hours, where a query has them."""

from typing import Any

import pytest

from maton_posthog.gateway.projects import Project
from maton_posthog.gateway.target import Target
from posthog_sandbox.hogql.schema.describe import describe_schema

from ..posthog import fake
from ..posthog.fake import PROJECT_ID, FakeCall, Sent, page
from .running import POST, RUN, rows, run

pytestmark = pytest.mark.anyio

TEXT_REVENUE = "SELECT sum(toFloat(properties.revenue)) FROM events"


def project(revenue: str | None = "String", zone: str = "UTC") -> FakeCall:
    """Return a project in which the property `revenue` has this type."""

    def query(sent: Sent) -> Any:
        kind = (sent.body or {})["query"]["kind"]
        return describe_schema(()) if kind == "DatabaseSchemaQuery" else rows(1)

    api = FakeCall(
        {
            POST: query,
            "GET /api/projects/{project_id}/property_definitions/": page({"name": "revenue", "property_type": revenue}),
            "GET /api/projects/{project_id}/event_definitions/": page({"name": "paid"}),
        }
    )
    api.target = Target(None, Project(PROJECT_ID, "Default project", zone))
    return api


@pytest.mark.parametrize(
    ("sql", "revenue", "is_noted"),
    [
        (TEXT_REVENUE, "String", True),
        (TEXT_REVENUE, None, True),
        ("SELECT avg(toInt(person.properties.revenue)) FROM events", "String", True),
        (TEXT_REVENUE, "Numeric", False),
        ("SELECT properties.revenue, toFloat('1') FROM events", "String", False),
    ],
)
async def test_numbers_in_texts_are_noted_when_the_property_is_text(
    sql: str, revenue: str | None, is_noted: bool
) -> None:
    shown = await fake.run(RUN, project(revenue), query=sql)
    assert ("text_numbers" in shown) is is_noted
    if sql == TEXT_REVENUE and is_noted:
        assert shown["text_numbers"] == (
            "properties.revenue is text: toFloat is null where it is no number, and aggregates skip it."
        )


@pytest.mark.parametrize(
    ("sql", "zone", "is_noted"),
    [
        ("SELECT toHour(timestamp), count() FROM events GROUP BY 1", "UTC", True),
        ("SELECT toStartOfHour(timestamp), count() FROM events GROUP BY 1", "Asia/Kolkata", True),
        ("SELECT dateTrunc('hour', timestamp), count() FROM events GROUP BY 1", "UTC", True),
        ("SELECT toDate(timestamp), count() FROM events GROUP BY 1", "Asia/Kolkata", True),
        ("SELECT toDate(timestamp), count() FROM events GROUP BY 1", "UTC", False),
        ("SELECT toHour(toTimeZone(timestamp, 'Europe/Berlin')), count() FROM events GROUP BY 1", "UTC", False),
        ("SELECT count() FROM events", "Asia/Kolkata", False),
    ],
)
async def test_hours_and_days_of_other_zones_have_their_timezone(sql: str, zone: str, is_noted: bool) -> None:
    shown = await run(RUN, project(zone=zone), query=sql)
    assert shown.get("timezone") == (zone if is_noted else None)
