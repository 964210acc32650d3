"""What the operator decides: environment variables and flags, checked once at the start.

A flag wins over its environment variable. Nothing else is read: no `.env`, no file, so that a checkout the server
happens to be started in cannot send the key elsewhere. The key and the inbound token have no flag: command lines show
in process lists.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from ..gateway.budget import Policy
from ..gateway.paths import check_base_url, is_loopback
from ..tools.operation import Toolset

GATEWAY_URLS = ("https://gateway.maton.ai", "https://api.maton.ai")
"""Maton's data plane, and where it moves to when that host cannot be reached."""
CONTROL_URLS = ("https://ctrl.maton.ai", "https://api.maton.ai")
"""Maton's control plane, likewise."""
MATON_PACE = 10
"""Requests a second that Maton allows per key (Maton's PostHog guide)."""

type Transport = Literal["stdio", "sse", "http"]
type LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(ValueError):
    """A setting that cannot be used: one line that names it and the remedy, never its value."""


def _split(value: object) -> object:
    """`flags, query` as a list; a list stays one."""
    if not isinstance(value, str):
        return value
    names = [part.strip().lower() for part in value.split(",") if part.strip()]
    if not names:
        raise ValueError("names no toolset; leave it out to offer all")
    return names


def _connection(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]{8,64}", value):
        raise ValueError("is not a connection id; copy it from manage_connection or from maton.ai")
    return value


def _credential(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("holds characters that a header cannot carry; copy it again")
    return SecretStr(text)


def _host_name(value: str) -> str:
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:\d{1,5})?", value):
        raise ValueError("takes a host name with or without a port, such as mcp.example.com")
    return value


def _bind_host(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:-]+", value):
        raise ValueError("takes an address or a host name, such as 127.0.0.1")
    return value


def _base_url(value: str) -> str:
    # `check_base_url` writes the name before its message; `load` does that for every setting.
    try:
        return check_base_url(value, "url")
    except ValueError as error:
        raise ValueError(str(error).removeprefix("url: ").rstrip(".")) from None


