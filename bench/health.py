"""How long `/healthz` takes, as a separate process, because the threads of busy clients would delay each other.

    python -m bench.health PORT PID SECONDS

Prints a JSON list at the end: for each request its seconds, and those of them in which no thread of the server and not
this process waited for a processor. On a machine with more work than processors only the latter are the server's.
Linux only.
"""

import http.client
import json
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

LONGEST_S = 90.0
PAUSE_S = 0.1


def waits(pid: int) -> Mapping[str, float]:
    """Return the seconds that each thread of a process has waited for a processor."""
    found: dict[str, float] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(OSError):  # it has just ended
            found[task.name] = int((task / "schedstat").read_text().split()[1]) / 1e9
    return found


def waited(before: Mapping[str, float], after: Mapping[str, float], main: str) -> float:
    """Return the seconds that the event loop can have waited for a processor: its own, and those of the thread that
    waited longest, which can have had the interpreter's lock.
    """
    taken = {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}
    return taken.pop(main, 0.0) + max(taken.values(), default=0.0)


def measure(port: int, pid: int) -> tuple[float, float]:
    """Return the seconds of one request, and those without a wait for a processor."""
    server, own, began = waits(pid), time_waited(), time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_S)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/healthz")
        connection.getresponse().read()
    connection.close()
    taken = time.monotonic() - began
    return taken, max(taken - (time_waited() - own) - waited(server, waits(pid), str(pid)), 0.0)


def time_waited() -> float:
    """Return the seconds that this process has waited for a processor."""
    return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9


if __name__ == "__main__":
    port, pid, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    until = time.monotonic() + seconds
    times: list[tuple[float, float]] = []
    while time.monotonic() < until:
        times.append(measure(port, pid))
        time.sleep(PAUSE_S)
    print(json.dumps(times))
