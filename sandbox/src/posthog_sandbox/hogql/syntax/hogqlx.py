"""HogQLX: tags such as `<a href={...}>text</a>` in a query, and objects such as `{'color': 'red'}`.

PostHog returns them as tuples that its own tables render: `('__hx_tag', 'a', 'href', ..., 'children', (...))`.
"""

from __future__ import annotations

from hogql_lang import tree

from ..errors import did_you_mean, query_error

_MARK = tree.Constant("__hx_tag")
_COMPONENTS = "Sparkline RecordingButton ExplainCSPReport"
_WITH_ATTRIBUTES = "a blink marquee redacted"
_PLAIN = "em strong span div p pre code h1 h2 h3 h4 h5 h6 ul ol li table thead tbody tr th td blockquote hr b i u"
_TAGS = tuple(f"{_COMPONENTS} {_WITH_ATTRIBUTES} {_PLAIN}".split())

type TagValue = tree.Expr | tuple[tree.Expr, ...]


def expanded(tag: tree.Tag) -> tree.Expr:
    """Return a tag as a tuple of its kind and attributes, several children as a tuple. Raises for an unknown tag."""
    if tag.kind not in _TAGS:
        raise query_error(f"Unknown tag <{tag.kind}>.{did_you_mean(tag.kind, _TAGS)}", tag.span)
    parts: list[tree.Expr] = [_MARK, tree.Constant(tag.kind)]
    for name, value in tag.attributes:
        parts += [tree.Constant(name), value_of(value)]
    return tree.Tuple(tuple(parts), tag.span)


def value_of(value: TagValue) -> tree.Expr:
    """Return an attribute; lists become tuples, because their members can have different types."""
    match value:
        case tuple():
            return tree.Tuple(tuple([value_of(member) for member in value]))
        case tree.Array(exprs, span) | tree.Tuple(exprs, span):
            return tree.Tuple(tuple([value_of(member) for member in exprs]), span)
        case tree.Dict(items, span):
            parts = [value_of(part) for item in items for part in item]
            return tree.Tuple((_MARK, tree.Constant("__hx_obj"), *parts), span)
        case _:
            return value
