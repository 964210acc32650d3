"""Persons changed or deleted through the API, as HogQL sees them.

The events stay as generated. Changed properties replace those in `persons`; deleted persons and their distinct ids are
left out. As in PostHog, events keep the person's properties at the time of the event: only queries that join persons
(`personsOnEventsMode`) see the changes.
"""

from collections.abc import Iterable, Mapping

from ..storage.events import literal
from ..storage.store import Rows


def person_overlays(rows: Rows, project_id: int) -> Mapping[str, str]:
    """Return a SELECT by name of the table it replaces; empty while nothing has been changed."""
    changed = {str(row["id"]): str(row["properties"]) for row in rows.all("person_properties", project_id)}
    removed = [str(row["key"]) for row in rows.all("removed", project_id) if row["kind"] == "person"]
    overlays: dict[str, str] = {}
    if changed or removed:
        overlays["persons"] = f"SELECT {_properties(changed)} FROM posthog.persons{_kept('id', removed)}"
    if removed:
        overlays["person_distinct_ids"] = f"SELECT * FROM posthog.person_distinct_ids{_kept('person_id', removed)}"
    return overlays


def _properties(changed: Mapping[str, str]) -> str:
    if not changed:
        return "*"
    ids, documents = _list(changed.keys()), _list(changed.values())
    return f"* REPLACE (transform(toString(id), [{ids}], [{documents}], properties) AS properties)"


def _kept(column: str, removed: list[str]) -> str:
    return f" WHERE toString({column}) NOT IN ({_list(removed)})" if removed else ""


def _list(texts: Iterable[str]) -> str:
    return ", ".join(map(literal, texts))
