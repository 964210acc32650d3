"""Check a HogQL statement: syntax, tables, columns, placeholders, functions.

PostHog would reject a statement with an error. It would run one with a warning, probably not as intended. Anything
that cannot be judged passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import chain, islice
from typing import Any

from . import tree
from .findings import Findings, Problem, Unknown, Used, first_of_each
from .functions import unknown_function
from .meaning.dropped import dropped
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
    errors = [*_unknown_names(statement.sql, findings, schema)] if schema else []
    errors += [_outer(used) for used in findings.outer[:1]]
    errors += [each.problem for each in findings.mistakes if not each.warning and each.property is None]
    warnings = chain(dropped(statement.tokens, statement.tree), _warnings(findings))
    return Verdict(in_order(errors), tuple(islice(warnings, _MOST_PROBLEMS)), findings)


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return the first problems of a statement, by place."""
    return tuple(sorted(problems, key=lambda each: each.place or 0)[:_MOST_PROBLEMS])


def _unknown_names(sql: str, findings: Findings, schema: Schema) -> Iterable[Problem]:
    end = 0
    for unknown in findings.unknown[: 2 * _MOST_PROBLEMS]:
        place = unknown.place
        if place is not None and place < end:
            continue  # it is part of the name before it
        split = _split_name(sql, unknown) if unknown.kind == "column" and not unknown.owner else None
        if split is None:
            yield _unknown(sql, unknown, schema)
        else:
            end = split.end()
            message = f"`{_short(split['name'], 60)}` has a sign in it and needs backticks"
            fix = f"{split['owner']}`{_short(split['name'], 60)}`"
            yield Problem("hogql_query_error", message, split.start(), (fix,), "column")


def _split_name(sql: str, unknown: Unknown) -> re.Match[str] | None:
    """Return the name of a property that an operator splits: `properties.user-id`, `properties.$feature/flag`."""
    at = unknown.place
    if not at or sql[at - 1] not in "-/":
        return None
    return next((each for each in _SPLIT_NAME.finditer(sql, max(0, at - 200), at + 200) if _within(each, at)), None)


def _within(found: re.Match[str], at: int) -> bool:
    return found.start("name") < at < found.end()


_SPLIT_NAME = re.compile(
    r"(?<![\w.$])(?P<owner>(?:[\w$]+\.){0,3}properties\.)(?P<name>[\w$]+(?:[-/][\w$]+){1,9})(?![\w(.])"
)


def _syntax(statement: Statement, found: Unparsed) -> Problem:
    message = _short(found.message, 200)
    if (suspected := suspect(statement.sql, statement.tokens, found.place, found.message)) is not None:
        code = "hogql_query_error" if found.unsupported else "hogql_syntax_error"
        return Problem(code, suspected.message, suspected.place, suspected.fixes, "syntax")
    if found.unsupported:
        return Problem("hogql_query_error", f"HogQL does not support this: {message}", found.place, (), "unsupported")
    return Problem("hogql_syntax_error", _plainly(message), found.place, (), "syntax")


def _plainly(message: str) -> str:
    """Return the parser's message without its names for tokens."""
    if found := re.match(r"trailing tokens after expression: '(.+)' \(", message):
        return f"unexpected `{_short(found[1], 60)}`"
    if found := re.match(r"expected (\S+), got (\w+)", message):
        return f"expected {found[1]}" + (" before the end" if found[2] == "Eof" else "")
    if found := re.match(r"mismatched input '(.+?)' expecting", message):
        return f"expected SELECT or WITH, not `{_short(found[1], 60)}`"
    if found := re.match(r"unexpected token in expression: (\w+)", message):
        return "the statement ends too early" if found[1] == "Eof" else "a value is missing here"
    return message


