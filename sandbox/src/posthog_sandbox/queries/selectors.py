"""Autocapture elements in HogQL: conditions on `elements_chain`, which starts at the clicked element.

An element is `tag.class.class:attribute="value"attribute="value"`; elements are joined by `;`.
"""

import re
from collections.abc import Callable

from ..errors import ApiError, invalid
from ..hogql import escape

_PART = re.compile(
    r"""(?P<tag>^[A-Za-z][\w-]*|^\*)|\.(?P<class>[\w-]+)|\#(?P<id>[\w-]+)
    |\[(?P<attribute>[\w-]+)(?:=(?P<quote>["']?)(?P<value>[^"'\]]*)(?P=quote))?\]
    |:nth-(?P<nth>child|of-type)\((?P<number>\d+)\)""",
    re.VERBOSE | re.ASCII,
)
_STEPS = re.compile(r"\s*(>)\s*|\s+")
_EXACT_ONLY = frozenset({"selector", "tag_name"})
_MATCHINGS = {
    "exact": "exact",
    "is_not": "exact",
    "icontains": "contains",
    "not_icontains": "contains",
    "regex": "regex",
    "not_regex": "regex",
}
_PLAIN_ATTRIBUTES = frozenset({"href", "text"})


def selector_pattern(selector: str) -> str:
    """Translate a CSS selector to a regular expression on `elements_chain`. Raises ApiError 400 if unsupported."""
    pieces = _STEPS.split(selector.strip())
    elements, combinators = pieces[::2], pieces[1::2]
    pattern = _element(elements[-1], selector)
    for element, combinator in zip(reversed(elements[:-1]), reversed(combinators), strict=True):
        between = ";" if combinator == ">" else ";(?:[^;]*;)*"
        pattern += between + _element(element, selector)
    return f"(?:^|;){pattern}(?:;|$)"


def _element(text: str, selector: str) -> str:
    """Return the pattern of one element: tag, classes in the order of the chain, attributes in any order."""
    tag = "[^.:;]*"
    classes = list[str]()
    attributes = list[str]()
    position = 0
    while position < len(text):
        found = _PART.match(text, position)
        if found is None:
            raise _unknown(selector)
        position = found.end()
        if found["tag"] and found["tag"] != "*":
            tag = re.escape(found["tag"])
        elif found["class"]:
            classes.append(re.escape(found["class"]))
        elif not found["tag"]:
            attributes.append(_attribute(found))
    if not text:
        raise _unknown(selector)
    shown = "".join(rf"(?:\.[^.:;]+)*\.{name}" for name in sorted(classes))
    pattern = rf"{tag}{shown}(?:\.[^.:;]+)*"
    if not attributes:
        return rf"{pattern}(?::[^;]*)?"
    return rf"{pattern}:[^;]*{'[^;]*'.join(sorted(attributes))}[^;]*"


def _attribute(found: re.Match[str]) -> str:
    if found["id"]:
        return rf'attr_id="{re.escape(found["id"])}"'
    if found["nth"]:
        return rf'nth-{found["nth"]}="{found["number"]}"'
    name, value = found["attribute"], found["value"]
    shown = name if name in _PLAIN_ATTRIBUTES else "attr_id" if name == "id" else f"attr__{name}"
    return rf'{re.escape(shown)}="' + (r'[^"]*"' if value is None else rf'{re.escape(value)}"')


def _unknown(selector: str) -> ApiError:
    known = "tags, classes, #id, [attribute=value], :nth-child(n), `>` and spaces"
    return invalid(f"The sandbox does not support the selector `{selector[:100]}`. Use only {known}.")


def tag_pattern(tag: str) -> str:
    """Return a pattern that matches the tag of the clicked element or an enclosing one."""
    return f"(?:^|;){re.escape(tag)}(?:[.:;]|$)"


def attribute_condition(name: str, value: str, matching: str) -> str:
    """Match `text` or `href` of an element: `exact`, `contains` (ignoring case) or `regex`."""
    if matching == "exact":
        pattern = rf'(?:[:;"]|^){name}="{re.escape(_chained(value))}"'
    elif matching == "contains":
        pattern = rf'(?i)(?:[:;"]|^){name}="[^"]*{re.escape(_chained(value))}[^"]*"'
    elif name == "text":
        return f"arrayExists(part -> match(part, {escape.string(value)}), elements_chain_texts)"
    else:
        return f"match(elements_chain_href, {escape.string(value)})"
    return f"(elements_chain =~ {escape.string(pattern)})"


def _chained(value: str) -> str:
    """Escape a value as in the chain."""
    return value.replace('"', '\\"')


def element_condition(key: str, operator: str, values: list[str]) -> str:
    """Return the condition of a property filter of type `element`."""
    negated = operator in {"is_not", "not_icontains", "not_regex"}
    make: dict[str, Callable[[str], str]] = {
        "selector": lambda value: f"(elements_chain =~ {escape.string(selector_pattern(value))})",
        "tag_name": lambda value: f"(elements_chain =~ {escape.string(tag_pattern(value))})",
        "text": lambda value: attribute_condition("text", value, matching or ""),
        "href": lambda value: attribute_condition("href", value, matching or ""),
    }
    if operator in {"is_set", "is_not_set"} and key in {"text", "href"}:
        found = f"(elements_chain =~ {escape.string(f'{key}=')})"
        return f"(NOT {found})" if operator == "is_not_set" else found
    matching = _MATCHINGS.get(operator)
    if key not in make or matching is None or (key in _EXACT_ONLY and matching != "exact"):
        raise invalid(f"The sandbox does not support {operator[:40]} on the {key[:40]} of elements.", attr="properties")
    found = f"({' OR '.join(make[key](value) for value in values)})"
    return f"(NOT {found})" if negated else found
