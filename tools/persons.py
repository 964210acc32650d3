"""Persons. PostHog returns no count of them; `next_offset` shows that there are more."""

from typing import Any

from ..gateway.budget import Budget
from ..gateway.call import Call
from ..schemas.persons import GetPerson, ListPersons, PersonRow, PersonView
from ..schemas.text import shortened
from .operation import Effect, Operation, Result, Toolset, show, show_page

PERSONS = "/api/projects/{project_id}/persons/"
PERSON = "/api/projects/{project_id}/persons/{person_id}/"


async def _list_persons(api: Call, args: ListPersons) -> Result:
    query = {
        "search": args.search,
        "email": args.email,
        "distinct_id": args.distinct_id,
        "properties": [item.as_filter() for item in args.properties] if args.properties else None,
        "cohort": args.cohort_id,
        "limit": args.limit,
        "offset": args.offset,
    }
    found = await api.get(PERSONS, query)
    return await api.apart(lambda: show_page(PersonRow, found, args, under="persons"))


async def _get_person(api: Call, args: GetPerson) -> Result:
    """Return a person. Long texts are cut unless `full`: anyone can write into properties."""
    found = show(PersonView, await api.get(PERSON, person_id=args.person_id))
    return found if args.full else shortened(found)


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="list_persons",
        about="Find persons by email, distinct id, properties, cohort or text. To count or aggregate, use run_hogql.",
        toolset=Toolset.PERSONS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=ListPersons,
        run=_list_persons,
    ),
    Operation(
        name="get_person",
        about="Show one person with all properties and distinct ids.",
        toolset=Toolset.PERSONS,
        effect=Effect.READ,
        budget=Budget.ANALYTICS,
        input=GetPerson,
        run=_get_person,
    ),
)
