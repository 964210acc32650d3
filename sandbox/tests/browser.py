"""A real browser and a web server for its pages."""

import shutil
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="the Debian package chromium is not installed")
PATIENCE_S = 120


@contextmanager
def serving(*pages: str, headers: dict[str, str]) -> Generator[tuple[str, list[str]]]:
    """Serve the pages in turn and repeat the last one; yield the address and the requested paths."""
    left = list(pages)
    requested = list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            body = (left.pop(0) if len(left) > 1 else left[0]).encode()
            self.send_response(200)
            for name, value in {"Content-Type": "text/html", "Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", requested
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def chromium(url: str, profile: Path, *flags: str) -> tuple[str, str]:
    """Open an address in a browser and return its stdout and stderr."""
    assert CHROMIUM is not None
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    quieter = ("--disable-component-update", "--disable-sync", "--enable-logging=stderr", "--hide-scrollbars")
    command = [CHROMIUM, *quiet, *quieter, f"--user-data-dir={profile}", *flags, url]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return ended.stdout, ended.stderr
