"""Prompts: plans for the questions that people ask again and again, in few calls and without jumping to conclusions."""

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

from ..schemas.text import excerpt

_LONGEST_ARGUMENT = 200
_HONESTY = (
    "State the project and the date range of every number. Leave incomplete_last out of comparisons. Say what the "
    "numbers show and what they cannot show; do not name a cause that no number supports."
)

type Given = Mapping[str, str]
"""Arguments as they are written into a plan: quoted, so that they read as data."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One prompt. `tools` are those that its text names: it is offered where all of them are."""

    name: str
    title: str
    about: str
    arguments: tuple[PromptArgument, ...]
    tools: frozenset[str]
    write: Callable[[Given], Iterable[str]]
    """The steps."""

    def as_prompt(self) -> Prompt:
        return Prompt(name=self.name, title=self.title, description=self.about, arguments=list(self.arguments))


def offered(tools: frozenset[str]) -> dict[str, Plan]:
    """The prompts whose tools are all there, by name."""
    return {plan.name: plan for plan in PLANS if plan.tools <= tools}


def written(plan: Plan, arguments: Mapping[str, str]) -> GetPromptResult:
    """The prompt as one message. Raises MCPError (-32602) that names a missing or unknown argument."""
    known = {argument.name for argument in plan.arguments}
    missing = [each.name for each in plan.arguments if each.required and not arguments.get(each.name, "").strip()]
    if missing or not arguments.keys() <= known:
        wrong = f"{missing[0]} is required" if missing else f"{sorted(arguments.keys() - known)[0][:50]} is no argument"
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


_PROJECT = _argument("project", "Id of the project; without it the current one.")


def _weekly_product_review(given: Given) -> Iterable[str]:
    yield "describe_data without arguments: choose the events that stand for visits, sign-ups, activation and revenue."
    if "dashboard" in given:
        yield f"get_dashboard for {given['dashboard']} with numbers: true; these are the numbers that the team watches."
    else:
        yield "list_dashboards: if one is pinned, get_dashboard with numbers: true; the team watches these numbers."
    yield (
        "query_trends with all chosen events at once, math dau (revenue: sum of its property), date_from -7d, "
        "interval day, compare previous; then the same with interval week, date_from -8w, to know what is usual."
    )
    yield "query_funnel from visit to the most valuable event, date_from -7d; name the biggest drop."
    yield "query_retention of the same event, period Week, periods 8: do newer weeks come back more or less?"
    yield "list_annotations and list_experiments: what happened in these days."
    yield "Write one page: three numbers that moved, what explains them, one open question, one proposal."


def _why_did_it_change(given: Given) -> Iterable[str]:
    since = f" around {given['when']}" if "when" in given else ""
    if "insight" in given:
        yield f"get_insight {given['insight']} to see what is measured and how."
    yield f"describe_data with event {given['event']}: is the name right, is it still coming in?"
    yield (
        f"query_trends of {given['event']}{since}, math total and dau side by side, at least four intervals before the "
        "change: is it a real change, a weekly rhythm, or an interval that is not over?"
    )
    yield (
        "query_trends again over the same days, once for each of two or three likely properties ($browser, $os, "
        "$geoip_country_code, app version, utm_source): find the value where the change is largest."
    )
    yield "Only if these do not tell it: run_hogql once, aggregating both periods side by side."
    yield "list_annotations and list_flags: releases, campaigns, flags of those days. Look for $exception events too."
    yield "Say what changed, by how much, for whom, since when; rank explanations by evidence."


def _experiment_verdict(given: Given) -> Iterable[str]:
    yield f"list_experiments, search {given['experiment']}: its id; get_experiment for hypothesis and metrics."
    yield "get_experiment_results: exposures and sample ratio first, then each metric, then whether it is conclusive."
    yield "If it may not be called, say why and what is missing (people, days, metric); do not pick a winner."
    yield "If it may: winner, lift with its interval, chance to win, and who or what it may hurt (secondary metrics)."
    yield "Close with one recommendation: ship, stop, or wait until a date. Change nothing yourself."


def _flag_cleanup(given: Given) -> Iterable[str]:
    yield "list_flags with limit 100, page by page: note age, rollout and whether active."
    yield (
        "run_hogql once: count and last timestamp of $feature_flag_called by properties.$feature_flag over 30 days: "
        "flags that nobody asks for any more."
    )
    yield "list_experiments with status running, list_surveys: their flags stay."
    yield (
        "Make a table: flag, state, last asked, proposal (keep, roll out to all and remove from code, switch off, "
        "delete) with the reason. Change nothing before the person has agreed to each line."
    )


def _launch_checklist(given: Given) -> Iterable[str]:
    yield f"get_flag {given['flag']}: who gets it now, at which share, with which payload; is that what is meant?"
    event = f"event {given['event']}" if "event" in given else "search words of the feature"
    yield f"describe_data with {event}: are its events and properties coming in, with sensible values?"
    yield "query_trends of these events and of $exception over the last days: the baseline before the launch."
    yield "query_funnel over the feature's steps, if it has several: does the path work for those who have it?"
    yield "list_dashboards and list_annotations: is there a place to watch it, will the launch be marked?"
    yield "Answer with a checklist: ready, missing, or unknown for each point, and the numbers to look at in day one."


PLANS: tuple[Plan, ...] = (
    Plan(
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
    Plan(
        "why_did_it_change",
        "Why did it change?",
        "Find out why a number changed.",
        (
            _argument("event", "Event behind the number.", required=True),
            _argument("when", "When it changed, such as 2026-11-20 or last week."),
            _argument("insight", "Insight that shows it."),
            _PROJECT,
        ),
        _tools("describe_data", "query_trends", "run_hogql", "list_annotations", "list_flags", "get_insight"),
        _why_did_it_change,
    ),
    Plan(
        "experiment_verdict",
        "Experiment verdict",
        "Judge an experiment.",
        (_argument("experiment", "Name of the experiment.", required=True), _PROJECT),
        _tools("list_experiments", "get_experiment", "get_experiment_results"),
        _experiment_verdict,
    ),
    Plan(
        "flag_cleanup",
        "Flag clean-up",
        "Find feature flags that can go.",
        (_PROJECT,),
        _tools("list_flags", "run_hogql", "list_experiments", "list_surveys"),
        _flag_cleanup,
    ),
    Plan(
        "launch_checklist",
        "Launch checklist",
        "Check whether a feature behind a flag is ready to launch.",
        (
            _argument("flag", "Key of its feature flag.", required=True),
            _argument("event", "Event that shows that it is used."),
            _PROJECT,
        ),
        _tools("get_flag", "describe_data", "query_trends", "query_funnel", "list_dashboards", "list_annotations"),
        _launch_checklist,
    ),
)
