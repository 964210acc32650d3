import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client
from mcp.types import Completion, PromptReference, ResourceTemplateReference

from maton_posthog.server.features import completions
from maton_posthog.server.features.completions import MOST_VALUES, matching
from maton_posthog.tools.toolsets import Toolset

from ...gateway.fake_gateway import CONNECTION, FakeGateway, Peer, Received, drop, posthog, reply
from ...tools.posthog.fake import answer, page
from ..test_every_operation import ERAS, Era, served

pytestmark = pytest.mark.anyio

PROJECT = "/posthog/api/projects/136209"
PROMPTS = {"flag": "launch_checklist", "dashboard": "weekly_product_review", "experiment": "experiment_verdict"}
"""A prompt that has the argument."""
TABLE = ResourceTemplateReference(uri="posthog://schema/{table}")


async def proposals(client: Client, argument: str, typed: str = "", **given: str) -> Completion:
    reference = TABLE if argument == "table" else PromptReference(name=PROMPTS.get(argument, "why_did_it_change"))
    result = await client.complete(reference, {"name": argument, "value": typed}, context_arguments=given or None)
    return result.completion


def names(fake: FakeGateway, path: str, field: str, *values: object) -> None:
    fake.on("GET", f"{PROJECT}/{path}/", reply(200, page(*({field: value} for value in values))))


@ERAS
async def test_names_that_begin_with_the_typed_text_come_before_those_that_contain_it(era: Era) -> None:
    async with served(era) as (client, fake):
        names(fake, "event_definitions", "name", "page left", "$pageview", "pageload", "signed_up")
        found = await proposals(client, "event", "Page")
    assert found.values == ["page left", "pageload", "$pageview"]
    assert (found.total, found.has_more) == (3, False)


@pytest.mark.parametrize(
    ("argument", "path", "field"),
    [
        ("flag", "feature_flags", "key"),
        ("insight", "insights", "short_id"),
        ("dashboard", "dashboards", "name"),
        ("experiment", "experiments", "name"),
    ],
)
async def test_each_argument_has_the_names_of_its_kind(argument: str, path: str, field: str) -> None:
    async with served() as (client, fake):
        names(fake, path, field, "first", "second", None)
        assert (await proposals(client, argument)).values == ["first", "second"]


async def test_projects_and_tables_are_completed_too() -> None:
    async with served() as (client, _):
        assert (await proposals(client, "project", "136")).values == ["136209"]
        assert (await proposals(client, "table", "ev")).values == ["events"]


async def test_the_project_of_the_prompt_is_the_one_that_is_read() -> None:
    async with served() as (client, fake):
        fake.on("GET", "/posthog/api/projects/7/", reply(200, answer("project_list_row", id=7)))
        fake.on("GET", "/posthog/api/projects/7/event_definitions/", reply(200, page({"name": "elsewhere"})))
        assert (await proposals(client, "event", project="7")).values == ["elsewhere"]


async def test_one_list_serves_all_typed_texts() -> None:
    async with served() as (client, fake):
        names(fake, "event_definitions", "name", "signed_up")
        for typed in ("", "s", "si", "sig"):
            assert (await proposals(client, "event", typed)).values == ["signed_up"]
        assert len(fake.of("GET", f"{PROJECT}/event_definitions/")) == 1


async def test_at_most_a_hundred_names_are_suggested_with_has_more() -> None:
    async with served() as (client, fake):
        names(fake, "event_definitions", "name", *(f"event {number}" for number in range(120)))
        found = await proposals(client, "event", "event")
    assert (len(found.values), found.total, found.has_more) == (MOST_VALUES, 120, True)


async def test_a_list_that_was_not_read_completely_has_more_without_a_total() -> None:
    async with served() as (client, fake):
        rows = page({"key": "checkout"}, count=900, next_offset=100)
        fake.on("GET", f"{PROJECT}/feature_flags/", reply(200, rows))
        found = await proposals(client, "flag", "check")
        assert (found.values, found.total, found.has_more) == (["checkout"], None, True)
        assert [request.query["offset"] for request in fake.of("GET", f"{PROJECT}/feature_flags/")] == [
            "0",
            "100",
            "200",
        ]


async def test_names_that_are_too_long_or_have_hidden_characters_are_not_suggested() -> None:
    async with served() as (client, fake):
        names(fake, "event_definitions", "name", "signed\nup", "signed\u200bup", "x" * 201, "", "signed up")
        assert (await proposals(client, "event")).values == ["signed up"]


async def test_slow_suggestions_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completions, "_PATIENCE_S", 0.05)
    async with served() as (client, fake):

        async def silent(_: Received, __: Peer) -> None:
            await anyio.sleep_forever()

        await client.call_tool("get_project", {})
        fake.on("GET", f"{PROJECT}/event_definitions/", silent)
        with anyio.fail_after(30):
            assert (await proposals(client, "event")).values == []
        names(fake, "event_definitions", "name", "signed_up")
        monkeypatch.setattr(completions, "_PATIENCE_S", 5.0)
        assert (await proposals(client, "event")).values == ["signed_up"]


async def test_a_failed_lookup_has_no_suggestions() -> None:
    async with served() as (client, fake):
        fake.on("GET", f"{PROJECT}/event_definitions/", reply(403, posthog("No.", "permission_denied")))
        fake.on("GET", f"{PROJECT}/feature_flags/", reply(200, ["odd"]))
        fake.on("GET", f"{PROJECT}/dashboards/", drop)
        for argument in ("event", "flag", "dashboard", "when", "nothing"):
            assert (await proposals(client, argument)).values == []


@given(st.lists(st.text(max_size=8), max_size=30), st.text(max_size=3))
def test_every_name_that_contains_the_typed_text_is_found_once(known: list[str], typed: str) -> None:
    found = matching(known, typed)
    wanted = typed.strip().lower()
    assert len(found) == len(set(found))
    assert set(found) == {name for name in known if wanted in name.lower()}


@pytest.mark.parametrize("toolset", Toolset)
async def test_nothing_is_requested_from_an_area_that_is_off(toolset: Toolset) -> None:
    areas = {"flag": "flags", "dashboard": "dashboards", "experiment": "experiments", "insight": "insights"}
    async with served(toolsets=toolset.value, connection_id=CONNECTION, project_id=136209) as (client, fake):
        for argument in (*areas, "event", "project", "table"):
            found = await proposals(client, argument)
            assert not found.values or areas.get(argument, "query") == toolset
        assert {request.path for request in fake.received} <= {
            *(f"{PROJECT}/", f"{PROJECT}/{toolset}/"),
            *((f"{PROJECT}/query/",) if toolset is Toolset.QUERY else ()),
        }


async def test_a_reference_without_such_an_argument_has_no_suggestions() -> None:
    async with served() as (client, fake):
        for reference, argument in (
            (PromptReference(name="why_did_it_change"), "flag"),
            (PromptReference(name="no_such_prompt"), "event"),
            (ResourceTemplateReference(uri="posthog://other/{table}"), "table"),
        ):
            found = await client.complete(reference, {"name": argument, "value": ""})
            assert found.completion.values == []
        assert fake.received == []