def _unknown(sql: str, unknown: Unknown, schema: Schema) -> Problem:
    if unknown.kind == "ambiguous":
        message = f"`{_short(unknown.name, 60)}` is ambiguous; several tables here have this column"
        return Problem("hogql_query_error", message, unknown.place, unknown.fixes[:_MOST_FIXES], "ambiguous")
    name = _short(unknown.name, 60)
    where = f" in {unknown.owner}" if unknown.owner else ""
    at = unknown.place
    quote = sql[at : at + 1] if at is not None and unknown.kind == "column" and not unknown.owner else ""
    if quote == '"' or (quote == "`" and not nearest(unknown.name, unknown.known)):
        text = f"'{name}'"
        kind = "syntax" if _is_value(sql, at or 0) else "column"
        return Problem("hogql_query_error", f"no column `{name}`; strings take single quotes", at, (text,), kind)
    message = f"unknown {unknown.kind} `{name}`{where}"
    if unknown.kind == "column" and not unknown.owner and (meant := _meant(sql, name, at)):
        return Problem("hogql_query_error", message, at, (meant,), "column")
    is_property = name.startswith("$") and "properties" in unknown.known and not unknown.owner
    near = nearest(unknown.name, unknown.known)
    if quote.isalpha() and not unknown.fixes and _is_value(sql, at or 0) and not _is_alike(name, near):
        near = (f"'{name}'", *near)
    fixes = (*unknown.fixes, *_elsewhere(unknown, schema), *near)
    if is_property:
        value = ("{" + name.strip("$") + "}",) if _is_value(sql, at or 0) else ()
        fixes = (*value, f"properties.{name}")
    elif sql[: at or 0].endswith("properties:"):
        fixes = (f"properties.{name}",)
    elif unknown.kind == "table" and (last := name.rpartition(".")[2]) in unknown.known:
        fixes = (last, *fixes)
    kind = "table" if unknown.kind == "table" else "column"
    return Problem("hogql_query_error", message, at, tuple(dict.fromkeys(fixes))[:_MOST_FIXES], kind)


def _outer(used: Used) -> Problem:
    message = f"`{_short(used.name, 60)}` is a column of the outer query; subqueries in HogQL cannot use it"
    return Problem("hogql_query_error", message, used.place, ("a JOIN", "IN (SELECT …)"), "outer")


def _is_alike(name: str, near: tuple[str, ...]) -> bool:
    return any(SequenceMatcher(None, name.lower(), each.lower()).ratio() >= _ALIKE for each in near[:1])


def _meant(sql: str, name: str, at: int | None) -> str | None:
    """Return what a name of another database is in HogQL."""
    if name.lower() in _TIME_UNITS:
        return f"'{name.lower()}'" if _BEFORE_UNITS.search(sql[max(0, (at or 0) - 200) : at]) else None
    return _MEANT.get(name.lower())


_TIME_UNITS = frozenset(["second", "minute", "hour", "day", "week", "month", "quarter", "year"])


def _is_value(sql: str, at: int) -> bool:
    """Return whether a name is where a string belongs: after an operator, or in square brackets."""
    return _BEFORE_VALUES.search(sql[max(0, at - 200) : at]) is not None


_BEFORE_VALUES = re.compile(r"(?:[=<>\[]|\b(?:LIKE|IN\s*\((?:[^()]*,)?))\s*$", re.IGNORECASE)
_BEFORE_UNITS = re.compile(r"\w*(?:date|age|trunc|time)\w*\s*\((?:[^()]*,)?\s*$", re.IGNORECASE)
_ALIKE = 0.8
"""The least likeness of an unknown column to a known one that makes it a misspelled column, not a string."""


_MEANT = {
    "current_date": "today()",
    "current_timestamp": "now()",
    "localtimestamp": "now()",
    "sysdate": "now()",
    "person_properties": "person.properties",
    "event_properties": "properties",
    "$1": "{name}",
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
    fixes = nearest(missing[0], values) or _BUILT_IN.get(missing[0].lower(), nearest(missing[0], ["filters"]))
    fixes = tuple("{" + fix + "}" if fix.startswith("filters") else fix for fix in fixes)
    return Problem("invalid_argument", message, names[missing[0]], fixes, "placeholder")


_BUILT_IN = {
    **dict.fromkeys(["date_from", "from", "datefrom"], ("filters.dateRange.from",)),
    **dict.fromkeys(["date_to", "to", "dateto"], ("filters.dateRange.to",)),
}
"""Placeholders that people expect, each with the one that PostHog fills."""


def _warnings(findings: Findings) -> Iterable[Problem]:
    for used in first_of_each(findings.functions):
        if (fixes := unknown_function(used.name, used.arguments)) is not None:
            yield Problem("hogql_query_error", f"unknown function `{_short(used.name, 60)}`", used.place, fixes)
    yield from [each.problem for each in findings.mistakes if each.warning]
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
