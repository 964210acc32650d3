"""The HTML pages: the sandbox's contents and the approval of a connection. Self-contained, all text escaped."""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from http import HTTPStatus

_STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; --line: #8883; --soft: #8881;
  --good: light-dark(#137333, #6fd58b); --bad: light-dark(#b3261e, #ff9a90); --warn: light-dark(#8a5300, #f5bd5f); }
* { box-sizing: border-box; }
body { max-width: 64rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; overflow-wrap: anywhere; }
h1 { font-size: 1.35rem; margin: 0 0 .25rem; } h2 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .35rem 0; } .note { opacity: .75; }
code { font: .88em/1.4 ui-monospace, monospace; }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .5rem; margin: 0; }
dl div { background: var(--soft); border: 1px solid var(--line); border-radius: .4rem; padding: .35rem .6rem; }
dt { font-size: .85rem; opacity: .75; } dd { margin: 0; font-size: 1.1rem; font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; }
li { display: grid; grid-template-columns: 4.6rem 2.6rem 4rem 1fr 5rem; gap: 0 .5rem; align-items: baseline;
  padding: .3rem 0; border-top: 1px solid var(--line); }
li .note { grid-column: 4 / -1; }
.time, .took { font-variant-numeric: tabular-nums; opacity: .75; } .took { text-align: right; }
.good { color: var(--good); } .warn { color: var(--warn); } .bad { color: var(--bad); } b { font-weight: 600; }
.gone #live { opacity: .5; } .gone::before { content: "The sandbox is not responding."; color: var(--bad); }
button { font: inherit; font-weight: 600; padding: .6rem 1.6rem; border: 0; border-radius: .4rem; cursor: pointer;
  color: light-dark(#fff, #111); background: light-dark(#1d4aff, #8fa6ff); }
button:focus-visible { outline: 3px solid currentColor; outline-offset: 2px; }
@media (max-width: 34rem) {
  li { grid-template-columns: auto auto auto 1fr; } li > .path, li > .note { grid-column: 1 / -1; grid-row: auto; }
  .path { order: 1; } li > .note { order: 2; } dl { grid-template-columns: repeat(3, 1fr); gap: .35rem; }
}
"""
_SCRIPT = """
const again = async () => {
  try {
    const response = await fetch("/");
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const [now, next] = [document, page].map((from) => from.getElementById("live"));
    if (next && now.innerHTML !== next.innerHTML && !getSelection().toString()) now.replaceWith(next);
    document.body.classList.remove("gone");
  } catch { document.body.classList.add("gone"); }
  setTimeout(again, 1000);
};
setTimeout(again, 1000);
"""
_SHOWN_AT_MOST = 500


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as the page lists it. `note` is a short summary of its body or the reason it was rejected."""

    time: str
    method: str
    path: str
    status: int
    milliseconds: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The data of the page at `/`. A count of None is unknown yet; `in_force` lists faults, limits and a set clock."""

    base_url: str
    events: Mapping[str, int | None]
    rows: Mapping[str, int]
    in_force: Sequence[str]
    requests: Sequence[Seen]


def page_headers() -> dict[str, str]:
    """Return the headers of every page: no scripts but the inline one, no frames, nothing from other hosts."""
    script = b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{script}'; connect-src 'self'; "
        "img-src data:; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }


def overview_page(overview: Overview) -> str:
    """Return the page with the contents and recent requests; it refreshes itself, by script or by reloading."""
    url = _text(overview.base_url)
    making = "" if None not in overview.events.values() else " They are being generated; requests that need them wait."
    in_force = "".join(f"<p class=warn>{_text(line)}</p>" for line in overview.in_force)
    seen = "".join(map(_request, overview.requests)) or "<li><span class=note>None yet.</span></li>"
    return _page(
        "Sandbox (synthetic data)",
        "<p class=note>An emulator of the Maton gateway and PostHog. All data is synthetic.</p>"
        f"<p>Data plane <code>{url}/posthog/api/…</code>, control plane <code>{url}/connections</code>, "
        "key <code>sandbox</code>.</p>"
        f"<div id=live>{in_force}"
        f"<h2>Events</h2><p class=note>In project 1.{making}</p>{_counts(overview.events)}"
        f"<h2>Rows</h2><p class=note>In all projects, without deleted rows.</p>{_counts(overview.rows)}"
        f"<h2>Recent requests</h2><ol>{seen}</ol></div>",
        live=True,
    )


def approve_page(status: str | None) -> str:
    """Return the page behind a connection's `url`; None is an unknown connection."""
    if status is None:
        return _page("No such connection", "<p>This link does not belong to a connection of this sandbox.</p>")
    if status == "ACTIVE":
        return _page("Connected", "<p>The connection is active. You can close this page.</p>")
    return _page(
        "Connect PostHog (sandbox)",
        "<p>An agent requests access to the synthetic PostHog account of this sandbox.</p>"
        "<p class=note>Approve it only if you started this. No real account is involved.</p>"
        '<form method="post"><p><button type="submit">Approve</button></p></form>',
    )


def _counts(counts: Mapping[str, int | None]) -> str:
    return (
        "<dl>"
        + "".join(
            f"<div><dt>{_text(name)}</dt><dd>{'…' if count is None else f'{count:,}'}</dd></div>"
            for name, count in counts.items()
        )
        + "</dl>"
    )


def _request(item: Seen) -> str:
    kind = "good" if 200 <= item.status < 400 else "warn" if 400 <= item.status < 500 else "bad"
    status = str(item.status) if item.status else "cut"
    note = f"<span class=note><code>{_text(item.note)}</code></span>" if item.note else ""
    return (
        f'<li><span class=time>{_text(item.time)}</span><b class={kind} title="{_meaning(item.status)}">{status}</b>'
        f"<span>{_text(item.method)}</span><code class=path>{_text(item.path)}</code>"
        f"<span class=took>{item.milliseconds:,} ms</span>{note}</li>"
    )


def _meaning(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "The connection was cut" if status == 0 else ""


def _text(value: str) -> str:
    """Escape text for HTML: on one line, truncated, without invisible or direction-changing characters."""
    line = " ".join(value[: 4 * _SHOWN_AT_MOST].split())
    line = line if len(line) <= _SHOWN_AT_MOST else f"{line[:_SHOWN_AT_MOST]}…"
    return escape("".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line))


def _page(title: str, body: str, *, live: bool = False) -> str:
    again = '<noscript><meta http-equiv="refresh" content="2"></noscript>' if live else ""
    script = f"<script>{_SCRIPT}</script>" if live else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>{again}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<link rel="icon" href="data:,"><style>{_STYLE}</style></head>'
        f"<body><h1>{escape(title)}</h1>{body}{script}</body></html>"
    )
