"""What the runs of the matrix found: lines for a terminal, the stored results, and the table of docs/hosts.md."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .clients.cell import Transport
from .environments import ROOT, pins
from .matrix import CLIENTS, TRANSPORTS, Client
from .runner import Outcome

RESULTS = ROOT / "hosts" / "results.json"
PAGE = ROOT / "docs" / "hosts.md"
BEGIN, END = "<!-- matrix: written by `make hosts` -->\n", "<!-- /matrix -->"
_HEAD = ("client", "packages", "stdio", "HTTP", "errors arrive as", "configuration", "notes")


def line(outcome: Outcome) -> str:
    """Return an outcome for a terminal."""
    found = f" ({_found(outcome)})" if outcome.status == "passed" else ""
    why = f": {'; '.join(outcome.faults)}" if outcome.faults else ""
    return f"{outcome.client}, {outcome.transport}: {outcome.status}{found}{why}"


def totals(outcomes: Sequence[Outcome]) -> str:
    """Return the number of cells by status."""
    counts = {status: sum(one.status == status for one in outcomes) for status in ("passed", "failed", "skipped")}
    return f"Cells: {', '.join(f'{status} {count}' for status, count in counts.items())}"


def stored(path: Path = RESULTS) -> list[Outcome]:
    """Return the stored results."""
    return [_read(one) for one in json.loads(path.read_text("utf-8"))] if path.exists() else []


def store(outcomes: Iterable[Outcome], path: Path = RESULTS, page: Path = PAGE) -> None:
    """Replace the stored results of these cells, and the table of the page."""
    by_cell = {(one.client, one.transport): one for one in (*stored(path), *outcomes)}
    kept = [found for cell in cells() if (found := by_cell.get(cell))]
    path.write_text(json.dumps([asdict(one) for one in kept], indent=1, ensure_ascii=False) + "\n", "utf-8")
    page.write_text(with_table(page.read_text("utf-8"), kept), "utf-8")


def cells() -> Iterator[tuple[str, str]]:
    """Yield all cells of the matrix."""
    for client in CLIENTS:
        for transport in client.transports:
            yield client.name, transport


def with_table(page: str, outcomes: Iterable[Outcome]) -> str:
    """Return a page with the table of these results between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    by_cell = {(one.client, one.transport): one for one in outcomes}
    rows = [_HEAD, ("---",) * len(_HEAD), *(_row(client, by_cell) for client in CLIENTS)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"{before}{BEGIN}{table}\n{END}{after}"


def _row(client: Client, outcomes: Mapping[tuple[str, str], Outcome]) -> tuple[str, ...]:
    found = [outcome for transport in client.transports if (outcome := outcomes.get((client.name, transport)))]
    packages = ", ".join(f"`{name}` {version}" for name, version in pins(client.name).items())
    cells = [_cell(client, outcomes.get((client.name, transport)), transport) for transport in TRANSPORTS]
    errors = " / ".join(dict.fromkeys(one.error_as for one in found if one.error_as))
    notes = " ".join(dict.fromkeys(note for one in found for note in one.notes))
    return (
        f"[{client.name}](../hosts/clients/{client.program})",
        packages,
        *cells,
        errors,
        client.configuration,
        notes,
    )


def _cell(client: Client, outcome: Outcome | None, transport: Transport) -> str:
    if outcome is None:
        return "not run" if transport in client.transports else "not supported"
    if outcome.status == "passed":
        return _found(outcome)
    return f"**{outcome.status}**: {'; '.join(outcome.faults)}".replace("|", "\\|")


def _found(outcome: Outcome) -> str:
    tools = "connects" if outcome.tools is None else f"{outcome.tools} tools"
    return f"{tools}, {outcome.protocol}" if outcome.protocol else tools


def _read(values: Mapping[str, Any]) -> Outcome:
    fields: dict[str, Any] = {**values, "faults": tuple(values["faults"]), "notes": tuple(values["notes"])}
    return Outcome(**fields)
