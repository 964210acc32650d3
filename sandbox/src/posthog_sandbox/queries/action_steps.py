"""Actions as conditions on events, in HogQL."""

from ..errors import invalid
from ..hogql import escape
from ..values import Row, objects
from .property_filters import TRUE, FilterScope, properties_condition
from .selectors import attribute_condition, selector_pattern, tag_pattern

_CLICK = "$autocapture"


def action_condition(action: Row, scope: FilterScope) -> str:
    """Return the condition for an action's events. Raises ApiError 400 for unsupported conditions.

    An event matches an action when it matches any step. A step without conditions matches every event, an action
    without steps none.
    """
    steps = [_step(step, scope) for step in objects(action["steps"])]
    return f"({' OR '.join(steps)})" if steps else "false"


def _step(step: Row, scope: FilterScope) -> str:
    terms: list[str] = []
    if step.get("event"):
        terms.append(f"event = {escape.string(str(step['event']))}")
    if step.get("event") == _CLICK:
        terms += _element(step)
    if step.get("url"):
        terms.append(_url(str(step["url"]), str(step.get("url_matching") or "contains")))
    properties = properties_condition(step.get("properties") or [], scope)
    if properties != TRUE:
        terms.append(properties)
    return f"({' AND '.join(terms)})" if terms else TRUE


def _element(step: Row) -> list[str]:
    terms: list[str] = []
    if step.get("selector"):
        terms.append(f"elements_chain =~ {escape.string(selector_pattern(str(step['selector'])))}")
    if step.get("selector_regex"):
        terms.append(f"elements_chain =~ {escape.string(str(step['selector_regex']))}")
    if step.get("tag_name"):
        terms.append(f"elements_chain =~ {escape.string(tag_pattern(str(step['tag_name'])))}")
    return terms + [
        attribute_condition(name, str(step[name]), str(step.get(f"{name}_matching") or "exact"))
        for name in ("text", "href")
        if step.get(name)
    ]


def _url(url: str, matching: str) -> str:
    value = "properties.$current_url"
    match matching:
        case "exact":
            return f"{value} = {escape.string(url)}"
        case "regex":
            return f"{value} =~ {escape.string(url)}"
        case "contains":
            # As in PostHog, a % in the url is a wildcard.
            return f"{value} LIKE {escape.string(f'%{url}%')}"
        case _:
            raise invalid(f"The sandbox does not support the url matching {matching[:40]}.")
