"""Changed properties of persons. The events stay as generated; changes are applied on top.

This is for the endpoints of persons and recordings; `queries.person_overlays` does it for HogQL.
"""

import json
from collections.abc import Callable

from anyio import to_thread

from ...http.routing import Call
from ...storage.events import literal
from ...values import Row

_TABLE = "person_properties"


async def people(call: Call) -> str:
    """Return `posthog.persons` with changes applied, for use after FROM."""

    def read() -> dict[str, str]:
        with call.services.store.transaction() as rows:
            return {row["id"]: row["properties"] for row in rows.all(_TABLE, call.project_id)}

    changed = await to_thread.run_sync(read)
    if not changed:
        return "posthog.persons"
    ids, documents = (f"[{', '.join(map(literal, texts))}]" for texts in (changed.keys(), changed.values()))
    laid_over = f"transform(toString(id), {ids}, {documents}, properties) AS properties"
    return f"(SELECT * REPLACE ({laid_over}) FROM posthog.persons) AS people"


async def change_properties(call: Call, person: Row, change: Callable[[Row], Row]) -> Row:
    """Change the properties of a person, store them and return the person."""
    properties = change(person["properties"])
    document = json.dumps(properties, separators=(",", ":"), ensure_ascii=False)

    def write() -> None:
        with call.services.store.transaction() as rows:
            known = rows.get(_TABLE, person["uuid"])
            row: Row = {**(known or {"id": person["uuid"]}), "properties": document}
            if known is None:
                rows.insert(_TABLE, call.project_id, row)
            else:
                rows.save(_TABLE, row)

    await to_thread.run_sync(write)
    return {**person, "properties": properties}
