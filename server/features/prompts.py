"""Prompts: plans for common questions, with few calls and without hasty conclusions."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    GetPromptResult,
    Prompt,
    PromptArgument,
    PromptMessage,
    TextContent,
)

from ...schemas.text import excerpt

_LONGEST_ARGUMENT = 200
_HONESTY = (
    "State the project and the date range of every number. Leave incomplete_last out of comparisons. State what the "
    "numbers show and what they cannot show; do not name a cause that the numbers do not support."
)

type Given = Mapping[str, str]
"""The arguments of a plan, quoted, so that a model reads them as data."""


@dataclass(frozen=True, slots=True)
class PromptPlan:
    """One prompt. `tools` are the tools that its text names; it is listed only when all of them are offered."""

    name: str
    title: str
    about: str
    arguments: tuple[PromptArgument, ...]
    tools: frozenset[str]
    write: Callable[[Given], Iterable[str]]
    """Returns the steps for the given arguments."""

    def as_prompt(self) -> Prompt:
        """Return the prompt as prompts/list shows it."""
        return Prompt(name=self.name, title=self.title, description=self.about, arguments=list(self.arguments))


def offered(tools: frozenset[str]) -> dict[str, PromptPlan]:
    """Return the prompts whose tools are all offered, by name."""
    return {plan.name: plan for plan in PLANS if plan.tools <= tools}


def written(plan: PromptPlan, arguments: Mapping[str, str]) -> GetPromptResult:
    """Return the prompt as one message. Raises MCPError (-32602) for a missing or unknown argument."""
    known = {argument.name for argument in plan.arguments}
    missing = [each.name for each in plan.arguments if each.required and not arguments.get(each.name, "").strip()]
    if missing or not arguments.keys() <= known:
        unknown = sorted(arguments.keys() - known)
        wrong = f"{missing[0]} is required" if missing else f"{unknown[0][:50]} is not an argument"
        accepted = ", ".join(argument.name for argument in plan.arguments)
        raise MCPError(code=INVALID_PARAMS, message=f"{plan.name}: {wrong}. Arguments: {accepted}.")
    given = {name: _quoted(value) for name, value in arguments.items() if value.strip()}
    project = f"Work in project {given['project']} (project_id of every call)." if "project" in given else ""
    steps = [f"{number}. {step}" for number, step in enumerate(plan.write(given), 1)]
    text = "\n".join(line for line in (plan.about, project, *steps, _HONESTY) if line)
    message = PromptMessage(role="user", content=TextContent(text=text))
    return GetPromptResult(description=plan.about, messages=[message])


def _quoted(value: str) -> str:
    return json.dumps(excerpt(value.strip(), _LONGEST_ARGUMENT), ensure_ascii=False)


def _tools(*names: str) -> frozenset[str]:
    return frozenset(names)


def _argument(name: str, about: str, *, required: bool = False) -> PromptArgument:
    return PromptArgument(name=name, description=about, required=required)


_PROJECT = _argument("project", "Project id. Default: the current project.")


def _weekly_product_review(given: Given) -> Iterable[str]:
    yield "describe_data without arguments: choose the events for visits, sign-ups, activation and revenue."
    if "dashboard" in given:
        yield f"get_dashboard for {given['dashboard']} with numbers: true: the numbers that the team watches."
    else:
        yield "list_dashboards: if one is pinned, get_dashboard with numbers: true: the numbers that the team watches."
    yield (
        "query_trends with all chosen events at once, math dau (revenue: sum of its property), date_from -7d, "
        "interval day, compare previous. Repeat it with interval week and date_from -8w to see the usual level."
    )
    yield "query_funnel from the visit to the most valuable event, date_from -7d: name the biggest drop."
    yield "query_retention of that event, period Week, periods 8: compare the return rates of newer and older weeks."
    yield "list_annotations and list_experiments: find what happened on these days."
    yield "Write one page: three numbers that changed, their explanation, one open question, one proposal."


def _why_did_it_change(given: Given) -> Iterable[str]:
    since = f" around {given['when']}" if "when" in given else ""
    if "insight" in given:
        yield f"get_insight {given['insight']} to see what is measured and how."
    yield f"describe_data with event {given['event']}: check that the name is right and that events still arrive."
    yield (
        f"query_trends of {given['event']}{since}, math total and dau side by side, at least four intervals before the "
        "change: decide between a real change, a weekly pattern and an incomplete interval."
    )
    yield (
        "query_trends again over these days, with a breakdown by each of two or three likely properties ($browser, "
        "$os, $geoip_country_code, app version, utm_source): find the value with the largest change."
    )
    yield "Only if the cause is still unknown: run_hogql once, aggregating both periods side by side."
    yield "list_annotations and list_flags: look for releases, campaigns and flags of those days, and for $exception."
    yield "State what changed, by how much, for which users and since when. Rank explanations by evidence."


def _experiment_verdict(given: Given) -> Iterable[str]:
    yield f"list_experiments, search {given['experiment']}: find its id. get_experiment: hypothesis and metrics."
    yield "get_experiment_results: exposures and sample ratio first, then each metric, then whether it is conclusive."
    yield "If it is not conclusive, state why and what is missing (users, days, a metric). Do not pick a winner."
    yield "If it is: winner, lift with its interval, chance to win, and what it could harm (secondary metrics)."
    yield "Close with one recommendation: ship, stop, or wait until a date. Do not change anything yourself."


def _flag_cleanup(given: Given) -> Iterable[str]:
    yield "list_flags with limit 100, page by page: note age, rollout and whether each is active."
    yield (
        "run_hogql once: count and last timestamp of $feature_flag_called by properties.$feature_flag over 30 days, "
        "to find flags that are no longer evaluated."
    )
    yield "list_experiments with status running, and list_surveys: keep their flags."
    yield (
        "Write a table: flag, state, last evaluation, proposal (keep, roll out to all and remove from code, disable, "
        "delete) with the reason. Do not change anything before the person agrees to each line."
    )


def _launch_checklist(given: Given) -> Iterable[str]:
    yield f"get_flag {given['flag']}: check that its audience, rollout and payload are the intended ones."
    event = f"event {given['event']}" if "event" in given else "search words of the feature"
    yield f"describe_data with {event}: check that its events and properties arrive with sensible values."
    yield "query_trends of these events and of $exception over the last days: the baseline before the launch."
    yield "query_funnel over the feature's steps, if it has several: check that users with the flag can complete it."
    yield "list_dashboards and list_annotations: check for a dashboard to watch and an annotation for the launch."
    yield "Reply with a checklist: ready, missing or unknown for each point, and the numbers to watch on day one."


PLANS: tuple[PromptPlan, ...] = (
    PromptPlan(
        "weekly_product_review",
        "Weekly product review",
        "Write the weekly product review.",
        (_argument("dashboard", "Dashboard that the team watches."), _PROJECT),
        _tools(
            "describe_data",
            "list_dashboards",
            "get_dashboard",
            "query_trends",
            "query_funnel",
            "query_retention",
            "list_annotations",
            "list_experiments",
        ),
        _weekly_product_review,
    ),
    PromptPlan(
        "why_did_it_change",
        "Why did it change?",
        "Find out why a number changed.",
        (
            _argument("event", "Event that the number counts.", required=True),
            _argument("when", "When it changed, such as 2026-11-20 or last week."),
            _argument("insight", "Insight that shows it."),
            _PROJECT,
        ),
        _tools("describe_data", "query_trends", "run_hogql", "list_annotations", "list_flags", "get_insight"),
        _why_did_it_change,
    ),
    PromptPlan(
        "experiment_verdict",
        "Experiment verdict",
        "Decide whether an experiment is conclusive.",
        (_argument("experiment", "Name of the experiment.", required=True), _PROJECT),
        _tools("list_experiments", "get_experiment", "get_experiment_results"),
        _experiment_verdict,
    ),
    PromptPlan(
        "flag_cleanup",
        "Flag clean-up",
        "Find feature flags that can be removed.",
        (_PROJECT,),
        _tools("list_flags", "run_hogql", "list_experiments", "list_surveys"),
        _flag_cleanup,
    ),
    PromptPlan(
        "launch_checklist",
        "Launch checklist",
        "Check whether a feature behind a flag is ready to launch.",
        (
            _argument("flag", "Key of its feature flag.", required=True),
            _argument("event", "Event that shows its usage."),
            _PROJECT,
        ),
        _tools("get_flag", "describe_data", "query_trends", "query_funnel", "list_dashboards", "list_annotations"),
        _launch_checklist,
    ),
)
