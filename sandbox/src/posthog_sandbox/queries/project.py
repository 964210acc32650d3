"""The query context of a project: time zone, property types, cohorts, actions, filters, variables."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import anyio
from anyio import to_thread

from ..errors import ApiError
from ..hogql import Context, HogqlError, PropertyTypes, escape
from ..http.routing import Call
from ..identity import DATA_PROJECT
from ..storage.events import EventSource
from ..storage.store import Rows, Store
from ..values import Row, as_list, as_object, objects
from .action_steps import action_condition
from .moments import parse_moment
from .person_overlays import person_overlays
from .property_filters import TRUE, FilterScope, TableName, properties_condition
from .query_log import QueryLog
from .stored_tables import CohortPersons, stored_relation

_FILTERED: Mapping[str, TableName] = {"events": "events", "sessions": "sessions"}
_CURRENT_PERSONS = frozenset({"disabled", "person_id_override_properties_joined"})
_TIMES: Mapping[TableName, str] = {"events": "timestamp", "sessions": "$start_timestamp"}


@dataclass(frozen=True, slots=True)
class Project:
    """A project as its queries see it.

    `context` has everything except a query's own filters and variables; `log` records the HogQL queries.
    """

    row: Row
    context: Context
    scope: FilterScope
    log: QueryLog

    def test_accounts(self, table: TableName = "events") -> str:
        """Return the condition of the project's filters for internal and test users."""
        return self.condition(objects(self.row.get("test_account_filters")), table)

    def condition(self, properties: object, table: TableName = "events") -> str:
        """Return property filters as HogQL. Raises ApiError 400."""
        return properties_condition(properties, replace(self.scope, table=table))

    def moment(self, text: str) -> str:
        """Return a date of a query as HogQL."""
        moment = parse_moment(text, self.scope.now, self.context.timezone)
        return f"toDateTime({escape.string(moment.isoformat())})"


class Projects:
    """Reader of projects; caches the property types, which do not change."""

    def __init__(self, cohort_persons: CohortPersons) -> None:
        self._cohort_persons = cohort_persons
        self._log = QueryLog()
        self._types: PropertyTypes | None = None
        self._reading = anyio.Lock()

    async def of(self, call: Call) -> Project:
        """Return the project of a request, after waiting for the events."""
        types = await self._property_types(call.services.events)
        return await to_thread.run_sync(self._read, call, types)

    def _read(self, call: Call, types: PropertyTypes) -> Project:
        store = call.services.store
        with store.transaction() as rows:
            row = rows.get("projects", call.project_id) or {}
            overlays = person_overlays(rows, call.project_id)
        context = Context(
            timezone=str(row.get("timezone") or "UTC"),
            week_start=int(row.get("week_start_day") or 0),
            group_types=("organization",),
            property_types=types,
            overlays=overlays,
            now=call.services.clock(),
        )
        cleaning = [
            (str(rule.get("regex")), str(rule.get("alias"))) for rule in objects(row.get("path_cleaning_filters"))
        ]
        scope = FilterScope(context=context, now=call.services.clock(), path_cleaning=tuple(cleaning))
        resolved = replace(
            context,
            cohorts=partial(_cohort, store, call.project_id, self._cohort_persons),
            actions=partial(_action, store, call.project_id, scope),
            relations=partial(_relation, store, call.project_id, self._cohort_persons, self._log),
        )
        return Project(row, resolved, scope, self._log)

    async def _property_types(self, events: EventSource) -> PropertyTypes:
        async with self._reading:
            if self._types is None:
                sql = (
                    "SELECT type, name, property_type FROM posthog.property_definitions WHERE property_type IS NOT NULL"
                )
                self._types = {(row[0], row[1]): row[2] for row in await events.rows(DATA_PROJECT, sql)}
            return self._types


