"""Metrics that experiments share, and their links to experiments."""

from typing import Any

from ...errors import invalid
from ...http.fields import Field, json_object, tags, text
from ...http.resource import Change, Resource, routes
from ...storage.store import Rows
from ...values import Row, as_list, as_object, objects

_TABLE = "experiment_saved_metrics"
_KINDS = ("ExperimentMetric", "ExperimentTrendsQuery", "ExperimentFunnelsQuery")
_UNKNOWN = "Saved metric does not exist or does not belong to this project"


def _check(change: Change, row: Row) -> Row:
    if row["query"].get("kind") not in _KINDS:
        raise invalid(
            "Metric query kind must be 'ExperimentMetric', 'ExperimentTrendsQuery' or 'ExperimentFunnelsQuery'"
        )
    return row


def _remove(rows: Rows, row: Row) -> None:
    rows.remove(_TABLE, row["id"])


SAVED_METRICS = Resource(
    table=_TABLE,
    fields=(
        Field("name", text(400, blank=False), required=True),
        Field("description", text(400), null=True),
        Field("query", json_object, required=True),
        Field("tags", tags),
    ),
    defaults={"name": "", "description": None, "query": {}, "tags": []},
    check=_check,
    destroy=_remove,
)
ROUTES = routes(SAVED_METRICS)


def saved_metrics_ids(value: Any, name: str) -> list[Row]:
    """Check the form of links: an id, and metadata with a type. Whether they exist is checked with the project."""
    found = as_list(value)
    if found is None:
        raise invalid("Saved metrics must be a list", attr=name)
    links = objects(found)
    if len(links) != len(found):
        raise invalid("Saved metric must be an object", attr=name)
    for link in links:
        if "id" not in link:
            raise invalid("Saved metric must have an id", attr=name)
        metadata: Any = link.get("metadata")
        if metadata is not None and "type" not in (as_object(metadata) or {}):
            raise invalid("Metadata must have a type key", attr=name)
    return links


def check_links(change: Change, links: list[Row] | None) -> None:
    """Raise ApiError 400 for a link to a metric that the project does not have."""
    for link in links or []:
        metric = change.rows.get(_TABLE, link["id"]) if isinstance(link["id"], int) else None
        if metric is None or metric["_project"] != change.project_id:
            raise invalid(_UNKNOWN, attr="saved_metrics_ids")


def linked_metrics(rows: Rows, experiment: Row) -> list[Row]:
    """Return the metrics that an experiment is linked to, each with its place there (`metadata`)."""
    return [
        {
            "id": link["id"],
            "experiment": experiment["id"],
            "saved_metric": link["id"],
            "metadata": link.get("metadata") or {"type": "primary"},
            "query": metric["query"],
            "name": metric["name"],
        }
        for link in objects(experiment.get("_saved_metrics"))
        if (metric := rows.get(_TABLE, link["id"])) is not None
    ]
