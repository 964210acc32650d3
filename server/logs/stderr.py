"""Logging to stderr: one record per line, as text or as a JSON object. stdout belongs to the protocol.

Records name events and never contents: no bodies, no query strings, no secrets, no input values. Text of other people
is cleaned, so that it cannot forge a line or control a terminal. A record can carry `extra={"fields": {…}}`.
"""

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from pydantic import ValidationError

from ...schemas.text import Cleaner
from .repeats import Merging

OURS = "maton_posthog"
AUDIT = "maton_posthog.audit"
"""The log of changes: each has its line."""
_QUERY = re.compile(r"(?<=[\w/])\?[^\s\"'<>]*=[^\s\"'<>]*")


def configure(level: str = "info", *, as_json: bool = False, secrets: Sequence[str] = ()) -> None:
    """Send the logs of this process to stderr.

    `level` applies to this package; libraries stay at WARNING, because at INFO they log whole URLs. `secrets` are texts
    that are redacted in every line, see `schemas/secret_forms.py`. Equal lines are merged.
    """
    handler = Merging(sys.stderr, frozenset({AUDIT}))
    handler.setFormatter(_Formatter(as_json=as_json, secrets=secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(OURS).setLevel(level.upper())
    logging.captureWarnings(capture=True)


def finish() -> None:
    """Write what the log has only counted so far, because the process ends."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, Merging):
            handler.finish()


class _Formatter(logging.Formatter):
    def __init__(self, *, as_json: bool, secrets: Sequence[str]) -> None:
        super().__init__()
        self._as_json = as_json
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._line(record.getMessage()),
            **self._fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            entry["exception"] = [self._line(line) for line in describe(record.exc_info[1])]
        return json.dumps(entry, ensure_ascii=False) if self._as_json else _as_text(entry)

    def _fields(self, record: logging.LogRecord) -> dict[str, Any]:
        given = getattr(record, "fields", None)
        if not isinstance(given, Mapping):
            return {}
        fields = cast("Mapping[str, Any]", given)
        return {name: self._line(item) if isinstance(item, str) else item for name, item in fields.items()}

    def _line(self, text: str) -> str:
        cleaned = Cleaner(self._secrets).text(_QUERY.sub("?…", text))
        return " ".join(cleaned.split())


def _as_text(entry: dict[str, Any]) -> str:
    exception = entry.pop("exception", [])
    time, level, logger, message = (entry.pop(name) for name in ("time", "level", "logger", "message"))
    fields = "".join(f" {name}={value}" for name, value in entry.items())
    line = f"{time} {level.upper():<7} {logger}: {message}{fields}"
    return "\n".join([line, *(f"    {part}" for part in exception)])


def describe(error: BaseException) -> Iterator[str]:
    """Yield one line per frame of an exception, oldest first, then its type and message.

    A pydantic error shows its fields only: its message would contain the values.
    """
    for cause in reversed(list(_causes(error))):
        for frame in traceback.extract_tb(cause.__traceback__):
            yield f"at {frame.filename}:{frame.lineno} in {frame.name}"
        if isinstance(cause, ValidationError):
            fields = {".".join(map(str, item["loc"])) for item in cause.errors(include_input=False, include_url=False)}
            yield f"ValidationError: {cause.title}: {', '.join(sorted(fields))}"
        else:
            yield f"{type(cause).__name__}: {cause}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
