"""The operator's settings: environment variables and flags, checked once at the start.

The fields of `Settings` are the only declaration: the command line, `--help` and the tables of the documentation are
made from them. A flag takes precedence over its environment variable. Nothing else is read, neither `.env` nor another
file, so the directory that the server is started in cannot send the key elsewhere. The key and the inbound token have
no flag, because command lines show in process lists.

This module loads nothing heavy: the server answers its first requests before pydantic and the SDK are imported.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from ...tools.toolsets import Toolset
from .declaration import (
    Confirm,
    Declaration,
    Reader,
    Secret,
    appended_file,
    base_url,
    bind_host,
    confirm,
    connection_id,
    credential,
    directory,
    host_names,
    number,
    one_of,
    redact_key,
    switch,
    tool_names,
    toolsets,
)
from .misspelled import wrong_key, wrong_name

if TYPE_CHECKING:
    from ...gateway.budget import Policy

GATEWAY_URLS = ("https://gateway.maton.ai", "https://api.maton.ai")
"""Maton's data plane, and the fallback for when that host cannot be reached."""
CONTROL_URLS = ("https://ctrl.maton.ai", "https://api.maton.ai")
"""Maton's control plane, and its fallback."""
MATON_PACE = 10
"""Requests a second that Maton allows per key (Maton's PostHog guide)."""
SHORTEST_TOKEN = 16
"""Fewest characters of the token for an address that other machines can reach."""
POLICIES = ("adaptive", "strict", "off")

Transport = Literal["stdio", "sse", "http"]
AuditFull = Literal["reject", "continue"]
LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(ValueError):
    """A setting is invalid: one line that names it and the remedy, never its value."""


class SettingsFault(SettingsError):
    """A setting that its operator meant otherwise. A server on stdio reports it with every call."""


def _setting(about: str, read: Reader, default: Any = None, **more: Any) -> Any:
    return field(default=default, metadata={"declaration": Declaration(about, read, **more)})


