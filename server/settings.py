"""The operator's settings: environment variables and flags, validated once at the start.

The fields of `Settings` are the only declaration: the command line, `--help` and the tables of the documentation are
made from them. A flag takes precedence over its environment variable. Nothing else is read, neither `.env` nor another
file, so the directory that the server is started in cannot send the key elsewhere. The key and the inbound token have
no flag, because command lines show in process lists.
"""

import re
import typing
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from ..gateway.budget import Policy
from ..gateway.paths import check_base_url, is_loopback
from ..schemas.json import as_object
from ..schemas.text import secret_forms
from ..tools.operation import Toolset

GATEWAY_URLS = ("https://gateway.maton.ai", "https://api.maton.ai")
"""Maton's data plane, and the fallback for when that host cannot be reached."""
CONTROL_URLS = ("https://ctrl.maton.ai", "https://api.maton.ai")
"""Maton's control plane, and its fallback."""
MATON_PACE = 10
"""Requests a second that Maton allows per key (Maton's PostHog guide)."""

type Transport = Literal["stdio", "sse", "http"]
type LogLevel = Literal["debug", "info", "warning", "error"]


class SettingsError(ValueError):
    """A setting is invalid: one line that names it and the remedy, never its value."""


def _split(value: object) -> object:
    """Return `flags, query` as a list; a list is returned as it is."""
    if not isinstance(value, str):
        return value
    names = [part.strip().lower() for part in value.split(",") if part.strip()]
    if not names:
        raise ValueError("names no toolset; omit it to offer all")
    return names


def _connection(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z-]{8,64}", value):
        raise ValueError("is not a connection id; copy it from manage_connection or from maton.ai")
    return value


def _credential(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not re.fullmatch(r"[\x21-\x7e]+", text):
        raise ValueError("contains characters that a header cannot carry; copy it again")
    return SecretStr(text)


def _host_name(value: str) -> str:
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z.-]+)(:\d{1,5})?", value):
        raise ValueError("must be a host name with or without a port, such as mcp.example.com")
    return value


def _bind_host(value: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z.:-]+", value):
        raise ValueError("must be an address or a host name, such as 127.0.0.1")
    return value


def _base_url(value: str) -> str:
    # `check_base_url` puts the name before its message; `load` does so for every setting.
    try:
        return check_base_url(value, "url")
    except ValueError as error:
        raise ValueError(str(error).removeprefix("url: ").rstrip(".")) from None


def _directory(value: Path) -> Path:
    if not value.is_dir():
        raise ValueError("does not exist or is not a directory")
    return value.resolve()


type ExistingDirectory = Annotated[Path, AfterValidator(_directory)]
type ConnectionId = Annotated[str, AfterValidator(_connection)]
type Credential = Annotated[SecretStr, AfterValidator(_credential)]
type HostName = Annotated[str, AfterValidator(_host_name)]
type BindHost = Annotated[str, AfterValidator(_bind_host)]
type BaseUrl = Annotated[str, AfterValidator(_base_url)]


def _env(
    variable: str,
    flag: str | None = None,
    default: Any = None,
    *,
    about: str,
    metavar: str | None = None,
    **constraints: Any,
) -> Any:
    """Declare a setting with an environment variable and perhaps a flag.

    `about` is its text in `--help` and in the documentation, `metavar` its value in `--help`.
    """
    extra: dict[str, JsonValue] = {"flag": flag, "metavar": metavar}
    return Field(default=default, validation_alias=variable, description=about, json_schema_extra=extra, **constraints)


def _flag(flag: str, default: Any, *, about: str, metavar: str | None = None, **constraints: Any) -> Any:
    """Declare a setting that has a flag only: its alias cannot be the name of an environment variable."""
    extra: dict[str, JsonValue] = {"flag": flag, "metavar": metavar}
    return Field(default=default, validation_alias=flag, description=about, json_schema_extra=extra, **constraints)


