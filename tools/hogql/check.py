"""Checks HogQL before it costs one of the scarce queries: syntax, tables, columns, placeholders, functions.

An error is what PostHog would refuse; a warning is what it would answer, probably not as meant. What cannot be judged
passes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

from ...gateway.errors import Code, Refused
from ...schemas.text import excerpt
from ..hogql.schema import Schema
from .findings import Findings, Unknown, first_of_each
from .functions import unknown_function
from .mistakes import suspect
from .names import find
from .nearest import nearest
from .parse import Node, Unparsed, available, children, parse
from .parse import place as place_of
from .statement import Token, tokenize

_MOST_PROBLEMS = 5
_MOST_FIXES = 3
_FIX_LENGTH = 120
_LINE_WIDTH = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `fixes`: what it probably should be, best first."""

    code: Code
    message: str
    place: int | None = None
    fixes: tuple[str, ...] = ()

    def as_json(self, sql: str) -> dict[str, Any]:
        """`{"message", "line", "column", "at", "fix"}`; `at` is the line with a caret below the place."""
        shown: dict[str, Any] = {"message": self.message}
        if self.place is not None:
            line, column = position(sql, self.place)
            shown |= {"line": line, "column": column, "at": caret(sql, self.place)}
        return shown | ({"fix": self.shown_fixes} if self.fixes else {})

    @property
    def shown_fixes(self) -> list[str]:
        """Each on one line and short: anybody may have named an event."""
        return [excerpt(fix, _FIX_LENGTH) for fix in self.fixes]

    def refusal(self, sql: str) -> Refused:
        """The same as the error of a call."""
        message, hint = f"query: {self.message}.", "Send one SELECT in HogQL, texts in single quotes."
        if self.place is not None:
            line, column = position(sql, self.place)
            message = f"query, line {line}, column {column}: {self.message}.\n{caret(sql, self.place)}"
        if self.fixes:
            hint = f"Did you mean {' or '.join(f'`{fix}`' for fix in self.shown_fixes)}?"
        return Refused(self.code, message, f'{hint} check: "off" sends it all the same.')


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of a statement. `judged`: why not all of it, None if all."""

    errors: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    findings: Findings | None = None
    unjudged: str | None = None


def judge(sql: str, values: Mapping[str, Any], schema: Schema | None) -> Verdict:
    """The verdict on a statement: `read`, then `resolve`."""
    tree = read(sql, values)
    return tree if isinstance(tree, Verdict) else resolve(sql, tree, schema)


def read(sql: str, values: Mapping[str, Any]) -> Node | Verdict:
    """The tree of a statement, or the verdict on one that has none. Raises Refused for brackets nested too deep."""
    if not available():
        return Verdict(unjudged="the HogQL parser is not installed here")
    tokens = tokenize(sql)
    tree = parse(sql, tokens)
    if tree is None:
        return Verdict(unjudged="it would take too long to be parsed here")
    if isinstance(tree, Unparsed):
        return Verdict((_syntax(sql, tokens, tree),))
    missing = _placeholders(tree, values)
    return Verdict((missing,)) if missing else tree


def resolve(sql: str, tree: Node, schema: Schema | None) -> Verdict:
    """The verdict on the names of a statement; without a schema its tables and columns are not judged."""
    try:
        findings = find(tree, schema or Schema())
    except RecursionError:
        return Verdict(unjudged="it is nested too deeply to be checked here")
    errors = [_unknown(sql, each, schema) for each in findings.unknown[:_MOST_PROBLEMS]] if schema else []
    return Verdict(tuple(errors), tuple(islice(_warnings(findings), _MOST_PROBLEMS)), findings)


def position(sql: str, place: int) -> tuple[int, int]:
    """Line and column, both from 1."""
    before = sql[:place]
    return before.count("\n") + 1, place - before.rfind("\n")


def caret(sql: str, place: int) -> str:
    """The line of a place, cut around it, and below it a caret."""
    start = sql.rfind("\n", 0, place) + 1
    end = sql.find("\n", place)
    line = sql[start : len(sql) if end < 0 else end].replace("\t", " ")
    column = place - start
    first = max(0, column - _LINE_WIDTH // 2)
    return f"{line[first : first + _LINE_WIDTH]}\n{' ' * (column - first)}^"


def _syntax(sql: str, tokens: Sequence[Token], found: Unparsed) -> Problem:
    message = excerpt(found.message, 200)
    if (suspected := suspect(sql, tokens, found.place)) is not None:
        return Problem("hogql_syntax_error", suspected.message, suspected.place, suspected.fixes)
    if found.unsupported:
        return Problem("hogql_query_error", f"HogQL cannot do this: {message}", found.place)
    return Problem("hogql_syntax_error", message, found.place)


def _unknown(sql: str, unknown: Unknown, schema: Schema) -> Problem:
    if unknown.kind == "ambiguous":
        message = f"`{excerpt(unknown.name, 60)}` is a column of several tables here"
        return Problem("hogql_query_error", message, unknown.place, unknown.fixes[:_MOST_FIXES])
    name, where = excerpt(unknown.name, 60), f" in {unknown.owner}" if unknown.owner else ""
    at = unknown.place
    quote = sql[at : at + 1] if at is not None and unknown.kind == "column" and not unknown.owner else ""
    if quote == '"' or (quote == "`" and not nearest(unknown.name, unknown.known)):
        text = f"'{name}'"
        return Problem("hogql_query_error", f"no column `{name}`; texts take single quotes", at, (text,))
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
"""Columns that other databases and PostHog's exports have."""


