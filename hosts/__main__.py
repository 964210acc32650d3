"""`python -m hosts`: run the matrix and the converters, print what they found, and exit with 1 when one failed."""

import argparse
import json
import sys
from collections.abc import Iterator

from . import __doc__ as about
from . import converters
from .environments import ROOT, prepare
from .matrix import CLIENTS, Client
from .report import line, store, totals
from .runner import Outcome, run
from .servers import sandbox


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m hosts", description=(about or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="run only what installs quickly")
    names = [client.name for client in CLIENTS]
    parser.add_argument("--only", nargs="+", default=(), choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--write", action="store_true", help="store the results, and write them to docs/hosts.md")
    options = parser.parse_args()
    chosen = [
        client
        for client in CLIENTS
        if (client.name in options.only or not options.only) and (client.quick or not options.quick)
    ]
    converting = () if options.only else tuple(converters.environments(quick=options.quick))
    prepare(dict.fromkeys((*(client.name for client in chosen), *converting)))
    outcomes = list(matrix(chosen))
    if options.write:
        store(outcomes)
    failed = any(outcome.status == "failed" for outcome in outcomes)
    for name in converting:
        failed |= bool(converters.run_in(name))
    print(totals(outcomes), flush=True)
    return int(failed)


def matrix(clients: list[Client]) -> Iterator[Outcome]:
    """Run all cells of these clients."""
    tools = sorted(json.loads((ROOT / "server" / "tool_list.json").read_text("utf-8")))
    with sandbox() as variables:
        for client in clients:
            for transport in client.transports:
                outcome = run(client, transport, variables, tools)
                print(line(outcome), flush=True)
                yield outcome


if __name__ == "__main__":
    sys.exit(main())