def _directory(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError("is not a directory that exists; make it first")
    return value.resolve()


type Directory = Annotated[Path, AfterValidator(_directory)]
type ConnectionId = Annotated[str, AfterValidator(_connection)]
type Credential = Annotated[SecretStr, AfterValidator(_credential)]
type HostName = Annotated[str, AfterValidator(_host_name)]
type BindHost = Annotated[str, AfterValidator(_bind_host)]
type BaseUrl = Annotated[str, AfterValidator(_base_url)]


def _env(variable: str, flag: str | None = None, default: Any = None, *, about: str, **constraints: Any) -> Any:
    """A setting with an environment variable and perhaps a flag. Its alias is what `load` reads and errors name;
    `about` is its row in the documentation.
    """
    extra: dict[str, JsonValue] | None = {"flag": flag} if flag else None
    return Field(default=default, validation_alias=variable, description=about, json_schema_extra=extra, **constraints)


def _flag(flag: str, default: Any, *, about: str, **constraints: Any) -> Any:
    """A setting that only the command line can make: its alias cannot be the name of an environment variable."""
    return Field(default=default, validation_alias=flag, description=about, **constraints)


class Settings(BaseSettings):
    """The settings of one process. Made by `load`; an empty environment variable counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", case_sensitive=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    api_key: Credential | None = _env(
        "MATON_API_KEY", about="Your Maton key. Deliberately not a flag: command lines show in process lists."
    )
    connection_id: ConnectionId | None = _env(
        "MATON_CONNECTION_ID", "--connection", about="Default connection when the key has several."
    )
    project_id: int | None = _env(
        "POSTHOG_PROJECT_ID",
        "--project",
        ge=1,
        le=2**63 - 1,
        about="Pin: any other project is rejected before anything is sent, and `project_id` leaves the schemas.",
    )
    gateway_url: BaseUrl | None = _env(
        "MATON_GATEWAY_URL",
        "--gateway-url",
        about="Base URL of Maton's data plane. Default `https://gateway.maton.ai`; `https://api.maton.ai` if that host "
        "cannot be reached. A URL that you set has no fallback.",
    )
    control_url: BaseUrl | None = _env(
        "MATON_CONTROL_URL",
        "--control-url",
        about="Base URL of Maton's control plane. Default `https://ctrl.maton.ai`, with the same fallback.",
    )
    read_only: bool = _env(
        "MATON_POSTHOG_READ_ONLY",
        "--read-only",
        False,
        about="Write tools are neither listed nor callable, and query tools lose `save_as`.",
    )
    toolsets: Annotated[frozenset[Toolset], NoDecode, BeforeValidator(_split)] = _env(
        "MATON_POSTHOG_TOOLSETS",
        "--toolsets",
        frozenset(Toolset),
        about="Areas to offer, separated by commas, such as `flags,query`. Default: all.",
    )
    token: Credential | None = _env(
        "MATON_POSTHOG_TOKEN",
        about="Bearer token that HTTP clients must send; required for a non-loopback address. Not a flag either.",
    )
    budgets: Policy = _env(
        "MATON_POSTHOG_BUDGETS",
        "--budgets",
        "adaptive",
        about="What a spent request budget means: `adaptive` sends the request and reports it, `strict` rejects it, "
        "`off` does not count.",
    )
    pace: int | None = _env(
        "MATON_POSTHOG_PACE",
        "--pace",
        ge=0,
        le=1000,
        about="Requests per second to Maton. Default 10; no limit for a gateway on loopback, or with 0.",
    )
    structured: bool = _env(
        "MATON_POSTHOG_STRUCTURED",
        "--structured",
        False,
        about="Also return the result object as `structuredContent`.",
    )
    export_dir: Directory | None = _env(
        "MATON_POSTHOG_EXPORT_DIR",
        "--export-dir",
        about="Directory in which `run_hogql` can write whole results as CSV or Parquet (`export`); stdio only.",
    )
    log_level: LogLevel = _env(
        "MATON_POSTHOG_LOG",
        "--log-level",
        "info",
        about="Level of the log on stderr: `debug`, `info`, `warning` or `error`.",
    )
    log_json: bool = _flag("--log-json", False, about="Write the log as one JSON object per line.")
    sandbox: bool = _flag("--sandbox", False, about="Synthetic data on this machine instead of Maton; needs no key.")
    transport: Transport = _flag(
        "--transport", "stdio", about="`stdio`, `http` or `sse`. The last two serve `/mcp`, `/sse` and `/healthz`."
    )
    host: BindHost = _flag(
        "--host",
        "127.0.0.1",
        about="Address to listen on. A non-loopback address needs `MATON_POSTHOG_TOKEN` and `--allowed-host`.",
    )
    port: int = _flag("--port", 8000, ge=0, le=65535, about="Port to listen on; 0 takes a free one.")
    allowed_hosts: tuple[HostName, ...] = _flag(
        "--allowed-host", (), about="Host name that clients can use; repeat the flag for several."
    )

    @property
    def gateway_urls(self) -> tuple[str, ...]:
        """Base URLs of the data plane in the order to try. A URL that was set has no fallback."""
        return GATEWAY_URLS if self.gateway_url is None else (self.gateway_url,)

    @property
    def control_urls(self) -> tuple[str, ...]:
        """Base URLs of the control plane, likewise."""
        return CONTROL_URLS if self.control_url is None else (self.control_url,)

    @property
    def requests_per_second(self) -> int | None:
        """The pace towards the gateway, None for no limit: Maton's own limit unless the gateway is on this machine."""
        if self.pace is not None:
            return self.pace or None
        if self.sandbox or (self.gateway_url is not None and is_loopback(host_of(self.gateway_url))):
            return None
        return MATON_PACE

    @property
    def key(self) -> str | None:
        """The Maton key in clear, for the gateway and nothing else."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must never be written anywhere."""
        return tuple(secret.get_secret_value() for secret in (self.api_key, self.token) if secret is not None)

    @property
    def overruled_by_sandbox(self) -> tuple[str, ...]:
        """Names of the settings that were made but do not count, because `--sandbox` says where to go."""
        made = {
            "MATON_API_KEY": self.api_key,
            "MATON_GATEWAY_URL": self.gateway_url,
            "MATON_CONTROL_URL": self.control_url,
        }
        return tuple(name for name, value in made.items() if self.sandbox and value is not None)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings


def host_of(url: str) -> str:
    """The host name or address in a checked base URL, without brackets."""
    match = re.match(r"[a-z]+://(?:\[([^\]]+)\]|([^/:]+))", url)
    return (match[1] or match[2]) if match else ""


def load(**flags: Any) -> Settings:
    """Settings from the environment and from `flags`, named as the fields of Settings; None means: flag not given.

    Raises SettingsError with one line that names the setting and the remedy.
    """
    given = {_alias(name): value for name, value in flags.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # Without `include_input` the values, secrets among them, would come along.
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise SettingsError(f"{_name(str(first['loc'][0]))} {_reason(first['msg'])}.") from None
    check_exposure(settings)
    return settings


def flag_of(field: str) -> str | None:
    """The command-line flag of a setting; None for a setting that only has an environment variable."""
    if (alias := _alias(field)).startswith("--"):
        return alias
    match Settings.model_fields[field].json_schema_extra:
        case {"flag": str(flag)}:
            return flag
        case _:
            return None


def _alias(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias)


def _name(alias: str) -> str:
    """The setting as its user knows it: `POSTHOG_PROJECT_ID (--project)`."""
    flags = {_alias(field): flag_of(field) for field in Settings.model_fields}
    return f"{alias} ({flags[alias]})" if flags.get(alias) and flags[alias] != alias else alias


def _reason(message: str) -> str:
    """pydantic's message as the end of a sentence that began with the setting."""
    text = message.removeprefix("Value error, ")
    text = text.replace("Input should be", "should be", 1).replace("a valid boolean", "1 or 0")
    return text.split(", unable", 1)[0].rstrip(".")


def check_exposure(settings: Settings) -> None:
    """Reject an HTTP server that other machines, or any web page, could use without a token. Raises SettingsError."""
    if settings.transport == "stdio":
        return
    if settings.export_dir is not None:
        raise SettingsError(
            "MATON_POSTHOG_EXPORT_DIR (--export-dir) works on stdio only: HTTP clients may be on other machines."
        )
    if is_loopback(settings.host):
        return
    reachable = f"--host {settings.host} can be reached from other machines:"
    if settings.token is None:
        raise SettingsError(
            f"{reachable} set MATON_POSTHOG_TOKEN; clients then send `Authorization: Bearer` and that text."
        )
    if not settings.allowed_hosts:
        raise SettingsError(f"{reachable} name the host that clients use, such as --allowed-host mcp.example.com.")
