"""Stored results of insights under the settings on people's data.

PostHog computed them without this server, so with `--aggregate-only` only analyses that are about groups are shown; the
rows of SQL and of lists are left out, because nothing was added to their queries.
"""

from collections.abc import Mapping
from typing import Any

from ...schemas.json import as_list, is_list, is_object
from ...schemas.privacy import OPEN, Privacy
from ..analytics.groups import about_single_persons, kept
from ..analytics.kinds import kind_of, read_stored
from ..analytics.stored import StoredQuery, source_of
from ..people.columns import Columns, personal_columns, private_row

WITHHELD = "The result is left out: it can show single persons (--aggregate-only). Run an aggregate with run_hogql."


def without_persons(privacy: Privacy, answer: Any) -> Any:
    """Return PostHog's response with the results of the insights in it as they can be shown."""
    if privacy is OPEN:
        return answer
    if is_list(answer):
        return [without_persons(privacy, item) for item in answer]
    if not is_object(answer):
        return answer
    if answer.get("result") is not None and "query" in answer:
        return {**answer, **_shown(privacy, answer)}
    return {name: without_persons(privacy, item) for name, item in answer.items()}


def is_withheld(privacy: Privacy, insight: Any) -> bool:
    """Return whether the result of an insight is left out."""
    return privacy.aggregate_only and is_object(insight) and not _is_about_groups(source_of(insight.get("query")))


def _shown(privacy: Privacy, insight: Mapping[str, Any]) -> dict[str, Any]:
    source, result = source_of(insight.get("query")), insight.get("result")
    if privacy.aggregate_only and not _is_about_groups(source):
        return {"result": None}
    if kind_of(source) is not None:
        return {"result": kept(privacy, source, result).results}
    if privacy.pseudonyms is None or not is_list(result):
        return {}
    pseudonyms, columns = privacy.pseudonyms, _columns(source, insight)
    return {"result": [private_row(pseudonyms, columns, row) if is_list(row) else row for row in result]}


def _is_about_groups(source: StoredQuery) -> bool:
    kind = kind_of(source)
    spec = None if kind is None else read_stored(kind, source)
    return spec is not None and about_single_persons(spec) is None


def _columns(source: StoredQuery, insight: Mapping[str, Any]) -> Columns:
    """Return which columns of a stored table are about persons."""
    names = [str(name) for name in as_list(insight.get("columns"))]
    if source.get("kind") == "HogQLQuery":
        return personal_columns(str(source.get("query")), names)
    chosen = [str(one) for one in as_list(source.get("select"))] or names
    return [personal_columns(f"SELECT {one}", ("",))[0] for one in chosen]
