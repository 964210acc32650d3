"""The audit log of `--audit-log`: one line of JSON before a change is sent, and one when its outcome is known.

Lines contain no texts of arguments: numbers and switches are shown, of texts the length.
"""

import errno
import json
import os
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path
from typing import Any

from ...gateway.errors import Refused
from ...gateway.http.request import Request
from ...gateway.journal import Ending, Journal, Settle
from ...schemas.json import as_object, is_list, is_object
from .private_file import open_private

_logger = getLogger("maton_posthog.audit")
_PROJECT = re.compile(r"/api/projects/(\d+)/")
_MOST_CHANGES = 100
_LONGEST_NAME = 100


class AuditLog:
    """The file of a process. Without a path, nothing is recorded here. Close it with `close`.

    Changes are rejected while no line can be written, unless the file is not `required`: lines then go to stderr.
    """

    def __init__(self, path: Path | None, *, required: bool = True) -> None:
        self._path = path
        self._required = required
        self._descriptor: int | None = None
        self._is_torn = False

    def journal(self, tool: str) -> Journal:
        """Return the function that records the changes of a call; see `Journal`."""

        def begin(request: Request) -> Settle:
            if self._path is None:
                return lambda _: None
            started = time.monotonic()
            entry = {"id": uuid.uuid4().hex, "tool": tool, **_target(request)}
            first = {"event": "sending", **entry, "changes": dict(_changes(request.body))}
            try:
                self._write(first)
            except OSError as error:
                if self._required:
                    raise _not_writable(error) from error
                _to_stderr(error, first)

            def settle(ending: Ending) -> None:
                self._settle({"event": "settled", **entry, **_end(ending), "ms": _ms_since(started)})

            return settle

        return begin

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _settle(self, entry: Mapping[str, Any]) -> None:
        """Write how a change ended: to the log on stderr if the file takes no more."""
        try:
            self._write(entry)
        except OSError as error:
            _to_stderr(error, entry)

    def _write(self, entry: Mapping[str, Any]) -> None:
        """Append a line with one write. Raises OSError if not all of it was written."""
        if self._descriptor is None:
            self._descriptor = open_private(self._path or Path(os.devnull))
        stamped = {"time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"), **entry}
        line = ("\n" if self._is_torn else "").encode() + json.dumps(stamped).encode() + b"\n"
        written = os.write(self._descriptor, line)
        self._is_torn = 0 < written < len(line)
        if written < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _to_stderr(error: OSError, entry: Mapping[str, Any]) -> None:
    _logger.error("The audit log cannot be written (%s): %s", error.strerror, json.dumps(entry))


def _target(request: Request) -> dict[str, Any]:
    project = _PROJECT.match(request.path)
    return {
        "method": request.method,
        "object": request.path,
        "project": int(project[1]) if project else None,
        "connection": request.connection,
    }


def _end(ending: Ending) -> dict[str, Any]:
    number = as_object(ending.response).get("id")
    fields = {
        "outcome": ending.outcome,
        "code": ending.code,
        "stored_id": number if isinstance(number, int) else None,
        "request_id": ending.request_id,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _changes(body: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the first places of a body with their value: a number, a switch or null; of texts the length."""
    left: list[tuple[str, Any]] = [(place, body)]
    shown = 0
    while left and shown < _MOST_CHANGES:
        at, value = left.pop()
        if is_object(value):
            left += [(f"{at}.{name[:_LONGEST_NAME]}".removeprefix("."), item) for name, item in value.items()][::-1]
        elif is_list(value):
            left += [(f"{at}.{number}", item) for number, item in enumerate(value)][::-1]
        elif at:
            shown += 1
            yield at, f"text of length {len(value)}" if isinstance(value, str) else value


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _not_writable(error: OSError) -> Refused:
    return Refused(
        "unavailable",
        f"The audit log cannot be written ({error.strerror}), so nothing was changed.",
        "The operator makes room for the file of MATON_POSTHOG_AUDIT_LOG (--audit-log), or fixes its permissions.",
        retryable=True,
    )
