"""Rows of a list over several pages, for lookups and filters that PostHog does not have."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from ...gateway.call import Call
from ...schemas.base import View
from . import read

PAGE_SIZE = 100
MAX_PAGES = 10


class PagedRows:
    """The rows of at most `pages` pages of 100: `async for row in PagedRows(api, path, query)`.

    Offsets are counted here; PostHog's `next` only shows whether there is another page.
    """

    def __init__(self, api: Call, path: str, query: Mapping[str, Any], *, pages: int = MAX_PAGES) -> None:
        self._api = api
        self._path = path
        self._query = query
        self._pages = pages
        self.cut = False
        """True after the last row when PostHog has more rows than were read."""

    async def __aiter__(self) -> AsyncIterator[Any]:
        for number in range(self._pages):
            query = {**self._query, "limit": PAGE_SIZE, "offset": number * PAGE_SIZE}
            page = read(_RowPage, await self._api.get(self._path, query))
            for row in page.results:
                yield row
            if not page.next or not page.results:
                return
        self.cut = True


class _RowPage(View):
    """A page of a list, as far as its rows are concerned."""

    results: list[Any]
    next: str | None = None
