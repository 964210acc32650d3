"""Checks a HogQL statement before it is sent, without spending a query."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from hogql_lang import Findings, Problem, Schema, Statement, Unknown, Used, Verdict, nearest
from hogql_lang.check import in_order, with_schema, without_schema
from hogql_lang.findings import first_of_each
from hogql_lang.slips import written

from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import GatewayError, Refused
from ...schemas.query import CheckHogql, MetadataAnswer, MetadataProblem
from ...schemas.text import code, excerpt
from ..operation import Effect, Operation, Reply, Result, Toolset, read
from .aggregated import aggregated
from .plan import plan
from .schema import schema_of
from .seen_names import Names, event_names, property_names, unseen_events, unseen_properties
from .verdict import as_json, in_one_line, refusal, statement_of

_MOST_WARNINGS = 5
_MOST_LOOKED_UP = 10


async def checked(api: Call, statement: Statement, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the warnings about a statement. Raises Refused for one that PostHog would reject."""
    verdict = await verdict_on(api, statement, values)
    if verdict.errors:
        raise refusal(verdict.errors[0], statement.sql)
    unjudged = (f"not checked: {verdict.unjudged}",) if verdict.unjudged else ()
    return (*unjudged, *(in_one_line(warning, statement.sql) for warning in verdict.warnings))


def reject_at_sight(statement: Statement, values: Mapping[str, Any]) -> None:
    """Raise Refused for a statement that PostHog would reject whatever the project's tables are."""
    verdict = without_schema(statement, values)
    if verdict is not None and verdict.errors:
        raise refusal(verdict.errors[0], statement.sql)


async def verdict_on(api: Call, statement: Statement, values: Mapping[str, Any]) -> Verdict:
    """Return the verdict on a statement in the call's project. Names that cannot be looked up are not judged."""
    verdict = without_schema(statement, values)
    if verdict is not None:
        return await _posthogs(api, statement.sql, values, verdict) if verdict.unjudged else verdict
    schema, unjudged = await _schema(api)
    verdict = with_schema(statement, schema)
    findings = verdict.findings or Findings()
    errors = [await _as_property(api, error, findings) for error in verdict.errors]
    errors += [problem async for problem in _of_strings(api, findings)]
    unseen = [problem async for problem in _unseen(api, findings)]
    warnings = (*unseen, *verdict.warnings)[:_MOST_WARNINGS]
    return replace(verdict, errors=in_order(errors), warnings=warnings, unjudged=unjudged)


async def _schema(api: Call) -> tuple[Schema | None, str | None]:
    try:
        return (await schema_of(api)).value, None
    except GatewayError as error:
        return None, f"tables and columns are unknown ({error.code})"


async def _posthogs(api: Call, sql: str, values: Mapping[str, Any], verdict: Verdict) -> Verdict:
    """Return PostHog's own verdict, where there is none here: HogQLMetadata checks a statement without running it.

    It takes no values, so it would reject every placeholder.
    """
    if values:
        return verdict
    query = {"kind": "HogQLMetadata", "language": "hogQL", "query": sql}
    try:
        answer = read(MetadataAnswer, await api.counted_as(Budget.CRUD).query({"query": query}))
    except GatewayError:
        return verdict
    errors = tuple(_problem(each) for each in answer.errors) if answer.isValid is False else ()
    return Verdict(errors, tuple(_problem(each) for each in answer.warnings))


def _problem(each: MetadataProblem) -> Problem:
    fixes = (excerpt(each.fix, 100),) if each.fix else ()
    return Problem("hogql_query_error", excerpt(each.message, 300), each.start, fixes)


async def _as_property(api: Call, error: Problem, findings: Findings) -> Problem:
    """Return the error with more fixes: an unknown column may be the bare name of a property."""
    unknown = next((each for each in findings.unknown if each.place == error.place and each.kind == "column"), None)
    if unknown is None or "properties" not in unknown.known or error.kind != "column":
        return error
    if f"${unknown.name}" in error.fixes:
        return error
    owner = unknown.owner or _owner(unknown.known)
    fixes = await _as_event(api, unknown) if owner == "events" else []
    for kind, holder in _properties_of(owner):
        try:
            names = await property_names(api, kind)
        except GatewayError:
            continue
        exact = [name for name in (unknown.name, f"${unknown.name}") if name in names.known]
        near = exact or (() if error.fixes else nearest(unknown.name, names.known))
        fixes += [f"{unknown.prefix}{holder}.{written(name)}" for name in near]
    return replace(error, fixes=tuple(dict.fromkeys((*fixes, *error.fixes)))[:3])


