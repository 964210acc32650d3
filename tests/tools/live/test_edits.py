"""Drawn edits of objects of every kind in a sandbox: nothing changes that an edit does not name, and undo undoes it."""

import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from maton_posthog.schemas.json import as_list, as_object
from maton_posthog.schemas.json.difference import difference
from maton_posthog.tools.operation.comparing import VOLATILE

from ...oracle import examples
from ..posthog.live import LiveSandbox, running_sandbox

pytestmark = pytest.mark.anyio

EDITS = examples(80, 2000)
"""The number of edits over all tools; those of each tool take turns."""
NO_SHARE: dict[str, Any] = {"rollout_percentage": 0}
IDLE = frozenset({"url_matching", "text_matching", "href_matching"})
"""Fields of steps that mean nothing without another one."""
FOLLOWS = {"active": ("status",), "start_date": ("status",), "end_date": ("status",)}
"""Fields that are made from others."""


@pytest.fixture(scope="module")
def sandbox() -> Generator[LiveSandbox]:
    with running_sandbox(500) as running:
        yield running


@dataclass(frozen=True)
class Edit:
    """The arguments of an edit, and the places of the stored object that it names."""

    arguments: Mapping[str, Any]
    places: tuple[str, ...]


_METRICS = (
    ("metrics", "metrics", "primary_metrics_ordered_uuids"),
    ("secondary_metrics", "metrics_secondary", "secondary_metrics_ordered_uuids"),
)
type Draw = Callable[[random.Random, Mapping[str, Any]], Edit]


def text(field: str) -> Draw:
    return lambda draw, _: Edit({field: f"{draw.choice(['Növ', 'Plan', 'x'])} {draw.randrange(10**6)}"}, (field,))


def tags(draw: random.Random, stored: Mapping[str, Any]) -> Edit:
    removed = draw.sample(stored["tags"], min(1, len(stored["tags"])))
    return Edit({"tags": [f"t{draw.randrange(9)}"], **({"remove_tags": removed} if removed else {})}, ("tags",))


def toggled(field: str) -> Draw:
    return lambda _, stored: Edit({field: not stored[field]}, (field, *FOLLOWS.get(field, ())))


def rollout(draw: random.Random, stored: Mapping[str, Any]) -> Edit:
    number = draw.randrange(len(stored["filters"]["groups"])) + 1
    place = f"filters.groups.{number - 1}.rollout_percentage"
    return Edit({"rollout_percentage": draw.randrange(101), "condition": number}, (place, "rollout_percentage"))


