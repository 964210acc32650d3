"""Resources: what an agent may want to hold beside its tools. Each is one compact JSON object, as a tool answers it."""

from typing import Any
from urllib.parse import unquote

from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, ReadResourceResult, Resource, ResourceTemplate, TextResourceContents
from pydantic import ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import GatewayError
from .calling import secrets
from .render import dumps, render
from .runtime import Runtime

PROJECT_URI = "posthog://project"
SCHEMA_URI = "posthog://schema"
_JSON = "application/json"
_TABLE_URI = f"{SCHEMA_URI}/"

RESOURCES = (
    Resource(
        uri=PROJECT_URI,
        name="project",
        description="The project that @current means for this server: id, name, timezone.",
        mime_type=_JSON,
    ),
    Resource(
        uri=SCHEMA_URI,
        name="schema",
        description="What data the project has: events with volume, properties of persons, tables.",
        mime_type=_JSON,
    ),
)
TEMPLATES = (
    ResourceTemplate(
        uri_template=f"{_TABLE_URI}{{table}}",
        name="table",
        description="The columns of a HogQL table by type, and where its joins lead.",
        mime_type=_JSON,
    ),
)


async def read_resource(runtime: Runtime, uri: str) -> ReadResourceResult:
    """The content of a resource. Raises MCPError: -32602 for one that is not there, -32000 with the error object of a
    tool when it cannot be read.
    """
    if uri == PROJECT_URI:
        return _content(uri, await _project(runtime))
    if uri == SCHEMA_URI:
        return _content(uri, await _described(runtime, {}))
    if uri.startswith(_TABLE_URI):
        return _content(uri, await _described(runtime, {"table": unquote(uri.removeprefix(_TABLE_URI))}))
    raise MCPError(code=INVALID_PARAMS, message="There is no such resource.", data={"uri": uri[:200]})


async def current_project(runtime: Runtime) -> Call:
    """A call aimed at the project that `@current` means. Raises GatewayError."""
    call = Call(await runtime.gateway(), runtime.directory, budget=Budget.CRUD, writes=False)
    await call.aim(None, "@current")
    return call


async def _project(runtime: Runtime) -> str:
    try:
        call = await current_project(runtime)
    except GatewayError as error:
        raise _unreadable(error) from error
    timezone = {"timezone": call.project.timezone} if call.project and call.project.resolved else {}
    return dumps({**call.aimed(), **timezone})


async def _described(runtime: Runtime, question: dict[str, Any]) -> str:
    """What `describe_data` answers."""
    operation = await runtime.operation("describe_data")
    try:
        call = await current_project(runtime)
        result: Any = await operation.run(call, operation.input.model_validate(question))
        text, _ = render({**call.aimed(), **result}, secrets(runtime))
    except GatewayError as error:
        raise _unreadable(error) from error
    except ValidationError as error:
        raise MCPError(code=INVALID_PARAMS, message="There is no such table.") from error
    return text


def _content(uri: str, text: str) -> ReadResourceResult:
    return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type=_JSON, text=text)])


def _unreadable(error: GatewayError) -> MCPError:
    code = INVALID_PARAMS if error.code == "not_found" else -32000
    return MCPError(code=code, message=error.message, data=error.as_json())
