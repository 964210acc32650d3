"""Find the likely cause of a HogQL syntax error."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .tokens import Token

_KEYWORDS = (
    "SELECT", "DISTINCT", "FROM", "WHERE", "PREWHERE", "GROUP", "BY", "HAVING", "ORDER", "LIMIT", "OFFSET", "UNION",
    "ALL", "JOIN", "LEFT", "RIGHT", "INNER", "OUTER", "CROSS", "USING", "BETWEEN", "INTERVAL", "CASE", "WHEN", "THEN",
    "ELSE", "END", "ASC", "DESC", "LIKE", "ILIKE", "WITH", "OVER", "PARTITION", "ARRAY", "AND", "NOT",
)  # fmt: skip
_NO_SLIPS = frozenset([*_KEYWORDS, "AS", "IN", "IS", "ON", "OR", "TO", "IF", "ANY", "NULL", "TRUE", "FALSE", "FINAL"])
"""Words that are correct as written."""
_OTHER_DIALECTS = {
    "TOP": ("HogQL has no TOP", "LIMIT n at the end"),
    "REGEXP": ("HogQL has no REGEXP", "match(text, 'pattern')"),
    "RLIKE": ("HogQL has no RLIKE", "match(text, 'pattern')"),
    "SIMILAR": ("HogQL has no SIMILAR TO", "match(text, 'pattern')"),
    "SORT": ("HogQL has no SORT BY", "ORDER BY"),
    "FETCH": ("HogQL has no FETCH", "LIMIT n"),
    "RETURNING": ("HogQL only reads", "SELECT"),
}
_WRITES = frozenset(
    [
        "INSERT",
        "UPDATE",
        "DELETE",
        "DROP",
        "ALTER",
        "CREATE",
        "TRUNCATE",
        "SET",
        "OPTIMIZE",
        "SYSTEM",
        "GRANT",
        "EXPLAIN",
    ]
)
_NAMES_BEFORE = 3
"""The number of words before an error that are searched, because the parser often notices a mistake late."""
_LONGEST_SLIP = 40
"""The number of characters of a word that are compared."""
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_CLAUSES = ("FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT")
"""The clauses in the order that HogQL requires."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A probable mistake, its place, and its fixes."""

    message: str
    place: int | None
    fixes: tuple[str, ...] = ()


def suspect(sql: str, tokens: Sequence[Token], place: int | None) -> Suspicion | None:
    """Return the likely cause of a syntax error at `place`, None if there is no guess."""
    at = next((index for index, token in enumerate(tokens) if token.end > (place or 0)), len(tokens))
    return (
        _several_statements(tokens)
        or _other_dialect(tokens, at)
        or _placeholder(sql, tokens, at)
        or _arrow(sql, tokens, at)
        or _sign(sql, tokens, at)
        or _open_text(sql, tokens)
        or _nothing_selected(tokens)
        or _misspelt_keyword(sql, tokens, at)
        or _open_bracket(tokens)
        or _without_bracket(tokens, at)
        or _case(tokens)
        or _clauses(tokens)
        or _doubled(sql, tokens)
        or _by(tokens)
        or _interval(sql, at, tokens)
        or _dotted(sql)
        or _distinct(sql)
        or _end(tokens, at)
        or _comma(sql, tokens, at)
        or _missing_comma(sql, tokens, at)
    )


def _several_statements(tokens: Sequence[Token]) -> Suspicion | None:
    for index, token in enumerate(tokens[:-1]):
        if token.word == ";" and tokens[index + 1].word != ";":
            return Suspicion("several statements; only one can run at a time", token.start, ("one SELECT",))
    return None


def _other_dialect(tokens: Sequence[Token], at: int) -> Suspicion | None:
    for token in tokens[max(0, at - 1) : at + 2]:
        index = tokens.index(token)
        if token.word in _WRITES and (index == 0 or tokens[index - 1].word == ")"):
            return Suspicion(f"{token.word} cannot run here; HogQL only reads", token.start, ("SELECT",))
        if token.word in _OTHER_DIALECTS:
            message, fix = _OTHER_DIALECTS[token.word]
            return Suspicion(message, token.start, (fix,))
    return None


def _open_text(sql: str, tokens: Sequence[Token]) -> Suspicion | None:
    """Find a quote that is not closed, which turns the rest of the statement into a string."""
    for token in tokens:
        if token.word in ("'", '"', "`") and (token.end - token.start == 1 or sql[token.end - 1] != token.word):
            fixes = (
                (token.word, f"{token.word * 2} for a quote inside a string") if token.word == "'" else (token.word,)
            )
            return Suspicion(f"unclosed string: {token.word} is missing", token.start, fixes)
    return None


