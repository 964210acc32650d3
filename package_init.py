"""PostHog product analytics for LLM agents through the Maton gateway: an MCP server to run or to embed."""
# Installed as maton_posthog/__init__.py (hatch_build.py). Names are loaded on first use, because this file runs before
# the command line, which checks the Python version before it imports anything.

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .server.embedding import asgi_app, open_server
    from .server.settings import Settings, SettingsError
    from .server.settings import load as load_settings

    __version__: str

__all__ = ("Settings", "SettingsError", "__version__", "asgi_app", "load_settings", "open_server")

_HOMES = {
    "Settings": ("settings", "Settings"),
    "SettingsError": ("settings", "SettingsError"),
    "asgi_app": ("embedding", "asgi_app"),
    "load_settings": ("settings", "load"),
    "open_server": ("embedding", "open_server"),
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("maton-posthog-mcp")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _HOMES[name]
    return getattr(import_module(f".server.{module}", __name__), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
