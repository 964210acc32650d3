"""The parts of the documentation that are rendered from the code.

A rendered part stands between `<!-- NAME: rendered by `make snapshots` -->` and `<!-- /NAME -->`. A test compares it
with what the code makes now; `make snapshots` writes it.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from maton_posthog.server.features.prompts import PLANS, PromptPlan, written
from maton_posthog.server.settings import DECLARATIONS, Settings
from maton_posthog.server.tool_list import ToolEntry, annotations, tool_list
from maton_posthog.tools.operation import Effect, Toolset

type Schema = Mapping[str, Any]

SHARED = ("project_id", "connection_id")
"""Arguments that the reference explains once."""
_EFFECTS = {
    Effect.READ: "Reads.",
    Effect.STOP: "Ends a running query; nothing stored changes.",
    Effect.CREATE: "Creates an object.",
    Effect.UPDATE: "Changes an object.",
    Effect.DELETE: "Deletes.",
    Effect.MANAGE: "Reads, creates or deletes, as `action` chooses.",
}


def block(name: str, content: str) -> str:
    """Return a rendered part with the comments that mark it."""
    return f"<!-- {name}: rendered by `make snapshots` -->\n{content}<!-- /{name} -->\n"


def with_block(text: str, name: str, content: str) -> str:
    """Return a document with the content of one part replaced. Raises AssertionError when it lacks the part."""
    empty = block(name, "\0")
    opening, closing = empty.split("\0")
    before, found, rest = text.partition(opening)
    _, ended, after = rest.partition(closing)
    assert found, f"a document lacks the line {opening}"
    assert ended, f"a document lacks the line {closing}"
    return before + block(name, content) + after


def tool_table() -> str:
    """Return the tools, one row per area: those that read, and those that write."""
    tools = tool_list().values()
    areas: dict[Toolset | None, None] = dict.fromkeys(tool.toolset for tool in tools if tool.toolset)
    rows = [
        (
            area.value if area else "all areas",
            _names(tool for tool in tools if tool.toolset is area and not tool.effect.writes),
            _names(tool for tool in tools if tool.toolset is area and tool.effect.writes),
        )
        for area in [*areas, None]
    ]
    return table(("area", "reads", "writes"), rows)


def settings_table() -> str:
    """Return the settings with their variables and flags."""
    rows = [(_variable(name), _code(DECLARATIONS[name].flag), _about(name)) for name in DECLARATIONS]
    return table(("environment", "flag", "meaning"), rows)


def prompt_table() -> str:
    """Return the prompts; required arguments are bold."""
    rows = [(f"`{plan.name}`", _arguments(plan), plan.about) for plan in PLANS]
    return table(("prompt", "arguments", "purpose"), rows)


def settings_reference() -> str:
    """Return one section per setting: what it accepts, its default, its meaning."""
    return "\n".join(_setting(name) for name in DECLARATIONS)


def prompts_reference() -> str:
    """Return one section per prompt with the text that a client gets."""
    return "\n".join(map(_prompt, PLANS))


def tools_reference(examples: Mapping[str, Schema]) -> str:
    """Return one section per tool, area by area, with an example call each."""
    tools = tool_list().values()
    areas = dict.fromkeys(tool.toolset for tool in tools)
    sections: list[str] = []
    for area in areas:
        sections.append(f"## {area.value.capitalize() if area else 'All areas'}\n")
        sections.extend(_tool(tool, examples.get(tool.name, {})) for tool in tools if tool.toolset is area)
    return "\n".join(sections)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    head = f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n"
    return head + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _names(tools: Iterator[ToolEntry]) -> str:
    return " ".join(f"`{tool.name}`" for tool in tools)


def _arguments(plan: PromptPlan) -> str:
    return ", ".join(f"**{each.name}**" if each.required else each.name for each in plan.arguments)


def _variable(name: str) -> str:
    variable = DECLARATIONS[name].variable
    if variable is None:
        return ""
    return _code(f"{variable}=1" if DECLARATIONS[name].is_switch else variable)


def _code(text: str | None) -> str:
    return f"`{text}`" if text else ""


def _about(name: str) -> str:
    return DECLARATIONS[name].about


def _setting(name: str) -> str:
    variable, flag = _variable(name), _code(DECLARATIONS[name].flag)
    title = variable or flag
    lines = [f"## {title}\n", _about(name), ""]
    lines += [f"- Variable: {variable or 'none'}", f"- Flag: {flag or 'none'}"]
    if default := _default(getattr(Settings(), name)):
        lines.append(f"- Default: {default}")
    return "\n".join(lines) + "\n"


def _default(value: object) -> str:
    if value is None or value == () or value == frozenset(Toolset):
        return ""
    return "off" if value is False else f"`{value}`"


def _prompt(plan: PromptPlan) -> str:
    given = {argument.name: f"<{argument.name}>" for argument in plan.arguments if argument.required}
    text = getattr(written(plan, given).messages[0].content, "text", "")
    rows = [(f"`{each.name}`", "yes" if each.required else "", each.description or "") for each in plan.arguments]
    return (
        f"## `{plan.name}`\n\n{plan.about} Listed when these tools are enabled: "
        f"{', '.join(f'`{tool}`' for tool in sorted(plan.tools))}.\n\n"
        f"{table(('argument', 'required', 'meaning'), rows)}\n```text\n{text}\n```\n"
    )


def _tool(tool: ToolEntry, example: Schema) -> str:
    fields = tool.schema["properties"]
    required = tool.schema.get("required", [])
    rows = [_argument(name, schema, name in required) for name, schema in fields.items() if not _shared(name, required)]
    shared = [f"`{name}`" for name in fields if _shared(name, required)]
    hints = annotations(tool.effect)
    told = [_EFFECTS[tool.effect], "Destructive." if hints.destructive_hint else ""]
    told.append("Safe to repeat." if hints.idempotent_hint else "Not safe to repeat.")
    lines = [f"### `{tool.name}`", tool.about, " ".join(filter(None, told))]
    if rows:
        lines.append(table(("argument", "type", "default", "meaning"), rows).rstrip())
    if shared:
        lines.append(f"{'Also takes' if rows else 'Takes'} {' and '.join(shared)}.")
    if example:
        shown = {name: _as_published(value, fields[name]) for name, value in example.items()}
        lines.append(f"```json\n{json.dumps(shown, ensure_ascii=False)}\n```")
    return "\n\n".join(lines) + "\n"


def _as_published(value: Any, schema: Schema) -> Any:
    """Return an id as the text that its schema names; a number is accepted too."""
    return str(value) if schema.get("type") == "string" and isinstance(value, int) else value


def _shared(name: str, required: Sequence[str]) -> bool:
    return name in SHARED and name not in required


def _argument(name: str, schema: Schema, required: bool) -> tuple[str, str, str, str]:
    default = "required" if required else json.dumps(schema["default"]) if "default" in schema else ""
    limits = [f"at least {schema['minimum']}"] if "minimum" in schema else []
    limits += [f"at most {schema['maximum']}"] if "maximum" in schema else []
    meaning = " ".join([schema.get("description", ""), f"({', '.join(limits)})" if limits else ""]).strip()
    shown = f"`{default}`" if default not in ("", "required") else default
    return f"`{name}`", kind(schema), shown, meaning


def kind(schema: Schema) -> str:
    """Return the type of an argument in words: `list of object {key, value?}`, `"day" or "week"`."""
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind(part) for part in schema["anyOf"]))
    return _kind(schema["type"], schema)


def _kind(name: str, schema: Schema) -> str:
    if name == "array":
        items = schema.get("items")
        return f"list of {kind(items)}" if items else "list"
    if name == "object" and schema.get("properties"):
        required = schema.get("required", [])
        fields = [field if field in required else f"{field}?" for field in schema["properties"]]
        return f"object {{{', '.join(fields)}}}"
    return name


def named_literals(alias: Any) -> tuple[str, ...]:
    """Return the words of a `type X = Literal[...]`."""
    return get_args(alias.__value__)
