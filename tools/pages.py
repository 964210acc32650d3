"""Reading on over the pages of a list, for what PostHog cannot look up or filter itself."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic import ValidationError

from ..gateway.call import Call
from ..schemas.base import View
from .operation import unexpected_shape

PAGE_SIZE = 100
MAX_PAGES = 10


class _Page(View):
    results: list[Any]
    next: str | None = None


async def rows(api: Call, path: str, query: Mapping[str, Any], *, pages: int = MAX_PAGES) -> AsyncIterator[Any]:
    """The rows of at most `pages` pages of 100. Offsets are counted here: `next` only says whether there is more."""
    for number in range(pages):
        answer = await api.get(path, {**query, "limit": PAGE_SIZE, "offset": number * PAGE_SIZE})
        try:
            page = _Page.model_validate(answer)
        except ValidationError as error:
            raise unexpected_shape(_Page, error) from error
        for row in page.results:
            yield row
        if not page.next or not page.results:
            return
