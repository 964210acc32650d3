"""Annotations. Organization-wide ones appear in all projects; editing one moves it to the project of the request."""

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
from .operation import Effect, Operation, Result, Toolset, route, show, show_page
from .operation.dates import range_end, range_start

ANNOTATIONS = "/api/projects/{project_id}/annotations/"
ANNOTATION = "/api/projects/{project_id}/annotations/{annotation_id}/"
_SCOPES = {"insight": "dashboard_item"}
_MOVED = "This is an organization-wide annotation. It appears in all projects and now belongs to this one."


async def _list_annotations(api: Call, args: ListAnnotations) -> Result:
    query = {
        "search": args.search,
        "scope": _SCOPES.get(args.scope, args.scope) if args.scope else None,
        "date_from": range_start(api, args.date_from),
        "date_to": range_end(api, args.date_to),
        "limit": args.limit,
        "offset": args.offset,
    }
    return show_page(AnnotationView, await api.get(ANNOTATIONS, query), args, under="annotations")


async def _create_annotation(api: Call, args: CreateAnnotation) -> Result:
    body: dict[str, Any] = {
        "content": args.content,
        "date_marker": api.moment(args.date_marker or api.now().replace(microsecond=0)),
        "scope": _SCOPES.get(args.scope, args.scope),
    }
    if args.insight_id is not None:
        body["dashboard_item"] = args.insight_id
    if args.dashboard_id is not None:
        body["dashboard_id"] = args.dashboard_id
    return show(AnnotationView, await api.post(ANNOTATIONS, body))


async def _update_annotation(api: Call, args: UpdateAnnotation) -> Result:
    changes = args.given()
    if args.date_marker is not None:
        changes["date_marker"] = api.moment(args.date_marker)
    shown = show(AnnotationView, await api.patch(ANNOTATION, changes, annotation_id=args.annotation_id))
    return {**shown, "note": _MOVED} if shown.get("scope") == "organization" else shown


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
    Operation(
        name="update_annotation",
        about="Change an annotation's text or date.",
        toolset=Toolset.ANNOTATIONS,
        effect=Effect.UPDATE,
        input=UpdateAnnotation,
        run=_update_annotation,
    ),
    route(
        "SOFT_DELETE /api/projects/{project_id}/annotations/{annotation_id}/",
        DeleteAnnotation,
        AnnotationState,
        name="delete_annotation",
        about="Delete an annotation. Undo with restore_deleted.",
        toolset=Toolset.ANNOTATIONS,
    ),
)
