"""What a setting is: its names, its text, and how its value is read. Loads nothing heavy."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast

from ...tools.toolsets import Toolset

SHORTEST_REDACT_KEY = 16
"""Fewest characters of the key of pseudonyms."""
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


class Secret:
    """A text that is not shown by `repr`, `str` or an f-string."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return "Secret('**********')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def reveal(self) -> str:
        """Return the text."""
        return self._text


type Reader = Callable[[object], Any]
"""Returns the value of a setting from text or from a Python value. Raises ValueError with the end of a sentence that
begins with the name of the setting.
"""


def one_of(*choices: str) -> Reader:
    """Return the reader of a choice."""

    def read(value: object) -> str:
        if value not in choices:
            raise ValueError(f"must be {_listed(choices)}")
        return cast("str", value)

    return read


def switch(value: object) -> bool:
    """Return the value of a switch: 1 or 0, also in words."""
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise ValueError("must be 1 or 0")
    return text in _TRUE


def number(low: int, high: int) -> Reader:
    """Return the reader of a whole number."""

    def read(value: object) -> int:
        text = str(value).strip()
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]{1,20}", text):
            raise ValueError("must be a whole number")
        number = int(text)
        if number < low:
            raise ValueError(f"must be at least {low}")
        if number > high:
            raise ValueError(f"must be at most {high}")
        return number

    return read


def matching(pattern: str, reason: str) -> Reader:
    """Return the reader of a text that matches a pattern as a whole."""

    def read(value: object) -> str:
        text = value if isinstance(value, str) else ""
        if not re.fullmatch(pattern, text):
            raise ValueError(reason)
        return text

    return read


def credential(value: object) -> Secret:
    """Return a key or token without surrounding space."""
    text = (value.reveal() if isinstance(value, Secret) else str(value)).strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("contains characters that a header cannot carry; copy it again")
    return Secret(text)


def redact_key(value: object) -> Secret:
    """Return the key of pseudonyms. With a short one, everybody could test guesses."""
    key = credential(value)
    if len(key.reveal()) < SHORTEST_REDACT_KEY:
        raise ValueError(f"must have at least {SHORTEST_REDACT_KEY} characters; `openssl rand -hex 32` makes one")
    return key


def toolsets(value: object) -> frozenset[Toolset]:
    """Return the areas of `flags, query` or of a list."""
    given = value.split(",") if isinstance(value, str) else cast("Iterable[str]", value)
    names = [name.strip().lower() for name in given if name.strip()]
    if not names:
        raise ValueError("names no toolset; omit it to offer all")
    if not set(names) <= set(Toolset):
        raise ValueError(f"must be areas from {_listed(tuple(Toolset))}, separated by commas")
    return frozenset(map(Toolset, names))


type Mode = Literal["auto", "always", "never"]
"""When a person is asked before a change is sent."""
_MODES: Mapping[str, Mode] = {"auto": "auto", "always": "always", "never": "never"}


@dataclass(frozen=True, slots=True)
class Confirm:
    """When a person is asked before a change is sent: `auto`, `always` or `never`, and other modes of single tools."""

    mode: Mode = "auto"
    tools: Mapping[str, Mode] = field(default_factory=dict[str, "Mode"])

    def of(self, tool: str) -> Mode:
        """Return the mode of a tool."""
        return self.tools.get(tool, self.mode)


def confirm(value: object) -> Confirm:
    """Return the policy in `auto`, or in `auto,delete_flag=always`."""
    if isinstance(value, Confirm):
        return value
    mode: Mode = "auto"
    tools: dict[str, Mode] = {}
    for part in str(value).split(","):
        tool, separator, given = part.strip().rpartition("=")
        choice = _MODES.get(given.strip().lower())
        if choice is None:
            raise ValueError(f"must be {_listed(tuple(_MODES))}, also per tool, such as auto,delete_flag=always")
        if separator:
            tools[_tool(tool.strip())] = choice
        else:
            mode = choice
    return Confirm(mode, tools)


def tool_names(value: object) -> frozenset[str]:
    """Return the tools of `delete_flag,list_persons` or of a list."""
    given = value.split(",") if isinstance(value, str) else cast("Iterable[str]", value)
    names = [name.strip() for name in given if name.strip()]
    if not names:
        raise ValueError("names no tool; omit it to offer all")
    return frozenset(map(_tool, names))


def _tool(name: str) -> str:
    """Return the name of a tool. Raises ValueError for an unknown one."""
    from ..tool_list import tool_list

    if name not in tool_list():
        near = get_close_matches(name[:100], tool_list(), n=1, cutoff=0.5)
        raise ValueError(f"has no tool {name[:100]!r}{f'; did you mean {near[0]}' if near else ''}")
    return name


def base_url(value: object) -> str:
    """Return a checked base URL."""
    from ...gateway.paths import check_base_url

    # `check_base_url` puts the name before its message; `load` does so for every setting.
    try:
        return check_base_url(str(value), "url")
    except ValueError as error:
        raise ValueError(str(error).removeprefix("url: ").rstrip(".")) from None


def directory(value: object) -> Path:
    """Return an existing directory."""
    path = Path(cast("str | Path", value))
    if not path.is_dir():
        raise ValueError("does not exist or is not a directory")
    return path.resolve()


def appended_file(value: object) -> Path:
    """Return a file that lines can be added to. It is created if there is none."""
    from ..logs.private_file import open_private

    path = Path(cast("str | Path", value)).absolute()
    try:
        os.close(open_private(path))
    except (OSError, ValueError) as error:
        raise ValueError(f"cannot be written: {getattr(error, 'strerror', None) or 'invalid path'}") from None
    return path


def host_names(value: object) -> tuple[str, ...]:
    """Return one or several host names."""
    read = matching(
        r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:\d{1,5})?",
        "must be a host name with or without a port, such as mcp.example.com",
    )
    return tuple(read(name) for name in ((value,) if isinstance(value, str) else cast("Iterable[object]", value)))


def _listed(names: tuple[str, ...]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"{', '.join(quoted[:-1])} or {quoted[-1]}"


connection_id = matching(
    r"[0-9A-Za-z-]{8,64}", "is not a connection id; copy it from manage_connection or from maton.ai"
)
bind_host = matching(r"[0-9A-Za-z.:-]+", "must be an address or a host name, such as 127.0.0.1")


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is known of a setting beyond its type and its default."""

    about: str
    """Its text in `--help` and in the documentation."""
    read: Reader
    variable: str | None = None
    """Its environment variable; None for a setting that only has a flag."""
    flag: str | None = None
    """Its command-line flag; None for a setting that only has a variable."""
    metavar: str | None = None
    """The placeholder for the value of the flag in `--help`; None for switches and choices."""
    choices: tuple[str, ...] = ()
    """The accepted values, when they are listed."""
    several: bool = False
    """Whether the flag can be repeated."""

    @property
    def is_switch(self) -> bool:
        """Whether the flag has no value."""
        return self.read is switch

    @property
    def name(self) -> str:
        """The setting as its user knows it: `POSTHOG_PROJECT_ID (--project)`."""
        return f"{self.variable} ({self.flag})" if self.variable and self.flag else self.variable or self.flag or ""
