"""Check a HogQL statement: syntax, tables, columns, placeholders, functions.

PostHog would reject a statement with an error. It would run one with a warning, probably not as intended. Anything
that cannot be judged passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from . import tree
from .findings import Findings, Problem, Unknown, first_of_each
from .functions import unknown_function
from .parser import Unjudged, Unparsed, available
from .resolve import find
from .schema import Schema
from .slips import suspect
from .spelling import nearest
from .statement import Statement
from .walk import place, walk

_MOST_PROBLEMS = 5
_MOST_FIXES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The errors and warnings of a statement. `unjudged` is the reason why parts were not judged, None if all were."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    findings: Findings | None = None
    unjudged: str | None = None


def judge(statement: Statement, values: Mapping[str, Any] | None, schema: Schema | None) -> Verdict:
    """Return the verdict on a statement.

    Without a schema, tables and columns are not judged. Without values, placeholders are not judged.
    """
    return without_schema(statement, values) or with_schema(statement, schema)


def without_schema(statement: Statement, values: Mapping[str, Any] | None) -> Verdict | None:
    """Return the verdict on a statement without a tree or with a missing value, None if its names can be judged."""
    match statement.tree:
        case Unjudged():
            reason = (
                "it would take too long to be parsed here" if available() else "the HogQL parser is not installed here"
            )
            return Verdict(unjudged=reason)
        case Unparsed() as unparsed:
            return Verdict((_syntax(statement, unparsed),))
        case root:
            missing = None if values is None or "{" not in statement.sql else _placeholders(root, values)
            return Verdict((missing,)) if missing else None


def with_schema(statement: Statement, schema: Schema | None) -> Verdict:
    """Return the verdict on the names of a statement."""
    if isinstance(statement.tree, Unjudged | Unparsed):
        return Verdict()
    findings = find(statement.tree, schema or Schema())
    sql = statement.sql
    errors = [_unknown(sql, each, schema) for each in findings.unknown[:_MOST_PROBLEMS]] if schema else []
    return Verdict(tuple(errors), tuple(islice(_warnings(findings), _MOST_PROBLEMS)), findings)


def _syntax(statement: Statement, found: Unparsed) -> Problem:
    message = _short(found.message, 200)
    if (suspected := suspect(statement.sql, statement.tokens, found.place)) is not None:
        return Problem("hogql_syntax_error", suspected.message, suspected.place, suspected.fixes)
    if found.unsupported:
        return Problem("hogql_query_error", f"HogQL does not support this: {message}", found.place)
    return Problem("hogql_syntax_error", message, found.place)


def _unknown(sql: str, unknown: Unknown, schema: Schema) -> Problem:
    if unknown.kind == "ambiguous":
        message = f"`{_short(unknown.name, 60)}` is ambiguous; several tables here have this column"
        return Problem("hogql_query_error", message, unknown.place, unknown.fixes[:_MOST_FIXES])
    name = _short(unknown.name, 60)
    where = f" in {unknown.owner}" if unknown.owner else ""
    at = unknown.place
    quote = sql[at : at + 1] if at is not None and unknown.kind == "column" and not unknown.owner else ""
    if quote == '"' or (quote == "`" and not nearest(unknown.name, unknown.known)):
        text = f"'{name}'"
        return Problem("hogql_query_error", f"no column `{name}`; strings take single quotes", at, (text,))
    message = f"unknown {unknown.kind} `{name}`{where}"
    if (meant := _MEANT.get(name.lower())) and unknown.kind == "column" and not unknown.owner:
        return Problem("hogql_query_error", message, at, (meant,))
    is_property = name.startswith("$") and "properties" in unknown.known and not unknown.owner
    near = nearest(unknown.name, unknown.known)
    fixes = (f"properties.{name}",) if is_property else (*unknown.fixes, *_elsewhere(unknown, schema), *near)
    return Problem("hogql_query_error", message, at, tuple(dict.fromkeys(fixes))[:_MOST_FIXES])


_MEANT = {
    "current_date": "today()",
    "current_timestamp": "now()",
    "localtimestamp": "now()",
    "sysdate": "now()",
    "person_properties": "person.properties",
    "event_properties": "properties",
    "$1": "{name}",
    **{unit: f"'{unit}'" for unit in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")},
}
"""Columns of other databases and of PostHog's exports, each with its HogQL equivalent."""


