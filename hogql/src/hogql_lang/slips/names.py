"""Mistakes in names, strings and placeholders: signs that HogQL does not know, quotes, escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .suspicion import Edit, Error, Suspicion

_CURLY = "\u2018\u2019\u201a\u201b\u00b4\u201c\u201d\u201e\u201f\u00ab\u00bb"
"""Quotes of word processors."""
_TYPED = {
    "\u2013": "-", "\u2014": "-", "\u2212": "-", "\uff0c": ",", "\uff08": "(", "\uff09": ")", "\uff1b": ";",
    "\uff1d": "=", "\uff1e": ">", "\uff1c": "<", "\u00d7": "*", "\u00f7": "/", "\u2265": ">=", "\u2264": "<=",
    "\u2260": "!=",
}  # fmt: skip
"""Signs of word processors and keyboards, each with the sign of HogQL."""
_PATTERNS = frozenset(["LIKE", "ILIKE", "~", "*"])
_OF_PATTERNS = re.compile(r"MATCH|EXTRACT|REGEXP|COUNTMATCHES|MULTIMATCH|LIKE|SPLITBYREGEXP")


def names(error: Error) -> Iterator[Suspicion]:
    """Return the suspicions about the names and strings at an error."""
    yield from _curly(error)
    yield from _sign(error)
    yield from _escape(error)
    yield from _placeholder(error)
    yield from _arrow(error)
    yield from _dotted(error)
    yield from _unusual(error)
    yield from _reserved(error)
    yield from _prefixed(error)
    yield from _bracketed(error)
    yield from _percent(error)


def written(name: str) -> str:
    """Return a property's name as it is written after a dot."""
    return name if re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII) else f"`{name}`"


def _curly(error: Error) -> Iterator[Suspicion]:
    letter = error.sql[error.place : error.place + 1]
    if not letter or letter not in _CURLY:
        return
    # Those in strings too: they end the strings that they begin.
    edits = [Edit(match.start(), match.end(), "'") for match in re.finditer(f"[{_CURLY}]", error.sql)]
    found = re.compile(rf"[{_CURLY}]([^{_CURLY}\n]{{0,60}})[{_CURLY}]").match(error.sql, error.place)
    fix = f"'{found[1]}'" if found else "'"
    yield Suspicion(f"{letter} is not a quote in HogQL", error.place, (fix,), tuple(edits))


def _sign(error: Error) -> Iterator[Suspicion]:
    """Find a sign that looks like another one, and invisible characters."""
    letter = error.sql[error.place : error.place + 1]
    if letter in _TYPED:
        sign = _TYPED[letter]
        edits = tuple(Edit(each.start(), each.end(), sign) for each in re.finditer(re.escape(letter), error.sql))
        yield Suspicion(f"HogQL has no {letter}", error.place, (sign,), edits)
    elif letter and not letter.isprintable() and not letter.isspace():
        edits = tuple(Edit(each.start(), each.end(), "") for each in re.finditer(re.escape(letter), error.sql))
        message = f"an invisible character (U+{ord(letter):04X})"
        yield Suspicion(message, error.place, ("without it",), edits)
    elif letter == "\\" and error.sql[error.place + 1 : error.place + 2] in ("'", '"', "`"):
        edits = tuple(Edit(each.start(), each.start() + 1, "") for each in re.finditer(r"\\(?=['\"`])", error.sql))
        yield Suspicion("a quote outside a string needs no backslash", error.place, ("without the backslash",), edits)


def _escape(error: Error) -> Iterator[Suspicion]:
    r"""Find a backslash that begins no escape: `'%\_%'`, `'\d+'`, `'\$pageview'`."""
    if "escape" not in error.message:
        return
    index = next((i for i, each in enumerate(error.tokens) if each.start <= error.place < each.end), None)
    if index is None:
        return
    token = error.token(index)
    bad = [match for match in _BAD_ESCAPE.finditer(error.sql, token.start, token.end) if match["bad"]]
    if not bad:
        return
    is_pattern = error.word(index - 1) in _PATTERNS or bool(_OF_PATTERNS.search(_function(error, index)))
    doubled = is_pattern or not any(match["bad"] in '$"!@# &-' for match in bad)
    edits = tuple(Edit(match.start(), match.start() + 1, "\\\\" if doubled else "") for match in bad)
    text = error.sql[token.start : token.end]
    for edit in reversed(edits):
        text = text[: edit.start - token.start] + edit.text + text[edit.end - token.start :]
    message = f"`{bad[0][0]}` is no escape; " + ("a backslash is written twice" if doubled else "write it without \\")
    yield Suspicion(message, bad[0].start(), (text if len(text) <= 80 else bad[0][0].replace("\\", "\\\\"),), edits)