class Settings(BaseSettings):
    """The settings of one process. Created by `load`; an empty environment variable counts as unset."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", case_sensitive=True, env_ignore_empty=True, hide_input_in_errors=True
    )

    api_key: Credential | None = _env(
        "MATON_API_KEY", about="Your Maton key. Deliberately not a flag: command lines show in process lists."
    )
    connection_id: ConnectionId | None = _env(
        "MATON_CONNECTION_ID", "--connection", metavar="ID", about="Default connection when the key has several."
    )
    project_id: int | None = _env(
        "POSTHOG_PROJECT_ID",
        "--project",
        metavar="ID",
        ge=1,
        le=2**63 - 1,
        about="Pin: any other project is rejected before anything is sent, and `project_id` leaves the schemas.",
    )
    gateway_url: BaseUrl | None = _env(
        "MATON_GATEWAY_URL",
        "--gateway-url",
        metavar="URL",
        about="Base URL of Maton's data plane. Default `https://gateway.maton.ai`; `https://api.maton.ai` if that host "
        "cannot be reached. A URL that you set has no fallback.",
    )
    control_url: BaseUrl | None = _env(
        "MATON_CONTROL_URL",
        "--control-url",
        metavar="URL",
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
        metavar="AREAS",
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
        metavar="N",
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
    export_dir: ExistingDirectory | None = _env(
        "MATON_POSTHOG_EXPORT_DIR",
        "--export-dir",
        metavar="PATH",
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
        metavar="ADDRESS",
        about="Address to listen on. A non-loopback address needs `MATON_POSTHOG_TOKEN` and `--allowed-host`.",
    )
    port: int = _flag("--port", 8000, metavar="N", ge=0, le=65535, about="Port to listen on; 0 takes a free one.")
    allowed_hosts: tuple[HostName, ...] = _flag(
        "--allowed-host", (), metavar="NAME", about="Host name that clients can use; repeat the flag for several."
    )

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
        if self.sandbox or (self.gateway_url is not None and is_loopback(host_of(self.gateway_url))):
            return None
        return MATON_PACE

    @property
    def key(self) -> str | None:
        """The Maton key in clear text, for the gateway and nothing else."""
        return None if self.api_key is None else self.api_key.get_secret_value()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The Maton key and the inbound token in every form that no result, error or log line may contain."""
        return secret_forms(*(secret.get_secret_value() for secret in (self.api_key, self.token) if secret is not None))

    @property
    def overruled_by_sandbox(self) -> tuple[str, ...]:
        """Names of the settings that have no effect, because `--sandbox` decides the target."""
        given = {
            "MATON_API_KEY": self.api_key,
            "MATON_GATEWAY_URL": self.gateway_url,
            "MATON_CONTROL_URL": self.control_url,
        }
        return tuple(name for name, value in given.items() if self.sandbox and value is not None)

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
    """Return the host name or address of a checked base URL, without brackets."""
    match = re.match(r"[a-z]+://(?:\[([^\]]+)\]|([^/:]+))", url)
    return (match[1] or match[2]) if match else ""


def load(**flags: Any) -> Settings:
    """Return the settings of the environment and of `flags`, named as the fields of Settings.

    A flag that is None or an empty tuple was not given. Raises SettingsError with one line that names the setting and
    the remedy.
    """
    given = {_alias(name): value for name, value in flags.items() if value not in (None, ())}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # With `include_input` the values would come along, secrets among them.
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise SettingsError(f"{_name(str(first['loc'][0]))} {_reason(first['msg'])}.") from None
    check_exposure(settings)
    return settings


def flag_of(field: str) -> str | None:
    """Return the command-line flag of a setting; None for a setting that only has an environment variable."""
    return _declared(field, "flag")


def metavar_of(field: str) -> str | None:
    """Return the placeholder for the value of a flag in `--help`; None for switches and choices."""
    return _declared(field, "metavar")


def variable_of(field: str) -> str | None:
    """Return the environment variable of a setting; None for a setting that only has a flag."""
    alias = _alias(field)
    return None if alias.startswith("--") else alias


def choices_of(field: str) -> tuple[str, ...]:
    """Return the values that a setting accepts, when they are listed."""
    kind = Settings.model_fields[field].annotation
    while isinstance(kind, typing.TypeAliasType):
        kind = kind.__value__
    return typing.get_args(kind) if typing.get_origin(kind) is Literal else ()


def _declared(field: str, name: str) -> str | None:
    return as_object(Settings.model_fields[field].json_schema_extra).get(name)


def _alias(field: str) -> str:
    return str(Settings.model_fields[field].validation_alias)


def _name(alias: str) -> str:
    """Return the setting as its user knows it: `POSTHOG_PROJECT_ID (--project)`."""
    flags = {_alias(field): flag_of(field) for field in Settings.model_fields}
    return f"{alias} ({flags[alias]})" if flags.get(alias) and flags[alias] != alias else alias


def _reason(message: str) -> str:
    """Return pydantic's message as the end of a sentence that begins with the setting."""
    text = message.removeprefix("Value error, ")
    text = text.replace("Input should be", "must be", 1).replace("a valid boolean", "1 or 0")
    return text.split(", unable", 1)[0].rstrip(".")


def check_exposure(settings: Settings) -> None:
    """Reject an HTTP server that other machines, or any web page, could use without a token. Raises SettingsError."""
    if settings.transport == "stdio":
        return
    if settings.export_dir is not None:
        raise SettingsError(
            "MATON_POSTHOG_EXPORT_DIR (--export-dir) requires stdio: HTTP clients can be on other machines."
        )
    if is_loopback(settings.host):
        return
    reachable = f"--host {settings.host} can be reached from other machines:"
    if settings.token is None:
        raise SettingsError(
            f"{reachable} set MATON_POSTHOG_TOKEN; clients then send it as `Authorization: Bearer TOKEN`."
        )
    if not settings.allowed_hosts:
        raise SettingsError(f"{reachable} set the host name that clients use, such as --allowed-host mcp.example.com.")
