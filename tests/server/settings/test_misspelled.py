"""Settings that their operator meant otherwise end the start, or are reported with every call on stdio."""

import json
import os
from typing import Any

import pytest

from maton_posthog.server.settings import SettingsError, SettingsFault, check_effect, load

from ..cli.test_commands import run
from ..processes import COMMAND, EVERYWHERE, ServerProcess


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("MATON_", "POSTHOG_")):
            monkeypatch.delenv(name)


MISSPELLED = {
    "MATON_POSTHOG_READONLY": "MATON_POSTHOG_READ_ONLY",
    "MATON_POSTHOG_READ_ONL": "MATON_POSTHOG_READ_ONLY",
    "maton_posthog_read_only": "MATON_POSTHOG_READ_ONLY",
    "Maton_PostHog_Read_Only": "MATON_POSTHOG_READ_ONLY",
    "MATON_READ_ONLY": "MATON_POSTHOG_READ_ONLY",
    "MATON_READONLY": "MATON_POSTHOG_READ_ONLY",
    "POSTHOG_READ_ONLY": "MATON_POSTHOG_READ_ONLY",
    "POSTHOG_READONLY": "MATON_POSTHOG_READ_ONLY",
    "MATON_POSTHOG_TOOLSET": "MATON_POSTHOG_TOOLSETS",
    "POSTHOG_TOOLSETS": "MATON_POSTHOG_TOOLSETS",
    "MATON_POSTHOG_BUDGET": "MATON_POSTHOG_BUDGETS",
    "MATON_POSTHOG_EXPORTDIR": "MATON_POSTHOG_EXPORT_DIR",
    "MATON_POSTHOG_AUDITLOG": "MATON_POSTHOG_AUDIT_LOG",
    "MATON_POSTHOG_AUDIT_LOGS": "MATON_POSTHOG_AUDIT_LOG",
    "MATON_POSTHOG_TOKENS": "MATON_POSTHOG_TOKEN",
    "MATON_POSTHOG_STRUCTURE": "MATON_POSTHOG_STRUCTURED",
    "POSTHOG_PROJECT": "POSTHOG_PROJECT_ID",
    "POSTHOG_PROJECTID": "POSTHOG_PROJECT_ID",
    "POSTHOG_PROJECTS_ID": "POSTHOG_PROJECT_ID",
    "POSTHOG_PROJCT_ID": "POSTHOG_PROJECT_ID",
    "posthog_project_id": "POSTHOG_PROJECT_ID",
    "MATON_CONNECTION": "MATON_CONNECTION_ID",
    "MATON_CONNECTIONID": "MATON_CONNECTION_ID",
    "MATON_CONECTION_ID": "MATON_CONNECTION_ID",
    "MATON_APIKEY": "MATON_API_KEY",
    "MATON_API_KEYS": "MATON_API_KEY",
    "MATON_GATEWAYURL": "MATON_GATEWAY_URL",
    "MATON_GATEWAY": "MATON_GATEWAY_URL",
    "MATON_CONTROL_URI": "MATON_CONTROL_URL",
}


@pytest.mark.parametrize(("name", "meant"), MISSPELLED.items())
def test_a_misspelled_variable_is_named_with_the_right_one(
    name: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsFault) as refused:
        load()
    assert str(refused.value) == f"{name} is not a setting; use {meant}."


