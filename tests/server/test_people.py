"""The settings on people's data, through an MCP client: what no tool shows with --redact or --aggregate-only."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from mcp.types import PromptReference

from maton_posthog.schemas.privacy.pseudonyms import DOMAIN, PSEUDONYM
from maton_posthog.server.settings import SettingsError, load
from maton_posthog.tools.charts import drawing
from maton_posthog.tools.operation import Operation
from maton_posthog.tools.toolsets import SINGLE_PERSONS

from ..gateway.fake_gateway import Peer, Received, raw, reply
from ..oracle import crossed
from .queries.test_slow import PATH
from .test_every_operation import ARGUMENTS, PERSON, RETURNING, served, text_of, upstream

pytestmark = pytest.mark.anyio

EMAIL, NAME, IP, IPV6, PHONE = (
    "zebulon.canary@corp.example", "Zebulon Canary", "203.0.113.77", "2001:db8::77ca", "+49 30 5550 1234",
)  # fmt: skip
CANARIES = (EMAIL, NAME, IP, IPV6, PHONE)
_MACHINE_READ = re.compile(r"[0-9T:Z.+-]{8,}|[0-9a-f-]{36}|[A-Z]\w+|")
_NAMES = frozenset(["first_name", "last_name"])
_PERSON = {
    "id": 7, "uuid": PERSON, "name": NAME, "is_identified": True, "distinct_ids": [EMAIL, "019c-anon"],
    "properties": {
        "email": EMAIL, "name": NAME, "Phone": PHONE, "$ip": IP, "firstName": NAME, "phone": 4930555, "plan": "pro",
        "address": {"street": NAME, "since": "2020"}, "note": f"called {NAME}", "$geoip_latitude": 52.517,
        "contact": json.dumps({"email": EMAIL, "name": NAME}),
    },
}  # fmt: skip


def planted(value: Any, name: str = "") -> Any:
    """Return a response with an email, two IP addresses and a phone number in every text, and a name where one is."""
    if isinstance(value, list):
        return [planted(item, name) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: planted(item, key) for key, item in cast("dict[str, Any]", value).items()}
    if name in _NAMES:
        return NAME
    if not isinstance(value, str) or value in CANARIES or name in ("type", "status", "kind", "key"):
        return value
    if value.startswith("{") or _MACHINE_READ.fullmatch(value):
        return value
    return f"{value} {EMAIL} ({IP}, {IPV6}) {PHONE}"


async def plant(request: Received, peer: Peer) -> None:
    found = upstream(request)
    if "/query/" in request.path and cast("dict[str, Any]", request.json)["query"]["kind"] == "ActorsQuery":
        found = {"results": [[{**_PERSON, "id": PERSON}, 3]]}
    if "/persons/" in request.path:
        found = _PERSON if PERSON in request.path else {"results": [_PERSON]}
    is_plain = request.path.startswith("/connections") or "/query/" in request.path
    await peer.send(raw(200, json.dumps(found if is_plain else planted(found)).encode()))


def shows(text: str) -> list[str]:
    """Return the canaries in a text, also as their digits or their parts."""
    return [one for one in (*CANARIES, "zebulon", "Zebulon", "5550 1234", "4930555", "52.517") if one in text]


@crossed(("operation", RETURNING), ("structured", (False, True)))
async def test_no_tool_shows_personal_data_with_redact(operation: Operation[Any], structured: bool) -> None:
    async with served(redact=True, structured=structured) as (client, fake):
        fake.answers(plant)
        result = await client.call_tool(operation.name, ARGUMENTS.get(operation.name, {}))
    assert shows(result.model_dump_json()) == []


@pytest.mark.parametrize("tool", ["get_flag", "get_insight", "get_dashboard", "get_recording", "get_survey"])
async def test_not_even_a_whole_object_shows_personal_data(tool: str) -> None:
    async with served(redact=True) as (client, fake):
        fake.answers(plant)
        result = await client.call_tool(tool, {**ARGUMENTS[tool], "full": True})
    assert shows(result.model_dump_json()) == []


async def test_a_person_is_shown_under_pseudonyms_that_other_tools_repeat() -> None:
    async with served(redact=True) as (client, fake):
        fake.answers(plant)
        person = json.loads(text_of(await client.call_tool("get_person", {"person_id": PERSON})))
        listed = json.loads(text_of(await client.call_tool("list_persons", {})))["persons"][0]
    properties = person["properties"]
    assert person["uuid"] == PERSON
    assert properties["plan"].startswith("pro email-")
    assert properties["email"].endswith(f"@{DOMAIN}")
    assert person["name"] == listed["name"] == properties["name"] == properties["firstName"]
    assert listed["distinct_ids"] == person["distinct_ids"]
    assert person["distinct_ids"][0] == properties["email"]
    assert json.loads(properties["contact"]) == {"email": properties["email"], "name": properties["name"]}


async def test_actors_are_shown_under_the_pseudonyms_of_persons() -> None:
    async with served(redact=True) as (client, fake):
        fake.answers(plant)
        arguments = {**ARGUMENTS["list_actors"], "properties": ["email", "plan", "$ip", "Phone"]}
        shown = json.loads(text_of(await client.call_tool("list_actors", arguments)))
        person = json.loads(text_of(await client.call_tool("get_person", {"person_id": PERSON})))
    assert shows(json.dumps(shown)) == []
    (row,) = shown["rows"]
    assert [row[4], *row[6:]] == [person["properties"][name] for name in ("email", "$ip", "Phone")]
    assert row[0] == PERSON


async def test_the_key_of_the_operator_makes_pseudonyms_the_same_in_every_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def name_shown() -> str:
        async with served(redact=True) as (client, fake):
            fake.answers(plant)
            return json.loads(text_of(await client.call_tool("get_person", {"person_id": PERSON})))["name"]

    assert await name_shown() != await name_shown()
    monkeypatch.setenv("MATON_POSTHOG_REDACT_KEY", "a key of the operator".replace(" ", "-"))
    assert await name_shown() == await name_shown()


def test_a_short_key_of_pseudonyms_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_POSTHOG_REDACT_KEY", "short")
    with pytest.raises(SettingsError, match=r"MATON_POSTHOG_REDACT_KEY must have at least 16 characters"):
        load()


QUERIES: Mapping[str, list[Any]] = {
    "select properties.email as x, properties.$ip from events": [EMAIL, IP],
    "select person.properties.name from events": [NAME],
    "select x from (select properties.name as x from events)": [NAME],
    "select groupArray(properties.name) from events": [[NAME]],
    "select properties from events": [json.dumps({"name": NAME, "email": EMAIL, "ip": IP})],
    "select tuple(event, properties.phone) from events": [["$pageview", 4930555]],
    "select toFloat(properties.phone) from events": [4930555.0],
    "select JSONExtractString(properties, 'name') from events": [NAME],
    "select properties['name'] from events": [NAME],
    "select substring(upper(properties.name), 1, 7) from events": ["Zebulon"],
    "with people as (select properties.name as n from events) select n from people": [NAME],
    "select 'x' from events union all select properties.name from events": [NAME],
    "select substring(distinct_id, 1, 7) from events": ["zebulon"],
    "select splitByChar('@', distinct_id)[1] from events": ["zebulon"],
    "select distinct_id, properties.plan from events": [EMAIL, f"{IP} {PHONE}"],
}


@pytest.mark.parametrize("sql", QUERIES)
async def test_rows_of_hogql_show_no_personal_data(sql: str) -> None:
    async with served(redact=True) as (client, fake):
        rows = [QUERIES[sql]] * 3
        fake.on("POST", PATH, reply(200, {"columns": [f"c{at}" for at in range(len(rows[0]))], "results": rows}))
        result = await client.call_tool("run_hogql", {"query": sql, "check": "off"})
    assert not result.is_error
    assert shows(text_of(result)) == []
    assert PSEUDONYM.search(text_of(result))


async def test_counts_of_persons_and_properties_that_are_not_personal_are_kept() -> None:
    async with served(redact=True) as (client, fake):
        fake.on("POST", PATH, reply(200, {"columns": ["a", "b", "c"], "results": [["pro", 12, 3.5]]}))
        sql = "select properties.plan, count(distinct properties.email), avg(properties.price) from events group by 1"
        result = await client.call_tool("run_hogql", {"query": sql, "check": "off"})
    assert json.loads(text_of(result))["rows"] == [["pro", 12, 3.5]]


async def test_distinct_ids_that_calls_need_are_kept() -> None:
    async with served(redact=True) as (client, fake):
        fake.on("POST", PATH, reply(200, {"columns": ["a", "b"], "results": [["019c-anon", ["u_17"]]]}))
        sql = "select distinct_id, groupArray(distinct_id) from events group by 1"
        result = await client.call_tool("run_hogql", {"query": sql, "check": "off"})
    assert json.loads(text_of(result))["rows"] == [["019c-anon", ["u_17"]]]


def content(directory: Path) -> str:
    """Return what the only file of a directory contains."""
    (file,) = directory.iterdir()
    return file.read_bytes().decode("utf-8", "ignore")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_an_export_shows_no_personal_data(tmp_path: Path, kind: str) -> None:
    if kind == "parquet":
        pytest.importorskip("pyarrow")
    async with served(redact=True, export_dir=tmp_path) as (client, fake):
        fake.on("POST", PATH, reply(200, {"columns": ["a", "b"], "results": [[NAME, f"{EMAIL} {IP} {PHONE}"]]}))
        sql = "select properties.name as a, properties.plan as b from events"
        result = await client.call_tool("run_hogql", {"query": sql, "export": kind, "check": "off"})
    assert not result.is_error
    written = content(tmp_path)
    assert shows(written) == []
    assert "email-" in written


async def test_a_chart_shows_no_personal_data(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []

    async def draw(spec: Any, _: float) -> str:
        drawn.append(json.dumps(spec, ensure_ascii=False))
        return "not drawn"

    monkeypatch.setattr(drawing, "_draw", draw)
    async with served(redact=True) as (client, fake):
        rows = [[NAME, 1, EMAIL], [NAME, 2, IP]]
        fake.on("POST", PATH, reply(200, {"columns": ["who", "count", "other"], "results": rows}))
        sql = "select properties.name as who, count() as count, event as other from events group by 1, 3"
        plot = {"x": "who", "y": "count"}
        await client.call_tool("run_hogql", {"query": sql, "check": "off", "plot": plot})
    assert drawn
    assert shows(drawn[0]) == []


@pytest.mark.parametrize("by", ["person.name", "email", "hogql:person.properties.name"])
async def test_a_breakdown_by_persons_shows_pseudonyms(by: str) -> None:
    series = {
        "days": ["2026-11-22"],
        "data": [7],
        "count": 7,
        "label": f"$pageview - {NAME}",
        "breakdown_value": [NAME],
    }
    async with served(redact=True) as (client, fake):
        fake.on("POST", PATH, reply(200, {"results": [{**series, "action": {"order": 0}}]}))
        result = await client.call_tool("query_trends", {"events": ["$pageview"], "breakdown": [by]})
    assert not result.is_error, text_of(result)
    assert shows(result.model_dump_json()) == []
    assert PSEUDONYM.search(text_of(result))


async def test_an_error_that_quotes_upstream_shows_no_personal_data() -> None:
    detail = f"no such person {EMAIL} at {IP}, call {PHONE}"
    async with served(redact=True) as (client, fake):
        error = {"type": "validation_error", "code": "invalid", "detail": detail, "attr": None}
        fake.on("GET", "/posthog/api/projects/136209/feature_flags/", reply(400, error))
        result = await client.call_tool("list_flags", {})
    assert result.is_error
    assert shows(text_of(result)) == []
    assert "no such person email-" in text_of(result)


async def test_resources_and_completions_show_no_personal_data() -> None:
    async with served(redact=True) as (client, fake):
        fake.answers(plant)
        read = await client.read_resource("posthog://project")
        found = await client.complete(
            PromptReference(type="ref/prompt", name="dashboard_report"), {"name": "dashboard", "value": ""}
        )
    assert shows(read.model_dump_json()) == []
    assert shows(found.model_dump_json()) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("list_persons", {"email": f"email-3f9a2c71b04d@{DOMAIN}"}, "email"),
        ("list_persons", {"properties": [{"key": "name", "value": "name-3f9a2c71b04d"}]}, "properties.value"),
        ("run_hogql", {"query": "select 1 where properties.ip = 'ip-3f9a2c71b04d'"}, "query"),
        ("create_annotation", {"content": "for name-3f9a2c71b04d"}, "content"),
    ],
)
async def test_a_pseudonym_in_an_argument_is_rejected_before_anything_is_sent(
    tool: str, arguments: dict[str, Any], field: str
) -> None:
    async with served(redact=True) as (client, fake):
        result = await client.call_tool(tool, arguments)
        assert fake.received == []
    error = json.loads(text_of(result))["error"]
    assert error["code"] == "invalid_argument"
    assert error["message"].startswith(f"`{field}` contains ")
    assert "pseudonym" in error["message"]


async def test_the_email_domain_of_a_flag_stays_readable() -> None:
    group = {"properties": [{"key": "email", "value": "@corp.example", "operator": "icontains", "type": "person"}]}
    group["properties"].append({"key": "email", "value": EMAIL, "operator": "exact", "type": "person"})

    async def flags(request: Received, peer: Peer) -> None:
        found = upstream(request)
        if "/feature_flags/" in request.path:
            found = {**found, "filters": {"groups": [group]}}
        await peer.send(raw(200, json.dumps(found).encode()))

    async with served(redact=True) as (client, fake):
        fake.answers(flags)
        shown = text_of(await client.call_tool("get_flag", {"flag": 42}))
    assert '"@corp.example"' in shown
    assert shows(shown) == []


@pytest.mark.parametrize("tool", sorted(SINGLE_PERSONS))
async def test_tools_about_single_persons_are_off_with_aggregate_only(tool: str) -> None:
    async with served(aggregate_only=True) as (client, fake):
        assert tool not in {each.name for each in (await client.list_tools()).tools}
        error = json.loads(text_of(await client.call_tool(tool, ARGUMENTS.get(tool, {}))))["error"]
        assert fake.received == []
    assert error["code"] == "toolset_off"
    assert "--aggregate-only" in error["hint"]


async def test_what_one_person_gets_of_a_flag_is_rejected_with_aggregate_only() -> None:
    async with served(aggregate_only=True) as (client, _):
        schemas = {tool.name: tool.input_schema["properties"] for tool in (await client.list_tools()).tools}
        assert [name for name, properties in schemas.items() if "person" in properties] == []
        result = await client.call_tool("get_flag", {"flag": 42, "person": PERSON})
    assert json.loads(text_of(result))["error"]["message"].startswith("`person`: ")


async def test_a_query_of_rows_is_rejected_before_it_is_sent_with_aggregate_only() -> None:
    async with served(aggregate_only=True) as (client, fake):
        for check in ("full", "off"):
            result = await client.call_tool("run_hogql", {"query": "select event from events", "check": check})
            error = json.loads(text_of(result))["error"]
            assert error["code"] == "hogql_query_error"
            assert "GROUP BY" in error["hint"]
        assert not any(b"HogQLQuery" in request.body for request in fake.received)


async def test_a_query_of_groups_is_sent_with_the_smallest_group_and_keeps_the_names_of_its_columns() -> None:
    async with served(aggregate_only=True) as (client, fake):
        fake.on("POST", PATH, reply(200, {"columns": ["event", "if(uniqIf(…"], "results": [["a", 9]]}))
        sql = "select event, countIf(event = 'x') from events group by event"
        result = await client.call_tool("run_hogql", {"query": sql, "check": "off"})
        sent = cast("dict[str, Any]", fake.received[-1].json)["query"]["query"]
    shown = json.loads(text_of(result))
    assert "HAVING uniq(person_id) >= 5" in sent
    assert shown["columns"] == ["event", "countIf(event = 'x')"]
    assert "fewer than 5 persons" in shown["note"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"breakdown": ["email"]},
        {"breakdown": ["person.name"]},
        {"breakdown": ["hogql:person_id"]},
        {"breakdown": ["$browser", "distinct_id"]},
        {"where": [{"key": "person.email", "value": EMAIL}]},
        {"where": [{"key": "distinct_id = 'a'", "type": "hogql"}]},
        {"events": [{"event": "$pageview", "math": "hogql", "property": "any(properties.email)"}]},
        {"events": [{"event": "$pageview", "math": "max", "property": "price"}], "breakdown": ["$browser"]},
    ],
)
async def test_an_analysis_of_single_persons_is_rejected_with_aggregate_only(arguments: dict[str, Any]) -> None:
    async with served(aggregate_only=True) as (client, fake):
        result = await client.call_tool("query_trends", {"events": ["$pageview"], **arguments})
        assert not any("/query/" in request.path for request in fake.received)
    assert json.loads(text_of(result))["error"]["code"] == "invalid_argument", text_of(result)


async def test_small_groups_of_a_breakdown_are_left_out_and_reported() -> None:
    series = [
        {"days": ["2026-11-22"], "data": [count], "count": count, "label": name, "breakdown_value": [name]}
        for name, count in (("Chrome", 40), ("Lynx", 4))
    ]
    async with served(aggregate_only=True) as (client, fake):
        fake.on("POST", PATH, reply(200, {"results": [{**one, "action": {"order": 0}} for one in series]}))
        result = await client.call_tool("query_trends", {"events": ["$pageview"], "breakdown": ["$browser"]})
    shown = text_of(result)
    assert "Chrome" in shown
    assert "Lynx" not in shown
    assert "1 value of the breakdown is left out" in shown


async def test_values_of_properties_are_not_described_with_aggregate_only() -> None:
    async with served(aggregate_only=True) as (client, _):
        result = await client.call_tool("describe_data", {"property": "email"})
    assert json.loads(text_of(result))["error"]["message"].startswith("property: ")


async def test_the_stored_rows_of_an_insight_are_left_out_with_aggregate_only() -> None:
    stored = {"query": {"kind": "HogQLQuery", "query": "select name from events"}, "columns": ["name"]}

    async def insights(request: Received, peer: Peer) -> None:
        found = upstream(request)
        if "/insights/" in request.path:
            found = {**found, **stored, "result": [[NAME]]}
        await peer.send(raw(200, json.dumps(found).encode()))

    for setting in ("aggregate_only", "redact"):
        flags: dict[str, Any] = {setting: True}
        async with served(**flags) as (client, fake):
            fake.answers(insights)
            shown = text_of(await client.call_tool("get_insight", {"insight_id": 31}))
        assert NAME not in shown
        assert ("--aggregate-only" in shown) is (setting == "aggregate_only")


async def test_without_the_settings_everything_is_shown() -> None:
    async with served() as (client, fake):
        fake.answers(plant)
        shown = text_of(await client.call_tool("get_person", {"person_id": PERSON}))
    assert all(canary in shown for canary in (EMAIL, NAME, IP))
