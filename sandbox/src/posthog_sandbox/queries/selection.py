"""The SELECT of EventsQuery and ActorsQuery: a page of columns, grouped if one of them is an aggregate."""

from collections.abc import Sequence
from dataclasses import dataclass

from .columns import SelectedColumn, grouped_by
from .property_filters import TRUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A page of rows from `source`, which is HogQL for FROM. All of `terms` must be true.

    `order` is HogQL for ORDER BY; empty for none.
    """

    columns: Sequence[SelectedColumn]
    source: str
    terms: Sequence[str]
    order: str
    limit: int
    offset: int

    def hogql(self) -> str:
        """Return the query, with one row more than `limit` to detect a next page."""
        terms = [term for term in self.terms if term != TRUE]
        groups = grouped_by([column for column in self.columns if not column.is_constant])
        pieces = [
            f"SELECT {', '.join(column.hogql for column in self.columns)} FROM {self.source}",
            f"WHERE {' AND '.join(terms)}" if terms else "",
            f"GROUP BY {groups}" if groups else "",
            f"ORDER BY {self.order}" if self.order else "",
            f"LIMIT {self.limit + 1} OFFSET {self.offset}",
        ]
        return " ".join(piece for piece in pieces if piece)
