"""The pages for people, in a real browser: legible at every width, safe, and refreshed without reloading."""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import pytest

from posthog_sandbox.pages.html import Overview, Seen, approve_page, overview_page, page_headers

from .browser import chromium, needs_chromium, serving

HOSTILE = "/<script>document.title='owned'</script><img src=//elsewhere.example/x onerror=alert(1)>\u202egnp\x1b[2J"


def overview(*paths: str) -> str:
    """Return a page with these requests."""
    requests = [Seen("12:00:00", "GET", path, 200, 3, note=path) for path in paths]
    return overview_page(Overview("http://here.test", {"events": 7}, {"insights": 1}, ["A fault."], requests))


@needs_chromium
def test_the_page_refreshes_and_stays_within_its_policy(tmp_path: Path) -> None:
    with serving(overview("/first"), overview("/second", "/first"), headers=page_headers()) as (url, requested):
        shown, errors = chromium(url, tmp_path, "--virtual-time-budget=1500", "--dump-dom")

    assert "/second" in shown
    assert set(requested) == {"/"}
    assert "Content Security Policy" not in errors


@needs_chromium
def test_hostile_values_are_only_text(tmp_path: Path) -> None:
    page = overview(HOSTILE)
    with serving(page, headers={}) as (url, requested):
        shown, _said = chromium(url, tmp_path, "--virtual-time-budget=500", "--dump-dom")

    assert "<title>Sandbox (synthetic data)</title>" in shown
    assert "<img" not in shown
    assert set(requested) == {"/"}
    assert not {"\u202e", "\x1b"} & set(page)


@needs_chromium
def test_no_page_is_wider_than_its_window(tmp_path: Path) -> None:
    widths = (320, 800)
    pages = (overview(HOSTILE, "/" + "a" * 900), approve_page("PENDING"), approve_page("ACTIVE"), approve_page(None))
    shown = [(width, page) for page in pages for width in widths]
    frames = "".join(f'<iframe width={width} height=600 srcdoc="{escape(page)}"></iframe>' for width, page in shown)
    script = (
        "onload = () => { document.body.dataset.widths = [...document.querySelectorAll('iframe')].map(frame => {"
        "const root = frame.contentDocument.documentElement;"
        "return `${root.scrollWidth} of ${root.clientWidth}`; }).join(); };"
    )
    with serving(f"{frames}<script>{script}</script>", headers={}) as (url, _asked):
        found, _said = chromium(url, tmp_path, "--virtual-time-budget=500", "--dump-dom")

    assert f'data-widths="{",".join(f"{width} of {width}" for width, _ in shown)}"' in found


@needs_chromium
def test_the_page_has_a_light_and_a_dark_theme(tmp_path: Path) -> None:
    faces: list[bytes] = []
    for scheme in (0, 1):
        picture = tmp_path / f"{scheme}.png"
        flags = (f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}", "--window-size=800,600")
        with serving(overview("/first"), headers=page_headers()) as (url, _asked):
            chromium(url, tmp_path / str(scheme), *flags)
        faces.append(picture.read_bytes())

    assert faces[0].startswith(b"\x89PNG")
    assert faces[0] != faces[1]


@pytest.mark.parametrize("page", [lambda: overview("/first"), lambda: approve_page("PENDING")])
def test_pages_load_nothing_from_other_hosts(page: Callable[[], str]) -> None:
    html = page()

    assert not any(reference in html for reference in ("src=", 'href="http', "url(", "@import"))
    assert "'unsafe-inline'" not in page_headers()["Content-Security-Policy"].partition("script-src")[2]


@pytest.mark.parametrize(
    ("status", "words"), [(200, ">200<"), (503, "Service Unavailable"), (0, "The connection was cut")]
)
def test_every_status_has_a_description(status: int, words: str) -> None:
    requests: Sequence[Seen] = [Seen("12:00:00", "GET", "/a", status, 1)]

    assert words in overview_page(Overview("http://here.test", {"events": None}, {}, [], requests))
