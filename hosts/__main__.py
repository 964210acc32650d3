"""`python -m hosts`: run the matrix, print it, and exit with 1 when a cell failed."""

import argparse
import json
import sys

from . import __doc__ as about
from .environments import ROOT
from .matrix import CLIENTS
from .runner import run
from .servers import sandbox


def main() -> int:
    parser = argparse.ArgumentParser(description=(about or "").split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="only clients that install quickly")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[client.name for client in CLIENTS])
    options = parser.parse_args()
    tools = sorted(json.loads((ROOT / "server" / "tool_list.json").read_text("utf-8")))
    failed = False
    with sandbox() as variables:
        for client in CLIENTS:
            if options.only and client.name not in options.only:
                continue
            for transport in client.transports:
                print(run(client, transport, variables, tools), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
