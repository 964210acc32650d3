"""`python -m posthog_sandbox.dataset.prepared`: make the prepared dataset, unless it fits the code already."""

import sys
from pathlib import Path

from .archive import PARAMETERS, PATH, PreparedError, find
from .making import make


def main() -> None:
    """Make the file that is given, or that of this package. Only the standard library is used."""
    path = Path(sys.argv[1]) if sys.argv[1:] else PATH
    if not _fits(path):
        make(path)


def _fits(path: Path) -> bool:
    prepared = find(path)
    if prepared is None or prepared.parameters != PARAMETERS:
        return False
    try:
        return any(prepared.read())
    except PreparedError:
        return False


if __name__ == "__main__":
    main()
