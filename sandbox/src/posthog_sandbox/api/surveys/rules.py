"""PostHog's few rules for surveys. The type, scale and display of a question are not checked."""

import re
import uuid
from typing import Any
from urllib.parse import urlsplit

from ...errors import invalid
from ...values import Row, as_list, as_object, objects

_MAILTO = re.compile(r"mailto:[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}", re.ASCII)
_CONTENT_TYPES = ("text", "html")
_RULES = ("min_length", "max_length", "email")
_NOT_EXTERNAL = (
    "url",
    "urlMatchType",
    "selector",
    "seenSurveyWaitPeriodInDays",
    "linkedFlagVariant",
    "deviceTypes",
    "deviceTypesMatchType",
)
"""Conditions that apply only inside the product."""


def schedule(value: Any, name: str) -> str:
    """Check how often a person sees the survey."""
    if value not in ("once", "recurring", "always"):
        raise invalid("Schedule must be one of: once, recurring, always", attr=name)
    return value


def conditions(value: Any, name: str) -> Row:
    """Check the display conditions."""
    found = as_object(value)
    if found is None:
        raise invalid("Conditions must be an object", attr=name)
    return found


def appearance(value: Any, name: str) -> Row:
    """Check the appearance."""
    found = as_object(value)
    if found is None:
        raise invalid("Appearance must be an object", attr=name)
    if found.get("thankYouMessageDescriptionContentType") not in (None, "", *_CONTENT_TYPES):
        raise invalid("thankYouMessageDescriptionContentType must be one of ['text', 'html']", attr=name)
    delay = found.get("surveyPopupDelaySeconds")
    if isinstance(delay, int | float) and delay < 0:
        raise invalid("Survey popup delay seconds must be a positive integer", attr=name)
    label = found.get("whiteLabel")
    if label is not None and not isinstance(label, bool):
        raise invalid("whiteLabel must be a boolean", attr=name)
    if label:
        raise invalid("You need to upgrade to PostHog Enterprise to use white labelling", attr=name)
    return found


def questions(value: Any, name: str) -> list[Row]:
    """Check questions and give each an `id`."""
    items = as_list(value)
    if items is None or len(objects(items)) != len(items):
        raise invalid("Questions must be a list of objects", attr=name)
    return [_question(item, index, name) for index, item in enumerate(objects(items))]


def _question(question: Row, index: int, name: str) -> Row:
    if not question.get("question"):
        raise invalid("Question text is required", attr=name)
    for field, what in (
        ("question", "text"),
        ("description", "description"),
        ("buttonText", "buttonText"),
        ("lowerBoundLabel", "lowerBoundLabel"),
        ("upperBoundLabel", "upperBoundLabel"),
    ):
        if question.get(field) and not isinstance(question[field], str):
            raise invalid(f"Question {what} must be a string", attr=name)
    if question.get("choices"):
        _check_choices(question["choices"], name)
    if question.get("descriptionContentType") not in (None, "", *_CONTENT_TYPES):
        raise invalid("Question descriptionContentType must be one of ['text', 'html']", attr=name)
    if question.get("link"):
        _check_link(question["link"], index, name)
    if question.get("validation") is not None:
        _check_validation(question["validation"], name)
    return {**question, "id": question.get("id") or str(uuid.uuid4())}


def _check_choices(value: Any, name: str) -> None:
    choices = as_list(value)
    if choices is None:
        raise invalid("Question choices must be a list of strings", attr=name)
    for item in choices:
        if not isinstance(item, str):
            raise invalid("Question choices must be strings", attr=name)
        if not item.strip():
            raise invalid("Question choices cannot be empty", attr=name)


def _check_link(value: Any, index: int, name: str) -> None:
    if not isinstance(value, str):
        raise invalid(f"Question {index + 1}: link must be a string", attr=name)
    try:
        parts = urlsplit(value)
    except ValueError:
        raise invalid("Invalid HTTPS URL. Please enter a valid HTTPS link.", attr=name) from None
    if parts.scheme not in ("https", "mailto"):
        raise invalid("Link must be a URL with one of these schemes: [https, mailto]", attr=name)
    if parts.scheme == "mailto" and not _MAILTO.match(value):
        detail = "Invalid mailto link. Please enter a valid mailto link (e.g., mailto:example@domain.com)."
        raise invalid(detail, attr=name)
    if parts.scheme == "https" and not parts.netloc:
        raise invalid("Invalid HTTPS URL. Please enter a valid HTTPS link.", attr=name)


def _check_validation(value: Any, name: str) -> None:
    rules = as_list(value)
    if rules is None:
        raise invalid("Question validation must be a list of validation rules", attr=name)
    lengths: dict[str, int] = {}
    for item in rules:
        rule = as_object(item)
        if rule is None:
            raise invalid("Each validation rule must be an object", attr=name)
        kind, length = rule.get("type"), rule.get("value")
        if kind not in _RULES:
            raise invalid(f"Validation rule type must be one of: {', '.join(_RULES)}", attr=name)
        if kind == "email" or length is None:
            continue
        if not isinstance(length, int) or length <= 0:
            raise invalid(f"Validation rule value for {kind} must be a positive integer", attr=name)
        lengths.setdefault(kind, length)
    if lengths.get("min_length", 0) > lengths.get("max_length", 2**63):
        raise invalid("Minimum length cannot be greater than maximum length", attr=name)


def targeting_filters(value: Any, name: str) -> Row:
    """Check the audience, given as flag filters that must not match everyone."""
    found = as_object(value)
    if found is None:
        raise invalid("Feature flag filters must be an object", attr=name)
    groups = objects(found.get("groups"))
    if any(group.get("rollout_percentage") in (100, None) and not group.get("properties") for group in groups):
        raise invalid(
            "Invalid operation: User targeting rolls out to everyone. "
            "If you want to roll out to everyone, delete this targeting"
        )
    return found


def check_branching(row: Row) -> None:
    """Raise ApiError 400 when shuffled questions have branching."""
    branches = any(question.get("branching") is not None for question in objects(row["questions"]))
    if branches and (as_object(row["appearance"]) or {}).get("shuffleQuestions"):
        raise invalid(
            "Question shuffling and question branching cannot be used together. Please disable one of these features."
        )


def check_external(values: Row) -> None:
    """Raise ApiError 400 on fields that an external survey cannot have."""
    if values.get("type") != "external_survey":
        return
    for name in ("linked_flag_id", "targeting_flag_filters"):
        if values.get(name) is not None:
            raise invalid(f"{name} is not allowed for external surveys", attr=name)
    given: Row = values.get("conditions") or {}
    rejected = [name for name in _NOT_EXTERNAL if given.get(name) is not None]
    rejected += [name for name in ("actions", "events") if (as_object(given.get(name)) or {}).get("values")]
    if rejected:
        listed = ", ".join(rejected)
        detail = f"The following condition fields are not allowed for external surveys: {listed}"
        raise invalid(detail, attr="conditions")
    if (as_object(values.get("appearance")) or {}).get("surveyPopupDelaySeconds") is not None:
        raise invalid("surveyPopupDelaySeconds is not allowed for external surveys", attr="appearance")
