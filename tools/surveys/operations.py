"""Surveys. PostHog has no soft delete for them, so they are archived instead and nothing is lost."""

from typing import Any

from ...gateway.call import Call
from ...schemas.base.shown import Whole
from ...schemas.json import as_object
from ...schemas.surveys.objects import CreateSurvey, GetSurvey, ListSurveys, SurveyRow, SurveyView, UpdateSurvey
from ..operation import Effect, Operation, Result, Toolset, listing, read, show
from ..operation.merging import merged

SURVEYS = "/api/projects/{project_id}/surveys/"
SURVEY = "/api/projects/{project_id}/surveys/{survey_id}/"
_DRAFT = "This survey is a draft. Users do not see it until update_survey sets start_date."


async def _get_survey(api: Call, args: GetSurvey) -> Result:
    return show(Whole if args.full else SurveyView, await api.get(SURVEY, survey_id=args.survey_id))


async def _create_survey(api: Call, args: CreateSurvey) -> Result:
    body: dict[str, Any] = {
        "name": args.name,
        "type": args.type,
        "questions": [question.as_json() for question in args.questions],
        "description": args.description,
        "conditions": args.conditions,
        "appearance": args.appearance,
        "start_date": None if args.start_date is None else api.moment(args.start_date),
    }
    return _stored(await api.post(SURVEYS, {name: value for name, value in body.items() if value is not None}))


async def _update_survey(api: Call, args: UpdateSurvey) -> Result:
    changes = args.given()
    if args.questions is not None:
        changes["questions"] = [question.as_json() for question in args.questions]
    for name, value in (("start_date", args.start_date), ("end_date", args.end_date)):
        if value is not None:
            changes[name] = api.moment(value)
    nested = {"conditions": args.conditions, "appearance": args.appearance}
    if any(value is not None for value in nested.values()):
        # PostHog replaces these two objects whole.
        before = await api.get(SURVEY, survey_id=args.survey_id)
        read(SurveyView, before)
        stored = as_object(before)
        for name, value in nested.items():
            if value is not None:
                changes[name] = merged(stored.get(name), value)
    return _stored(await api.patch(SURVEY, changes, survey_id=args.survey_id))


def _stored(answer: object) -> dict[str, Any]:
    shown = show(SurveyView, answer)
    return {**shown, "note": _DRAFT} if shown["status"] == "draft" and not shown.get("archived") else shown


OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/surveys/",
        ListSurveys,
        SurveyRow,
        name="list_surveys",
        about="List surveys with status and dates. Use it to find a survey_id.",
        toolset=Toolset.SURVEYS,
    ),
    Operation(
        name="create_survey",
        about="Create a survey, such as NPS. It is a draft unless start_date is set.",
        toolset=Toolset.SURVEYS,
        effect=Effect.CREATE,
        input=CreateSurvey,
        run=_create_survey,
    ),
    Operation(
        name="get_survey",
        about="Show one survey: questions, display conditions, status. For responses, use get_survey_stats.",
        toolset=Toolset.SURVEYS,
        effect=Effect.READ,
        input=GetSurvey,
        run=_get_survey,
    ),
    Operation(
        name="update_survey",
        about="Change, launch (start_date), stop (end_date) or archive a survey. Surveys cannot be deleted.",
        toolset=Toolset.SURVEYS,
        effect=Effect.UPDATE,
        input=UpdateSurvey,
        run=_update_survey,
    ),
)
