"""The door through which everything leaves towards a client: no secret and no hidden character passes it.

Results of tools and resources were cleaned when they were rendered, where `hidden_characters_removed` is counted. The
door checks every message again, whatever made it: results, protocol errors, completions, prompts and progress.
"""

from collections.abc import Sequence
from typing import Any, cast

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel
from pydantic_core import to_json

from ..schemas.text import Cleaner, may_need_cleaning


class Door:
    """Cleans what the server sends. `secrets` are those of the process, in all forms."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = tuple(secrets)

    async def progress(self, context: ServerRequestContext[Any], seconds: float, news: str) -> None:
        """Report progress to the client. No other notification is sent."""
        await context.session.report_progress(seconds, message=self.value(news))

    def error(self, error: MCPError) -> MCPError:
        """Return a protocol error whose message and data, which can quote upstream, are clean."""
        found = error.error
        return MCPError(code=found.code, message=self.value(found.message), data=self.value(found.data))

    def value(self, value: Any) -> Any:
        """Return a JSON value without secrets and hidden characters."""
        return Cleaner(self._secrets).value(value)

    def message[T](self, result: T) -> T:
        """Return the result of a handler, which is not changed when it is clean already."""
        if isinstance(result, BaseModel):
            sent = result.model_dump(by_alias=True, mode="json", exclude_none=True)
            clean = self._rendered(sent)
            return result if clean is sent else cast("T", type(result).model_validate(clean, by_name=False))
        return cast("T", self._rendered(result))

    def _rendered(self, sent: Any) -> Any:
        return Cleaner(self._secrets, rendered=True).value(sent) if self._may_need_cleaning(sent) else sent

    def _may_need_cleaning(self, sent: Any) -> bool:
        try:
            return may_need_cleaning(to_json(sent).decode(), self._secrets)
        except ValueError:  # half a surrogate pair
            return True
