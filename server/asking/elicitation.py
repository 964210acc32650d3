"""Asking the person at a client by form elicitation, in both protocol eras.

Up to 2025-11-25 the server sends `elicitation/create` during the call. From 2026-07-28 on, the question is the result
of the call, and the client calls again with the answer.
"""

from typing import Any

import anyio
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import NoBackChannelError
from mcp.types import (
    CallToolRequestParams,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)

from ..starting.ready import MODERN
from .approval import LIFETIME_S, Ask, CannotAsk, Decision, Unanswered

_KEY = "confirm"
_FORM: dict[str, Any] = {"type": "object", "properties": {}}
"""A form without fields: to accept is to agree."""


def asking(context: ServerRequestContext[Any], params: CallToolRequestParams) -> Ask | None:
    """Return how the person at the client of a call is asked; None if the client cannot ask."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return None

    async def ask_during(question: str, _: str) -> Decision:
        try:
            with anyio.fail_after(LIFETIME_S):
                result = await context.session.elicit_form(question, _FORM, related_request_id=context.request_id)
        except NoBackChannelError as error:
            raise CannotAsk from error
        except TimeoutError:
            return Decision(agreed=False)
        return Decision(_agrees(result))

    async def ask_between(question: str, state: str) -> Decision:
        answer = (params.input_responses or {}).get(_KEY)
        if answer is None or params.request_state is None:
            raise Unanswered(question, state)
        return Decision(isinstance(answer, ElicitResult) and _agrees(answer), state=params.request_state)

    return ask_between if context.protocol_version >= MODERN else ask_during


def input_required(unanswered: Unanswered) -> InputRequiredResult:
    """Return a question as the result of a call."""
    form = ElicitRequestFormParams(message=unanswered.question, requested_schema=_FORM)
    return InputRequiredResult(input_requests={_KEY: ElicitRequest(params=form)}, request_state=unanswered.state)


def _agrees(result: ElicitResult) -> bool:
    return result.action == "accept" and (result.content or {}).get(_KEY) is not False
