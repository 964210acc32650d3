"""Event and property definitions: the names that queries use."""

from typing import Any

from ..gateway.call import Call
from ..schemas.definitions import (
    EventDefinitionRow,
    ListEventDefinitions,
    ListPropertyDefinitions,
    PropertyDefinitionRow,
)
from .operation import Effect, Operation, Result, Toolset, listing, show_page

PROPERTY_DEFINITIONS = "/api/projects/{project_id}/property_definitions/"


async def _list_property_definitions(api: Call, args: ListPropertyDefinitions) -> Result:
    query = {
        "search": args.search,
        "type": args.type,
        "event_names": args.event_names,
        "filter_by_event_names": True if args.event_names else None,
        "group_type_index": args.group_type_index,
        "limit": args.limit,
        "offset": args.offset,
    }
    found = await api.get(PROPERTY_DEFINITIONS, query)
    return await api.apart(lambda: show_page(PropertyDefinitionRow, found, args, under="definitions"))


OPERATIONS: tuple[Operation[Any], ...] = (
    listing(
        "GET /api/projects/{project_id}/event_definitions/",
        ListEventDefinitions,
        EventDefinitionRow,
        name="list_event_definitions",
        about="List event names and when each was last seen. Use it before writing a query.",
        toolset=Toolset.DEFINITIONS,
    ),
    Operation(
        name="list_property_definitions",
        about="List names and types of event, person, group or session properties. Use it before writing a query.",
        toolset=Toolset.DEFINITIONS,
        effect=Effect.READ,
        input=ListPropertyDefinitions,
        run=_list_property_definitions,
    ),
)
