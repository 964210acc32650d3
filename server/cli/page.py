"""Terminal output: headings, tables, wrapped text and a progress line. Plain text where there is no terminal."""

import os
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TextIO

from ...schemas.text import excerpt

_WIDEST = 100
_NARROWEST = 40
_LONGEST_CELL = 40
_MOST_LINES = 3
_LONGEST_FACT = 2000
_BAR = 24
_PLAIN, _BOLD, _DIM, _CYAN = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m"


class Terminal:
    """Writes to a text stream, as wide as its terminal, at most 100 columns."""

    def __init__(self, out: TextIO, *, width: int = 80, styled: bool = False, live: bool = False) -> None:
        self._out = out
        self._width = max(_NARROWEST, min(width, _WIDEST))
        self._styled = styled
        self._live = live
        self._progress = ""

    @classmethod
    def for_terminal(cls) -> "Terminal":
        """Return a page on standard output, with colors on a terminal and without NO_COLOR (no-color.org)."""
        live = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        return cls(
            sys.stdout,
            width=shutil.get_terminal_size().columns,
            styled=live and not os.environ.get("NO_COLOR"),
            live=live,
        )

    def heading(self, text: str) -> None:
        """Write a heading with an empty line above it."""
        self._line("")
        self._line(self._style(_BOLD, text))

    def text(self, text: str) -> None:
        """Write a wrapped paragraph."""
        for line in textwrap.wrap(text, self._width):
            self._line(line)

    def call(self, name: str, arguments: str) -> None:
        """Write a tool call as a model would make it."""
        first, *others = textwrap.wrap(f"{name} {arguments}", self._width - 4, break_on_hyphens=False) or [name]
        self._line(self._style(_CYAN, f"  > {first}"))
        for line in others:
            self._line(self._style(_CYAN, f"    {line}"))

    def facts(self, facts: Iterable[tuple[str, object]]) -> None:
        """Write names and values, one per line, wrapped under the value."""
        pairs = [(name, str(value).splitlines()[:_MOST_LINES]) for name, value in facts]
        indent = max((len(name) for name, _ in pairs), default=0) + 6
        for name, value in pairs:
            wrapped = [textwrap.wrap(_kept(line), self._width - indent, break_on_hyphens=False) for line in value]
            lines = list(chain.from_iterable(wrapped)) or [""]
            self._line(self._style(_DIM, f"    {name:<{indent - 6}}  ") + lines[0])
            for line in lines[1:]:
                self._line(" " * indent + line)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write a table: numbers aligned right, long cells cut, and a line for columns that do not fit."""
        cells = [[_cell(value) for value in row] for row in rows]
        widths = [max(map(columns_of, column)) for column in zip(list(map(_cell, columns)), *cells, strict=True)]
        shown = self._fitting(widths)
        numeric = [all(isinstance(row[at], int | float | None) for row in rows) for at in range(len(columns))]

        def line(texts: Sequence[str]) -> str:
            padded = [_pad(texts[at], widths[at], right=numeric[at]) for at in range(shown)]
            return "    " + "  ".join(padded).rstrip()

        self._line(self._style(_DIM, line(list(map(_cell, columns)))))
        for row in cells:
            self._line(line(row))
        if shown < len(columns):
            self._line(self._style(_DIM, f"    (and {len(columns) - shown} more columns)"))

    def code(self, text: str) -> None:
        """Write lines to copy, unwrapped and without style."""
        self._line("")
        for line in text.splitlines():
            self._line(line)
        self._line("")

    def progress(self, fraction: float, message: str) -> None:
        """Write the progress: one line that is redrawn on a terminal, a line per quarter elsewhere."""
        share = min(max(fraction, 0.0), 1.0)
        if self._live:
            filled = round(share * _BAR)
            line = f"    [{'=' * filled}{' ' * (_BAR - filled)}] {share:4.0%}  {excerpt(message)}"
            self._progress = line[: self._width - 1]
            self._out.write(f"\r{self._progress:<{self._width - 1}}")
            self._out.flush()
        elif (quarter := f"    {int(share * 4) * 25}%  {excerpt(message)}")[:9] != self._progress[:9]:
            self._progress = quarter
            self._line(quarter)

    def progress_done(self) -> None:
        """Remove the progress line."""
        if self._live and self._progress:
            self._out.write(f"\r{' ' * (self._width - 1)}\r")
            self._out.flush()
        self._progress = ""

    def _fitting(self, widths: Sequence[int]) -> int:
        """Return the number of leading columns that fit, at least one."""
        used = 4
        for count, width in enumerate(widths):
            used += width + 2
            if used - 2 > self._width and count:
                return count
        return len(widths)

    def _style(self, style: str, text: str) -> str:
        return f"{style}{text}{_PLAIN}" if self._styled and text else text

    def _line(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        self._out.flush()


def columns_of(text: str) -> int:
    """Return the terminal columns of a text: wide characters take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "" if value is None else excerpt(str(value), _LONGEST_CELL)


def _pad(text: str, width: int, *, right: bool) -> str:
    space = " " * (width - columns_of(text))
    return space + text if right else text + space


def _kept(line: str) -> str:
    """Return a line without control characters. Leading spaces stay, because a caret is aligned with them."""
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + excerpt(text, _LONGEST_FACT)
