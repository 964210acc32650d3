"""The pages for people: what is in the sandbox, and the approval of a connection. Plain HTML, nothing from outside,
all text escaped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .75rem .25rem 0; }
td.number { text-align: right; font-variant-numeric: tabular-nums; width: 8rem; } tr { border-bottom: 1px solid #8884; }
code { font-size: .9em; word-break: break-all; } .note { opacity: .75; } button { font: inherit; padding: .5rem
1.5rem; }
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the page lists it."""

    time: str
    method: str
    path: str
    status: int
    milliseconds: int


def page_headers() -> dict[str, str]:
    """Headers of every page: no scripts, no frames, nothing from elsewhere."""
    policy = (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def overview_page(base_url: str, counts: Mapping[str, int | None], requests: Sequence[Seen]) -> str:
    """What is in the sandbox and what was asked lately. A count of None is not known yet."""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td class=number>{'…' if count is None else f'{count:,}'}</td></tr>"
        for name, count in counts.items()
    )
    seen = "".join(
        f"<tr><td>{escape(item.time)}</td><td>{item.status}</td>"
        f"<td>{escape(item.method)} <code>{escape(item.path)}</code></td>"
        f"<td class=number>{item.milliseconds} ms</td></tr>"
        for item in requests
    )
    return _page(
        "Sandbox (synthetic data)",
        "<p class=note>A stand-in for the Maton gateway and PostHog. All numbers here are invented.</p>"
        f"<p>Data plane <code>{escape(base_url)}/posthog/api/…</code>, "
        f"control plane <code>{escape(base_url)}/connections</code>, "
        "key <code>sandbox</code>.</p>"
        f"<h2>Contents</h2><table>{rows}</table>"
        f"<h2>Recent requests</h2><table>{seen or '<tr><td class=note>None yet.</td></tr>'}</table>",
        refresh=True,
    )


def approve_page(status: str | None) -> str:
    """The page behind a connection's `url`."""
    if status is None:
        return _page("No such connection", "<p>This link belongs to no connection of this sandbox.</p>")
    if status == "ACTIVE":
        return _page("Connected", "<p>The connection is active. You can close this page.</p>")
    return _page(
        "Connect PostHog (sandbox)",
        "<p>An agent asked for access to the synthetic PostHog account of this sandbox.</p>"
        '<form method="post"><button type="submit">Approve</button></form>',
    )


def _page(title: str, body: str, *, refresh: bool = False) -> str:
    again = '<meta http-equiv="refresh" content="2">' if refresh else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{again}<title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}</body></html>"
    )