def _placeholder(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find the placeholders of other databases: `?`, `:name`, `@name` and `%(name)s`."""
    for index in range(max(0, at - 1), min(at + 2, len(tokens))):
        found = _FOREIGN_PLACEHOLDER.match(sql, tokens[index].start)
        before = tokens[index - 1].word if index else ""
        if found and before in ("=", ">", "<", "(", ",", "IN", "LIKE", "ILIKE", "LIMIT", "BETWEEN", "AND", "-", "+"):
            name = found["colon"] or found["at"] or found["percent"] or "name"
            message = "placeholders are written {name}, with their value in `values`"
            return Suspicion(message, found.start(), ("{" + name + "}",))
    return None


_FOREIGN_PLACEHOLDER = re.compile(r":(?P<colon>[A-Za-z_]\w*)|@(?P<at>\w+)|%\((?P<percent>\w+)\)s|%s\b|\?")


def _arrow(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find `properties->>'plan'`, as in Postgres."""
    for token in tokens[max(0, at - 4) : at + 2]:
        found = _ARROW.search(sql, max(0, token.start - 60), token.end + 60)
        if found and found.start() <= token.start <= found.end():
            return Suspicion(
                "properties are accessed with a dot", found.start(), (f"{found['owner']}.{written(found['name'])}",)
            )
    return None


_ARROW = re.compile(r"(?<![\w.])(?P<owner>[\w.]*\bproperties)(?:::\w+)?\s*->{1,2}\s*'(?P<name>[^']{1,100})'")


def written(name: str) -> str:
    """Return a property's name as it is written after a dot."""
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name) else f"`{name}`"


