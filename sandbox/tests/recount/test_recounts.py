"""HogQL results against recounts in plain Python over the generated rows."""

import pytest

from ..sandbox_client import Serving
from . import aggregates, filters, joins, journeys, shapes, times
from .recounting import Case, Rows, agree

pytestmark = [pytest.mark.anyio, pytest.mark.oracle]

CASES = (*filters.CASES, *joins.CASES, *aggregates.CASES, *shapes.CASES, *times.CASES, *journeys.CASES)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_a_result_matches_its_recount(sandbox: Serving, rows: Rows, case: Case) -> None:
    if case.project:
        await sandbox.patch("/posthog/api/projects/1/", case.project)
    response = await sandbox.query(case.query)
    recounted = case.recount(rows)

    assert recounted, "a recount that finds nothing proves nothing"
    assert agree(response["results"], recounted), (response["results"][:5], recounted[:5])
    assert all(len(row) == len(response["columns"]) == len(response["types"]) for row in response["results"])


def test_at_least_eighty_queries_are_recounted_under_unique_names() -> None:
    assert len(CASES) >= 80
    assert len({case.name for case in CASES}) == len(CASES)
