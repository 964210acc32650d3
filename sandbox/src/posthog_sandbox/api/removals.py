"""Deletions of objects that are computed from events; the events themselves never change."""

from anyio import to_thread

from ..http.routing import Call


async def removed_keys(call: Call, kind: str) -> frozenset[str]:
    """Return the keys of a kind (`session_recording`, `event_definition`, ...) deleted in the call's project."""

    def read() -> frozenset[str]:
        with call.services.store.transaction() as rows:
            found = rows.all("removed", call.project_id)
            return frozenset(row["key"] for row in found if row["kind"] == kind)

    return await to_thread.run_sync(read)


async def remove_keys(call: Call, kind: str, *keys: str) -> None:
    """Record the keys as deleted."""

    def write() -> None:
        with call.services.store.transaction() as rows:
            for key in keys:
                rows.insert("removed", call.project_id, {"kind": kind, "key": key})

    await to_thread.run_sync(write)
