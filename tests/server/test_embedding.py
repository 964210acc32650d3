"""The Python API of `maton_posthog`: the server in the same process, and as an ASGI application."""

import ast
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

import maton_posthog
from maton_posthog import Settings, SettingsError, asgi_app, load_settings, open_server
from maton_posthog.server.runtime import Runtime
from maton_posthog.tools.operations import OPERATIONS

from .test_every_operation import text_of

pytestmark = pytest.mark.anyio

KEY = "mtk_CANARY_7f3a"
LOOPBACK = "http://127.0.0.1:8000"
INITIALIZE: Mapping[str, Any] = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Runtime]:
    """Return the list of runtimes that were closed."""
    seen: list[Runtime] = []
    close = Runtime.aclose

    async def noted(self: Runtime) -> None:
        await close(self)
        seen.append(self)

    monkeypatch.setattr(Runtime, "aclose", noted)
    return seen


@asynccontextmanager
async def client_of(app: Starlette, url: str = LOOPBACK, mounted: ASGIApp | None = None) -> AsyncGenerator[Any]:
    """Yield a client of the application while its lifespan runs."""
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=mounted or app), base_url=url) as client,
    ):
        yield client


def test_the_public_names_are_there_and_others_are_not() -> None:
    assert all(getattr(maton_posthog, name) is not None for name in maton_posthog.__all__)
    assert set(maton_posthog.__all__) <= set(dir(maton_posthog))
    with pytest.raises(AttributeError, match="open_sever"):
        getattr(maton_posthog, "open_sever")  # noqa: B009 - pyright knows that the name does not exist


def test_the_version_is_that_of_the_distribution() -> None:
    assert maton_posthog.__version__ == metadata.version("maton-posthog-mcp")


def test_importing_the_package_loads_nothing_else() -> None:
    program = "import sys, typing; before = set(sys.modules); import maton_posthog; print(set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "{'maton_posthog'}"


def test_an_old_python_can_read_the_package() -> None:
    source = (Path(__file__).parents[2] / "package_init.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 7))


async def test_a_client_in_the_same_process_uses_the_server(
    closed: list[Runtime], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MATON_API_KEY", raising=False)
    async with open_server(load_settings(read_only=True)) as server, Client(server) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("list_flags", {"project_id": 1})
        assert closed == []
    assert listed == [operation.name for operation in OPERATIONS if operation.name in listed]
    assert "list_flags" in listed
    assert "create_flag" not in listed
    assert "missing_api_key" in text_of(result)
    assert len(closed) == 1


async def test_a_server_is_closed_when_the_block_raises(closed: list[Runtime]) -> None:
    with pytest.raises(RuntimeError, match="of the program"):
        async with open_server(load_settings(api_key=KEY)):
            raise RuntimeError("of the program")
    assert len(closed) == 1


async def test_settings_come_from_the_environment_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_POSTHOG_TOOLSETS", "flags")
    async with open_server() as server, Client(server) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
    async with client_of(asgi_app()) as http:
        assert (await http.get("/healthz")).status_code == 200
    assert "list_flags" in listed
    assert "run_hogql" not in listed


async def test_the_application_serves_mcp_and_closes_what_it_opened(closed: list[Runtime]) -> None:
    async with client_of(asgi_app(load_settings(api_key=KEY))) as http:
        health = await http.get("/healthz")
        opened = await http.post("/mcp", json=INITIALIZE, headers=ACCEPT)
        assert closed == []
    assert health.text == "ok\n"
    assert opened.status_code == 200
    assert '"maton-posthog-mcp"' in opened.text
    assert len(closed) == 1


async def test_the_application_works_below_a_path_of_another_one() -> None:
    app = asgi_app(load_settings(api_key=KEY))
    async with client_of(app, mounted=Starlette(routes=[Mount("/posthog", app=app)])) as http:
        opened = await http.post("/posthog/mcp", json=INITIALIZE, headers=ACCEPT)
    assert opened.status_code == 200


async def test_the_application_accepts_only_its_hosts_and_its_token() -> None:
    app = asgi_app(load_settings(token="let-me-in", allowed_hosts=("mcp.example.com",)))
    async with client_of(app) as http:
        statuses = [
            (await http.post("/mcp", json=INITIALIZE, headers={**ACCEPT, **headers})).status_code
            for headers in (
                {"Host": "mcp.example.com", "Authorization": "Bearer let-me-in"},
                {"Host": "evil.example.com", "Authorization": "Bearer let-me-in"},
                {"Host": "mcp.example.com"},
            )
        ]
    assert statuses == [200, 421, 401]


def test_an_application_that_could_write_files_for_other_machines_is_rejected(tmp_path: Path) -> None:
    settings: Settings = load_settings(export_dir=str(tmp_path))
    with pytest.raises(SettingsError, match="MATON_POSTHOG_EXPORT_DIR"):
        asgi_app(settings)
