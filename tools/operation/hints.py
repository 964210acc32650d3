"""Next steps that name tools: the one table of them, and a filter, so that a hint names only tools that are offered."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from ...gateway.errors import Advice, GatewayError


@dataclass(frozen=True, slots=True)
class _NextStep:
    """Words that name tools, and their replacement if one of those tools is not offered."""

    text: str
    otherwise: str


_STEPS: Mapping[Advice, _NextStep] = {
    Advice.CREATE_CONNECTION: _NextStep(
        "Call manage_connection with action create and have the user open the url.",
        "Create a PostHog connection at maton.ai.",
    ),
    Advice.LIST_CONNECTIONS: _NextStep(
        "Call manage_connection with action list for the ids.", "The connection ids are at maton.ai."
    ),
    Advice.RECONNECT: _NextStep(
        "Create a new connection (manage_connection, action create), have the user open its url, then delete the old "
        "one.",
        "Create a new PostHog connection at maton.ai, then delete the old one.",
    ),
    Advice.SUSPECT_CONNECTION: _NextStep(
        "If this persists, recreate the connection (manage_connection).",
        "If this persists, recreate the connection at maton.ai.",
    ),
    Advice.LIST_PROJECTS: _NextStep("list_projects gives the ids.", "The user can name it."),
    Advice.LOOK_AT_PROJECT: _NextStep(
        "Or call get_project to look at the current project first.", "Or look at the current project in PostHog first."
    ),
    Advice.LOOK_UP_NAMES: _NextStep(
        "list_event_definitions and list_property_definitions give the real names.",
        "The project's data management page has the real names.",
    ),
    Advice.USE_HOGQL: _NextStep("run_hogql counts in another class.", ""),
}
_CLAUSE = re.compile(r"[^.;]*(?:[.;](?!\s)[^.;]*)*(?:[.;]\s*|$)")
_NAME = re.compile(r"[a-z]+(?:_[a-z]+)+")


def advised(error: GatewayError, tools: Collection[str], offered: Collection[str]) -> GatewayError:
    """Return the error with its next step in words, naming `offered` tools only. `tools` are the names of all."""
    hint = offered_only(error.hint or "", tools, offered)
    if error.advice is not None:
        step = _STEPS[error.advice]
        fits = offered_only(step.text, tools, offered) == step.text
        hint = " ".join(filter(None, (hint, step.text if fits else step.otherwise)))
    return error.with_(hint=hint or None, advice=None)


def offered_only(text: str, tools: Collection[str], offered: Collection[str]) -> str:
    """Return the text without the clauses that name a tool which is not offered."""
    hidden = {name for name in _NAME.findall(text) if name in tools and name not in offered}
    if not hidden:
        return text
    clauses = [clause for clause in _CLAUSE.findall(text) if not hidden & set(_NAME.findall(clause))]
    kept = "".join(clauses).strip().rstrip(";").strip()
    return f"{kept}." if kept and kept[-1] not in ".!?" else kept
