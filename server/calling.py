"""tools/call: validate the arguments, run the operation, return one MCP result. Failures become error objects."""

import logging
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

from pydantic import ValidationError

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..gateway.errors import GatewayError, Refused, read_only
from ..gateway.http.threads import LARGE_BYTES
from ..gateway.queries.background import Progress
from ..schemas.base import OF_THE_CALL, Input
from ..schemas.json import safe_integers
from ..schemas.json.rows import Rows
from ..schemas.links import Unpasted
from ..tools.links import check_project, linked
from ..tools.operation import Operation, Reply, Result
from ..tools.operation.hints import advised
from ..tools.toolsets import RESTORE, RESTORED, Effect, Toolset
from .arguments import invalid_arguments, read_addresses, reject_flood, reject_marks
from .asking.approval import Ask, Asked, Unanswered
from .privacy import not_about_single_persons, reject_pseudonyms
from .results.render import render
from .results.tool_result import ToolResult
from .runtime import Runtime
from .tool_list import tool_list

logger = logging.getLogger("maton_posthog.server")
audit = logging.getLogger("maton_posthog.audit")


async def call_tool(
    runtime: Runtime,
    operation: Operation[Any],
    arguments: dict[str, Any],
    report: Progress,
    *,
    patient: bool,
    caller: str | None = None,
    ask: Ask | None = None,
) -> ToolResult:
    """Run an operation for a client. Raises Unanswered only; a cancelled call ends its task.

    `report` sends progress to the client, which asked for it if `patient`. `caller` tells clients apart: calls of one
    take turns with those of others. `ask` asks the person at the client.
    """
    started = time.monotonic()
    call: Call | None = None
    effect = operation.effect
    try:
        given = _read(operation.name, arguments)
        args = _validate(operation, given.arguments)
        effect = operation.effect_of(args)
        if (
            operation.name == RESTORE
            and (area := RESTORED[getattr(args, "resource", "")]) not in runtime.settings.toolsets
        ):
            raise _toolset_off(operation.name, area)
        for other in operation.does(args):
            if other not in runtime.offered and (off := not_offered(other, runtime)):
                raise off
        if effect.writes:
            reject_marks(operation.name, arguments)
        reject_pseudonyms(runtime.privacy, arguments)
        prepared = operation.prepare(args, runtime.settings.export_dir) if operation.prepare else None
        call = await runtime.call(
            budget=operation.budget,
            writes=effect.writes,
            progress=_progress(runtime, report),
            patient=patient,
            tool=operation.name,
            caller=caller,
            asked=_asked(operation.name, args) if effect.writes else None,
            ask=ask,
        )
        reply = prepared if isinstance(prepared, Reply) else await _run(operation, call, args, prepared, given)
        link = await linked(call, operation.toolset, reply.result, runtime.settings.app_url)
        text, structured = await _rendered(runtime, call, link, reply, getattr(args, "offset", None))
        call.remember_target()
    except GatewayError as error:
        settled = call.settle(error) if call else error
        _note(operation.name, effect, call, settled.code, started)
        return error_result(settled, runtime)
    except Unanswered:
        _note(operation.name, effect, call, "asked", started)
        raise
    except Exception:
        logger.exception("%s failed", operation.name)
        _note(operation.name, effect, call, "internal_error", started)
        return error_result(_internal_error(call, writes=effect.writes), runtime)
    except BaseException:
        _note(operation.name, effect, call, "cancelled", started)
        raise
    _note(operation.name, effect, call, "ok", started)
    return ToolResult(text, reply.attachments, structured, runtime.door.value(dict(reply.meta)))


async def _run(operation: Operation[Any], call: Call, args: Input, prepared: Any, pasted: Unpasted) -> Reply:
    """Resolve the target of a call and run the operation."""
    call.prepared = prepared
    # In manage_connection, `connection_id` is the object.
    connection = None if operation.budget is Budget.CONTROL else getattr(args, "connection_id", None)
    await call.aim(connection, getattr(args, "project_id", None))
    check_project(pasted, call.project)
    given = await operation.run(call, args)
    return given if isinstance(given, Reply) else Reply(given)