def _sign(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find operators that are words in HogQL, dates that are calls in HogQL, and names in square brackets."""
    for token in tokens[max(0, at - 1) : at + 1]:
        if sql.startswith("&&", token.start):
            return Suspicion("HogQL has no &&", token.start, ("AND",))
        if token.word in ("DATE", "TIMESTAMP") and sql[token.end :].lstrip()[:1] == "'":
            call = "toDate" if token.word == "DATE" else "toDateTime"
            return Suspicion(f"HogQL has no {token.word} literals", token.start, (f"{call}('…')",))
        found = _BRACKETED.search(sql[: token.end + 1])
        if found:
            return Suspicion("names cannot be in square brackets", found.start(1), (found[2],))
        if token.word == "TO" and "BETWEEN" in [each.word for each in tokens[max(0, at - 6) : at]]:
            return Suspicion("BETWEEN needs AND between its bounds", token.start, ("AND",))
    return None


_BRACKETED = re.compile(r"(?:FROM|JOIN)\s+(\[(\w+)\])$", re.IGNORECASE)


def _without_bracket(tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find missing parentheses (around the values of IN, a window, a subquery of WITH) and a JOIN without ON."""
    for before, token in pairwise(tokens[max(0, at - 3) : at + 2]):
        if (before.word == "IN" and token.word == "'") or (before.word, token.word) in (
            ("OVER", "PARTITION"), ("OVER", "ORDER"), ("AS", "SELECT"),
        ):  # fmt: skip
            return Suspicion(f"{before.word} needs parentheses after it", token.start, ("( … )",))
    joined = [index for index in range(max(0, at - 4), at) if tokens[index].word == "JOIN"]
    if joined and at < len(tokens) and not any(each.word in ("ON", "USING") for each in tokens[joined[-1] : at]):
        place = tokens[min(joined[-1] + 3, at)].start
        return Suspicion("JOIN needs a condition", place, ("ON …",))
    return None


def _case(tokens: Sequence[Token]) -> Suspicion | None:
    opened = [token for token in tokens if token.word == "CASE"]
    if len(opened) <= sum(token.word == "END" for token in tokens):
        return None
    return Suspicion("CASE without END", opened[-1].start, ("END",))


def _clauses(tokens: Sequence[Token]) -> Suspicion | None:
    """Find clauses in the wrong order."""
    last: dict[int, int] = {}
    for token in tokens:
        if token.word in ("SELECT", "UNION", "INTERSECT", "EXCEPT", ")"):
            last.pop(token.depth + (token.word == ")"), None)
        elif token.word in _CLAUSES:
            number = _CLAUSES.index(token.word)
            if number < last.get(token.depth, 0):
                fix = f"{_clause(number)} before {_clause(last[token.depth])}"
                return Suspicion("clauses are in the wrong order", token.start, (fix,))
            last[token.depth] = number
    return None


def _clause(number: int) -> str:
    return f"{_CLAUSES[number]} BY" if _CLAUSES[number] in ("GROUP", "ORDER") else _CLAUSES[number]


def _doubled(sql: str, tokens: Sequence[Token]) -> Suspicion | None:
    for before, token in pairwise(tokens):
        if before.word in ("AND", "OR", "WHERE") and token.word in ("AND", "OR", "WHERE"):
            word = sql[token.start : token.end]
            return Suspicion(f"`{word}` follows {before.word}", token.start, (f"without {word}",))
    return None


def _by(tokens: Sequence[Token]) -> Suspicion | None:
    for before, token in pairwise(tokens):
        if before.word in ("GROUP", "ORDER", "PARTITION") and token.word != "BY":
            return Suspicion(f"missing BY after {before.word}", token.start, ("BY",))
    return None


def _interval(sql: str, at: int, tokens: Sequence[Token]) -> Suspicion | None:
    """Find invalid intervals: `INTERVAL 7`, `now() - 7 DAYS`, `now() - 7d`."""
    start = tokens[max(0, at - 3)].start if tokens else 0
    found = _SPAN.search(sql, max(0, start))
    if found is None:
        return None
    unit = _UNITS.get((found["unit"] or found["u"] or "d")[0].lower(), "DAY")
    fix = f"INTERVAL {found['number'] or found['n']} {unit}"
    return Suspicion("invalid interval syntax", found.start(), (fix,))


_SPAN = re.compile(r"(?:\binterval\s+(?P<number>\d+)\s*(?P<unit>[a-z]*)|(?<=[-+])\s*(?P<n>\d+)\s*(?P<u>[a-z]+))", re.I)
_UNITS = {"h": "HOUR", "d": "DAY", "w": "WEEK", "m": "MONTH", "q": "QUARTER", "y": "YEAR", "s": "SECOND"}


def _dotted(sql: str) -> Suspicion | None:
    found = re.search(r"(?<![\w.])(?P<owner>[\w.]*\bproperties)\.(['\"])(?P<name>[^'\"]{1,100})\2", sql)
    if found is None:
        return None
    fix = f"{found['owner']}.{written(found['name'])}"
    return Suspicion("a string cannot follow a dot", found.start(), (fix,))


def _distinct(sql: str) -> Suspicion | None:
    found = re.search(r"\bcount\s+distinct\s+(?P<what>[\w.$]+)", sql, re.IGNORECASE)
    return found and Suspicion("count needs parentheses", found.start(), (f"count(DISTINCT {found['what']})",))


def _end(tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find a statement that ends too early."""
    if at < len(tokens) or not tokens or not (tokens[-1].word in _NO_SLIPS or tokens[-1].word in ",=<>+-*/."):
        return None
    word = tokens[-1].word
    return Suspicion(
        f"the statement ends after `{word}`", tokens[-1].end, (f"something after {word}", f"without {word}")
    )


def _nothing_selected(tokens: Sequence[Token]) -> Suspicion | None:
    for before, token in pairwise(tokens):
        if (before.word, token.word) == ("SELECT", "FROM"):
            return Suspicion("nothing is selected between SELECT and FROM", token.start, ("SELECT count() FROM",))
    return None


def _misspelt_keyword(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    around = [*range(at, max(-1, at - _NAMES_BEFORE - 1), -1), at + 1]
    for index in around:
        if not 0 <= index < len(tokens) or not tokens[index].word.isalpha() or tokens[index].word in _NO_SLIPS:
            continue
        if index and tokens[index - 1].word in (":", "."):
            continue
        token = tokens[index]
        if index + 1 < len(tokens) and tokens[index + 1].word in ("(", "."):
            continue
        close = difflib.get_close_matches(token.word[:_LONGEST_SLIP], _KEYWORDS, n=1, cutoff=0.65)
        if close:
            word = sql[token.start : token.end]
            return Suspicion(f"`{word}` may be a misspelled keyword", token.start, (close[0],))
    return None


def _open_bracket(tokens: Sequence[Token]) -> Suspicion | None:
    opened: list[Token] = []
    for token in tokens:
        if token.word in _CLOSING:
            opened.append(token)
        elif token.word in _CLOSING.values():
            if not opened or _CLOSING[opened[-1].word] != token.word:
                return Suspicion(f"unmatched `{token.word}`", token.start, (f"without `{token.word}`",))
            opened.pop()
    if not opened:
        return None
    last = opened[-1]
    return Suspicion(f"unclosed `{last.word}`", last.start, (_CLOSING[last.word],))


def _comma(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find a comma before a keyword that ends a list."""
    for index in (at - 1, at):
        if 0 < index < len(tokens) and tokens[index].word in ("FROM", "WHERE", "GROUP", "ORDER", ")", "LIMIT"):
            before = tokens[index - 1]
            if before.word == ",":
                word = sql[tokens[index].start : tokens[index].end]
                return Suspicion(
                    f"unexpected comma before `{word}`", before.start, (f"without the comma before {word}",)
                )
    return None


def _missing_comma(sql: str, tokens: Sequence[Token], at: int) -> Suspicion | None:
    """Find two names in a row, the second with a bracket; the parser reads the second as an alias."""
    if not 1 < at < len(tokens) or tokens[at].word not in ("(", ".", "'"):
        return None
    first, second = tokens[at - 2], tokens[at - 1]
    if first.word in _KEYWORDS or not (second.word.isidentifier() or second.word in ("'", ")")):
        return None
    word = sql[second.start : second.end]
    return Suspicion(f"missing comma before `{word}`", second.start, (f", {word}",))
