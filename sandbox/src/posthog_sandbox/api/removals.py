"""What was deleted of the data that come from the events, which themselves are never changed."""

from anyio import to_thread

from ..http.routing import Call


async def removed_keys(call: Call, kind: str) -> frozenset[str]:
    """The keys of a kind (`session_recording`, `event_definition`, ...) that were deleted in the call's project."""

    def read() -> frozenset[str]:
        with call.services.store.transaction() as rows:
            found = rows.all("removed", call.project_id)
            return frozenset(row["key"] for row in found if row["kind"] == kind)

    return await to_thread.run_sync(read)


async def remove_keys(call: Call, kind: str, *keys: str) -> None:
    """Record that these were deleted."""

    def write() -> None:
        with call.services.store.transaction() as rows:
            for key in keys:
                rows.insert("removed", call.project_id, {"kind": kind, "key": key})

    await to_thread.run_sync(write)
