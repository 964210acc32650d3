"""Ready answers: the JSON texts of results that depend on nothing but the settings, for every protocol version.

`make snapshots` writes them to ready.json from what the SDK answers; a test keeps the two equal, byte by byte. With
them, a client has its first answers before the SDK is imported. This module loads nothing heavy.
"""

import json
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ...tools.toolsets import RESTORED
from ..settings import Settings
from ..tool_list import ABOUT_ONE_PERSON, is_offered, restored, tool_list

PATH = Path(__file__).with_name("ready.json")
MODERN = "2026-07-28"
"""The protocol version without a handshake: every request carries it."""
MANAGE = "manage_connection"
_CONNECTION_ID = '"connection_id":{"type":"string"}'
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")


def traits(settings: Settings) -> str:
    """Return the settings that change the text of a tool, as ready.json names them."""
    chosen = {
        "exports": settings.export_dir is not None,
        "pinned": settings.project_id is not None,
        "read_only": settings.read_only,
    }
    return " ".join(name for name, applies in chosen.items() if applies)


class ReadyResults:
    """The ready results of a server with these settings."""

    def __init__(self, settings: Settings) -> None:
        self._traits = traits(settings)
        self._offered = frozenset(tool.name for tool in tool_list().values() if is_offered(tool, settings))
        self._asking = frozenset(
            tool.name
            for tool in tool_list().values()
            if tool.effect.writes and settings.confirm.of(tool.name) != "never"
        )
        self._restored = restored(settings)
        self._connected = settings.connection_id is not None
        self._groups_only = settings.aggregate_only
        self._made: dict[tuple[str, str], str] = {}

    @property
    def latest(self) -> str:
        """The protocol version for clients that ask for an unsupported one."""
        return _ready()["latest"]

    def offers(self, name: object) -> bool:
        """Return whether a tool is listed."""
        return isinstance(name, str) and name in self._offered

    def may_ask(self, name: str) -> bool:
        """Return whether a call of the tool can have a question for the user."""
        return name in self._asking

    def serves(self, version: str) -> bool:
        """Return whether this is a version with a handshake that is served."""
        return version in _ready()["initialize"]

    def initialize(self, version: str) -> str:
        """Return the result of `initialize` with a version that `serves` or `latest` gives."""
        return _ready()["initialize"][version]

    @property
    def stamp(self) -> dict[str, Any]:
        """The `_meta` of every result of the version without a handshake."""
        return json.loads(self.discover())["_meta"]

    def discover(self) -> str:
        """Return the result of `server/discover`."""
        return _ready()["discover"]

    def list(self, version: str, method: str) -> str:
        """Return the result of one of LISTS."""
        key = version, method
        if key not in self._made:
            ready = _ready()
            parts = ready["eras"][ready["era"][version]][method]
            items = [
                self._shown(ready["texts"][item["texts"].get(self._traits, item["texts"][""])], item["needs"])
                for item in parts["items"]
                if self._offered.issuperset(item["needs"])
            ]
            listed = f"{parts['open']}{','.join(items)}{parts['close']}"
            self._made[key] = listed.replace(_enum(RESTORED), _enum(self._restored))
        return self._made[key]

    def _shown(self, text: str, needs: Sequence[str]) -> str:
        """Return the text of an item without arguments that have no effect.

        They are `connection_id` when the connection is pinned, and what is about one person with `--aggregate-only`.
        """
        if self._groups_only and list(needs) == [ABOUT_ONE_PERSON[0]]:
            text = text.replace(f"{_about_one_person()},", "")
        if not self._connected or MANAGE in needs:
            return text
        return text.replace(f",{_CONNECTION_ID}", "").replace(_CONNECTION_ID, "")


def _enum(names: Iterable[str]) -> str:
    """Return the resources of restore_deleted as its schema lists them."""
    return f'"enum":{json.dumps(list(names), separators=(",", ":"))}'


@cache
def _about_one_person() -> str:
    """Return the argument that is about one person as its schema lists it."""
    tool, argument = ABOUT_ONE_PERSON
    schema = tool_list()[tool].schema["properties"][argument]
    return f'"{argument}":{json.dumps(schema, separators=(",", ":"), ensure_ascii=False)}'


@cache
def _ready() -> dict[str, Any]:
    return json.loads(PATH.read_text("utf-8"))