def _elsewhere(unknown: Unknown, schema: Schema) -> tuple[str, ...]:
    """Return where an unknown column exists instead: in a joined table, as a property of a group, as a cohort."""
    if {"key", "properties"} <= {*unknown.known} and "event" not in unknown.known:  # a group
        return () if "key" in nearest(unknown.name, unknown.known) else (f"{unknown.prefix}properties.{unknown.name}",)
    if unknown.name == "person_id" and "is_identified" in unknown.known:
        return (f"{unknown.prefix}id",)
    if unknown.name == "distinct_id" and "pdi" in unknown.known:
        return (f"{unknown.prefix}pdi.distinct_id",)
    if unknown.name.lower() in ("cohort", "cohort_id") and "properties" in unknown.known:
        return (f"{'person_id' if 'event' in unknown.known else 'id'} IN COHORT 1",)
    events = schema.tables.get("events", {})
    if unknown.kind != "column" or "person" not in unknown.known or unknown.name.lower() in ("id", "key", "name"):
        return ()
    wanted = unknown.name.lower().removeprefix("$")
    return tuple(
        f"{unknown.prefix}{join.name}.{column}"
        for join in events.values()
        if join.name in ("person", "session") and join.name in unknown.known
        for column in (*join.fields, *schema.tables.get(join.table or "", ()))
        if column.lower().removeprefix("$") == wanted
    )


def _placeholders(root: tree.Expr, values: Mapping[str, Any]) -> Problem | None:
    """Return an error for placeholders without a value. PostHog itself fills `{filters}` and `{variables.x}`."""
    names = {_name(node): place(node) for node in walk(root) if isinstance(node, tree.Placeholder)}
    missing = sorted(names.keys() - {"", "filters", "variables"} - values.keys())
    if not missing:
        return None
    more = f" and {len(missing) - _MOST_PROBLEMS} more" if len(missing) > _MOST_PROBLEMS else ""
    listed = ", ".join("{" + _short(name, 50) + "}" for name in missing[:_MOST_PROBLEMS]) + more
    noun = "placeholder" if len(missing) == 1 else "placeholders"
    message = f"no value given for {noun} {listed}"
    return Problem("invalid_argument", message, names[missing[0]], nearest(missing[0], values))


def _warnings(findings: Findings) -> Iterable[Problem]:
    for used in first_of_each(findings.functions):
        if (fixes := unknown_function(used.name)) is not None:
            yield Problem("hogql_query_error", f"unknown function `{_short(used.name, 60)}`", used.place, fixes)
    for used in findings.outer[:1]:
        message = f"`{_short(used.name, 60)}` is a column of the outer query; subqueries in HogQL cannot use it"
        yield Problem("hogql_query_error", message, used.place, ("a JOIN", "IN (SELECT …)"))
    for used in findings.arrows[:1]:
        yield Problem("hogql_query_error", "`->` makes a lambda here", used.place, (_short(used.name, 60),))
    for used in findings.stars[:1]:
        star = (f"{used.name}.*",) if used.name else ()
        yield Problem("hogql_query_error", "`*` over several tables is rejected", used.place, star)
    for untimed in findings.untimed[:1]:
        message = "no condition on timestamp: this scans all events"
        yield Problem("hogql_query_error", message, untimed, ("timestamp >= now() - INTERVAL 30 DAY",))


def _name(placeholder: tree.Placeholder) -> str:
    return str(placeholder.expr.chain[0]) if isinstance(placeholder.expr, tree.Field) else ""


def _short(text: str, most: int) -> str:
    """Return the beginning of a text, on one line."""
    line = " ".join(text[: 40 * most].split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
