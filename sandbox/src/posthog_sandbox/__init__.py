"""PostHog's API and the Maton gateway, emulated: real HTTP on loopback, synthetic events, HogQL in ClickHouse."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .testing.process import SandboxError
    from .testing.sandbox import Request, Sandbox

    __version__: str

__all__ = ("Request", "Sandbox", "SandboxError", "__version__")

_HOMES = {"Request": "sandbox", "Sandbox": "sandbox", "SandboxError": "process"}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib import metadata

        return metadata.version("posthog-sandbox")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".testing.{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
