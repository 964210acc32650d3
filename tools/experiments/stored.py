"""The stored experiment as updates see it: its own metrics, the shared ones, and the planned running time."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...gateway.errors import Refused
from ...schemas.experiments.objects import UpdateExperiment
from ...schemas.json import as_list, as_object, as_objects
from ...schemas.models import as_sentence, metric_flaws
from ..operation.merging import merged, merged_by, reverting

_OWN = {"metrics": "metrics", "secondary_metrics": "metrics_secondary"}
"""The arguments for an experiment's own metrics, and PostHog's fields for them."""
_LINKS = "saved_metrics_ids"
_PLAN = "running_time_calculation"
SPECIAL = frozenset({*_OWN, "saved_metrics", "remove_metrics", _PLAN})
"""The arguments that are merged into what is stored."""
STORED = frozenset({*_OWN.values(), _LINKS, _PLAN})
"""PostHog's fields for them."""


def with_links(experiment: Any) -> dict[str, Any]:
    """Return an experiment with its shared metrics under the field that PostHog takes them by and never returns."""
    links = [
        {"id": link.get("saved_metric", link.get("id")), "metadata": as_object(link.get("metadata"))}
        for link in as_objects(as_object(experiment).get("saved_metrics"))
    ]
    return {**as_object(experiment), _LINKS: links}


def without_empty_plan(experiment: Mapping[str, Any]) -> dict[str, Any]:
    """Return an experiment with null for a plan without values, which means the same."""
    return {**experiment, _PLAN: experiment.get(_PLAN) or None}


def changed_fields(args: UpdateExperiment, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics and the plan that should be stored, as far as they are named. Raises Refused."""
    body: dict[str, Any] = {}
    removed = set(args.remove_metrics or ())
    known = {str(as_object(metric).get("uuid")) for name in _OWN.values() for metric in as_list(stored.get(name))}
    known |= {str(link["id"]) for link in as_objects(stored.get(_LINKS))}
    if unknown := sorted(removed - known):
        raise Refused(
            "invalid_argument",
            f"remove_metrics: the experiment has no metric {unknown[0][:100]}.",
            "get_experiment shows the uuids of its metrics, and the ids of shared ones.",
        )
    for argument, name in _OWN.items():
        was = as_list(stored.get(name))
        if getattr(args, argument) is not None or any(as_object(metric).get("uuid") in removed for metric in was):
            body[name] = merged_by(("uuid",), was, getattr(args, argument) or (), removed)
            _check(argument, body[name], was)
    links = as_objects(stored.get(_LINKS))
    if args.saved_metrics is not None or any(str(link["id"]) in removed for link in links):
        kept = [link for link in links if str(link["id"]) not in removed]
        body[_LINKS] = merged_by(("id",), kept, [each.as_link() for each in args.saved_metrics or ()])
    if args.running_time_calculation is not None:
        body[_PLAN] = merged(stored.get(_PLAN), args.running_time_calculation)
    return body


def fields_back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return the arguments that bring back metrics and plan: metrics by uuid, and the new ones removed."""
    back: dict[str, Any] = {}
    removed: list[str] = []
    for argument, name in _OWN.items():
        if name in names:
            back[argument] = as_list(before.get(name))
            removed += _added(before, after, name, "uuid")
    if _LINKS in names:
        back["saved_metrics"] = [
            {"id": link["id"], "type": link["metadata"].get("type", "primary")}
            for link in as_objects(before.get(_LINKS))
        ]
        removed += _added(before, after, _LINKS, "id")
    if _PLAN in names:
        back[_PLAN] = reverting(before.get(_PLAN), after.get(_PLAN))
    return {name: value for name, value in {**back, "remove_metrics": removed}.items() if value != []}


def _added(before: Mapping[str, Any], after: Mapping[str, Any], name: str, key: str) -> list[str]:
    was, now = ({str(each[key]) for each in as_objects(side.get(name)) if key in each} for side in (before, after))
    return sorted(now - was)


def _check(argument: str, metrics: Sequence[Any], stored: Sequence[Any]) -> None:
    """Raise Refused (`invalid_argument`) for metrics that PostHog's models reject. What the stored metric with the same
    uuid has is accepted: PostHog can be newer than the models here.
    """
    known = {as_object(metric).get("uuid"): set(metric_flaws(metric)) for metric in stored}
    found = [
        flaw.within(at)
        for at, metric in enumerate(metrics)
        for flaw in metric_flaws(metric)
        if flaw not in known.get(as_object(metric).get("uuid"), ())
    ]
    if found:
        raise Refused("invalid_argument", f"{argument}: {as_sentence(found)}.", "Correct the metrics, merged by uuid.")
