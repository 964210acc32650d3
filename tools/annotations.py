"""Annotations. Organization-wide ones appear in all projects; editing one moves it to the project of the request."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from ..gateway.call import Call
from ..schemas.annotations import (
    AnnotationState,
    AnnotationView,
    CreateAnnotation,
    DeleteAnnotation,
    ListAnnotations,
    UpdateAnnotation,
)
from ..schemas.json import as_object
from .analytics.finding import find_insight
from .operation import Effect, Operation, Result, Toolset, show_page
from .operation.dates import moments
from .operation.editing import Change, Editing
from .operation.undoing import removal
from .operation.writing import create, deleting, updating

ANNOTATIONS = "/api/projects/{project_id}/annotations/"
_SCOPES = {"insight": "dashboard_item"}
_EVERYWHERE = "It is organization-wide: every project shows it."
_MOVED = "This is an organization-wide annotation. It appears in all projects and now belongs to this one."


async def _list_annotations(api: Call, args: ListAnnotations) -> Result:
    start, end = moments(api, args.date_from, args.date_to)
    query = {
        "search": args.search,
        "scope": _SCOPES.get(args.scope, args.scope) if args.scope else None,
        "date_from": start and start.isoformat(),
        "date_to": end and end.isoformat(),
        "limit": args.limit,
        "offset": args.offset,
    }
    found = await api.get(ANNOTATIONS, query)
    return await api.apart(lambda: show_page(AnnotationView, found, args, under="annotations"))


def _marker(api: Call, value: datetime | date | str) -> str:
    return api.moment(api.now().replace(microsecond=0) if isinstance(value, str) else value)


async def _number_of(api: Call, insight_id: int | str) -> object:
    """Return the number of an insight, which annotations name it by."""
    if isinstance(insight_id, int):
        return insight_id
    return as_object(await find_insight(api, insight_id)).get("id")


async def _create_annotation(api: Call, args: CreateAnnotation) -> Result:
    body: dict[str, Any] = {
        "content": args.content,
        "date_marker": _marker(api, args.date_marker or "now"),
        "scope": _SCOPES.get(args.scope, args.scope),
    }
    if args.insight_id is not None:
        body["dashboard_item"] = await _number_of(api, args.insight_id)
    if args.dashboard_id is not None:
        body["dashboard_id"] = args.dashboard_id
    reasons = (_EVERYWHERE,) if args.scope == "organization" else ()
    undo = removal(ANNOTATIONS)
    return await create(api, args, ANNOTATIONS, body, AnnotationView, what="annotation", undo=undo, reasons=reasons)


def _body(api: Call, args: UpdateAnnotation, _: Mapping[str, Any]) -> Mapping[str, Any]:
    moment = {} if args.date_marker is None else {"date_marker": _marker(api, args.date_marker)}
    return args.given() | moment


async def _reasons(_: Call, change: Change) -> Sequence[str]:
    return (_EVERYWHERE,) if change.before.get("scope") == "organization" else ()


_EDITING: Editing[Any] = Editing(
    what="annotation",
    path="/api/projects/{project_id}/annotations/{annotation_id}/",
    gives=AnnotationView,
    target="annotation_id",
    body=_body,
    reasons=_reasons,
    notes=lambda _, __, ___, after: (_MOVED,) if after.get("scope") == "organization" else (),
)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_annotations",
        about="List annotations (notes on charts, such as releases), latest date first.",
        toolset=Toolset.ANNOTATIONS,
        effect=Effect.READ,
        input=ListAnnotations,
        run=_list_annotations,
    ),
    Operation(
        name="create_annotation",
        about="Mark a moment on charts, such as a release or an incident.",
        toolset=Toolset.ANNOTATIONS,
        effect=Effect.CREATE,
        input=CreateAnnotation,
        run=_create_annotation,
    ),
    updating(
        UpdateAnnotation,
        _EDITING,
        name="update_annotation",
        about="Change an annotation's text or date.",
        toolset=Toolset.ANNOTATIONS,
    ),
    deleting(
        DeleteAnnotation,
        _EDITING,
        AnnotationState,
        name="delete_annotation",
        about="Delete an annotation. Undo with restore_deleted.",
        toolset=Toolset.ANNOTATIONS,
    ),
)
