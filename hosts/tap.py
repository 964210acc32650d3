"""Start the server in the place of a client's command, and record what passes: `tap.py FOLDER COMMAND...`.

Each start makes a folder with `stdin`, `stdout` and `stderr` of the server, the `events` of its life, and a `lock` that
is locked as long as the server or this process is running. It imports little, because clients wait for it.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import IO, cast

CHUNK = 65536


def main(folder: str, *command: str) -> int:
    """Run the command with recorded streams and return its exit status."""
    home = Path(tempfile.mkdtemp(dir=folder))
    with (
        (home / "lock").open("w") as lock,
        (home / "stdin").open("wb", buffering=0) as requests,
        (home / "stdout").open("wb", buffering=0) as output,
        (home / "stderr").open("wb") as errors,
        (home / "events").open("wb", buffering=0) as events,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, pass_fds=(lock.fileno(),)
        )

        def note(event: str) -> None:
            events.write(json.dumps({"event": event, "at": time.monotonic()}).encode() + b"\n")

        def pass_on(number: int, _: FrameType | None) -> None:
            note(signal.Signals(number).name)
            server.send_signal(number)

        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, pass_on)
        note(f"started {server.pid}")
        feeding = (cast("IO[bytes]", server.stdin), requests, note)
        threading.Thread(target=feed, args=feeding, daemon=True).start()
        copy(cast("IO[bytes]", server.stdout), output)
        status = server.wait()
        note(f"exited {status}")
    return status if status >= 0 else 128 - status


def feed(server: IO[bytes], record: IO[bytes], note: Callable[[str], None]) -> None:
    """Copy the client's requests to the server, until the client closes them."""
    try:
        while chunk := os.read(0, CHUNK):
            record.write(chunk)
            server.write(chunk)
            server.flush()
        note("stdin closed")
        server.close()
    except (BrokenPipeError, ValueError):  # the server has ended
        return


def copy(source: IO[bytes], record: IO[bytes]) -> None:
    """Copy the server's output to the client and to the record; a client that is gone does not stop the server."""
    client, is_there = sys.stdout.buffer, True
    while chunk := os.read(source.fileno(), CHUNK):
        record.write(chunk)
        try:
            if is_there:
                client.write(chunk)
                client.flush()
        except BrokenPipeError:
            is_there = False


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # without a last flush: the client may be gone
