"""Validation of query options with PostHog's messages."""

from ..errors import ApiError, invalid
from ..values import Row, as_object


def malformed_query(place: str, problem: str) -> ApiError:
    """Return a 400 error for an invalid query, in PostHog's words."""
    return invalid(f"1 validation error for QueryRequest\nquery.{place}\n  {problem}", "parse_error")


def options(query: Row, name: str) -> Row:
    """Return a nested object of a query, empty if missing or null. Raises ApiError 400 for anything else."""
    value = query.get(name)
    if value is None:
        return {}
    found = as_object(value)
    if found is None:
        raise malformed_query(name, "Input should be a valid dictionary")
    return found


def choice(values: Row, name: str, place: str, allowed: tuple[str, ...], default: str) -> str:
    """Return one of a few strings, `default` if missing or null. Raises ApiError 400 for anything else."""
    value = values.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise malformed_query(f"{place}{name}", f"Input should be {', '.join(map(repr, allowed))}")
    return str(value)


def number(values: Row, name: str, place: str, default: int, least: int = 0) -> int:
    """Return an integer, `default` if missing or null. Raises ApiError 400 for anything else."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed_query(f"{place}{name}", "Input should be a valid integer")
    if value < least:
        raise malformed_query(f"{place}{name}", f"Input should be greater than or equal to {least}")
    return value
