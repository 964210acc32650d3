"""Run the tests on another day: under Debian's `faketime`, at a moment and in a time zone that a text draws.

    .venv/bin/python .ci/days.py                        # the draw of the checked-out commit
    .venv/bin/python .ci/days.py --case leap-day --zone Pacific/Apia -- tests/tools
    .venv/bin/python .ci/days.py --list                 # all moments, and what each zone makes of them

The clock is moved in every process of the run, and it keeps running; the embedded ClickHouse keeps the machine's clock.
Draws are repeatable: the same text gives the same moment and zone. Property tests draw what `make test` draws.
"""

import argparse
import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

ROOT = Path(__file__).parent.parent
ZONES = (
    "Pacific/Pago_Pago", "Pacific/Honolulu", "America/Los_Angeles", "America/New_York", "America/St_Johns",
    "America/Sao_Paulo", "Atlantic/Azores", "UTC", "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu",
    "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Apia",
)  # fmt: skip
"""Zones from UTC-11 to UTC+13; some have summer time, some offsets of half and quarter hours."""
MOMENTS = {
    "end-of-year": datetime(2026, 12, 31, 12),
    "end-of-day": datetime(2027, 2, 10, 23, 59, 30),
    "leap-day": datetime(2028, 2, 29, 12),
    "sunday": datetime(2027, 3, 7, 12),
}
CHANGES = {"clocks-forward": 1, "clocks-back": -1}
BEFORE_CHANGE = timedelta(seconds=40)
"""The tests begin before a change of summer time and end after it."""


def main() -> int:
    """Return the exit code of pytest; 2 when faketime is not installed."""
    options = parser().parse_args()
    if options.list:
        show()
        return 0
    if shutil.which("faketime") is None:
        sys.stderr.write("faketime is not installed (Debian, Ubuntu: apt install faketime).\n")
        return 2
    text = options.draw or commit()
    case, zone = drawn(text, options.case, options.zone)
    start = moment(case, zone)
    offset = round((start - datetime.now(UTC)).total_seconds())
    sys.stdout.write(
        f"Draw {text}: {case}, {start.astimezone(ZoneInfo(zone)):%A %Y-%m-%d %H:%M:%S %z} in {zone}. To repeat it:\n"
        f"    .venv/bin/python .ci/days.py --draw {text} --case {case} --zone {zone}\n"
    )
    sys.stdout.flush()
    faketime = ["faketime", "-m", "--exclude-monotonic", "-f", f"{offset:+d}"]
    pytest = [sys.executable, "-m", "pytest", "-q"]
    tests = options.tests or default_tests()
    return subprocess.run(
        [*faketime, *pytest, *tests], cwd=ROOT, env=os.environ | environment(zone), check=False
    ).returncode


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(description="Run the tests on another day.")
    made.add_argument("--draw", help="text that draws what is not given (default: the hash of the commit)")
    made.add_argument("--case", choices=[*MOMENTS, *CHANGES])
    made.add_argument("--zone", choices=ZONES)
    made.add_argument("--list", action="store_true", help="show all moments and end")
    made.add_argument("tests", nargs="*", help="arguments of pytest, after -- (default: all tests but the recounts)")
    return made


def default_tests() -> list[str]:
    """Return pytest's arguments for everything but the recounts, which give all their dates themselves, and the
    rehearsal, which runs tests of this suite in a copy.
    """
    ignored = ("*_recount.py", "*/recount", "*/test_actors_agree.py", "*/test_rehearsal.py")
    return [f"--ignore-glob={pattern}" for pattern in ignored]


def environment(zone: str) -> dict[str, str]:
    """Return what the processes under faketime need besides what it sets itself.

    With the "fix" that libfaketime switches on for this C library, waits with a limit return at once and threads spin.
    """
    return {
        "TZ": zone,
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
        "PYTHONPATH": os.pathsep.join([str(ROOT / ".ci" / "faketime"), os.environ.get("PYTHONPATH", "")]).rstrip(":"),
    }


def commit() -> str:
    """Return the hash of the checked-out commit."""
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def drawn(text: str, case: str | None, zone: str | None) -> tuple[str, str]:
    """Return the case and the zone that a text draws; what is given stays."""
    random = Random(hashlib.sha256(text.encode()).digest())
    drawn_case = random.choice([*MOMENTS, *CHANGES])  # drawn also when it is given, so that the zone stays the same
    case = case or drawn_case
    zones = [name for name in ZONES if case not in CHANGES or any(changes(name, CHANGES[case]))]
    drawn_zone = random.choice(zones)
    return case, zone or drawn_zone


def moment(case: str, zone: str) -> datetime:
    """Return when the tests begin, in UTC."""
    if case in MOMENTS:
        return MOMENTS[case].replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = next(changes(zone, CHANGES[case]), None)
    if found is None:
        raise SystemExit(f"{zone} has no summer time.")
    return found - BEFORE_CHANGE


def changes(zone: str, direction: int) -> Iterator[datetime]:
    """Yield the moments of 2027 when the clocks of a zone go forward (1) or back (-1), in UTC."""
    start, step = datetime(2027, 1, 1, tzinfo=UTC), timedelta(minutes=30)
    offsets = [(at, at.astimezone(ZoneInfo(zone)).utcoffset()) for at in (start + step * n for n in range(365 * 48))]
    for (_, before), (at, after) in itertools.pairwise(offsets):
        assert before is not None
        assert after is not None
        if (after - before) * direction > timedelta():
            yield at


def show() -> None:
    """Print all moments by zone."""
    for case in (*MOMENTS, *CHANGES):
        for zone in ZONES:
            if case in MOMENTS or any(changes(zone, CHANGES[case])):
                start = moment(case, zone)
                local = start.astimezone(ZoneInfo(zone))
                sys.stdout.write(
                    f"{case:15} {zone:20} {local:%a %Y-%m-%d %H:%M:%S %z}  {start:%Y-%m-%d %H:%M:%S} UTC\n"
                )


if __name__ == "__main__":
    sys.exit(main())
