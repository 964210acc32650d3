"""Surveys. PostHog has no soft delete for them, so they are archived instead and nothing is lost."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...gateway.call import Call
from ...gateway.errors import Refused
from ...schemas.base.shown import Whole
from ...schemas.json import as_objects
from ...schemas.surveys.objects import (
    ONLY_FOR,
    CreateSurvey,
    GetSurvey,
    ListSurveys,
    Question,
    SurveyRow,
    SurveyView,
    UpdateSurvey,
    flaw_of_schedule,
)
from ..operation import Effect, Operation, Result, Toolset, listing, read, show
from ..operation.dates import instant, instants, midnights
from ..operation.editing import Change, Editing, plain_arguments
from ..operation.merging import merged, merged_by, reverting
from ..operation.writing import create, updating

SURVEYS = "/api/projects/{project_id}/surveys/"
SURVEY = "/api/projects/{project_id}/surveys/{survey_id}/"
_MERGED = ("conditions", "appearance", "translations")
_NESTED = ("questions", *_MERGED)
_ITERATIONS = ("iteration_count", "iteration_frequency_days")
_REPEATING = ("schedule", *_ITERATIONS)
_NOT_REPEATING = ("once", "always")
_DATES = ("start_date", "end_date")
_UNDER_WAY = "The survey is running: people who answered before saw it as it was, and its statistics mix both."
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
        **{name: getattr(args, name) for name in _REPEATING},
        "translations": args.translations,
        "start_date": instant(api, "start_date", args.start_date),
    }
    body = {name: value for name, value in body.items() if value is not None}
    reasons = ("It launches the survey: people see it at once.",) if args.start_date is not None else ()
    made = await create(api, args, SURVEYS, body, SurveyView, what="survey", undo=_archived, reasons=reasons)
    if args.dry_run:
        return made
    notes = [*midnights(args, made, "start_date"), *([_DRAFT] if made["status"] == "draft" else ())]
    return {**made, **({"note": " ".join(notes)} if notes else {})}


def _archived(stored: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return "update_survey", {"survey_id": str(stored["id"]), "archived": True}


def _body(api: Call, args: UpdateSurvey, stored: Mapping[str, Any]) -> Mapping[str, Any]:
    body = args.given(leave_out=frozenset({"questions", "remove_questions", *_MERGED}))
    if args.questions is not None or args.remove_questions is not None:
        body["questions"] = _questions(args, stored)
    for name in _MERGED:
        if (given := getattr(args, name)) is not None:
            body[name] = merged(stored.get(name), given)
    return body | _repeating(args, stored) | instants(api, args, *_DATES)


def _repeating(args: UpdateSurvey, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the schedule; one that does not repeat clears the iterations, as PostHog's page does.

    Raises Refused for a schedule that lacks something.
    """
    given = {name: value for name in _REPEATING if (value := getattr(args, name)) is not None}
    if not given:
        return {}
    cleared = dict.fromkeys(_ITERATIONS, 0) if given.get("schedule") in _NOT_REPEATING else {}
    after: dict[str, Any] = {name: {**stored, **cleared, **given}.get(name) for name in _REPEATING}
    if problem := flaw_of_schedule(after["schedule"], after["iteration_count"], after["iteration_frequency_days"]):
        raise Refused("invalid_argument", f"{problem}.", "Set all three, or schedule once or always.")
    return {name: value for name, value in after.items() if name in given or (name in cleared and stored.get(name))}


def _questions(args: UpdateSurvey, stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the questions with the given ones merged by id, or else by their text. Raises Refused if none is left."""
    given = [question.as_json() for question in args.questions or ()]
    questions = merged_by(("id", "question"), stored.get("questions"), given, args.remove_questions or ())
    if not questions:
        raise Refused(
            "invalid_argument", "`remove_questions`: no question would be left.", "Keep one, or archive the survey."
        )
    return [_fitting(question) for question in questions]


def _fitting(question: dict[str, Any]) -> dict[str, Any]:
    """Return the question without fields of the type that it had before."""
    kind = question.get("type")
    return {name: value for name, value in question.items() if kind in ONLY_FOR.get(name, (kind,))}


def _known(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a question that update_survey takes; the others are kept by the merge."""
    return {name: value for name, value in question.items() if name in Question.model_fields and value is not None}


def _back(before: Mapping[str, Any], after: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Return the arguments that bring back the fields: questions by id, and null for what was added to an object."""
    cleared = _ITERATIONS if before.get("schedule") in _NOT_REPEATING else ()
    back = dict(plain_arguments(before, after, [name for name in names if name not in (*_NESTED, *cleared)]))
    if "questions" in names:
        was = [_known(question) for question in as_objects(before.get("questions"))]
        known = {question.get("id") for question in was}
        added = [question.get("id") for question in as_objects(after.get("questions"))]
        back |= {"questions": was, "remove_questions": [number for number in added if number not in known]}
    for name in _MERGED:
        if name in names:
            back[name] = reverting(before.get(name), after.get(name))
    return {name: value for name, value in back.items() if value != []}


async def _reasons(_: Call, change: Change) -> Sequence[str]:
    """Return what a change means for the people who see the survey."""
    status = read(SurveyRow, change.before).status
    reasons: list[str] = []
    if change.body.get("start_date") and status == "draft":
        reasons.append("It launches the survey: people see it at once.")
    if status == "running" and ("start_date" in change.body or change.body.get("end_date")):
        reasons.append("It stops a running survey.")
    if status == "running" and change.body.get("archived"):
        reasons.append("The survey is running.")
    if status == "complete" and "end_date" in change.body and not change.body["end_date"]:
        reasons.append("It resumes the survey: people see it again.")
    return reasons


def _notes(_: Call, args: UpdateSurvey, change: Change, after: Mapping[str, Any]) -> Sequence[str]:
    survey = read(SurveyRow, after)
    notes = list(midnights(args, after, *_DATES))
    if read(SurveyRow, change.before).status == "running" and not change.body.keys().isdisjoint(_NESTED):
        notes.append(_UNDER_WAY)
    if survey.status == "draft" and not survey.archived:
        notes.append(_DRAFT)
    return notes


def _meant(survey: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the survey with null for iterations of 0, which mean the same."""
    return {**survey, **{name: survey.get(name) or None for name in _ITERATIONS}}


_EDITING: Editing[Any] = Editing(
    what="survey",
    path=SURVEY,
    gives=SurveyView,
    target="survey_id",
    body=_body,
    back=_back,
    reasons=_reasons,
    notes=_notes,
    meant=_meant,
)


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
    updating(
        UpdateSurvey,
        _EDITING,
        name="update_survey",
        about="Change, launch (start_date), stop (end_date) or archive a survey. Surveys cannot be deleted.",
        toolset=Toolset.SURVEYS,
    ),
)
