"""A minimal Maton gateway that responds immediately, on loopback, in a separate process.

Prints its URL on the first line and exits at the end of its input.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from typing import Any

PROJECT = {"id": 1, "name": "Bench", "organization": "0", "timezone": "UTC", "api_token": "phc_bench"}
FLAG: Mapping[str, Any] = {
    "id": 1,
    "key": "new-checkout",
    "name": "The checkout in one page",
    "active": True,
    "deleted": False,
    "archived": False,
    "tags": ["checkout"],
    "version": 3,
    "filters": {"groups": [{"properties": [], "rollout_percentage": 25}], "payloads": {}, "multivariate": None},
    "created_at": "2026-01-05T10:00:00Z",
    "updated_at": "2026-01-31T10:00:00Z",
    "created_by": {"id": 1, "uuid": "0", "first_name": "Ada", "last_name": "L", "email": "ada@example.com"},
    "rollout_percentage": 25,
    "ensure_experience_continuity": False,
    "experiment_set": [],
    "surveys": [],
    "usage_dashboard": None,
    "analytics_dashboards": [],
    "can_edit": True,
    "status": "ACTIVE",
}
ANSWERS: Mapping[str, Any] = {
    "/posthog/api/projects/@current/": PROJECT,
    "/posthog/api/projects/1/": PROJECT,
    "/posthog/api/projects/1/feature_flags/": {"count": 1, "next": None, "previous": None, "results": [FLAG]},
}
QUERY = "/posthog/api/projects/1/query/"
_LIMIT = re.compile(rb"LIMIT (\d+)")
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


def rows(body: bytes, known: dict[tuple[int, bool], bytes]) -> bytes:
    """Return as many rows as a query's LIMIT says: of 100 bytes each, or 1,500 if the query has the word `wide`."""
    limit, wide = _LIMIT.search(body), b"wide" in body
    count = int(limit[1]) if limit else 1
    if (count, wide) not in known:
        found: list[list[Any]] = [
            [f"01900000-0000-7000-8000-{number:012x}", "$pageview", "2026-01-31T10:00:00Z", number, number / 7]
            for number in range(count)
        ]
        if wide:
            found = [
                [*row, *(f"value {number} of column {at}" for at in range(55))] for number, row in enumerate(found)
            ]
        columns = [f"column {at}" for at in range(60 if wide else 5)]
        whole = {
            "results": found,
            "columns": columns,
            "types": [[name, "String"] for name in columns],
            "hasMore": False,
        }
        known[count, wide] = json.dumps(whole, separators=(",", ":")).encode()
    return known[count, wide]


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Respond to the requests of one connection until the client closes it."""
    known: dict[tuple[int, bool], bytes] = {}
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode().split("?")[0]
            length = _LENGTH.search(head)
            sent = await reader.readexactly(int(length[1])) if length else b""
            found = ANSWERS.get(path)
            body = json.dumps({"detail": "Not found."} if found is None else found).encode()
            status = "404 Not Found" if found is None else "200 OK"
            if path == QUERY:
                body, status = rows(sent, known), "200 OK"
            fields = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            writer.write(f"HTTP/1.1 {status}\r\n{fields}".encode() + body)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
