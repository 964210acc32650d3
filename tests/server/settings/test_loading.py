"""Settings: read from the environment and flags, checked once, reported in one line."""

import os
from dataclasses import FrozenInstanceError, asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.server.settings import CONTROL_URLS, GATEWAY_URLS, Settings, SettingsError, load
from maton_posthog.tools.operation import Toolset
from tests.server.processes import EVERYWHERE

CANARY = "mtk_CANARY_7f3a"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("MATON_", "POSTHOG_")):
            monkeypatch.delenv(name)


def test_the_defaults_are_a_usable_server_for_maton() -> None:
    settings = load()
    assert settings.key is None
    assert settings.gateway_urls == GATEWAY_URLS == ("https://gateway.maton.ai", "https://api.maton.ai")
    assert settings.control_urls == CONTROL_URLS == ("https://ctrl.maton.ai", "https://api.maton.ai")
    assert settings.toolsets == frozenset(Toolset)
    assert settings.requests_per_second == 10
    assert (settings.read_only, settings.sandbox, settings.structured) == (False, False, False)
    assert (settings.transport, settings.host, settings.port) == ("stdio", "127.0.0.1", 8000)
    assert settings.budgets == "adaptive"


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("MATON_CONNECTION_ID", "21fd90f9-5935-43cd-b6c8-bde9d915ca80", "connection_id", None),
        ("POSTHOG_PROJECT_ID", "136209", "project_id", 136209),
        ("MATON_GATEWAY_URL", "http://127.0.0.1:9/", "gateway_url", "http://127.0.0.1:9"),
        ("MATON_CONTROL_URL", "https://maton.example.com/base", "control_url", None),
        ("MATON_POSTHOG_READ_ONLY", "1", "read_only", True),
        ("MATON_POSTHOG_TOOLSETS", "flags, Query", "toolsets", frozenset({Toolset.FLAGS, Toolset.QUERY})),
        ("MATON_POSTHOG_BUDGETS", "strict", "budgets", None),
        ("MATON_POSTHOG_PACE", "3", "pace", 3),
        ("MATON_POSTHOG_REDACT", "1", "redact", True),
        ("MATON_POSTHOG_AGGREGATE_ONLY", "1", "aggregate_only", True),
        ("MATON_POSTHOG_STRUCTURED", "1", "structured", True),
        ("MATON_POSTHOG_LOG", "debug", "log_level", None),
    ],
)
def test_every_variable_is_read(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, field: str, expected: Any
) -> None:
    monkeypatch.setenv(variable, value)
    assert getattr(load(), field) == (value if expected is None else expected)


def test_secrets_are_read_trimmed_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_API_KEY", f" {CANARY}\n")
    monkeypatch.setenv("MATON_POSTHOG_TOKEN", "token one".replace(" ", "/"))
    settings = load()
    assert settings.key == CANARY
    assert {CANARY, "bXRrX0NBTkFSWV83ZjNh", "token/one", "dG9rZW4vb25l", "token%2Fone"} <= set(settings.secrets)
    assert CANARY not in f"{settings!r} {settings} {asdict(settings)} {settings.api_key}"


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOG_PROJECT_ID", "1")
    assert load(project_id="2").project_id == 2
    assert load(project_id=None).project_id == 1


@pytest.mark.parametrize("name", ["HOST", "host", "PORT", "transport", "TRANSPORT", "SANDBOX", "sandbox", "token"])
def test_a_setting_with_a_flag_only_is_not_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert load() == Settings()


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MATON_API_KEY", "POSTHOG_PROJECT_ID", "MATON_POSTHOG_READ_ONLY", "MATON_POSTHOG_TOOLSETS"):
        monkeypatch.setenv(variable, "")
    assert load() == Settings()


def test_a_dotenv_in_the_working_directory_is_not_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MATON_GATEWAY_URL=https://evil.example.com\nMATON_API_KEY=x\n")
    monkeypatch.chdir(tmp_path)
    settings = load()
    assert (settings.gateway_url, settings.api_key) == (None, None)


@pytest.mark.parametrize("transport", ["http", "sse"])
def test_files_are_exported_over_stdio_only(tmp_path: Path, transport: str) -> None:
    assert load(export_dir=tmp_path).export_dir == tmp_path
    with pytest.raises(SettingsError, match=r"MATON_POSTHOG_EXPORT_DIR \(--export-dir\) requires stdio"):
        load(export_dir=tmp_path, transport=transport)


