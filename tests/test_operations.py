"""Requirements for all operations: adding an operation adds its tests."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, cast

import pytest

from maton_posthog.schemas.base.json_schema import input_schema
from maton_posthog.server.cli.steps import count_tokens
from maton_posthog.server.tool_list import entry, tool_list
from maton_posthog.tools.operation import Effect, Operation, Toolset
from maton_posthog.tools.operations import OPERATIONS

from .snapshots.files import ROOT, TOOLSNAPS, difference, dumps, strays
from .test_mission import MISSION

EVERY = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
READING = frozenset({"list", "get", "run", "check", "describe", "query", "explain"})
"""Verbs that only read."""
WRITING = {
    "cancel": Effect.STOP,  # it ends a query, and no stored object changes
    "create": Effect.CREATE,
    "update": Effect.UPDATE,
    "restore": Effect.UPDATE,
    "delete": Effect.DELETE,
    "manage": Effect.MANAGE,
}
AUTHORISING = re.compile(r"(?:^|_)(?:confirm|force|yes|sure|approve|really|skip)", re.IGNORECASE)
MOST_TOKENS, MOST_MISSION_TOKENS, MOST_TOOL_TOKENS = 10_000, 5_200, 600


def _module_of(operation: Operation[Any]) -> str:
    """Return the module of tools/ whose OPERATIONS have this one, without the package."""
    (found,) = (
        name.partition(".tools.")[2]
        for name, module in sys.modules.items()
        if name.startswith("maton_posthog.tools.")
        and module is not sys.modules["maton_posthog.tools.operations"]
        and operation in getattr(module, "OPERATIONS", ())
    )
    return found


@pytest.mark.snapshot
def test_the_shipped_list_is_that_of_the_operations() -> None:
    # The first test: in an update, those below need what this one writes.
    made = {
        operation.name: entry(operation, _module_of(operation), input_schema(operation.input))
        for operation in OPERATIONS
    }
    assert difference(ROOT / "server" / "tool_list.json", dumps(made)) == ""
    tool_list.cache_clear()
    for operation in OPERATIONS:
        listed = tool_list()[operation.name]
        assert (listed.about, listed.toolset, listed.effect) == (operation.about, operation.toolset, operation.effect)
        assert listed.schema == input_schema(operation.input)


def test_listing_the_tools_loads_no_area() -> None:
    script = (
        "import sys, maton_posthog.server.app, maton_posthog.server.tool_list as tools; tools.tool_list();"
        "import json; print(json.dumps([name for name in sys.modules if name.startswith('maton_posthog.tools.')]))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    below = [
        f"maton_posthog.tools.{name}" for name in ("links", "operation", "operation.hints", "processes", "toolsets")
    ]
    assert sorted(json.loads(loaded.stdout)) == below


@EVERY
def test_its_name_is_verb_noun_and_the_verb_shows_the_effect(operation: Operation[Any]) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", operation.name)
    assert len(operation.name) <= 40
    verb = operation.name.split("_")[0]
    assert verb in READING or verb in WRITING
    assert operation.effect is WRITING.get(verb, Effect.READ)


@EVERY
def test_its_input_is_named_in_the_same_words(operation: Operation[Any]) -> None:
    assert operation.input.__name__ == "".join(word.capitalize() for word in operation.name.split("_"))


@EVERY
def test_its_description_is_plain_sentences(operation: Operation[Any]) -> None:
    assert operation.about.isascii()
    assert operation.about.endswith(".")
    assert operation.about == " ".join(operation.about.split())


@EVERY
def test_only_a_token_of_this_server_authorizes(operation: Operation[Any]) -> None:
    booleans = [name for name, schema in _fields(input_schema(operation.input)) if schema.get("type") == "boolean"]
    assert [name for name in booleans if AUTHORISING.search(name)] == []


SETTINGS: tuple[dict[str, Any], ...] = tuple(
    {
        "pinned": pinned,
        "connected": connected,
        "read_only": read_only,
        "exports": exports,
        "groups_only": groups_only,
    }
    for pinned in (False, True)
    for connected in (False, True)
    for read_only in (False, True)
    for exports in (False, True)
    for groups_only in (False, True)
)
"""Every setting that changes a schema."""


@EVERY
def test_its_schema_stays_in_the_subset_that_every_converter_takes(operation: Operation[Any]) -> None:
    for settings in SETTINGS:
        schema = tool_list()[operation.name].as_tool(**settings).input_schema
        assert schema["type"] == "object"
        assert schema.keys() <= {"type", "properties", "required"}
        assert list(outside_subset(schema, operation.name)) == []
        aims = {name: schema["properties"].get(name) for name in ("project_id", "connection_id")}
        assert aims["project_id"] in (None, {"type": "string"})
        is_pinned = settings["connected"] and operation.toolset is not Toolset.CONNECTIONS
        assert aims["connection_id"] == (None if is_pinned else {"type": "string"})


KEYWORDS = {
    "string": {"type", "description", "default", "enum", "pattern"},
    "integer": {"type", "description", "default", "minimum", "maximum"},
    "number": {"type", "description", "default", "minimum", "maximum"},
    "boolean": {"type", "description", "default"},
    "array": {"type", "description", "default", "items"},
    "object": {"type", "description", "properties", "required", "additionalProperties"},
}
ANYTHING = {"minLength": 0}


def outside_subset(schema: Any, place: str) -> Iterator[str]:
    """Yield what some converter refuses, drops or misreads; docs/hosts.md names which."""
    if not isinstance(schema, dict):
        yield f"{place}: a schema must be an object"
        return
    fields = cast("dict[str, Any]", schema)
    if branches := fields.get("anyOf"):
        if fields.keys() - {"anyOf", "description"} or len(branches) < 2:
            yield f"{place}: only a description can stand beside two or more branches"
        for number, branch in enumerate(branches):
            yield from outside_subset(branch, f"{place}|{number}")
        return
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in KEYWORDS:
        yield f"{place}: needs one type"
        return
    if extra := fields.keys() - KEYWORDS[kind]:
        yield f"{place}: {sorted(extra)} in {kind}"
    if not all(isinstance(word, str) for word in fields.get("enum", [""])) or not fields.get("enum", [""]):
        yield f"{place}: enum must contain texts"
    if fields.get("default", 0) is None:
        yield f"{place}: default null"
    if kind == "array":
        yield from outside_subset(fields.get("items"), f"{place}[]")
    if kind == "object":
        yield from _outside_of_object(fields, place)


def _outside_of_object(fields: dict[str, Any], place: str) -> Iterator[str]:
    properties: dict[str, Any] | None = fields.get("properties")
    if properties is None and fields.get("additionalProperties") != ANYTHING:
        yield f"{place}: a free-form object needs additionalProperties {ANYTHING}"
    if properties is not None and "additionalProperties" in fields:
        yield f"{place}: additionalProperties beside properties"
    if not fields.keys() & {"properties"} and "required" in fields:
        yield f"{place}: required without properties"
    if missing := set(fields.get("required", ())) - (properties or {}).keys():
        yield f"{place}: {sorted(missing)} required, but not a property"
    for name, field in (properties or {}).items():
        yield from outside_subset(field, f"{place}.{name}")


OUTSIDE: tuple[Any, ...] = (
    True,
    {},
    {"description": "Any."},
    {"type": ["string", "integer"]},
    {"type": "null"},
    {"type": "array"},
    {"type": "array", "items": {}},
    {"type": "array", "items": True},
    {"type": "string", "items": {"type": "string"}},
    {"type": "integer", "enum": [3, 5]},
    {"type": "string", "enum": ["a", 5]},
    {"type": "string", "enum": []},
    {"type": "string", "const": "a"},
    {"type": "string", "format": "uuid"},
    {"type": "string", "default": None},
    {"type": "object"},
    {"type": "object", "additionalProperties": True},
    {"type": "object", "additionalProperties": {}},
    {"type": "object", "properties": {}, "additionalProperties": False},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}},
    {"anyOf": [{"type": "string"}]},
    {"anyOf": [{"type": "string"}, {"items": {"type": "string"}}]},
    {"anyOf": [{"type": "string"}, {"type": "array"}]},
    {"type": "string", "anyOf": [{"type": "string"}, {"type": "integer"}]},
    {"oneOf": [{"type": "string"}, {"type": "integer"}]},
)


@pytest.mark.parametrize("schema", OUTSIDE, ids=str)
def test_what_a_converter_cannot_take_is_found_at_any_depth(schema: Any) -> None:
    below: dict[str, Any] = {"type": "array", "items": {"type": "object", "properties": {"x": schema}}}
    branch: dict[str, Any] = {"anyOf": [{"type": "string"}, below]}
    for whole in (schema, below, branch, {"type": "object", "properties": {"a": branch}}):
        assert list(outside_subset(whole, "here")) != []


def test_no_two_operations_share_a_name() -> None:
    names = [operation.name for operation in OPERATIONS]
    assert sorted(set(names)) == sorted(names)


def test_every_area_offers_something() -> None:
    assert {operation.toolset for operation in OPERATIONS if operation.toolset} == set(Toolset)


def test_tools_need_few_tokens() -> None:
    tokens, how = count_tokens([tool.as_tool() for tool in tool_list().values()])
    assert how == "(o200k_base)"
    dearest = ", ".join(f"{name} {count}" for name, count in sorted(tokens.items(), key=lambda item: -item[1])[:10])
    mission = sum(count for name, count in tokens.items() if name in MISSION)
    told = f"all {sum(tokens.values())}, the mission's {mission}; the dearest: {dearest}"
    assert sum(tokens.values()) <= MOST_TOKENS, told
    assert mission <= MOST_MISSION_TOKENS, told
    assert max(tokens.values()) <= MOST_TOOL_TOKENS, told


@pytest.mark.snapshot
@EVERY
def test_hosts_see_what_its_snapshot_shows(operation: Operation[Any]) -> None:
    tool = tool_list()[operation.name].as_tool()
    shown = tool.model_dump(mode="json", by_alias=True, exclude_none=True)
    assert difference(TOOLSNAPS / f"{operation.name}.json", dumps(shown)) == ""


@pytest.mark.snapshot
def test_no_snapshot_of_a_removed_tool_is_left() -> None:
    assert strays(TOOLSNAPS, (operation.name for operation in OPERATIONS)) == []


def _fields(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return every named field of a schema at any depth."""
    for name, field in schema.get("properties", {}).items():
        yield name, field
        yield from _fields(field)
    for inner in (
        *schema.get("anyOf", []),
        *schema.get("oneOf", []),
        *([schema["items"]] if "items" in schema else []),
    ):
        yield from _fields(inner)
