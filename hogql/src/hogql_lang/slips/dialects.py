"""Constructs of other SQL dialects that HogQL writes in another way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .suspicion import Edit, Error, Suspicion

_PARTS = {
    "SECOND": "toSecond", "MINUTE": "toMinute", "HOUR": "toHour", "DAY": "toDayOfMonth", "WEEK": "toISOWeek",
    "MONTH": "toMonth", "QUARTER": "toQuarter", "YEAR": "toYear", "DOW": "toDayOfWeek", "ISODOW": "toDayOfWeek",
    "DOY": "toDayOfYear", "EPOCH": "toUnixTimestamp",
}  # fmt: skip
"""The parts of `extract(part FROM time)`, each with its function."""
_UNITS = {"h": "HOUR", "d": "DAY", "w": "WEEK", "m": "MONTH", "q": "QUARTER", "y": "YEAR", "s": "SECOND"}


def dialects(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about constructs of other dialects at an error."""
    yield from _extract(error)
    yield from _top(error)
    yield from _fetch(error)
    yield from _limit(error)
    yield from _time_zone(error)
    yield from _literal(error)
    yield from _interval(error)
    yield from _distinct(error)
    yield from _left_out(error)
    yield from _except(error)


def _extract(error: Error) -> Iterator[Suspicion]:
    """Find `extract(hour FROM timestamp)` and `substring(x FROM 1 FOR 2)`."""
    for index in error.near(3, 1):
        if error.word(index) != "FROM" or error.word(index - 2) != "(":
            continue
        name, depth = error.word(index - 3), error.token(index).depth
        end = next((i for i in range(index, len(error.tokens)) if error.token(i).depth < depth), None)
        if end is None:
            continue
        start = error.token(index - 3).start
        inner = error.sql[error.token(index).end : error.token(end).start].strip()
        part = error.word(index - 1)
        if name == "EXTRACT" and part in _PARTS:
            fix = f"{_PARTS[part]}({inner})"
        elif name in ("SUBSTRING", "SUBSTR"):
            fix = f"substring({error.text(index - 1)}, {re.sub(r'(?i) for ', ', ', inner)})"
        else:
            continue
        message = f"HogQL has no {name}(… FROM …)"
        yield Suspicion(message, start, (fix,), (Edit(start, error.token(end).end, fix),))


def _top(error: Error) -> Iterator[Suspicion]:
    for index in error.near(1, 1):
        if error.word(index) == "TOP" and error.word(index + 1).isdecimal():
            start, last = error.token(index).start, error.token(index + 1)
            limit = f"LIMIT {last.word}"
            edits = (Edit(start, last.end, ""), _at_end(error, f" {limit}"))
            yield Suspicion("HogQL has no TOP", start, (f"{limit} at the end",), edits)


def _fetch(error: Error) -> Iterator[Suspicion]:
    """Find `FETCH FIRST 5 ROWS ONLY` and `OFFSET 5 ROWS`."""
    for index in error.near(5, 1):
        if error.word(index) not in ("FETCH", "OFFSET"):
            continue
        found = _FETCH.match(error.sql, error.token(index).start)
        if found is None or not (found["rows"] or found["count"] or found["shift_rows"]):
            continue
        limit = f"LIMIT {found['count'] or 1}" if found["fetch"] else ""
        shift = f"OFFSET {found['shift']}" if found["shift"] else ""
        fix = " ".join(filter(None, (limit, shift)))
        what = "FETCH" if found["fetch"] else "OFFSET … ROWS"
        yield Suspicion(f"HogQL has no {what}", found.start(), (fix,), (Edit(*found.span(), fix),))
        return


_FETCH = re.compile(
    r"(?:OFFSET\s+(?P<shift>\d+)(?P<shift_rows>\s+ROWS?\b)?\s*)?"
    r"(?P<fetch>FETCH\s+(?:FIRST|NEXT)\s+(?P<count>\d+)?\s*(?P<rows>ROWS?)\s+ONLY)?",
    re.IGNORECASE,
)


def _limit(error: Error) -> Iterator[Suspicion]:
    """Find `LIMIT 5 PERCENT`, `LIMIT 10 20` and `LIMIT 5 LIMIT 1 BY x`."""
    for index in error.near(6, 0):
        if error.word(index) != "LIMIT" or not error.word(index + 1).isdecimal():
            continue
        number, following = error.token(index + 1), error.token(index + 2)
        if following.word == "PERCENT":
            edits = (Edit(number.end, following.end, "%"),)
            yield Suspicion("HogQL has no PERCENT", following.start, (f"LIMIT {number.word}%",), edits)
        elif following.word.isdecimal():
            fix = f"LIMIT {number.word} OFFSET {following.word}"
            edits = (Edit(number.end, following.start, " OFFSET "),)
            yield Suspicion("LIMIT takes one number", following.start, (fix,), edits)
        elif following.word == "LIMIT" and error.word(index + 4) == "BY":
            first = error.token(index)
            edits = (Edit(first.start, number.end, ""), _at_end(error, f" LIMIT {number.word}"))
            yield Suspicion("LIMIT … BY comes before LIMIT", following.start, ("LIMIT … BY … LIMIT …",), edits)


def _at_end(error: Error, text: str) -> Edit:
    """Return the insertion of a text at the end of the statement."""
    ends = [token.end for token in error.tokens if token.word != ";"]
    return Edit(ends[-1], ends[-1], text)


