"""What can be rejected from the arguments alone is rejected before anything is sent."""

import json
from typing import Any

import pytest

from ..test_every_operation import served, text_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("run_hogql", {"query": "DROP TABLE events"}, "query"),
        ("run_hogql", {"query": "select {missing}"}, "missing"),
        ("run_hogql", {"query": f"select {'(' * 5000}"}, "query"),
        ("run_hogql", {"query": "select 1", "export": "csv"}, "export"),
        (
            "create_insight",
            {"name": "x", "query": {"tool": "run_hogql", "arguments": {"query": "select ((1"}}},
            "query",
        ),
        ("create_insight", {"name": "x", "query": {"kind": "HogQLQuery", "query": "select ((1"}}, "query"),
        ("create_insight", {"name": "x", "query": {"kind": "HogQLQuery", "query": "DROP TABLE events"}}, "query"),
        ("update_insight", {"insight_id": 31, "query": {"kind": "HogQLQuery", "query": "select ((1"}}, "query"),
        ("get_flag", {"flag": ""}, "flag"),
        ("get_flag", {"flag": " "}, "flag"),
        ("get_survey", {"survey_id": "stats"}, "survey_id"),
        ("get_survey", {"survey_id": "a/b1"}, "survey_id"),
        ("get_survey_stats", {"survey_id": "stats"}, "survey_id"),
        ("update_survey", {"survey_id": "stats", "name": "x"}, "survey_id"),
        ("get_recording", {"recording_id": "matching_events"}, "recording_id"),
        ("get_recording", {"recording_id": "../x1"}, "recording_id"),
        ("get_insight", {"insight_id": "trend"}, "insight_id"),
        ("get_insight", {"insight_id": "activity"}, "insight_id"),
        ("update_insight", {"insight_id": "activity", "name": "x"}, "insight_id"),
        ("delete_insight", {"insight_id": "../x"}, "insight_id"),
        ("get_person", {"person_id": "me"}, "person_id"),
    ],
)
async def test_nothing_is_sent_for_arguments_that_cannot_be_right(
    tool: str, arguments: dict[str, Any], named: str
) -> None:
    async with served() as (client, fake):
        error = json.loads(text_of(await client.call_tool(tool, arguments)))["error"]
        assert fake.received == []
    assert error["outcome"] == "not_sent"
    assert named in error["message"]


@pytest.mark.parametrize("query", ["DROP TABLE events", "select from where", "select {missing}", "select ((1"])
async def test_a_check_that_needs_no_tables_sends_nothing(query: str) -> None:
    async with served() as (client, fake):
        shown = json.loads(text_of(await client.call_tool("check_hogql", {"query": query})))
        assert fake.received == []
    assert shown["valid"] is False
    assert shown["errors"]


@pytest.mark.parametrize("short_id", ["AaVQ8Ijw", "abcdefgh", "31"])
async def test_short_ids_are_insights(short_id: str) -> None:
    async with served() as (client, _):
        assert not (await client.call_tool("get_insight", {"insight_id": short_id})).is_error
