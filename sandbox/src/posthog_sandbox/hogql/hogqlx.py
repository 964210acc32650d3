"""HogQLX: tags such as `<a href={...}>text</a>` in a query, and objects such as `{'color': 'red'}`.

PostHog answers them as tuples that its own tables render: `('__hx_tag', 'a', 'href', ..., 'children', (...))`.
"""

from __future__ import annotations

from . import ast
from .errors import Span, did_you_mean, query_error

_MARK = ast.Constant("__hx_tag")
_COMPONENTS = "Sparkline RecordingButton ExplainCSPReport"
_WITH_ATTRIBUTES = "a blink marquee redacted"
_PLAIN = "em strong span div p pre code h1 h2 h3 h4 h5 h6 ul ol li table thead tbody tr th td blockquote hr b i u"
_TAGS = tuple(f"{_COMPONENTS} {_WITH_ATTRIBUTES} {_PLAIN}".split())

type Value = ast.Expr | tuple[ast.Expr, ...]


def tag(kind: str, attributes: tuple[tuple[str, Value], ...], span: Span | None) -> ast.Expr:
    """A tag as the tuple of its kind and its attributes; several children are a tuple. Raises for an unknown tag."""
    if kind not in _TAGS:
        raise query_error(f"Unknown tag <{kind}>.{did_you_mean(kind, _TAGS)}", span)
    parts: list[ast.Expr] = [_MARK, ast.Constant(kind)]
    for name, value in attributes:
        parts += [ast.Constant(name), value_of(value)]
    return ast.Tuple(tuple(parts), span)


def value_of(value: Value) -> ast.Expr:
    """An attribute: lists become tuples, because their members may be of different types."""
    match value:
        case tuple():
            return ast.Tuple(tuple([value_of(member) for member in value]))
        case ast.Array(exprs, span) | ast.Tuple(exprs, span):
            return ast.Tuple(tuple([value_of(member) for member in exprs]), span)
        case ast.Dict(items, span):
            parts = [value_of(part) for item in items for part in item]
            return ast.Tuple((_MARK, ast.Constant("__hx_obj"), *parts), span)
        case _:
            return value
