"""Conditions of a whole insight on events, as HogQL."""

from ..queries.project import Project
from ..queries.property_filters import TRUE
from ..values import Row
from .requests import malformed_query

_HASHES = 1 << 64


def all_of(terms: list[str]) -> str:
    """Return a condition that is true when every term is true."""
    kept = [term for term in terms if term != TRUE]
    return " AND ".join(f"({term})" for term in kept) or TRUE


def any_of(terms: list[str]) -> str:
    """Return a condition that is true when any term is true; false without terms."""
    return " OR ".join(f"({term})" for term in terms) or "false"


def query_condition(query: Row, project: Project) -> str:
    """Return the insight's `properties` (a list or a group), `filterTestAccounts` and `samplingFactor`.

    Raises ApiError 400 for invalid filters.
    """
    terms = [project.condition(query.get("properties") or [])]
    if query.get("filterTestAccounts") is True:
        terms.append(project.test_accounts())
    factor = sampling_factor(query)
    if factor < 1:
        terms.append(f"cityHash64(distinct_id) < {int(factor * _HASHES)}")
    return all_of(terms)


def sampling_factor(query: Row) -> float:
    """Return the sampled fraction of persons, 1 for all. Raises ApiError 400 outside 0 to 1."""
    factor = query.get("samplingFactor")
    if factor is None:
        return 1.0
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 <= factor <= 1:
        raise malformed_query("samplingFactor", "Input should be a number from 0 to 1")
    return float(factor) or 1.0