@pytest.mark.parametrize(
    ("flags", "begins"),
    [
        ({"connection_id": "a\r\nX-Evil: 1"}, "MATON_CONNECTION_ID (--connection)"),
        ({"connection_id": "../slack"}, "MATON_CONNECTION_ID (--connection)"),
        ({"connection_id": "short"}, "MATON_CONNECTION_ID (--connection)"),
        ({"project_id": "@current"}, "POSTHOG_PROJECT_ID (--project)"),
        ({"project_id": "0"}, "POSTHOG_PROJECT_ID (--project)"),
        ({"read_only": "maybe"}, "MATON_POSTHOG_READ_ONLY (--read-only)"),
        ({"toolsets": "flag"}, "MATON_POSTHOG_TOOLSETS (--toolsets)"),
        ({"toolsets": " , "}, "MATON_POSTHOG_TOOLSETS (--toolsets)"),
        ({"budgets": "none"}, "MATON_POSTHOG_BUDGETS (--budgets)"),
        ({"pace": "-1"}, "MATON_POSTHOG_PACE (--pace)"),
        ({"log_level": "loud"}, "MATON_POSTHOG_LOG (--log-level)"),
        ({"transport": "smoke"}, "--transport"),
        ({"port": "65536"}, "--port"),
        ({"host": "a b"}, "--host"),
        ({"allowed_hosts": ("https://x.example.com",)}, "--allowed-host"),
        ({"api_key": "with\x00control"}, "MATON_API_KEY"),
        ({"api_key": "\u043alyuch"}, "MATON_API_KEY"),
        ({"token": "two words"}, "MATON_POSTHOG_TOKEN"),
    ],
)
def test_an_invalid_setting_is_one_line_that_names_it(flags: dict[str, Any], begins: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**flags)
    message = str(refused.value)
    assert message.startswith(begins)
    assert message.endswith(".")
    assert "\n" not in message
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("setting", ["gateway_url", "control_url"])
@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.maton.ai",
        "ftp://gateway.maton.ai",
        "https://gateway.maton.ai@evil.example.com",
        "https://user:password@gateway.maton.ai",
        "https://gateway.maton.ai?x=1",
        "https://gateway.maton.ai#x",
        "https://gateway.maton.ai/../slack",
        "https://gateway.maton.ai/%2e%2e/slack",
        "https://gateway.maton.ai\\@evil.example.com",
        "https://",
        "https:///path",
        "//gateway.maton.ai",
        "gateway.maton.ai",
        "http://2130706433",
        "http://0x7f.1",
        "http://127.0.0.1.evil.example.com",
        "http://[::1",
        "https://gateway.maton.ai:99999",
        "https://gateway.maton.ai/a b",
        "javascript:alert(1)",
    ],
)
def test_a_base_url_of_another_form_is_rejected(setting: str, url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(**{setting: url})
    assert setting.replace("_", "-") in str(refused.value)


@given(st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda value: not value.isalnum()))
def test_an_error_never_shows_the_value(value: str) -> None:
    marked = f"{CANARY} {value} x"
    for field in ("api_key", "token", "connection_id", "project_id", "gateway_url", "budgets", "toolsets"):
        with pytest.raises(SettingsError) as refused:
            load(**{field: marked})
        assert CANARY not in str(refused.value)


def test_a_url_that_was_set_has_no_fallback() -> None:
    settings = load(gateway_url="https://maton.example.com", control_url="https://control.example.com/")
    assert settings.gateway_urls == ("https://maton.example.com",)
    assert settings.control_urls == ("https://control.example.com",)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({}, 10),
        ({"gateway_url": "https://maton.example.com"}, 10),
        ({"gateway_url": "http://127.0.0.1:8000"}, None),
        ({"gateway_url": "http://[::1]:8000"}, None),
        ({"gateway_url": "https://localhost/x"}, None),
        ({"sandbox": True}, None),
        ({"pace": "0"}, None),
        ({"pace": "4", "gateway_url": "http://127.0.0.1:8000"}, 4),
    ],
)
def test_the_pace_is_matons_unless_the_gateway_is_on_loopback(flags: dict[str, Any], expected: int | None) -> None:
    assert load(**flags).requests_per_second == expected


def test_the_sandbox_overrides_variables_that_point_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_GATEWAY_URL", "https://maton.example.com")
    monkeypatch.setenv("MATON_API_KEY", CANARY)
    assert load(sandbox=True).overruled_by_sandbox == ("MATON_API_KEY", "MATON_GATEWAY_URL")
    assert load().overruled_by_sandbox == ()


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "mcp.example.com"])
@pytest.mark.parametrize("transport", ["http", "sse"])
def test_a_non_loopback_address_needs_a_token_and_a_host_name(host: str, transport: str) -> None:
    with pytest.raises(SettingsError, match="MATON_POSTHOG_TOKEN"):
        load(host=host, transport=transport, allowed_hosts=("mcp.example.com",))
    with pytest.raises(SettingsError, match="--allowed-host"):
        load(host=host, transport=transport, token="token-1-of-20-letters")
    settings = load(
        host=host, transport=transport, token="token-1-of-20-letters", allowed_hosts=("mcp.example.com:8443",)
    )
    assert settings.allowed_hosts == ("mcp.example.com:8443",)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_a_loopback_address_needs_neither(host: str) -> None:
    assert load(host=host, transport="http").host == host


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load()
    with pytest.raises(FrozenInstanceError):
        settings.read_only = True  # pyright: ignore[reportAttributeAccessIssue]