async def _as_event(api: Call, unknown: Unknown) -> list[str]:
    """Return fixes for an unknown column that is the name of an event without its quotes."""
    try:
        names = (await event_names(api)).known
    except GatewayError:
        return []
    return [f"'{name}'" for name in (unknown.name,) if name in names and not unknown.prefix]


def _owner(known: tuple[str, ...]) -> str:
    """Return the table with these columns, when a property may be meant."""
    if "event" in known:
        return "events"
    return "persons" if "is_identified" in known else "others"


def _properties_of(owner: str) -> tuple[tuple[str, str], ...]:
    """Return the kinds of properties that a table leads to, each with the column that holds them."""
    match owner:
        case "events":
            return ("event", "properties"), ("person", "person.properties")
        case "persons" | "person":
            return (("person", "properties"),)
        case _:
            return ()


async def _of_strings(api: Call, findings: Findings) -> AsyncIterator[Problem]:
    """Return the mistakes that depend on the type of a property, for those that are strings in the project."""
    for mistake in findings.mistakes:
        kind, name = mistake.property or ("", "")
        if kind not in ("event", "person"):
            continue
        try:
            names = await property_names(api, kind)
        except GatewayError:
            return
        if name in names.strings:
            yield mistake.problem


async def _unseen(api: Call, findings: Findings) -> AsyncIterator[Problem]:
    """Return the events and properties that the project has never seen: a query for them finds nothing."""
    try:
        if findings.events:
            missing, names = await unseen_events(api, _looked_up(findings.events))
            for used in _missing(findings.events, missing):
                yield _never_seen(used, names, "")
        for kind, prefix in (("event", "properties."), ("person", "person.properties.")):
            wanted = [used for used in findings.properties if used.kind == kind]
            if wanted:
                missing, names = await unseen_properties(api, kind, _looked_up(wanted))
                for used in _missing(wanted, missing):
                    yield _never_seen(used, names, prefix)
    except GatewayError:
        return


def _looked_up(used: list[Used]) -> list[str]:
    """Return the first names only: each one that the project's list lacks may cost a request."""
    return [each.name for each in first_of_each(used)[:_MOST_LOOKED_UP]]


def _missing(used: list[Used], missing: set[str]) -> list[Used]:
    return [each for each in first_of_each(used) if each.name in missing][:_MOST_WARNINGS]


def _never_seen(used: Used, names: Names, prefix: str) -> Problem:
    kind = "event" if used.kind == "event" and not prefix else f"{used.kind} property"
    if re.fullmatch(r"\{[\w.]+\}", used.name):
        message = f"{code(used.name, 60)} in quotes is a string, not a placeholder"
        return Problem("hogql_query_error", message, used.place, (f"{used.name} without quotes",))
    fixes = tuple(prefix + (written(name) if prefix else name) for name in nearest(used.name, names.known))
    return Problem("hogql_query_error", f"{kind} {code(used.name, 60)} has never been seen", used.place, fixes)


def _at_sight(args: CheckHogql, _: Path | None) -> Statement | Reply:
    """Return the statement, or the result for one that PostHog would reject whatever the project's tables are."""
    values = args.values or {}
    try:
        statement = statement_of(args.query)
        plan(statement, 1, values)
    except Refused as error:
        return Reply(_rejected(error))
    verdict = without_schema(statement, values)
    return statement if verdict is None or verdict.unjudged else Reply(_shown(args, verdict))


async def _check_hogql(api: Call, args: CheckHogql) -> Result | Reply:
    statement = api.prepared or _at_sight(args, None)
    if isinstance(statement, Reply):
        return statement
    if api.privacy.aggregate_only:
        try:
            aggregated(statement)
        except Refused as error:
            return _rejected(error)
    return _shown(args, await verdict_on(api, statement, args.values or {}))


def _rejected(error: Refused) -> Result:
    return {"valid": False, "errors": [{"message": error.message, "fix": [error.hint]}]}


def _shown(args: CheckHogql, verdict: Verdict) -> Result:
    shown: dict[str, Any] = {"valid": not verdict.errors}
    if verdict.errors:
        shown["errors"] = [as_json(problem, args.query) for problem in verdict.errors]
    if verdict.warnings:
        shown["warnings"] = [as_json(problem, args.query) for problem in verdict.warnings]
    return shown | ({"not_checked": verdict.unjudged} if verdict.unjudged else {})


OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        name="check_hogql",
        about="Check a HogQL query without spending one: syntax, tables, columns, events, properties. "
        "run_hogql checks automatically.",
        toolset=Toolset.QUERY,
        effect=Effect.READ,
        input=CheckHogql,
        run=_check_hogql,
        prepare=_at_sight,
    ),
)