def _elsewhere(unknown: Unknown, schema: Schema) -> tuple[str, ...]:
    """What is not a column there: columns in what a table leads to (`person.is_identified`, `pdi.distinct_id`),
    properties of groups, cohorts.
    """
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


def _placeholders(tree: Node, values: Mapping[str, Any]) -> Problem | None:
    """PostHog fills `{filters}` and `{variables.x}` itself; every other placeholder needs a value."""
    names = {_name(node): place_of(node) for node in _nodes(tree) if node.get("node") == "Placeholder"}
    missing = sorted(names.keys() - {"", "filters", "variables"} - values.keys())
    if not missing:
        return None
    more = f" and {len(missing) - _MOST_PROBLEMS} more" if len(missing) > _MOST_PROBLEMS else ""
    listed = ", ".join("{" + excerpt(name, 50) + "}" for name in missing[:_MOST_PROBLEMS]) + more
    return Problem(
        "invalid_argument", f"values has no value for {listed}", names[missing[0]], nearest(missing[0], values)
    )


def _warnings(findings: Findings) -> Iterable[Problem]:
    for used in first_of_each(findings.functions):
        if (fixes := unknown_function(used.name)) is not None:
            yield Problem("hogql_query_error", f"unknown function `{excerpt(used.name, 60)}`", used.place, fixes)
    for used in findings.outer[:1]:
        message = f"`{excerpt(used.name, 60)}` is a column of the query around; subqueries in HogQL do not see those"
        yield Problem("hogql_query_error", message, used.place, ("a JOIN", "IN (SELECT …)"))
    for used in findings.arrows[:1]:
        yield Problem("hogql_query_error", "`->` makes a lambda here", used.place, (excerpt(used.name, 60),))
    for used in findings.stars[:1]:
        star = (f"{used.name}.*",) if used.name else ()
        yield Problem("hogql_query_error", "`*` over several tables is refused", used.place, star)
    for place in findings.untimed[:1]:
        message = "no condition on timestamp: it asks for the events of all time"
        yield Problem("hogql_query_error", message, place, ("timestamp >= now() - INTERVAL 30 DAY",))


def _name(placeholder: Node) -> str:
    chain: object = cast("Node", placeholder.get("expr") or {}).get("chain")
    return str(cast("list[Any]", chain)[0]) if isinstance(chain, list) and chain else ""


def _nodes(tree: Node) -> Iterable[Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)
