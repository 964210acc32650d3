"""Asking a person before a change is sent: by elicitation where the client has it, and else by a token.

The token is bound to this exact change, its target and the state of the object. It can be used once, for ten minutes,
and only on this server: whoever has it can do what the person saw, and nothing else.
"""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ...gateway.approval import Aim, Proposal
from ...gateway.errors import Refused
from ...schemas.text import excerpt
from ..settings.declaration import Mode

LIFETIME_S = 600
_MOST_USED = 10_000
_MOST_LINES = 20
_LONGEST_LINE = 200
_MARK = "confirm_"


class Tokens:
    """The confirmations of one process, signed with a key that exists nowhere else."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._used: dict[bytes, float] = {}

    def issue(self, change: bytes) -> str:
        """Return a token for a change."""
        head = int(self._clock() + LIFETIME_S).to_bytes(8) + secrets.token_bytes(12)
        return _MARK + base64.urlsafe_b64encode(head + self._signature(head, change)).decode().rstrip("=")

    def redeem(self, token: str, change: bytes) -> str | None:
        """Use a token for a change. Return why it is not valid; None if it is."""
        try:
            raw = base64.urlsafe_b64decode(f"{token.removeprefix(_MARK)}==")
        except ValueError:
            raw = b""
        head, signature = raw[:20], raw[20:]
        if len(raw) != 52 or not hmac.compare_digest(signature, self._signature(head, change)):
            return "it belongs to another change, or the object changed since"
        now, expires = self._clock(), int.from_bytes(head[:8])
        if now > expires:
            return "it has expired"
        if head in self._used:
            return "it was used before"
        self._used = {each: until for each, until in self._used.items() if until >= now}
        if len(self._used) >= _MOST_USED:
            return "too many confirmations were used in the last minutes"
        self._used[head] = expires
        return None

    def _signature(self, head: bytes, change: bytes) -> bytes:
        return hmac.digest(self._key, head + change, "sha256")


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person answered to a question."""

    agreed: bool
    state: str | None = None
    """The token that was sent with the question, where the question and the answer are separate requests."""


class Unanswered(Exception):
    """A question that the client answers with another request."""

    def __init__(self, question: str, state: str) -> None:
        super().__init__(question)
        self.question = question
        self.state = state


class CannotAsk(Exception):
    """The connection turned out to have no way back to the client."""


type Ask = Callable[[str, str], Awaitable[Decision]]
"""Asks a person, and returns the answer. Takes the question and a token. Raises Unanswered and CannotAsk."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a client asked for: a tool, and arguments without those of the call itself."""

    tool: str
    arguments: Mapping[str, Any]
    confirmation: str | None = None


class Approval:
    """Decides whether the changes of one call may be sent."""

    def __init__(
        self, tokens: Tokens, mode: Mode, asked: Asked, *, ask: Ask | None, clean: Callable[[str], str]
    ) -> None:
        self._tokens = tokens
        self._mode = mode
        self._asked_for = asked
        self._ask = ask
        self._clean = clean

    async def __call__(self, proposal: Proposal, place: Aim) -> float:
        """Return the seconds that a person took to agree. Raises Refused (`confirmation_required`) and Unanswered."""
        if self._mode == "never" or (self._mode == "auto" and not proposal.reasons):
            return 0.0
        change = _fingerprint(self._asked_for, proposal, place)
        if self._ask is not None:
            with suppress(CannotAsk):
                return await self._asked(self._ask, proposal, change)
        if self._mode == "always":
            raise _refused(
                proposal,
                "Every change needs the agreement of a person, and this client cannot ask one.",
                "The operator set MATON_POSTHOG_CONFIRM / --confirm to always.",
            )
        token = self._asked_for.confirmation
        why = self._tokens.redeem(token, change) if token else None
        if token and why is None:
            return 0.0
        message = f"`confirmation` is not valid: {why}. Nothing was sent." if why else "Nothing was sent yet."
        raise _refused(
            proposal,
            f"{' '.join(proposal.reasons)} {message}",
            "Show the user `change`. If the user agrees, call again within 10 minutes with the same arguments and "
            "this confirmation.",
            await proposal.count(),
            confirmation=self._tokens.issue(change),
        )

    async def _asked(self, ask: Ask, proposal: Proposal, change: bytes) -> float:
        started = time.monotonic()
        answer = await ask(
            self._clean(question(self._asked_for.tool, proposal, await proposal.count())), self._tokens.issue(change)
        )
        if not answer.agreed:
            raise _refused(
                proposal, "The user did not agree. Nothing was sent.", "Do not try again unless the user asks for it."
            )
        if answer.state is None:
            return max(time.monotonic() - started, 0.001)
        if why := self._tokens.redeem(answer.state, change):
            raise _refused(proposal, f"The answer of the user does not count: {why}.", "Call again to ask once more.")
        return 0.0


def question(tool: str, proposal: Proposal, affects: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return the question for a person: what is done, why it matters, and what differs, one line each."""
    lines = [f"{tool}: {proposal.title}.", *proposal.reasons]
    for place, sides in list(proposal.difference.items())[:_MOST_LINES]:
        before, after = (
            excerpt(json.dumps(sides.get(side), ensure_ascii=False), _LONGEST_LINE) for side in ("before", "after")
        )
        lines.append(f"- {excerpt(place, 100)}: {before} → {after}")
    if len(proposal.difference) > _MOST_LINES:
        lines.append(f"- and {len(proposal.difference) - _MOST_LINES} more")
    lines += [f"- affects {excerpt(json.dumps(each, ensure_ascii=False), _LONGEST_LINE)}" for each in affects]
    return "\n".join([*lines, "Do it?"])


def _fingerprint(asked: Asked, proposal: Proposal, aim: Aim) -> bytes:
    """Return a text that is the same only for the same call about the same object in the same state.

    The arguments count instead of the body, which can contain the time now.
    """
    bound = (asked.tool, asked.arguments, proposal.path, proposal.version, list(aim))
    return hashlib.sha256(json.dumps(bound, sort_keys=True, default=str).encode()).digest()


def _refused(
    proposal: Proposal, message: str, hint: str, affects: Sequence[Mapping[str, Any]] = (), **details: Any
) -> Refused:
    change: dict[str, Any] = {"title": proposal.title, "difference": dict(proposal.difference)}
    if affects:
        change["affects"] = list(affects)
    return Refused("confirmation_required", message.strip(), hint, details={"change": change, **details})