@pytest.mark.parametrize("name", ["MATON_POSTHOG_NOTHING_LIKE_IT", "MATON_POSTHOG_PORT", "MATON_POSTHOG_"])
def test_an_unknown_variable_with_our_prefix_lists_the_settings(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(SettingsFault, match=rf"^{name} is not a setting; the settings are MATON_API_KEY, "):
        load()


@pytest.mark.parametrize(
    "name",
    [
        *("POSTHOG_API_KEY", "POSTHOG_HOST", "POSTHOG_KEY", "POSTHOG_PERSONAL_API_KEY", "POSTHOG_PROJECT_API_KEY"),
        *("NEXT_PUBLIC_POSTHOG_KEY", "NEXT_PUBLIC_POSTHOG_HOST", "VITE_POSTHOG_KEY", "POSTHOG_CLI_TOKEN"),
        *("POSTHOG_SANDBOX_CACHE", "POSTHOG_ENABLED", "POSTHOG_DEBUG", "POSTHOG_URL", "POSTHOG_API_HOST"),
        *("MATON_PROFILE", "MATON_HOME", "PROJECT_ID", "READ_ONLY", "READONLY"),
    ],
)
def test_variables_of_other_programs_are_left_alone(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = load()
    monkeypatch.setenv(name, "1")
    assert load() == before


def test_a_misspelled_variable_without_a_value_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_POSTHOG_READONLY", "")
    load()


PLACEHOLDERS = [
    *("your key", "your-key", "YOUR_API_KEY", "your_maton_api_key_here", "my-key", "<your key>", "<key>", "[key]"),
    *("${MATON_API_KEY}", "$MATON_API_KEY", "%MATON_API_KEY%", "{{ maton_key }}", "${input:key}"),
    *("xxxxxxxx", "XXX", "****", "...", "…", "changeme", "CHANGE_ME", "placeholder", "TODO", "null", "undefined"),
    *("key", "API_KEY", "maton_api_key", "token", "insert-key-here", "replace_me", "paste your key"),
]
MORE_THAN_A_KEY = ["Bearer x", "bearer mtk_0123456789abcdef", '"mtk_0123456789abcdef"', "'mtk_0123456789abcdef'"]


@pytest.mark.parametrize("key", [*PLACEHOLDERS, *MORE_THAN_A_KEY])
def test_a_placeholder_is_no_key(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_API_KEY", key)
    with pytest.raises(SettingsFault, match=r"^MATON_API_KEY (is a placeholder; set|must be) the key .*\.$") as refused:
        load()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("key", ["mtk_0123456789abcdef", "sandbox", "sandbox-read-only", "yourkshire0123", "k8Yx2..9"])
def test_other_keys_are_taken(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MATON_API_KEY", key)
    assert load().key == key


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        ({"port": "8000"}, "--port has no effect on stdio"),
        ({"host": "127.0.0.1"}, "--host has no effect on stdio"),
        ({"allowed_hosts": ("a.example.com",)}, "--allowed-host has no effect on stdio"),
        ({"sandbox": True, "gateway_url": "https://a.example.com"}, "--gateway-url has no effect with --sandbox"),
        ({"sandbox": True, "control_url": "https://a.example.com"}, "--control-url has no effect with --sandbox"),
    ],
)
def test_a_flag_without_effect_is_an_error(flags: dict[str, Any], named: str) -> None:
    with pytest.raises(SettingsFault, match=rf"^{named}.*\.$"):
        check_effect(load(**flags), flags)


@pytest.mark.parametrize(("length", "is_taken"), [(1, False), (15, False), (16, True)])
def test_a_token_for_other_machines_has_sixteen_characters(length: int, is_taken: bool) -> None:
    flags: dict[str, Any] = {"transport": "http", "allowed_hosts": ("a.example.com",), "token": "t" * length}
    if is_taken:
        load(**flags, host=EVERYWHERE)
    else:
        with pytest.raises(SettingsError, match="MATON_POSTHOG_TOKEN must have at least 16 characters"):
            load(**flags, host=EVERYWHERE)
    assert load(**flags).token is not None


FAULTS: list[tuple[tuple[str, ...], dict[str, str], str]] = [
    ((), {"MATON_POSTHOG_READONLY": "1"}, "MATON_POSTHOG_READONLY is not a setting; use MATON_POSTHOG_READ_ONLY."),
    ((), {"MATON_API_KEY": "${MATON_API_KEY}"}, "MATON_API_KEY is a placeholder; set the key that"),
    (("--port", "8000"), {}, "--port has no effect on stdio"),
    (("--audit-full", "continue"), {}, "--audit-full has no effect without --audit-log"),
]


@pytest.mark.parametrize(("arguments", "variables", "says"), FAULTS)
def test_on_stdio_every_call_reports_the_fault(
    arguments: tuple[str, ...], variables: dict[str, str], says: str
) -> None:
    with ServerProcess(*arguments, command=COMMAND, **variables) as server:
        server.initialize()
        assert server.ask("tools/list")["result"]["tools"]
        result = server.ask("tools/call", {"name": "create_flag", "arguments": {"key": "a", "rollout_percentage": 1}})
        error = json.loads(result["result"]["content"][0]["text"])["error"]
        assert (error["code"], error["outcome"], error["source"]) == ("unavailable", "not_sent", "local")
        assert error["message"].startswith(says)
        server.close_input()
        assert server.exit_code() == 2
    assert sum(says in line for line in server.errors) == 2


def test_over_http_a_fault_ends_the_start_with_one_line() -> None:
    done = run("--transport", "http", "--port", "0", MATON_POSTHOG_READONLY="1")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "use MATON_POSTHOG_READ_ONLY" in done.stderr
