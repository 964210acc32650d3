"""The door for messages of the SDK's server: a middleware outside all handlers."""

import logging
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR
from pydantic import BaseModel, ValidationError

from .door import INTERNAL, Door

_logger = logging.getLogger("maton_posthog.server")


async def through_door(door: Door, ctx: ServerRequestContext[Any], call_next: CallNext) -> HandlerResult:
    """Handle a request of any method. Its result passes the door; so does MCPError, and nothing else is raised."""
    try:
        result = await call_next(ctx)
    except MCPError as error:
        raise _clean_error(door, error) from error
    except ValidationError:
        raise  # the SDK sends no text of it
    except Exception as error:
        _logger.exception("%s failed", ctx.method)
        raise MCPError(code=INTERNAL_ERROR, message=INTERNAL) from error
    return _clean_result(door, result)


def _clean_error(door: Door, error: MCPError) -> MCPError:
    """Return a protocol error whose message and data, which can quote upstream, are clean."""
    found = error.error
    return MCPError(code=found.code, message=door.value(found.message), data=door.value(found.data))


def _clean_result[T](door: Door, result: T) -> T:
    """Return the result of a handler, which is not changed when it is clean already."""
    if isinstance(result, BaseModel):
        sent = result.model_dump(by_alias=True, mode="json", exclude_none=True)
        clean = door.rendered(sent)
        return result if clean is sent else cast("T", type(result).model_validate(clean, by_name=False))
    return cast("T", door.rendered(result))
