"""What a person has to agree to before a change is sent."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


async def not_counted(*_: object) -> Sequence[Mapping[str, Any]]:
    """Return no numbers of persons."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A change that is about to be sent."""

    title: str
    """What is done to which object, such as `Update feature flag beta`."""
    path: str
    """The path of the request, without the project."""
    body: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    """Why a person should look at it first. A change without reasons is sent at once."""
    difference: Mapping[str, Any]
    """`{field: {"before", "after"}}` of the object; for a new object, its fields."""
    count: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]] = not_counted
    """Counts whom the change affects, as far as PostHog can, for whoever looks at it first."""
    version: str = ""
    """The state of the object that the change is based on."""


type Aim = tuple[str | None, Hashable]
"""Connection and project."""
type Approve = Callable[[Proposal, Aim], Awaitable[float]]
"""Returns when the change may be sent, after the seconds that a person took. Raises Refused when it may not."""


async def approved(_: Proposal, __: Aim) -> float:
    """Agree to every change."""
    return 0.0