def added_condition(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    new = {"properties": [{"key": "plan", "type": "person", "operator": "exact", "value": [str(draw.randrange(9))]}]}
    return Edit({"conditions": [{**new, "rollout_percentage": draw.randrange(101)}]}, ("filters.groups",))


def variant_keys(stored: Mapping[str, Any]) -> list[str]:
    multivariate = as_object(as_object(stored["filters"]).get("multivariate"))
    return [str(as_object(each)["key"]) for each in as_list(multivariate.get("variants"))]


def variants(draw: random.Random, stored: Mapping[str, Any]) -> Edit:
    keys, share = variant_keys(stored) or ["control", "test"], draw.randrange(101)
    first, *others = [{**NO_SHARE, "key": key} for key in keys]
    first["rollout_percentage"] = share if others else 100
    if others:
        others[0]["rollout_percentage"] = 100 - share
    removed = {"payloads": {"true": None}} if "true" in as_object(stored["filters"].get("payloads")) else {}
    return Edit({"variants": [first, *others], **removed}, ("filters.multivariate", "filters.payloads"))


def payload(draw: random.Random, stored: Mapping[str, Any]) -> Edit:
    key = draw.choice(variant_keys(stored) or ["true"])
    return Edit({"payloads": {key: f'"{draw.randrange(99)}"'}}, (f"filters.payloads.{key}", "filters.payloads"))


def question(draw: random.Random, stored: Mapping[str, Any]) -> Edit:
    at = draw.randrange(len(stored["questions"]))
    one = stored["questions"][at]
    changed = {"id": one["id"], "type": one["type"], "question": f"Why {draw.randrange(999)}?"}
    for field in ("display", "scale", "choices", "link"):
        if one.get(field) is not None:
            changed[field] = one[field]
    return Edit({"questions": [changed]}, (f"questions.{at}.question",))


def appearance(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    return Edit({"appearance": {"position": draw.choice(["left", "right", "center"])}}, ("appearance",))


def translations(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    language = draw.choice(["de", "fr", "ja"])
    return Edit({"translations": {language: {"name": f"{draw.randrange(99)}"}}}, ("translations",))


def plan(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    given = {draw.choice(["recommended_sample_size", "recommended_running_time"]): draw.randrange(1, 99)}
    return Edit({"running_time_calculation": given}, ("running_time_calculation",))


def steps(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    return Edit({"steps": [{"event": "$pageview", "url": f"/{draw.randrange(99)}"}]}, ("steps",))


def metrics(draw: random.Random, _: Mapping[str, Any]) -> Edit:
    argument, field, order = draw.choice(_METRICS)
    source = {"kind": "EventsNode", "event": "purchase_completed"}
    metric = {"kind": "ExperimentMetric", "metric_type": "mean", "source": source, "name": f"M{draw.randrange(99)}"}
    return Edit({argument: [metric]}, (field, order))


KINDS: Mapping[str, tuple[str, str, str, tuple[Draw, ...]]] = {
    "update_flag": (
        "list_flags",
        "flag",
        "feature_flags",
        (
            *(text("name"), tags, toggled("active"), rollout, added_condition, variants, payload),
            toggled("ensure_experience_continuity"),
        ),
    ),
    "update_cohort": ("list_cohorts", "cohort_id", "cohorts", (text("name"), text("description"))),
    "update_action": ("list_actions", "action_id", "actions", (text("name"), text("description"), tags, steps)),
    "update_annotation": ("list_annotations", "annotation_id", "annotations", (text("content"),)),
    "update_insight": ("list_insights", "insight_id", "insights", (text("name"), text("description"), tags)),
    "update_dashboard": (
        "list_dashboards",
        "dashboard_id",
        "dashboards",
        (text("name"), text("description"), tags, toggled("pinned")),
    ),
    "update_survey": (
        "list_surveys",
        "survey_id",
        "surveys",
        (text("name"), text("description"), question, appearance, translations),
    ),
    "update_experiment": (
        "list_experiments",
        "experiment_id",
        "experiments",
        (text("name"), text("description"), metrics, plan),
    ),
}
"""The list, the argument that names the object, the resource, and the edits of each update tool."""


async def test_drawn_edits_change_nothing_that_they_do_not_name_and_can_be_undone(sandbox: LiveSandbox) -> None:
    draw = random.Random(11)
    listed = {tool: await sandbox.call(kind[0]) for tool, kind in KINDS.items()}
    for number in range(EDITS):
        turn, place = divmod(number, len(KINDS))
        tool = list(KINDS)[place]
        _, target, resource, draws = KINDS[tool]
        identifier = draw.choice(listed[tool][resource if resource != "feature_flags" else "flags"])["id"]
        path = f"/api/projects/{{project_id}}/{resource}/{{id}}/"
        before = await sandbox.get(path, id=identifier)
        edit = draws[turn % len(draws)](draw, before)
        shown = await sandbox.call(tool, **{target: str(identifier)}, **edit.arguments)
        after = await sandbox.get(path, id=identifier)
        changed = difference(before, after, ignoring=VOLATILE)
        unnamed = [place for place in changed if not place.startswith(edit.places)]
        assert unnamed == [], (tool, edit, changed)
        told = {*shown["changed"], *shown.get("also_changed", {})}
        assert {place.split(".")[0] for place in changed} <= {place.split(".")[0] for place in told}, (changed, shown)
        if draw.random() < 0.5:
            continue
        if shown["changed"]:
            assert "arguments" in shown["undo"], (tool, edit, shown)
            await sandbox.call(tool, **shown["undo"]["arguments"])
            left = difference(before, await sandbox.get(path, id=identifier), ignoring=VOLATILE | IDLE)
            assert {place.split(".")[0] for place in left} <= {*shown["undo"].get("does_not_set", ())}, (
                tool,
                edit,
                shown["undo"],
                left,
            )


async def test_insights_move_between_dashboards_and_back(sandbox: LiveSandbox) -> None:
    boards = (await sandbox.call("list_dashboards"))["dashboards"]
    board = await sandbox.call("get_dashboard", dashboard_id=boards[0]["id"])
    on_it = [tile["insight"]["id"] for tile in board["tiles"] if "insight" in tile]
    others = [each["id"] for each in (await sandbox.call("list_insights"))["insights"] if each["id"] not in on_it]
    shown = await sandbox.call(
        "update_dashboard", dashboard_id=board["id"], add_insights=others[:2], remove_insights=on_it[:1]
    )
    now = [tile["insight"]["id"] for tile in shown["tiles"] if "insight" in tile]
    assert sorted(now) == sorted([*on_it[1:], *others[:2]])
    back = await sandbox.call("update_dashboard", **shown["undo"]["arguments"])
    assert sorted(tile["insight"]["id"] for tile in back["tiles"] if "insight" in tile) == sorted(on_it)


async def test_a_deleted_insight_returns_to_its_dashboards_by_both_calls_of_its_undo(sandbox: LiveSandbox) -> None:
    board = (await sandbox.call("list_dashboards"))["dashboards"][0]["id"]
    query = {"tool": "query_trends", "arguments": {"events": ["$pageview"]}}
    made = await sandbox.call("create_insight", name="Short-lived", query=query, add_to_dashboards=[str(board)])
    undo = (await sandbox.call("delete_insight", insight_id=str(made["id"])))["undo"]
    assert undo["does_not_set"] == ["dashboards"]
    await sandbox.call(undo["tool"], **undo["arguments"])
    path = "/api/projects/{project_id}/insights/{id}/"
    assert (await sandbox.get(path, id=made["id"]))["dashboards"] == []
    await sandbox.call(undo["then"]["tool"], **undo["then"]["arguments"])
    assert (await sandbox.get(path, id=made["id"]))["dashboards"] == [board]
    plain = await sandbox.call("create_insight", name="Alone", query=query)
    undo = (await sandbox.call("delete_insight", insight_id=str(plain["id"])))["undo"]
    assert undo.keys() == {"tool", "arguments"}