def _choice(about: str, choices: tuple[str, ...], default: str, **more: Any) -> Any:
    return _setting(about, one_of(*choices), default, choices=choices, **more)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. Created by `load`; an empty environment variable counts as unset."""

    api_key: Secret | None = _setting(
        "Your Maton key. Deliberately not a flag: command lines show in process lists.",
        credential,
        variable="MATON_API_KEY",
    )
    connection_id: str | None = _setting(
        "Pin: any other connection is rejected before anything is sent, and `connection_id` leaves the schemas.",
        connection_id,
        variable="MATON_CONNECTION_ID",
        flag="--connection",
        metavar="ID",
    )
    project_id: int | None = _setting(
        "Pin: any other project is rejected before anything is sent, and `project_id` leaves the schemas.",
        number(1, 2**63 - 1),
        variable="POSTHOG_PROJECT_ID",
        flag="--project",
        metavar="ID",
    )
    gateway_url: str | None = _setting(
        "Base URL of Maton's data plane. Default `https://gateway.maton.ai`; `https://api.maton.ai` if that host "
        "cannot be reached. A URL that you set has no fallback.",
        base_url,
        variable="MATON_GATEWAY_URL",
        flag="--gateway-url",
        metavar="URL",
    )
    control_url: str | None = _setting(
        "Base URL of Maton's control plane. Default `https://ctrl.maton.ai`, with the same fallback.",
        base_url,
        variable="MATON_CONTROL_URL",
        flag="--control-url",
        metavar="URL",
    )
    app_url: str | None = _setting(
        "Address of PostHog's app in links, such as `https://eu.posthog.com`. Default: learned from PostHog's answers.",
        base_url,
        variable="MATON_POSTHOG_APP_URL",
        flag="--app-url",
        metavar="URL",
    )
    read_only: bool = _setting(
        "Write tools are neither listed nor callable; `manage_connection` keeps list and get.",
        switch,
        False,
        variable="MATON_POSTHOG_READ_ONLY",
        flag="--read-only",
    )
    toolsets: frozenset[Toolset] = _setting(
        "Areas to offer, separated by commas, such as `flags,query`. Default: all.",
        toolsets,
        frozenset(Toolset),
        variable="MATON_POSTHOG_TOOLSETS",
        flag="--toolsets",
        metavar="AREAS",
    )
    exclude_tools: frozenset[str] = _setting(
        "Tools that are neither listed nor callable, separated by commas.",
        tool_names,
        frozenset[str](),
        variable="MATON_POSTHOG_EXCLUDE_TOOLS",
        flag="--exclude-tools",
        metavar="TOOLS",
    )
    confirm: Confirm = _setting(
        "When a person has to agree before a change is sent: `auto` for changes that others notice, `always`, or "
        "`never`; also per tool, such as `auto,delete_flag=always`.",
        confirm,
        Confirm(),
        variable="MATON_POSTHOG_CONFIRM",
        flag="--confirm",
        metavar="MODE",
    )
    token: Secret | None = _setting(
        "Bearer token that HTTP clients must send; required for a non-loopback address. Not a flag either.",
        credential,
        variable="MATON_POSTHOG_TOKEN",
    )
    budgets: "Policy" = _choice(
        "What a spent request budget means: `adaptive` sends the request and reports it, `strict` rejects it, "
        "`off` does not count.",
        POLICIES,
        "adaptive",
        variable="MATON_POSTHOG_BUDGETS",
        flag="--budgets",
    )
    pace: int | None = _setting(
        "Requests per second to Maton. Default 10; no limit for a gateway on loopback, or with 0.",
        number(0, 1000),
        variable="MATON_POSTHOG_PACE",
        flag="--pace",
        metavar="N",
    )
    structured: bool = _setting(
        "Also return the result object as `structuredContent`.",
        switch,
        False,
        variable="MATON_POSTHOG_STRUCTURED",
        flag="--structured",
    )
    redact: bool = _setting(
        "Replace emails, names, addresses, phone numbers, IP addresses and free text of persons by stable pseudonyms "
        "in everything that is returned.",
        switch,
        False,
        variable="MATON_POSTHOG_REDACT",
        flag="--redact",
    )
    redact_key: Secret | None = _setting(
        "Key of the pseudonyms of `--redact`, at least 16 characters. With it they are the same in every process; "
        "without it they end with the process. Not a flag either.",
        redact_key,
        variable="MATON_POSTHOG_REDACT_KEY",
    )
    aggregate_only: bool = _setting(
        "Show nothing about single persons: tools for persons and recordings are off, and queries must be about groups "
        "of at least 5 persons.",
        switch,
        False,
        variable="MATON_POSTHOG_AGGREGATE_ONLY",
        flag="--aggregate-only",
    )
    export_dir: Path | None = _setting(
        "Directory in which `run_hogql` can write whole results as CSV or Parquet (`export`); stdio only.",
        directory,
        variable="MATON_POSTHOG_EXPORT_DIR",
        flag="--export-dir",
        metavar="PATH",
    )
    audit_log: Path | None = _setting(
        "File to which every write adds one line of JSON before it is sent and one after.",
        appended_file,
        variable="MATON_POSTHOG_AUDIT_LOG",
        flag="--audit-log",
        metavar="FILE",
    )
    audit_full: AuditFull = _choice(
        "What happens to writes while the file of `--audit-log` takes no line, as on a full disk: `reject` them, or "
        "`continue` with the lines on stderr.",
        get_args(AuditFull),
        "reject",
        variable="MATON_POSTHOG_AUDIT_FULL",
        flag="--audit-full",
    )
    log_level: LogLevel = _choice(
        "Level of the log on stderr: `debug`, `info`, `warning` or `error`.",
        get_args(LogLevel),
        "info",
        variable="MATON_POSTHOG_LOG",
        flag="--log-level",
    )
    log_json: bool = _setting("Write the log as one JSON object per line.", switch, False, flag="--log-json")
    sandbox: bool = _setting(
        "Synthetic data on this machine instead of Maton; needs no key.", switch, False, flag="--sandbox"
    )
    transport: Transport = _choice(
        "`stdio`, `http` or `sse`. The last two serve `/mcp`, `/sse` and `/healthz`.",
        get_args(Transport),
        "stdio",
        flag="--transport",
    )
    host: str = _setting(
        "Address to listen on. A non-loopback address needs `MATON_POSTHOG_TOKEN` and `--allowed-host`.",
        bind_host,
        "127.0.0.1",
        flag="--host",
        metavar="ADDRESS",
    )
    port: int = _setting("Port to listen on; 0 takes a free one.", number(0, 65535), 8000, flag="--port", metavar="N")
    allowed_hosts: tuple[str, ...] = _setting(
        "Host name that clients can use; repeat the flag for several.",
        host_names,
        (),
        flag="--allowed-host",
        metavar="NAME",
        several=True,
    )

    fault: str | None = None
    """Why this server rejects every call; see `SettingsFault`."""

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        """Base URLs of the data plane, in the order to try. A URL that was set has no fallback."""
        return GATEWAY_URLS if self.gateway_url is None else (self.gateway_url,)

    @property
    def control_urls(self) -> tuple[str, ...]:
        """Base URLs of the control plane, in the order to try. A URL that was set has no fallback."""
        return CONTROL_URLS if self.control_url is None else (self.control_url,)

    @property
    def requests_per_second(self) -> int | None:
        """Pace towards the gateway, None for no limit: Maton's own limit unless the gateway is on this machine."""
        if self.pace is not None:
            return self.pace or None
        if self.sandbox or (self.gateway_url is not None and _is_local(self.gateway_url)):
            return None
        return MATON_PACE

    @property
    def key(self) -> str | None:
        """The Maton key in clear text, for the gateway and nothing else."""
        return None if self.api_key is None else self.api_key.reveal()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The keys and the inbound token in every form that no result, error or log line may contain."""
        from ...schemas.secret_forms import secret_forms

        given = (self.api_key, self.token, self.redact_key)
        return secret_forms(*(secret.reveal() for secret in given if secret is not None))

    @property
    def overruled_by_sandbox(self) -> tuple[str, ...]:
        """Names of the settings that have no effect, because `--sandbox` decides the target."""
        given = {
            "MATON_API_KEY": self.api_key,
            "MATON_GATEWAY_URL": self.gateway_url,
            "MATON_CONTROL_URL": self.control_url,
        }
        return tuple(name for name, value in given.items() if self.sandbox and value is not None)


DECLARATIONS: Mapping[str, Declaration] = {
    one.name: one.metadata["declaration"] for one in fields(Settings) if one.metadata
}
"""What is known of each setting, by field of Settings."""


def load(**flags: Any) -> Settings:
    """Return the settings of the environment and of `flags`, named as the fields of Settings.

    A flag that is None or an empty tuple was not given. Raises SettingsError with one line that names the setting and
    the remedy.
    """
    values: dict[str, Any] = {}
    variables = tuple(one.variable for one in DECLARATIONS.values() if one.variable)
    if wrong := wrong_name(os.environ, variables):
        raise SettingsFault(wrong)
    if unknown := flags.keys() - DECLARATIONS.keys():
        raise SettingsError(f"{', '.join(sorted(unknown))}: no such setting.")
    for name, declaration in DECLARATIONS.items():
        given = flags.get(name)
        if given is None or given == ():
            given = (declaration.variable and os.environ.get(declaration.variable)) or None
        if given is None:
            continue
        if name == "api_key" and isinstance(given, str) and (wrong := wrong_key(given)):
            raise SettingsFault(f"{declaration.name} {wrong}.")
        try:
            values[name] = declaration.read(given)
        except (ValueError, TypeError) as error:
            raise SettingsError(f"{declaration.name} {error}.") from None
    settings = Settings(**values)
    check_exposure(settings)
    return settings


def check_effect(settings: Settings, flags: Mapping[str, Any]) -> None:
    """Reject flags of the command line that have no effect. Raises SettingsFault."""
    given = {name for name, value in flags.items() if value not in (None, ())}
    on_stdio = given & {"host", "port", "allowed_hosts"} if settings.transport == "stdio" else set[str]()
    in_sandbox = given & {"gateway_url", "control_url"} if settings.sandbox else set[str]()
    if "audit_full" in given and settings.audit_log is None:
        raise SettingsFault("--audit-full has no effect without --audit-log; add it, or remove --audit-full.")
    if idle := sorted(str(DECLARATIONS[name].flag) for name in on_stdio):
        raise SettingsFault(f"{idle[0]} has no effect on stdio; add --transport http, or remove it.")
    if idle := sorted(str(DECLARATIONS[name].flag) for name in in_sandbox):
        raise SettingsFault(f"{idle[0]} has no effect with --sandbox, which starts its own; remove one of them.")


def _is_local(url: str) -> bool:
    from ...gateway.paths import is_loopback

    return is_loopback(host_of(url))


def host_of(url: str) -> str:
    """Return the host name or address of a checked base URL, without brackets."""
    match = re.match(r"[a-z]+://(?:\[([^\]]+)\]|([^/:]+))", url)
    return (match[1] or match[2]) if match else ""


def check_exposure(settings: Settings) -> None:
    """Reject an HTTP server that other machines, or any web page, could use without a token. Raises SettingsError."""
    if settings.transport == "stdio":
        return
    if settings.export_dir is not None:
        raise SettingsError(
            "MATON_POSTHOG_EXPORT_DIR (--export-dir) requires stdio: HTTP clients can be on other machines."
        )
    from ...gateway.paths import is_loopback

    if is_loopback(settings.host):
        return
    reachable = f"--host {settings.host} can be reached from other machines:"
    if settings.token is None:
        raise SettingsError(
            f"{reachable} set MATON_POSTHOG_TOKEN; clients then send it as `Authorization: Bearer TOKEN`."
        )
    if len(settings.token.reveal()) < SHORTEST_TOKEN:
        raise SettingsError(
            f"{reachable} MATON_POSTHOG_TOKEN must have at least {SHORTEST_TOKEN} characters; "
            "`openssl rand -hex 32` makes one."
        )
    if not settings.allowed_hosts:
        raise SettingsError(f"{reachable} set the host name that clients use, such as --allowed-host mcp.example.com.")