async def _rendered(
    runtime: Runtime, call: Call, link: Result, reply: Reply, offset: int | None
) -> tuple[str, dict[str, Any] | None]:
    """Return a result as text and, with `--structured`, as an object. Large ones are rendered in a thread."""
    first = {name: value for name, value in link.items() if name not in reply.result}
    work = partial(_render, runtime, {**call.aimed(), **first, **reply.result, **link}, offset, reply.revealed)
    is_large = call.is_large or any(
        isinstance(value, Rows) and len(value.text) > LARGE_BYTES for value in reply.result.values()
    )
    return await call.in_thread(work) if is_large else work()


def _render(
    runtime: Runtime, result: Result, offset: int | None = None, revealed: Sequence[str] = ()
) -> tuple[str, dict[str, Any] | None]:
    text, shown = render(runtime.privacy.shown(result), runtime.secrets, offset=offset, revealed=revealed)
    return text, safe_integers(shown) if runtime.settings.structured else None


def _internal_error(call: Call | None, *, writes: bool) -> GatewayError:
    fault = GatewayError(
        "internal_error", "Internal error in this server.", "See the log on stderr for details, and report it."
    )
    return fault.with_(outcome="applied" if call and call.wrote else "unknown" if writes else None)


def _progress(runtime: Runtime, report: Progress) -> Progress:
    """Return a function that reports elapsed seconds as progress, cleaned."""

    async def cleaned(seconds: float, news: str) -> None:
        await report(seconds, runtime.door.value(news))

    return cleaned


def _asked(tool: str, args: Input) -> Asked:
    arguments = args.model_dump(mode="json", exclude=set(OF_THE_CALL), exclude_unset=True)
    return Asked(tool, arguments, getattr(args, "confirmation", None))


def _read(tool: str, arguments: dict[str, Any]) -> Unpasted:
    """Return the arguments without pasted addresses. Raises Refused for a flood of them."""
    reject_flood(tool, arguments, _accepted(tool))
    return read_addresses(arguments)


def _validate(operation: Operation[Any], arguments: Mapping[str, Any]) -> Input:
    try:
        return cast("Input", operation.input.model_validate(arguments))
    except ValidationError as error:
        raise invalid_arguments(operation.name, error, _accepted(operation.name)) from None


def _accepted(tool: str) -> list[str]:
    return list(tool_list()[tool].schema["properties"])


def not_offered(name: str, runtime: Runtime) -> GatewayError | None:
    """Return the error for a tool that is not offered here; None for an unknown tool."""
    known = tool_list().get(name)
    if known is None:
        return None
    if known.effect.writes and runtime.settings.read_only:
        return read_only()
    if name in runtime.settings.exclude_tools:
        return Refused(
            "toolset_off",
            f"{name} is off on this server.",
            "The operator set MATON_POSTHOG_EXCLUDE_TOOLS / --exclude-tools.",
        )
    if runtime.settings.aggregate_only and (off := not_about_single_persons(name)):
        return off
    return _toolset_off(name, known.toolset)


def _toolset_off(name: str, area: Toolset | None) -> Refused:
    return Refused(
        "toolset_off",
        f"{name} belongs to the toolset {area}, which is off on this server."
        if area and name != RESTORE
        else f"{name} restores objects of toolsets that are on; {area or 'none of them'} is off on this server.",
        "The operator sets MATON_POSTHOG_TOOLSETS / --toolsets.",
    )


def error_object(error: GatewayError, runtime: Runtime) -> dict[str, Any]:
    """Return `{"error": {…}}` with a hint that names offered tools only. Every error leaves the server through here."""
    return advised(error, tool_list(), runtime.offered).as_json()


def error_result(error: GatewayError, runtime: Runtime) -> ToolResult:
    """Return an error as the result of a tool."""
    text, structured = _render(runtime, error_object(error, runtime))
    return ToolResult(text, structured=structured, is_error=True)


def _note(tool: str, effect: Effect, call: Call | None, outcome: str, started: float) -> None:
    """Log one line per call, without arguments or results. Writes are the audit trail and are logged at INFO."""
    project = call.project.id if call and call.project else "-"
    connection = (call.connection if call else None) or "-"
    audit.log(
        logging.INFO if effect.writes else logging.DEBUG,
        "tool=%s effect=%s outcome=%s project=%s connection=%s ms=%d",
        tool, effect, outcome, project, connection, (time.monotonic() - started) * 1000,
    )  # fmt: skip
