"""What an insight's query says, checked as PostHog checks it."""

from ..errors import ApiError, invalid
from ..values import Row, as_object


def malformed_query(place: str, problem: str) -> ApiError:
    """400 for a query that does not validate, in PostHog's words."""
    return invalid(f"1 validation error for QueryRequest\nquery.{place}\n  {problem}", "parse_error")


def options(query: Row, name: str) -> Row:
    """A nested object of a query, empty when it is missing or null. Raises ApiError 400 for anything else."""
    value = query.get(name)
    if value is None:
        return {}
    found = as_object(value)
    if found is None:
        raise malformed_query(name, "Input should be a valid dictionary")
    return found


def choice(values: Row, name: str, place: str, allowed: tuple[str, ...], default: str) -> str:
    """One of a few texts, `default` when it is missing or null. Raises ApiError 400 for anything else."""
    value = values.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise malformed_query(f"{place}{name}", f"Input should be {', '.join(map(repr, allowed))}")
    return str(value)


def number(values: Row, name: str, place: str, default: int, least: int = 0) -> int:
    """A whole number, `default` when it is missing or null. Raises ApiError 400 for anything else."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise malformed_query(f"{place}{name}", "Input should be a valid integer")
    if value < least:
        raise malformed_query(f"{place}{name}", f"Input should be greater than or equal to {least}")
    return value
