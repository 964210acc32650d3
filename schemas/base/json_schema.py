"""Input schemas as a host shows them to its model, in the subset of JSON Schema that every host's converter takes.

Every token is paid for in every conversation: titles, null branches, the model's description, and bounds and defaults
of little use are dropped. References are inlined, because some hosts do not follow them. What the subset cannot express
is still validated; docs/decisions/0013 has the reasons.
"""

from typing import Any, cast

from ..json import is_list, is_object
from . import Input

_LAST = ("dry_run", "confirmation", "project_id", "connection_id")
"""Arguments that many tools share, in the order of the schemas."""
_ANYTHING: dict[str, Any] = {"minLength": 0}
"""The fields of a free-form object: any value. Converters fail on `true` here, or make a text or an empty object of
nothing, and linters report a schema that has no keyword to validate."""
_SAID_ONCE: dict[str, Any] = {"limit": 20, "project_id": "@current"}
"""Defaults that the server's instructions name for all tools, so that no schema repeats them."""
_UNREACHED = 1_000_000
"""The limit above which a maximum only guards against overflow; no caller reaches it."""


def input_schema(model: type[Input], *, pinned_project: bool = False) -> dict[str, Any]:
    """Return the JSON schema (2020-12) of a tool's arguments. With `pinned_project`, `project_id` is left out."""
    natural = model.model_json_schema()
    definitions = cast("dict[str, Any]", natural.pop("$defs", {}))
    schema = cast("dict[str, Any]", _lean(natural, definitions))
    schema.pop("description", None)
    properties = cast("dict[str, Any]", schema.setdefault("properties", {}))
    for name, default in _SAID_ONCE.items():
        if name in properties and properties[name].get("default") == default:
            del properties[name]["default"]
    for name in ("project_id", "connection_id"):
        if name in properties and "description" not in properties[name]:
            properties[name] = {"type": "string"}
    if pinned_project:
        properties.pop("project_id", None)
    ordered = {name: value for name, value in properties.items() if name not in _LAST}
    ordered |= {name: properties[name] for name in _LAST if name in properties}
    required = {"required": schema["required"]} if "required" in schema else {}
    return {"type": "object", "properties": ordered, **required}


def _lean(node: Any, definitions: dict[str, Any]) -> Any:
    if is_list(node):
        return [_lean(item, definitions) for item in node]
    if not is_object(node):
        return node
    fields = dict(node)
    if reference := fields.pop("$ref", None):
        definition = cast("dict[str, Any]", definitions[str(reference).rsplit("/", 1)[-1]])
        fields = {name: value for name, value in definition.items() if name != "description"} | fields
    if (branches := fields.get("anyOf")) is not None:
        fields.pop("anyOf")
        kept = _different([_lean(branch, definitions) for branch in branches if branch != {"type": "null"}])
        fields = {**kept[0], **fields} if len(kept) == 1 else {**fields, "anyOf": kept}
    if not fields.get("default", True):  # null, false, 0: an absent argument means the same
        del fields["default"]
    lean: dict[str, Any] = {}
    value: Any
    for key, value in fields.items():
        if key == "properties":
            properties = cast("dict[str, Any]", value)
            lean[key] = {name: _lean(item, definitions) for name, item in properties.items()}
        elif key in ("default", "enum", "required"):
            lean[key] = value
        elif key == "const":
            lean["enum"] = [value]
        elif key == "description":
            lean[key] = " ".join(str(value).split())
        elif _says_little(key, value):
            continue
        else:
            lean[key] = _lean(value, definitions)
    if lean.get("type") == "object" and "properties" not in lean:
        lean["additionalProperties"] = dict(_ANYTHING)
    return lean


def _different(branches: list[Any]) -> list[Any]:
    return [branch for number, branch in enumerate(branches) if branch not in branches[:number]]


def _says_little(key: str, value: Any) -> bool:
    """Return whether a keyword is not worth its tokens: callers rarely violate it, and the error then explains it."""
    match key:
        case "title" | "additionalProperties" | "format" | "maxLength" | "maxItems":
            return True
        case "maximum":
            return value >= _UNREACHED
        case "minimum" | "minLength" | "minItems":
            return value in (0, 1)
        case _:
            return False
