"""Draws one chart in a separate process: a Vega-Lite specification on stdin, a PNG on stdout.

vl-convert keeps the interpreter's lock while it draws (its first picture takes half a second) and 100 MB of memory, so
it never runs in the server's process, which it also cannot bring down. It loads nothing: vl-convert fetches images
whatever base URLs are allowed, so specifications that load or compute anything are rejected first.
"""

import json
import sys
import zlib
from collections.abc import Iterator
from importlib import import_module
from typing import Any, cast

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_VEGA_LITE = "6.4"
_ACTIVE = frozenset({"url", "href", "expr", "signal", "calculate", "transform", "params", "labelExpr", "lookup"})
"""Keys of Vega-Lite that load or compute."""


def main() -> int:
    """Write the picture and return 0; or return 1 with nothing on stdout."""
    spec: object = json.load(sys.stdin.buffer)
    if not is_plain(spec):
        return 1
    renderer = cast("Any", import_module("vl_convert"))
    png: bytes = renderer.vegalite_to_png(spec, vl_version=_VEGA_LITE, scale=1.0, ppi=72.0, allowed_base_urls=[])
    sys.stdout.buffer.write(packed(png))
    sys.stdout.buffer.flush()
    return 0


def is_plain(node: object) -> bool:
    """Return whether nothing outside the rows of data (`values`) names an address or an expression."""
    if isinstance(node, list):
        return all(map(is_plain, cast("list[object]", node)))
    if not isinstance(node, dict):
        return True
    fields = cast("dict[str, object]", node)
    if _ACTIVE & fields.keys() or "image" in (fields.get("mark"), fields.get("type")):
        return False
    return all(is_plain(item) for name, item in fields.items() if name != "values")


def packed(png: bytes) -> bytes:
    """Return the picture with its pixels compressed as far as zlib can: a fifth of what the renderer writes."""
    chunks = list(_chunks(png))
    pixels = zlib.decompress(b"".join(data for kind, data in chunks if kind == b"IDAT"))
    head = [(kind, data) for kind, data in chunks if kind == b"IHDR"]
    written = [*head, (b"IDAT", zlib.compress(pixels, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(map(_chunk, written))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and data of each chunk (PNG, section 5.3)."""
    at = len(_SIGNATURE)
    while at < len(png):
        size = int.from_bytes(png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += size + 12


def _chunk(part: tuple[bytes, bytes]) -> bytes:
    kind, data = part
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


if __name__ == "__main__":
    sys.exit(main())