_BAD_ESCAPE = re.compile(r"\\(?:[abfnrtv0x\\'\"`]|(?P<bad>.))", re.DOTALL)


def _function(error: Error, index: int) -> str:
    """Return the function whose argument a token is."""
    depth = error.token(index).depth
    while index > 0 and error.token(index).depth >= depth:
        index -= 1
    return error.word(index - 1) if error.word(index) == "(" else ""


def _placeholder(error: Error) -> Iterator[Suspicion]:
    """Find the placeholders of other databases: `?`, `:name`, `@name`, `$1` and `%(name)s`."""
    for index in error.near(1, 1):
        found = _FOREIGN_PLACEHOLDER.match(error.sql, error.token(index).start)
        if found and error.word(index - 1) in _BEFORE_VALUES:
            name = found["colon"] or found["at"] or found["percent"] or "name"
            message = "placeholders are written {name}, with their value in `values`"
            fix = "{" + name + "}"
            yield Suspicion(message, found.start(), (fix,), (Edit(found.start(), found.end(), fix),))


_FOREIGN_PLACEHOLDER = re.compile(r":(?P<colon>[A-Za-z_]\w*)|@(?P<at>\w+)|%\((?P<percent>\w+)\)s|%s\b|\?")
_BEFORE_VALUES = frozenset(
    ["=", ">", "<", "(", ",", "IN", "LIKE", "ILIKE", "LIMIT", "BETWEEN", "AND", "-", "+"]
)  # fmt: skip


def _arrow(error: Error) -> Iterator[Suspicion]:
    """Find `properties->>'plan'`, as in Postgres."""
    start = error.token(max(0, error.at - 4)).start
    for found in _ARROW.finditer(error.sql, max(0, start - 60), error.place + 120):
        if found.end() >= start:
            path = found["name"].removeprefix("$.").strip("{}").replace(",", ".").split(".")
            fix = ".".join([found["owner"], *map(written, path)])
            edits = (Edit(found.start(), found.end(), fix),)
            yield Suspicion("properties are accessed with a dot", found.start(), (fix,), edits)


_ARROW = re.compile(r"(?<![\w.])(?P<owner>[\w.]*\bproperties)(?:::\w+)?\s*->{1,2}\s*'?(?P<name>[^'\s]{1,100})'?")


def _dotted(error: Error) -> Iterator[Suspicion]:
    """Find `properties.'$browser'`."""
    for index in error.near(1, 1):
        token = error.token(index)
        if token.word != "'" or error.word(index - 1) != ".":
            continue
        first = error.token(error.operand(index - 2))
        fix = f"{error.sql[first.start : token.start]}{written(error.sql[token.start + 1 : token.end - 1])}"
        yield Suspicion("a string cannot follow a dot", first.start, (fix,), (Edit(first.start, token.end, fix),))


def _unusual(error: Error) -> Iterator[Suspicion]:
    """Find a name with signs that needs backticks: `properties.größe`, `properties.utm:source`, `AS my-event`."""
    for found in _UNUSUAL.finditer(error.sql, max(0, error.place - 100), error.place + 100):
        name = found["name"] or found["bare"]
        is_usual = name.isascii() if found["bare"] else re.fullmatch(r"[A-Za-z_$][\w$]*", name, re.ASCII)
        if is_usual or not found.start() <= error.place <= found.end():
            continue
        fix = f"{found['before'] or ''}`{name}`"
        yield Suspicion(f"`{name}` needs backticks", found.start(), (fix,), (Edit(*found.span(), fix),))
    for found in _SPACED.finditer(error.sql, max(0, error.place - 100), error.place + 100):
        if not found.start() < error.place <= found.end():
            continue
        fix = f"{found['owner']}`{found['name']}`"
        yield Suspicion(f"`{found['name']}` needs backticks", found.start(), (fix,), (Edit(*found.span(), fix),))


