"""Mistakes that people and agents made in public get the hint that somebody who knows HogQL would give first."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from maton_posthog.tools.query import check as query_check
from posthog_sandbox.hogql.schema.describe import describe_schema

from ..posthog.fake import QUERY_PATH, FakeCall, Sent, page, run

pytestmark = pytest.mark.anyio
pytest.importorskip("hogql_parser_rs", reason="HogQL's parser has no wheel for this platform")

MISTAKES: list[dict[str, str]] = json.loads(Path(__file__).with_name("mistakes.json").read_text("utf-8"))
"""Queries written for the shape of a mistake that was seen in public, each with its kind of source."""
STRINGS = ["plan", "status", "amount", "is_error", "settings", "impersonated", "signup_date", "email", "$current_url"]
(CHECK,) = query_check.OPERATIONS


def upstream() -> FakeCall:
    def query_endpoint(sent: Sent) -> Any:
        assert sent.body is not None
        assert sent.body["query"]["kind"] == "DatabaseSchemaQuery"
        return describe_schema(("organization",))

    return FakeCall(
        {
            f"POST {QUERY_PATH}": query_endpoint,
            "GET /api/projects/{project_id}/event_definitions/": page({"name": "signed_up"}, {"name": "$pageview"}),
            "GET /api/projects/{project_id}/property_definitions/": page(
                *({"name": name, "property_type": "String"} for name in STRINGS)
            ),
        }
    )


async def first_hint(sql: str) -> str | None:
    """Return the first fix of the first problem, None if there is none."""
    shown = await run(CHECK, upstream(), query=sql)
    problems = [*shown.get("errors", ()), *shown.get("warnings", ())]
    return problems[0].get("fix", [None])[0] if problems else None


async def test_forty_mistakes_from_public_places_get_the_right_hint_first_and_none_a_wrong_one() -> None:
    assert len(MISTAKES) >= 40
    score = Counter[str]()
    wrong: list[tuple[str, str]] = []
    for each in MISTAKES:
        hint = await first_hint(each["sql"])
        if hint is not None and each["hint"] in hint:
            score["right"] += 1
        elif hint is not None:
            wrong.append((each["sql"], hint))
    assert wrong == []
    assert score["right"] >= 0.9 * len(MISTAKES)
