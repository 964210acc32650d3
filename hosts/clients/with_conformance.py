"""The conformance suite, in both protocol eras. Only scenarios that need no tools of the suite's own count."""

import json
from collections.abc import Iterator
from pathlib import Path

from cell import Cell, Shown, main
from command import run

GENERIC = {
    "2025-11-25": (
        "server-initialize", "server-session-lifecycle", "ping", "tools-list", "resources-list", "prompts-list",
        "completion-complete", "dns-rebinding-protection", "server-sse-multiple-streams",
    ),
    "2026-07-28": (
        "server-stateless", "tools-list", "resources-list", "prompts-list", "completion-complete",
        "sep-2164-resource-not-found", "dns-rebinding-protection", "caching", "http-header-validation",
        "server-sse-multiple-streams", "input-required-result-unsupported-methods",
    ),
}  # fmt: skip
NOT_TESTABLE = "Not testable: server does not list the diagnostic tool"


async def use(cell: Cell) -> Shown:
    program = str(Path(cell.packages, "node_modules", ".bin", "conformance"))
    notes: list[str] = []
    for revision, scenarios in GENERIC.items():
        results = Path(revision)
        given = ("--url", cell.url, "--requirements", revision, "--output-dir", str(results))
        run(cell.node, program, "server", *given, statuses=(0, 1))
        failed = [fault for scenario in scenarios for fault in faults(results, scenario)]
        if failed:
            raise RuntimeError(f"{revision}: {'; '.join(failed)}")
        notes.append(f"{len(scenarios)} scenarios of {revision} passed.")
    return Shown(notes=notes)


def faults(results: Path, scenario: str) -> Iterator[str]:
    """Yield the checks of a scenario that failed, and the scenario if it did not run."""
    folders = list(results.glob(f"server-{scenario}-[0-9]*"))
    if not folders:
        yield f"{scenario} did not run"
    for folder in folders:
        for check in json.loads((folder / "checks.json").read_text("utf-8")):
            message = check.get("errorMessage", "")
            if check["status"] not in ("SUCCESS", "SKIPPED", "INFO") and not message.startswith(NOT_TESTABLE):
                yield f"{scenario}: {check['id']} {check['status']} {message}"


if __name__ == "__main__":
    main(use)