def _time_zone(error: Error) -> Iterator[Suspicion]:
    for index in error.near(3, 1):
        if [error.word(index + step) for step in range(3)] != ["AT", "TIME", "ZONE"]:
            continue
        first, zone = error.token(error.operand(index - 1)), error.token(index + 3)
        value = error.sql[first.start : error.token(index - 1).end]
        fix = f"toTimeZone({value}, {error.sql[zone.start : zone.end]})"
        edits = (Edit(first.start, zone.end, fix),)
        yield Suspicion("HogQL has no AT TIME ZONE", error.token(index).start, (fix,), edits)


def _literal(error: Error) -> Iterator[Suspicion]:
    for index in error.near(1, 1):
        token, value = error.token(index), error.token(index + 1)
        if token.word in ("DATE", "TIMESTAMP", "DATETIME") and value.word == "'":
            call = "toDate" if token.word == "DATE" else "toDateTime"
            text = error.sql[value.start : value.end]
            edits = (Edit(token.start, value.end, f"{call}({text})"),)
            yield Suspicion(f"HogQL has no {token.word} literals", token.start, (f"{call}({text})",), edits)


def _interval(error: Error) -> Iterator[Suspicion]:
    """Find invalid intervals: `INTERVAL 7`, `now() - 7 DAYS`, `now() - 7d`."""
    start = error.token(max(0, error.at - 3)).start if error.tokens else 0
    for found in _SPAN.finditer(error.sql, start, error.place + 40):
        written = (found["unit"] or found["u"] or "d").lower()
        unit = "MINUTE" if written.startswith("min") else _UNITS.get(written[0])
        if unit is None:
            continue
        fix = f"INTERVAL {found['number'] or found['n']} {unit}"
        edits = (Edit(found.start(), found.end(), f" {fix}" if found["n"] else fix),)
        yield Suspicion("invalid interval syntax", found.start(), (fix,), edits)


_SPAN = re.compile(
    r"(?:\binterval\s+(?P<number>\d+)(?:\s*(?P<unit>(?:sec|min|hour|day|week|month|quarter|year|hr)[a-z]*|[a-z])\b)?"
    r"|(?<=[-+])\s*(?P<n>\d+)\s*(?P<u>(?:sec|min|hour|day|week|month|quarter|year|hr)[a-z]*|[a-z])\b)",
    re.IGNORECASE,
)


def _distinct(error: Error) -> Iterator[Suspicion]:
    for index in error.near(3, 1):
        if error.word(index) == "COUNT" and error.word(index + 1) == "DISTINCT":
            end = error.after_operand(index + 2)
            what = error.sql[error.token(index + 2).start : error.token(end - 1).end]
            fix = f"count(DISTINCT {what})"
            edits = (Edit(error.token(index).start, error.token(end - 1).end, fix),)
            yield Suspicion("count needs parentheses", error.token(index).start, (fix,), edits)


def _left_out(error: Error) -> Iterator[Suspicion]:
    """Find clauses that HogQL does not have and does not need: ESCAPE, SETTINGS, FORMAT, INTO OUTFILE."""
    for index in error.near(4, 1):
        token = error.token(index)
        if token.word == "ESCAPE" and error.word(index + 1) == "'":
            edits = (Edit(token.start, error.token(index + 1).end, ""),)
            message = "HogQL has no ESCAPE; a backslash escapes in LIKE and is written twice"
            yield Suspicion(message, token.start, ("LIKE '…\\\\_…'",), edits)
        elif token.word == "SORT" and error.word(index + 1) == "BY":
            yield Suspicion(
                "HogQL has no SORT BY", token.start, ("ORDER BY",), (Edit(token.start, token.end, "ORDER"),)
            )
        elif token.word == "SETTINGS" and error.word(index + 2) == "=":
            edits = (Edit(token.start, max(each.end for each in error.tokens), ""),)
            message = "HogQL does not support this: SETTINGS"
            yield Suspicion(message, token.start, ("without SETTINGS",), edits)
        elif token.word == "INTO" and error.word(index + 1) == "OUTFILE":
            edits = (Edit(token.start, error.token(index + 2).end, ""),)
            yield Suspicion("HogQL has no INTO OUTFILE", token.start, ("without INTO OUTFILE",), edits)
        elif token.word == "RETURNING":
            yield Suspicion("HogQL only reads", token.start, ("SELECT",))
        elif token.word == "LATERAL":
            edits = (Edit(token.start, token.end, ""),)
            yield Suspicion("HogQL has no LATERAL", token.start, ("a subquery without LATERAL",), edits)


def _except(error: Error) -> Iterator[Suspicion]:
    """Find `* EXCEPT column`, which is read as EXCEPT between two queries."""
    for index in error.near(2, 1):
        if error.word(index) not in ("EXCEPT", "EXCLUDE") or error.word(index - 1) != "*":
            continue
        token, following = error.token(index), error.token(index + 1)
        names, end = error.text(index + 1), following.end
        if following.word == "(":
            last = next((each for each in error.tokens[index + 2 :] if each.depth == following.depth), following)
            names, end = error.sql[following.end : last.start].strip(), last.end
        fix = f"EXCLUDE ({names})"
        message = "EXCLUDE needs parentheses" if token.word == "EXCLUDE" else "HogQL has no * EXCEPT"
        yield Suspicion(message, token.start, (f"* {fix}",), (Edit(token.start, end, fix),))
