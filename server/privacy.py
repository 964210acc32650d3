"""The settings on people's data: which pseudonyms a process uses, and which tools are about single persons."""

import secrets
from typing import TYPE_CHECKING, Any

from ..gateway.errors import Refused
from ..schemas.privacy import OPEN, Privacy
from ..tools.toolsets import SINGLE_PERSONS

if TYPE_CHECKING:
    from .settings import Settings


def privacy_of(settings: "Settings") -> Privacy:
    """Return what a process shows of persons. Without a key its pseudonyms end with it."""
    if not settings.redact:
        return Privacy(aggregate_only=True) if settings.aggregate_only else OPEN
    from ..schemas.privacy.pseudonyms import Pseudonyms

    key = settings.redact_key.reveal().encode() if settings.redact_key else secrets.token_bytes(32)
    return Privacy(Pseudonyms(key), settings.aggregate_only)


def reject_pseudonyms(privacy: Privacy, arguments: dict[str, Any]) -> None:
    """Raise Refused (`invalid_argument`) for a pseudonym in the arguments, which PostHog does not know."""
    if privacy.pseudonyms is None:
        return
    from ..schemas.privacy.pseudonyms import pseudonym_in

    if found := pseudonym_in(arguments):
        name, pseudonym = found
        raise Refused(
            "invalid_argument",
            f"`{name}` contains {pseudonym}, a pseudonym of this server (--redact). PostHog has no such value.",
            "Use the uuid of the person, or another property. Only the operator can turn MATON_POSTHOG_REDACT off.",
        )


def not_about_single_persons(name: str) -> Refused | None:
    """Return the error for a tool that `--aggregate-only` removes; None for other tools."""
    if name not in SINGLE_PERSONS:
        return None
    return Refused(
        "toolset_off",
        f"{name} shows single persons, and this server only shows groups of them.",
        "Aggregate with run_hogql or the query tools. The operator set "
        "MATON_POSTHOG_AGGREGATE_ONLY / --aggregate-only.",
    )