def with_filters(project: Project, query: Row, body: Row) -> Context:
    """Return the context of a HogQL query with its `values`, `variables` and `filters`, and the request's overrides.

    Filters are read only if the query uses them; invalid ones then raise ApiError 400.
    """
    filters = as_object(query.get("filters")) or {}
    override = as_object(body.get("filters_override")) or {}
    dates = {**(as_object(filters.get("dateRange")) or {}), **_given(override, ("date_from", "date_to"))}
    properties = [*_listed(filters.get("properties")), *_listed(override.get("properties"))]
    test_accounts = bool(override.get("filterTestAccounts") or filters.get("filterTestAccounts"))
    has_filters = bool(properties or any(dates.values()) or test_accounts)
    return replace(
        project.context,
        current_persons=_modifiers(query).get("personsOnEventsMode") in _CURRENT_PERSONS,
        values=as_object(query.get("values")) or {},
        variables=_variables(query, body),
        filters=partial(_filters, project, dates, properties, test_accounts) if has_filters else None,
    )


def _modifiers(query: Row) -> Row:
    return as_object(query.get("modifiers")) or {}


def _given(values: Row, names: tuple[str, ...]) -> Row:
    return {name: values[name] for name in names if values.get(name) is not None}


def _listed(properties: object) -> list[Any]:
    return [properties] if as_object(properties) is not None else as_list(properties) or []


def _filters(project: Project, dates: Row, properties: list[Any], test_accounts: bool, name: str) -> str | None:
    """Return the condition for `{filters}` on a table; the end of the date range is exclusive."""
    table = _FILTERED.get(name)
    if table is None:
        return None
    terms = [project.condition(properties, table)]
    since, until = dates.get("date_from"), dates.get("date_to")
    if isinstance(since, str) and since and since != "all":
        terms.append(f"{_TIMES[table]} >= {project.moment(since)}")
    if isinstance(until, str) and until:
        terms.append(f"{_TIMES[table]} < {project.moment(until)}")
    if test_accounts:
        terms.append(project.test_accounts(table))
    kept = [term for term in terms if term != TRUE]
    return f"({' AND '.join(kept)})" if kept else TRUE


def _variables(query: Row, body: Row) -> Mapping[str, object]:
    """Return the values by code name; those of the request take precedence."""
    found: dict[str, object] = {}
    for given in (as_object(query.get("variables")) or {}, as_object(body.get("variables_override")) or {}):
        for variable in objects(list(given.values())):
            name = variable.get("code_name")
            if isinstance(name, str) and name:
                found[name] = None if variable.get("isNull") else variable.get("value")
    return found


def _named(rows: Rows, table: str, project_id: int, key: int | str) -> list[Row]:
    """Return the rows with this id or name that are not deleted."""
    field = "id" if isinstance(key, int) else "name"
    return [row for row in rows.all(table, project_id) if row[field] == key and not row["deleted"]]


def _only(kind: str, key: int | str, found: list[Row]) -> Row | None:
    if len(found) > 1:
        raise HogqlError("hogql_query_error", f"Found multiple {kind} with the name {key!r}: use the id.")
    return found[0] if found else None


def _cohort(store: Store, project_id: int, persons: CohortPersons, key: int | str) -> str | None:
    with store.transaction() as rows:
        cohort = _only("cohorts", key, _named(rows, "cohorts", project_id, key))
        if cohort is None:
            return None
        with _query_errors():
            persons(rows, cohort)
    table = "static_cohort_people" if cohort["is_static"] else "cohort_people"
    return f"select person_id from {table} where cohort_id = {cohort['id']}"


def _action(store: Store, project_id: int, scope: FilterScope, key: int | str) -> str | None:
    with store.transaction() as rows:
        action = _only("actions", key, _named(rows, "actions", project_id, key))
    if action is None:
        return None
    with _query_errors():
        return action_condition(action, scope)


def _relation(store: Store, project_id: int, persons: CohortPersons, log: QueryLog, table: str) -> str | None:
    with store.transaction() as rows:
        return stored_relation(rows, project_id, table, persons, log)


@contextmanager
def _query_errors() -> Generator[None]:
    """Turn an ApiError of a cohort or action into an error of the query that uses it."""
    try:
        yield
    except ApiError as error:
        body = as_object(error.body) or {}
        raise HogqlError("hogql_query_error", str(body.get("detail"))) from error