_UNUSUAL = re.compile(
    r"(?P<before>(?<![\w.$`])(?:[\w$]+\.)*properties\.|\bAS\s+)(?P<name>[\w$]+(?:[-/:@#][\w$]+)*)"
    r"|(?P<bare>(?<![\w.$`'\"])[\w$]+(?![\w$]))",
    re.IGNORECASE,
)
_SPACED = re.compile(
    r"(?P<owner>(?<![\w.$`])(?:[\w$]+\.)*properties\.)(?P<name>[\w$]+ [A-Z]?[\w$]+)"
    r"(?=\s*(?:[=<>!]|(?:LIKE|ILIKE|IN|IS)\b))"
)
"""A name of two words before an operator; in SELECT the second word would be an alias."""


def _reserved(error: Error) -> Iterator[Suspicion]:
    """Find a reserved word used as an alias."""
    found = re.match(r'"(\w+)" cannot be an alias', error.message)
    if found:
        indexes = [i for i, each in enumerate(error.tokens) if each.word == found[1].upper() and each.end > error.place]
        index = next((i for i in indexes if error.word(i - 1) == "AS"), next(iter(indexes), None))
        if index is None:
            return
        token = error.token(index)
        fix = f"{found[1]}_value"
        message = f"`{found[1]}` is reserved and cannot be an alias"
        yield Suspicion(message, token.start, (f"AS {fix}",), (Edit(token.start, token.end, fix),))
        return
    token, following = error.token(error.at), error.word(error.at + 1)
    if (
        not token.word.isalpha()
        or error.word(error.at - 1).isdecimal()
        or following not in (",", "FROM", ")", "", ";")
        or error.word(error.at - 1) in _OPEN
    ):
        return
    if token.word not in _CLAUSE_WORDS and "reserved keyword" in error.message:
        word = error.text(error.at)
        comma = Suspicion(
            f"missing comma before `{word}`", token.start, (f", {word}",), (Edit(token.start, token.start, ", "),)
        )
        alias = Suspicion(
            f"the alias `{word}` needs AS", token.start, (f"AS {word}",), (Edit(token.start, token.start, "AS "),)
        )
        yield from (comma, alias) if token.word == "TIMESTAMP" else (alias, comma)


_AFTER_ALIAS = frozenset([",", "FROM", ")", "", ";"])
_OPEN = frozenset(["AND", "OR", "NOT", "SELECT", "WHERE", ",", "(", "="])
_CLAUSE_WORDS = frozenset(
    ["NULL", "TRUE", "FALSE", "FROM", "WHERE", "GROUP", "ORDER", "HAVING", "LIMIT", "JOIN", "ON", "UNION", "AND", "OR"]
)


def _prefixed(error: Error) -> Iterator[Suspicion]:
    """Find `E'text'` and `N'text'`."""
    for index in error.near(1, 1):
        token = error.token(index)
        if token.word == "'" and error.word(index - 1) in ("E", "N", "R", "B", "U") and (
            error.token(index - 1).end == token.start
        ):  # fmt: skip
            before = error.token(index - 1)
            fix = error.sql[token.start : token.end]
            edits = (Edit(before.start, before.end, ""),)
            yield Suspicion(f"HogQL has no {error.text(index - 1)}'…' strings", before.start, (fix,), edits)


def _bracketed(error: Error) -> Iterator[Suspicion]:
    """Find names in square brackets, as in SQL Server."""
    for index in error.near(2, 1):
        name = error.text(index + 1)
        if error.word(index) != "[" or error.word(index + 2) != "]" or not name.isidentifier():
            continue
        place = error.token(index).start
        edits = (Edit(place, error.token(index + 2).end, name),)
        yield Suspicion("names cannot be in square brackets", place, (name,), edits)


def _percent(error: Error) -> Iterator[Suspicion]:
    """Find `AS rate%`; PostHog rejects the sign in quoted names too."""
    found = re.compile(r"(?<=AS )\w+(%)", re.IGNORECASE).search(error.sql, max(0, error.place - 60), error.place + 1)
    if found and found.start(1) == error.place:
        name = found[0][:-1]
        edits = (Edit(found.start(1), found.end(1), ""),)
        yield Suspicion("names cannot have a `%`", found.start(), (f"AS {name}",), edits)
