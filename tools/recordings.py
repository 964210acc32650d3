"""Session recordings. Without a range PostHog searches only a few days, so the range is always sent and shown."""

from typing import Any

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.base.shown import Whole
from ..schemas.recordings import (
    GetRecording,
    ListRecordings,
    RecordingPage,
    RecordingRow,
    RecordingView,
    event_filter,
    exceptions_filter,
)
from ..schemas.text import shortened
from .operation import Effect, Operation, Result, Toolset, read, show
from .operation.dates import sent_range

RECORDINGS = "/api/projects/{project_id}/session_recordings/"
RECORDING = "/api/projects/{project_id}/session_recordings/{recording_id}/"


async def _list_recordings(api: Call, args: ListRecordings) -> Result:
    since, until = sent_range(api, args.date_from, args.date_to)
    query = {
        "date_from": since,
        "date_to": until,
        "person_uuid": args.person_id,
        "distinct_ids": [args.distinct_id] if args.distinct_id else None,
        **_filters(args),
        "order": args.order,
        "limit": args.limit,
        "offset": args.offset,
    }
    page = read(RecordingPage, await api.get(RECORDINGS, query))
    shown: dict[str, Any] = {
        "recordings": [shortened(show(RecordingRow, item)) for item in page.results],
        "date_from": since,
    }
    if until:
        shown["date_to"] = until
    if page.has_next and page.results:
        shown["next_offset"] = args.offset + len(page.results)
    return shown


def _filters(args: ListRecordings) -> dict[str, Any]:
    """Return what the events of a recording must be, and its length. All of them apply."""
    found = [event_filter(one) for one in args.events or ()]
    if args.error:
        found.append(exceptions_filter(args.error))
    length = {"key": "duration", "type": "recording", "operator": "gte", "value": args.min_duration_s}
    wanted = {
        "events": [one for one in found if one["type"] == "events"],
        "actions": [one for one in found if one["type"] == "actions"],
        "properties": [one.as_filter() for one in args.properties or ()],
        "having_predicates": [length] if args.min_duration_s else [],
    }
    return {name: value for name, value in wanted.items() if value}


async def _get_recording(api: Call, args: GetRecording) -> Result:
    found = await api.get(RECORDING, recording_id=args.recording_id)
    return show(Whole, found) if args.full else shortened(show(RecordingView, found))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_recordings",
        about="List session recordings (replays), newest first.",
        toolset=Toolset.RECORDINGS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=ListRecordings,
        run=_list_recordings,
    ),
    Operation(
        name="get_recording",
        about="Show one session recording's activity, errors and person, but not the replay itself.",
        toolset=Toolset.RECORDINGS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=GetRecording,
        run=_get_recording,
    ),
)
