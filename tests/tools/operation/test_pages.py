"""Tests of reading the pages of a list."""

import pytest

from maton_posthog.tools.operation.pages import MAX_PAGES, PagedRows

from ..posthog.fake import FakeCall, page

pytestmark = pytest.mark.anyio

PATH = "/api/projects/{project_id}/things/"


async def read(*pages: object) -> tuple[list[int], int, bool]:
    """Return the ids of the rows, the number of requests, and whether there are more; the last page repeats."""
    left = list(pages)
    api = FakeCall({f"GET {PATH}": lambda _: left.pop(0) if len(left) > 1 else left[0]})
    rows = PagedRows(api, PATH, {})
    return [row["id"] async for row in rows], len(api.sent), rows.cut


async def test_an_empty_page_is_the_last_even_with_a_next_link() -> None:
    assert await read(page(next_offset=100)) == ([], 1, False)
    assert await read(page({"id": 1}, next_offset=100), page(next_offset=200)) == ([1], 2, False)


async def test_pages_are_read_until_there_is_no_next_one() -> None:
    assert await read(page({"id": 1}, next_offset=100), page({"id": 2})) == ([1, 2], 2, False)


async def test_an_endless_list_is_truncated_after_some_pages_and_reported() -> None:
    assert await read(page({"id": 1}, next_offset=100)) == ([1] * MAX_PAGES, MAX_PAGES, True)
