"""The list of tools, from a generated file, so that no area and no model is loaded before the first call.

`make snapshots` writes the file; a test keeps it in step with the operations.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..tools.toolsets import RESTORE, RESTORED, SINGLE_PERSONS, Effect, Toolset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mcp.types import Tool, ToolAnnotations

    from ..tools.operation import Operation
    from .settings import Settings

READING_ACTIONS = ("list", "get")
"""The actions of `manage_connection` on a read-only server."""
ABOUT_ONE_PERSON = ("get_flag", "person")
"""The tool and its argument that are about one person, while the tool is about more."""
PATH = Path(__file__).with_name("tool_list.json")


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """One tool of the list. `toolset` None belongs to every area."""

    name: str
    about: str
    toolset: Toolset | None
    effect: Effect
    module: str
    """The module of `tools/` that has its operation."""
    schema: dict[str, Any]

    def as_tool(
        self,
        *,
        pinned: bool = False,
        connected: bool = False,
        read_only: bool = False,
        exports: bool = False,
        groups_only: bool = False,
        restored: "Sequence[str] | None" = None,
    ) -> "Tool":
        """Return the tool as tools/list shows it.

        Arguments without effect are left out: `project_id` of a server with a pinned project, `connection_id` of one
        with a pinned connection (`connected`), `export` without an export directory, and what is about one person
        (`groups_only`). A read-only server lists the reading actions alone. `restored` are the resources that can be
        restored; None for all.
        """
        from mcp.types import Tool

        left_out = {
            *(["project_id"] if pinned else []),
            *(["connection_id"] if connected and self.toolset is not Toolset.CONNECTIONS else []),
            *([] if exports else ["export"]),
            *(argument for tool, argument in [ABOUT_ONE_PERSON] if groups_only and self.name == tool),
        }
        effect = self.effect
        properties = {name: value for name, value in self.schema["properties"].items() if name not in left_out}
        if read_only and effect is Effect.MANAGE:
            effect = Effect.READ
            properties["action"] = {**properties["action"], "enum": list(READING_ACTIONS)}
        if self.name == RESTORE and restored is not None:
            properties["resource"] = {**properties["resource"], "enum": list(restored)}
        schema = {**self.schema, "properties": properties}
        return Tool(name=self.name, description=self.about, input_schema=schema, annotations=annotations(effect))


def annotations(effect: Effect) -> "ToolAnnotations":
    """Return the MCP hints, all four of them, because clients act on them."""
    from mcp.types import ToolAnnotations

    return ToolAnnotations(
        read_only_hint=effect is Effect.READ,
        destructive_hint=effect in (Effect.UPDATE, Effect.DELETE, Effect.MANAGE),
        idempotent_hint=effect not in (Effect.CREATE, Effect.MANAGE),
        open_world_hint=True,
    )


def entry(operation: "Operation[Any]", module: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of an operation in the file."""
    return {
        "about": operation.about,
        "toolset": operation.toolset,
        "effect": operation.effect,
        "module": module,
        "inputSchema": schema,
    }


@cache
def tool_list() -> dict[str, ToolEntry]:
    """Return all tools by name, in the order of the operations."""
    text = PATH.read_text("utf-8")
    return {
        name: ToolEntry(
            name,
            fields["about"],
            fields["toolset"] and Toolset(fields["toolset"]),
            Effect(fields["effect"]),
            fields["module"],
            fields["inputSchema"],
        )
        for name, fields in json.loads(text).items()
    }


def restored(settings: "Settings") -> list[str]:
    """Return the resources that `restore_deleted` takes: those whose area is offered."""
    return [name for name, area in RESTORED.items() if area in settings.toolsets]


def is_offered(tool: ToolEntry, settings: "Settings") -> bool:
    """Return whether a tool is listed and callable under these settings.

    A read-only server offers `manage_connection` too: it has reading actions, and the gateway rejects the others.
    """
    reads = not tool.effect.writes or tool.toolset is Toolset.CONNECTIONS
    chosen = bool(restored(settings)) if tool.toolset is None else tool.toolset in settings.toolsets
    about_groups = not settings.aggregate_only or tool.name not in SINGLE_PERSONS
    excluded = tool.name in settings.exclude_tools
    return chosen and not excluded and about_groups and (reads or not settings.read_only)
