"""Prove the package as a stranger meets it: sdist -> wheel -> new environment -> run from another directory.

That directory holds folders named as those of the house, which break whoever imports them. Run by `.ci/run` with the
Python of `.venv`, from a checkout; the dependencies come from wherever pip gets them, in the constrained versions.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters, stdio_client

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("server", "tools", "gateway", "schemas")
DISTRIBUTION = "maton-posthog-mcp"


def main() -> None:
    """Raises AssertionError or CalledProcessError where the package is not what it should be."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = build(Path(scratch, "dist"))
        check_contents(wheel)
        scripts = install(wheel, Path(scratch, "environment"))
        elsewhere = with_decoys(Path(scratch, "elsewhere"))
        check_commands(scripts, elsewhere)
        for command in ((str(scripts / DISTRIBUTION),), (str(scripts / "python"), "-m", "maton_posthog.server")):
            anyio.run(check_tools, command, elsewhere)
    sys.stdout.write(f"{wheel.name}: built from its sdist, installed, and run from another directory.\n")


def build(target: Path) -> Path:
    """The wheel made from the sdist, not from the checkout."""
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(ROOT), cwd=target.parent)
    (wheel,) = target.glob("*.whl")
    return wheel


def check_contents(wheel: Path) -> None:
    """Every file of the folders is in the wheel, and no name but ours lands in site-packages."""
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"maton_posthog/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected <= held, f"not in the wheel: {sorted(expected - held)}"
    top = {name.split("/")[0] for name in held}
    assert {name for name in top if not name.endswith(".dist-info")} == {"maton_posthog"}, top
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held), "the licence is not in the wheel"


def install(wheel: Path, environment: Path) -> Path:
    """A new environment with the wheel and what it needs, without extras; its folder of commands."""
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    constraints = str(ROOT / "constraints.txt")
    run(str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", constraints, str(wheel))
    return python.parent


def with_decoys(directory: Path) -> Path:
    """A directory where every top-level name of the house is a package that must not be imported."""
    for folder in FOLDERS:
        decoy = directory / folder / "__init__.py"
        decoy.parent.mkdir(parents=True)
        decoy.write_text(f"raise ImportError('the decoy {folder}/ was imported')\n", "utf-8")
    return directory


def check_commands(scripts: Path, directory: Path) -> None:
    """The command is there, and without the extra its sandbox names the extra in one line."""
    command = str(scripts / DISTRIBUTION)
    assert run(command, "--version", cwd=directory).startswith(f"{DISTRIBUTION} ")
    refused = subprocess.run(
        [command, "sandbox"], cwd=directory, env=environment(), capture_output=True, text=True, check=False, timeout=60
    )
    lines = refused.stderr.splitlines()
    assert (refused.returncode, len(lines)) == (2, 1), refused
    assert f"{DISTRIBUTION}[sandbox]" in lines[0], lines


async def check_tools(command: tuple[str, ...], directory: Path) -> None:
    """An MCP client lists the tools of the checkout, and a call without a key says so."""
    expected = list(json.loads((ROOT / "server" / "tool_list.json").read_text("utf-8")))
    server = StdioServerParameters(command=command[0], args=list(command[1:]), cwd=directory, env=environment())
    async with Client(stdio_client(server)) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert listed == expected, set(listed) ^ set(expected)
        answer = await client.call_tool("get_current_user", {})
    error = json.loads(getattr(answer.content[0], "text", "{}"))["error"]
    assert error["code"] == "missing_api_key", error


def environment() -> dict[str, str]:
    """This environment without what would change where Python or the server look."""
    foreign = ("MATON_", "POSTHOG_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def run(*command: str, cwd: Path = ROOT) -> str:
    """What the command writes; what went wrong goes to stderr."""
    done = subprocess.run(command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
    done.check_returncode()
    return done.stdout


if __name__ == "__main__":
    main()
