"""Resources: the project and its data. Each is one compact JSON object, like the result of a tool."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, ReadResourceResult, Resource, ResourceTemplate, TextResourceContents
from pydantic import ValidationError

from ...gateway.call import Call
from ...gateway.errors import GatewayError
from ...tools.operation import Reply
from ..calling import error_object
from ..results.render import render
from ..runtime import Runtime

PROJECT_URI = "posthog://project"
SCHEMA_URI = "posthog://schema"
_JSON = "application/json"
_TABLE_URI = f"{SCHEMA_URI}/"
TABLE_URI = f"{_TABLE_URI}{{table}}"
"""The URI template of a table."""
_DESCRIBE = "describe_data"
_PROJECT_KEPT_S = 60
_SCHEMA_KEPT_S = 600
"""The time in which describe_data caches the schema."""
_NOT_READ = -32000
"""An error code in JSON-RPC's range for servers; `data` has the details."""


@dataclass(frozen=True, slots=True)
class ResourceProvider:
    """Resources and templates that are listed together, and the function that reads them.

    `read` returns None for the URIs of others. With `tool` they are offered only where that tool is offered.
    """

    read: Callable[[Runtime, str], Awaitable[ReadResourceResult | None]]
    resources: tuple[Resource, ...] = ()
    templates: tuple[ResourceTemplate, ...] = ()
    tool: str | None = None


async def read_resource(runtime: Runtime, providers: Sequence[ResourceProvider], uri: str) -> ReadResourceResult:
    """Return the content of a resource.

    Raises MCPError with the URI in `data`: -32602 for an unknown resource, -32000 with the error object of a tool for
    one that cannot be read.
    """
    for provider in providers:
        try:
            found = await provider.read(runtime, uri)
        except GatewayError as error:
            raise _unreadable(runtime.privacy.shown(error_object(error, runtime)), uri) from error
        if found is not None:
            return found
    raise _nothing(uri)


async def current_project(runtime: Runtime) -> Call:
    """Return a call to the project of `@current`. Raises GatewayError."""
    call = await runtime.call()
    await call.aim(None, "@current")
    return call


async def _read_project(runtime: Runtime, uri: str) -> ReadResourceResult | None:
    if uri != PROJECT_URI:
        return None
    call = await current_project(runtime)
    call.remember_target()
    timezone = {"timezone": call.project.timezone} if call.project and call.project.resolved else {}
    return _content(runtime, uri, {**call.aimed(), **timezone}, kept_s=_PROJECT_KEPT_S)


async def _read_schema(runtime: Runtime, uri: str) -> ReadResourceResult | None:
    if uri == SCHEMA_URI:
        return await _described(runtime, uri, {})
    table = unquote(uri.removeprefix(_TABLE_URI)) if uri.startswith(_TABLE_URI) else ""
    return await _described(runtime, uri, {"table": table}) if table else None


async def _described(runtime: Runtime, uri: str, question: dict[str, str]) -> ReadResourceResult:
    """Return the result of describe_data."""
    operation = await runtime.operation(_DESCRIBE)
    try:
        args = operation.input.model_validate(question)
    except ValidationError:
        raise _nothing(uri) from None
    call = await current_project(runtime)
    given = await operation.run(call, args)
    call.remember_target()
    shown = {**call.aimed(), **(given.result if isinstance(given, Reply) else given)}
    return _content(runtime, uri, shown, kept_s=max(0, _SCHEMA_KEPT_S - int(shown.get("age_s", 0))))


def _content(runtime: Runtime, uri: str, shown: dict[str, Any], *, kept_s: int) -> ReadResourceResult:
    """Return the object rendered like a tool's result: cleaned, with the same size limit."""
    text, _ = render(runtime.privacy.shown(shown), runtime.secrets)
    contents = TextResourceContents(uri=uri, mime_type=_JSON, text=text)
    return ReadResourceResult(contents=[contents], ttl_ms=kept_s * 1000, cache_scope="private")


def _nothing(uri: str) -> MCPError:
    return MCPError(code=INVALID_PARAMS, message="Unknown resource.", data={"uri": uri[:200]})


def _unreadable(shown: dict[str, Any], uri: str) -> MCPError:
    """Return a tool's error object as a protocol error."""
    error: dict[str, Any] = shown["error"]
    code = INVALID_PARAMS if error["code"] == "not_found" else _NOT_READ
    message = " ".join(filter(None, (error["message"], error.get("hint"))))
    return MCPError(code=code, message=message, data={"uri": uri[:200], **shown})


PROJECT = ResourceProvider(
    _read_project,
    resources=(
        Resource(
            uri=PROJECT_URI,
            name="project",
            description="The project of @current on this server: id, name, timezone.",
            mime_type=_JSON,
        ),
    ),
)
SCHEMA = ResourceProvider(
    _read_schema,
    resources=(
        Resource(
            uri=SCHEMA_URI,
            name="schema",
            description="The data of the project: events with volume, person properties, tables.",
            mime_type=_JSON,
        ),
    ),
    templates=(
        ResourceTemplate(
            uri_template=TABLE_URI,
            name="table",
            description="The columns of a HogQL table by type, and the tables it joins.",
            mime_type=_JSON,
        ),
    ),
    tool=_DESCRIBE,
)
