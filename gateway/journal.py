"""The record of changes: one entry before a change is sent, and one when its outcome is known."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import Outcome
from .http.request import Request


@dataclass(frozen=True, slots=True)
class Ending:
    """How a change ended: also when its call was cancelled, and it is unknown whether it was applied."""

    outcome: Outcome
    code: str | None = None
    """The code of the error; `cancelled` for a call that was cancelled."""
    request_id: str | None = None
    """PostHog's or Maton's id of the request."""
    response: Any = None


type Settle = Callable[[Ending], None]
type Journal = Callable[[Request], Settle]
"""Records a change that is about to be sent, and returns the function that records how it ended.

Raises Refused when the change cannot be recorded, so it is not sent.
"""


def not_recorded(_: Request) -> Settle:
    """Record nothing."""
    return lambda _: None
