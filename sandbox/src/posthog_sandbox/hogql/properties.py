"""Read JSON properties, such as `properties.$browser` and `properties['a']['b']`, with their defined types.

A property without a definition is nullable text: missing and JSON null are null, a string loses its quotes, any other
value is its JSON text, and an empty string stays empty. A definition makes it a number, a boolean or a time.
"""

from __future__ import annotations

from . import escape
from .context import Context
from .values import Fragment, Type

type Path = tuple[str | int, ...]


def read_property(base: Fragment, path: Path, context: Context) -> Fragment:
    """Return the value at `path` in a JSON text."""
    keys = ", ".join(escape.constant(key) for key in path)
    raw = f"nullIf(nullIf(JSONExtractRaw({base.sql}, {keys}), ''), 'null')"
    text = f"replaceRegexpAll({raw}, '^\"|\"$', '')"
    owner = base.type.properties_of
    if owner is not None and len(path) == 1:
        match context.property_types.get((owner, str(path[0]))):
            case "Numeric":
                return Fragment(f"accurateCastOrNull({text}, 'Float64')", Type("float", nullable=True))
            case "Boolean":
                flag = f"toBool(transform({text}, ['true', 'false'], [1, 0], NULL))"
                return Fragment(flag, Type("boolean", nullable=True))
            case "DateTime":
                timezone = escape.string(context.timezone)
                time = f"parseDateTime64BestEffortOrNull({text}, 6, {timezone})"
                return Fragment(time, Type("datetime", nullable=True))
            case _:
                pass
    return Fragment(text, Type("string", nullable=True, holds_json=True))
