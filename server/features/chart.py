"""The chart as an MCP App (SEP-1865, 2026-01-26): a page that hosts show with the result of a query.

It is one self-contained file that declares no domain, so a host can block its network access.
"""

from importlib import resources
from typing import Any

from mcp.types import ReadResourceResult, Resource, TextResourceContents

from ..runtime import Runtime
from .resources import ResourceProvider

CHART_URI = "ui://maton-posthog/chart.html"
EXTENSION = "io.modelcontextprotocol/ui"
MIME_TYPE = "text/html;profile=mcp-app"
TOOL_META: dict[str, Any] = {"ui": {"resourceUri": CHART_URI}}
_CSP: dict[str, list[str]] = {"connectDomains": [], "resourceDomains": [], "frameDomains": [], "baseUriDomains": []}
_META: dict[str, Any] = {"ui": {"csp": _CSP, "prefersBorder": True}}


def is_charted(tool: str) -> bool:
    """Return whether the page draws the results of a tool."""
    return tool == "run_hogql" or tool.startswith("query_")


async def _read(_: Runtime, uri: str) -> ReadResourceResult | None:
    """Return the page, which is part of the package (20 kB)."""
    if uri != CHART_URI:
        return None
    text = resources.files(__package__ or "").joinpath("chart.html").read_text("utf-8")
    contents = TextResourceContents(uri=uri, mime_type=MIME_TYPE, text=text, _meta=_META)
    return ReadResourceResult(contents=[contents], ttl_ms=3_600_000, cache_scope="public")


CHART = ResourceProvider(
    _read,
    resources=(
        Resource(
            uri=CHART_URI,
            name="chart",
            description="A page for hosts that draws the result of a query.",
            mime_type=MIME_TYPE,
            _meta=_META,
        ),
    ),
)
