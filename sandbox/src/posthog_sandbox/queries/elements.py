"""Parsing of `elements_chain` into the elements that the API shows for an event."""

import re
from typing import Any

from ..values import Row

_ELEMENTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*")+')
_ATTRIBUTE = re.compile(r'(?P<name>[^\s=":]+?)="(?P<value>(?:\\.|[^"\\])*)"')
_OWN = ("text", "href", "nth-child", "nth-of-type", "attr_id")


def elements_of(chain: str) -> list[Row]:
    """Return the elements from the clicked one outwards."""
    return [_element(order, text) for order, text in enumerate(_ELEMENTS.findall(chain))]


def _element(order: int, text: str) -> Row:
    head, _, rest = text.partition(":")
    tag, *classes = head.split(".")
    attributes = {found["name"]: found["value"].replace('\\"', '"') for found in _ATTRIBUTE.finditer(rest)}
    return {
        "text": attributes.get("text"),
        "tag_name": tag,
        "attr_class": classes or None,
        "href": attributes.get("href"),
        "attr_id": attributes.get("attr_id"),
        "nth_child": _number(attributes.get("nth-child")),
        "nth_of_type": _number(attributes.get("nth-of-type")),
        "attributes": {name: value for name, value in attributes.items() if name not in _OWN},
        "order": order,
    }


def _number(text: Any) -> int | None:
    return int(text) if isinstance(text, str) and text.isdecimal() else None
