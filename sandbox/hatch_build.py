"""Make the prepared dataset, which a wheel carries and a checkout has beside its code; an sdist is without it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "posthog_sandbox.dataset.prepared"
FILE = "posthog_sandbox/dataset/prepared/default.data"


class PrepareHook(BuildHookInterface[Any]):
    """Add the file to a wheel. An editable installation uses it where it is made.

    It takes some seconds, so a file that fits the code is used again.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        source = Path(self.root, "src")
        subprocess.run([sys.executable, "-m", MODULE], env={**os.environ, "PYTHONPATH": str(source)}, check=True)
        if version != "editable":
            build_data["force_include"][str(source / FILE)] = FILE
