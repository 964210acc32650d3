"""Session recordings. Without a range PostHog searches only a few days, so the range is always sent and shown."""

from typing import Any

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.base import View
from ..schemas.base.shown import Whole
from ..schemas.recordings import GetRecording, ListRecordings, RecordingRow, RecordingView
from ..schemas.text import shortened
from .operation import Effect, Operation, Result, Toolset, read, show
from .operation.dates import range_end, range_start

RECORDINGS = "/api/projects/{project_id}/session_recordings/"
RECORDING = "/api/projects/{project_id}/session_recordings/{recording_id}/"


class _Recordings(View):
    """PostHog's page of recordings, which has neither `count` nor `next`."""

    results: list[Any]
    has_next: bool = False


async def _list_recordings(api: Call, args: ListRecordings) -> Result:
    since, until = range_start(api, args.date_from), range_end(api, args.date_to)
    query = {
        "date_from": since,
        "date_to": until,
        "person_uuid": args.person_id,
        "distinct_ids": [args.distinct_id] if args.distinct_id else None,
        "order": args.order,
        "limit": args.limit,
        "offset": args.offset,
    }
    page = read(_Recordings, await api.get(RECORDINGS, query))
    shown: dict[str, Any] = {
        "recordings": [shortened(show(RecordingRow, item)) for item in page.results],
        "date_from": since,
    }
    if until:
        shown["date_to"] = until
    if page.has_next and page.results:
        shown["next_offset"] = args.offset + len(page.results)
    return shown


async def _get_recording(api: Call, args: GetRecording) -> Result:
    found = await api.get(RECORDING, recording_id=args.recording_id)
    return show(Whole, found) if args.full else shortened(show(RecordingView, found))


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_recordings",
        about="List session recordings (replays) with duration, clicks and start page, newest first.",
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
