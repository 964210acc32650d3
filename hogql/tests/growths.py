"""Statements whose parsing time at least doubles with every level in PostHog's parser."""

from dataclasses import dataclass

MOST_READINGS = 1 << 14
"""The most readings of the innermost text of a statement that reaches the parser: well below a second."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A statement that can be nested to any depth. Each level multiplies the readings of its contents by `factor`."""

    name: str
    start: str
    opening: str
    middle: str
    closing: str
    end: str = ""
    factor: int = 2

    def statement(self, depth: int) -> str:
        return self.start + self.opening * depth + self.middle + self.closing * depth + self.end

    def readings(self, depth: int) -> int:
        return self.factor**depth


_SELECT = "select "

GROWTHS = (
    Growth("interval in brackets", _SELECT, "interval (", "1", ") day"),
    Growth("interval without unit", _SELECT, "interval (", "1", ")"),
    Growth("negative interval", _SELECT, "interval - ", "1 day", ""),
    Growth("interval after a sign", _SELECT, "- interval ", "1", ""),
    Growth("interval of an array", _SELECT, "interval [", "1", "] day"),
    Growth("brackets around an interval", _SELECT, "(interval ", "1", ") day"),
    Growth("array of an interval", _SELECT, "[interval ", "1", "] day"),
    Growth("filter", _SELECT, "count() filter (where ", "1", ")"),
    Growth("filter with a subquery", _SELECT, "count() filter (where (select ", "1", "))"),
    Growth("cast without a type", _SELECT, "cast(", "1", ")"),
    Growth("cast with a comma", _SELECT, "cast(", "1", ", 'int')"),
    Growth("try_cast", _SELECT, "try_cast(", "1", ")"),
    Growth("function with a block", _SELECT, "(x -> {return ", "1", ";})"),
    Growth("brace in brackets", _SELECT, "({", "1", "}) day"),
    Growth("brackets in a brace", _SELECT, "{(", "1", ",'a')}"),
    Growth("with in brackets", _SELECT, "(with ", "1", ",'a')"),
    Growth("with in two brackets", _SELECT, "((with ", "1", "))"),
    Growth("with called", _SELECT, "with (", "1", ")"),
    Growth("case of brackets", _SELECT, "case (", "1", ") end"),
    Growth("case when brackets", _SELECT, "case when (", "1", ") then 1 end"),
    Growth("case of an array", _SELECT, "case [", "1", "] end"),
    Growth("case of a sign", _SELECT, "case - ", "1", " end"),
    Growth("case after a sign", _SELECT, "- case ", "1", " end"),
    Growth("case in brackets", _SELECT, "(case ", "1", " end)"),
    Growth("not of an array", _SELECT, "not [", "1", "] day"),
    Growth("columns", _SELECT, "columns (", "1", ") day"),
    Growth("cohort", _SELECT, "1 in cohort (", "1", ") x"),
    Growth("offset", "select 1 limit 1 offset ", "(select 1 limit 1 offset ", "1", ")"),
    Growth("select called", _SELECT, "(select (", "1", ")) day"),
    Growth("subquery that ends wrong", _SELECT, "(select ", "1 day", ")"),
    Growth("columns replaced", _SELECT, "(* replace (", "1 day", " as x))"),
    Growth("interval in a template string", "select f'{", "interval(", "1", ")", "}'"),
    Growth("interval after a position", "select #1 + ", "interval(", "1", ")"),
    Growth("interval after the quote of a tag", "select <a>it's</a>, ", "interval(", "1", ")"),
    Growth("interval with a name that looks like its unit", _SELECT, "interval - day - ", "1", ""),
    Growth("case with a name that looks like its end", _SELECT, "case - end - ", "1", " end"),
)


class Recorder:
    """A parser that only records the texts it is given."""

    def __init__(self) -> None:
        self.handed: list[str] = []

    def parse_select_json(self, text: str, /) -> str:
        self.handed.append(text)
        return '{"error": true, "type": "SyntaxError", "message": "noted", "start": null, "end": null}'

    parse_expr_json = parse_select_json
