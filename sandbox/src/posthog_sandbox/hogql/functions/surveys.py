"""Expand `getSurveyResponse` and `uniqueSurveySubmissionsFilter` to expressions over events."""

from __future__ import annotations

from hogql_lang import tree

from ..errors import query_error
from .macros import fill

_ASKED = """concat('$survey_response_', JSONExtractString(
    arrayElement(JSONExtractArrayRaw(properties, '$survey_questions'), {position}), 'id'))"""
_TEXT = """coalesce(
    nullIf(JSONExtractString(properties, {by_id}), ''), nullIf(JSONExtractString(properties, {by_index}), ''))"""
_LIST = """if(length(JSONExtractArrayRaw(properties, {by_id})) > 0,
    JSONExtractArrayRaw(properties, {by_id}), JSONExtractArrayRaw(properties, {by_index}))"""
_LATEST = """uuid in (select argMax(uuid, timestamp) from events
    where event = 'survey sent' and properties.$survey_id = {survey} and timestamp >= {since} and timestamp <= {until}
    group by if(coalesce(properties.$survey_submission_id, '') = '', toString(uuid), properties.$survey_submission_id))
"""
_EVER, _NEVER = tree.Constant("1970-01-02"), tree.Constant("2100-01-01")


def survey_response(node: tree.Call) -> tree.Expr:
    """Expand `getSurveyResponse(index[, question id[, is multiple choice]])`: by question id, otherwise by index."""
    number, identity, several = (_constant(node, position) for position in range(3))
    if not isinstance(number, int) or isinstance(number, bool):
        raise query_error("getSurveyResponse first argument must be a valid integer", node.span)
    by_index = "$survey_response" if number == 0 else f"$survey_response_{number}"
    by_id = fill(_ASKED, {"position": tree.Constant(number + 1)}, node.span)
    if identity:
        by_id = tree.Constant(f"$survey_response_{identity}")
    return fill(_LIST if several else _TEXT, {"by_id": by_id, "by_index": tree.Constant(by_index)}, node.span)


def unique_submissions(node: tree.Call) -> tree.Expr:
    """Expand `uniqueSurveySubmissionsFilter(survey id[, from[, to]])`: the latest event of each submission."""
    survey, since, until = (_constant(node, position) for position in range(3))
    arguments = {
        "survey": tree.Constant(survey, node.span),
        "since": _EVER if since is None else tree.Constant(since, node.span),
        "until": _NEVER if until is None else tree.Constant(until, node.span),
    }
    return fill(_LATEST, arguments, node.span)


def _constant(node: tree.Call, position: int) -> str | int | float | bool | None:
    if position >= len(node.args):
        return None
    argument = node.args[position]
    if not isinstance(argument, tree.Constant):
        raise query_error(f"The arguments of {node.name} must be constants.", argument.span)
    return argument.value
