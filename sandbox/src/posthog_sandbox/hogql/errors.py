"""The error of the HogQL compiler, and its hints."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Literal

from hogql_lang import nearest as nearest_names
from hogql_lang.tree import Span

type ErrorCode = Literal["hogql_syntax_error", "hogql_query_error"]


class HogqlError(Exception):
    """The query is one that PostHog rejects with status 400.

    `code` is PostHog's name of the error: `hogql_syntax_error` if the text does not parse, `hogql_query_error` if it
    parses but has no meaning here. `message` is its `detail`; `start` and `end` are the place in the query.
    """

    def __init__(self, code: ErrorCode, message: str, start: int | None = None, end: int | None = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.start = start
        self.end = end


def query_error(message: str, span: Span | None = None) -> HogqlError:
    """Return the error for a well-formed query that cannot run."""
    start, end = span or (None, None)
    return HogqlError("hogql_query_error", message, start, end)


@contextmanager
def relocated(what: str, span: Span | None) -> Generator[None]:
    """Move errors in other text (a cohort, an action, a filter) to the place where this query names it."""
    try:
        yield
    except HogqlError as error:
        start, end = span or (None, None)
        raise HogqlError(error.code, f"In {what}: {error.message}", start, end) from None


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` most likely means, ignoring case."""
    return next(iter(nearest_names(name, known)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a message, " Did you mean `events`?", or an empty text."""
    candidate = nearest(name, known)
    return f" Did you mean `{candidate}`?" if candidate else ""
