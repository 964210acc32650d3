"""Assemble the package `maton_posthog`, whose folders are at the top of the repository."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "maton_posthog"
FILES = {"__init__.py": "package_init.py", "py.typed": "py.typed"}
"""The files of the package itself, and where each is in the repository."""
FOLDERS = ("gateway", "schemas", "server", "tools")


class AssembleHook(BuildHookInterface[Any]):
    """Add the package's own files to a wheel. For an editable installation, link everything in `.dev/`.

    A checkout has the links already. An sdist cannot hold links, so they are made when it is installed.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            link_all(Path(self.root))
        else:
            build_data["force_include"].update({source: f"{PACKAGE}/{name}" for name, source in FILES.items()})


def link_all(root: Path) -> None:
    """Make the links that are missing in `.dev/`."""
    package = root / ".dev" / PACKAGE
    package.mkdir(parents=True, exist_ok=True)
    for name, part in {**FILES, **dict(zip(FOLDERS, FOLDERS, strict=True))}.items():
        if not (package / name).exists():
            (package / name).symlink_to(Path("..", "..", part))
