"""Check every distribution as a new user gets it: sdist -> wheel -> new environment -> run from another directory.

That directory has folders named like those of the repository, which break any import of them. Each distribution is
installed alone, with the wheels of the others available. Then each unpacked sdist is installed and its tests are
collected. `.ci/run` runs this with the Python of `.venv`, from a checkout; pip chooses the source of the dependencies,
in the constrained versions. ClickHouse (850 MB) is not installed again: environments link to the files in `.venv`.
"""

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters, stdio_client

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = "maton-posthog-mcp"
HEAVY = "chdb-core"
FLOORS = ("server", "tools", "gateway", "schemas")
DECOYS = (*FLOORS, "tests", "bench", "sandbox", "hogql")


@dataclass(frozen=True, slots=True)
class Distribution:
    """A distribution: its source, the folders of its package, and the check of an installed one."""

    name: str
    source: Path
    package: str
    folders: Mapping[str, str]
    """Folders of the source, each with its place in the wheel."""
    try_out: Callable[["Installed"], None]
    lent: tuple[str, ...] = ()
    """Distributions that are linked instead of installed."""


@dataclass(frozen=True, slots=True)
class Installed:
    """An environment with one distribution, and a directory to run things from."""

    scripts: Path
    directory: Path

    def run(self, command: str, *arguments: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """Run a command of the environment."""
        return subprocess.run(
            [self.scripts / command, *arguments],
            cwd=self.directory,
            env=environment(),
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def succeed(self, command: str, *arguments: str, text: str = "") -> str:
        """Run a command of the environment; return what it writes."""
        done = self.run(command, *arguments, text=text)
        assert done.returncode == 0, done
        return done.stdout


def main() -> None:
    """Raise AssertionError or CalledProcessError if a distribution is not as expected."""
    with tempfile.TemporaryDirectory() as scratch:
        present = [each for each in DISTRIBUTIONS if (each.source / "pyproject.toml").is_file()]
        wheels = Path(scratch, "dist")
        built = {each.name: build(each, wheels) for each in present}
        for each in present:
            check_sdist(sdist(each, wheels))
            check_contents(each, built[each.name])
            alone = install(each, built[each.name], Path(scratch, each.name))
            check_names(each, alone)
            each.try_out(alone)
            sys.stdout.write(f"{built[each.name].name}: installed alone and run from another directory.\n")
        for each in present:
            count = collect_tests(each, wheels, Path(scratch, f"{each.name}-sdist"))
            assert count > 0, each.name
            sys.stdout.write(f"{each.name}: the unpacked sdist is installed and has {count} tests.\n")


def build(distribution: Distribution, target: Path) -> Path:
    """Build the sdist, and the wheel from it; return the wheel."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(distribution.source))
    run(*command, cwd=target.parent)
    (wheel,) = target.glob(f"{distribution.name.replace('-', '_')}-*.whl")
    return wheel


def sdist(distribution: Distribution, folder: Path) -> Path:
    """Return the sdist of a distribution that was built into this folder."""
    (archive,) = folder.glob(f"{distribution.name.replace('-', '_')}-*.tar.gz")
    return archive


def check_sdist(archive: Path) -> None:
    """Check that the sdist is without data that the build makes."""
    with tarfile.open(archive) as file:
        assert not [name for name in file.getnames() if name.endswith(".data")]


def check_contents(distribution: Distribution, wheel: Path) -> None:
    """Check that every file of the folders is in the wheel, and that no other name lands in site-packages."""
    held = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        f"{place}/{path.relative_to(distribution.source / folder).as_posix()}"
        for folder, place in distribution.folders.items()
        for path in (distribution.source / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    expected |= {f"{distribution.package}/__init__.py", f"{distribution.package}/py.typed"}
    assert expected <= held, f"not in the wheel: {sorted(expected - held)}"
    top = {name.split("/")[0] for name in held}
    assert {name for name in top if not name.endswith(".dist-info")} == {distribution.package}, top
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in held), "the license is not in the wheel"


def install(distribution: Distribution, wheel: Path, at: Path) -> Installed:
    """Make an environment with the wheel and its dependencies, without extras, and a directory with decoys."""
    python = new_environment(at / "environment", closure(distribution.lent))
    constraints = ("-c", str(ROOT / "constraints.txt"), "--find-links", str(wheel.parent))
    pip(python, *constraints, str(wheel))
    return Installed(python.parent, with_decoys(at / "elsewhere"))


def check_names(distribution: Distribution, installed: Installed) -> None:
    """Check that the package and its version can be imported, and that no sibling was installed."""
    names = [*(each.package for each in DISTRIBUTIONS), *DECOYS]
    program = (
        f"import importlib.metadata, importlib.util, {distribution.package} as package\n"
        f"assert package.__version__ == importlib.metadata.version({distribution.name!r})\n"
        f"print(*[name for name in {names} if importlib.util.find_spec(name)])"
    )
    # `-I` leaves the directory with the decoys out.
    found = set(installed.succeed("python", "-I", "-c", program).split())
    needed = {each.package for each in DISTRIBUTIONS if requires(distribution.name, each.name, installed)}
    assert found == {distribution.package, *needed}, found


def requires(name: str, other: str, installed: Installed) -> bool:
    """Return whether a distribution needs another one always, and not for an extra."""
    program = f"import importlib.metadata; print(*importlib.metadata.requires({name!r}) or [], sep='\\n')"
    lines = installed.succeed("python", "-I", "-c", program).splitlines()
    return any(re.match(rf"{other}\b(?!-)", line) and "extra ==" not in line for line in lines)


def try_product(installed: Installed) -> None:
    """Check that the command lists its tools to an MCP client, and that a missing extra is named in one line."""
    assert installed.succeed(PRODUCT, "--version").startswith(f"{PRODUCT} ")
    rejected = installed.run(PRODUCT, "sandbox")
    assert (rejected.returncode, rejected.stderr.count("\n")) == (2, 1), rejected
    assert f"{PRODUCT}[sandbox]" in rejected.stderr, rejected
    program = "import maton_posthog as m; m.asgi_app(m.load_settings(read_only=True))"
    installed.succeed("python", "-P", "-c", program)
    for command in ((PRODUCT,), ("python", "-m", "maton_posthog.server")):
        anyio.run(check_tools, installed, command)


async def check_tools(installed: Installed, command: tuple[str, ...]) -> None:
    """Check that an MCP client gets the tools of the checkout, and that a call without a key fails with it."""
    expected = list(json.loads((ROOT / "server" / "tool_list.json").read_text("utf-8")))
    program, *arguments = command
    server = StdioServerParameters(
        command=str(installed.scripts / program), args=arguments, cwd=installed.directory, env=environment()
    )
    async with Client(stdio_client(server)) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert listed == expected, set(listed) ^ set(expected)
        answer = await client.call_tool("get_current_user", {})
    error = json.loads(getattr(answer.content[0], "text", "{}"))["error"]
    assert error["code"] == "missing_api_key", error


def try_sandbox(installed: Installed) -> None:
    """Check that the command has a help text, that the prepared data are there, and that a program gets events."""
    assert installed.succeed("posthog-sandbox", "--help").startswith("usage: posthog-sandbox ")
    prepared = """
from posthog_sandbox.dataset.prepared.archive import find
print({block.table: block.rows for block in find().read()}["prepared_events"])
"""
    assert installed.succeed("python", "-P", "-c", prepared) == "100000\n"
    program = """
import json, urllib.request
from posthog_sandbox import Sandbox
with Sandbox(events=200) as sandbox:
    query = json.dumps({"query": {"kind": "HogQLQuery", "query": "select count() from events"}}).encode()
    headers = {"Authorization": f"Bearer {sandbox.key}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{sandbox.posthog_url}/api/projects/1/query/", query, headers)
    print(json.load(urllib.request.urlopen(request))["results"])
"""
    assert installed.succeed("python", "-P", "-c", program) == "[[200]]\n"


def try_language(installed: Installed) -> None:
    """Check that the linter accepts a valid statement on standard input and reports an invalid one."""
    installed.succeed("hogql-lint", "-", text="select 1\n")
    rejected = installed.run("hogql-lint", "-", text="select count( from events\n")
    assert rejected.returncode == 1, rejected


def collect_tests(distribution: Distribution, wheels: Path, at: Path) -> int:
    """Install the unpacked sdist with what `.venv` has, collect its tests there, and return how many there are."""
    archive = sdist(distribution, wheels)
    with tarfile.open(archive) as file:
        file.extractall(at, filter="data")
    (source,) = at.iterdir()
    ours = {each.name for each in DISTRIBUTIONS}
    everything = {name for each in metadata.distributions() if (name := canonical(each.metadata["Name"])) not in ours}
    python = new_environment(at / "environment", everything)
    siblings = [str(path) for path in wheels.glob("*.whl") if path.name.split("-")[0] != archive.name.split("-")[0]]
    pip(python, "--no-deps", "--no-build-isolation", *siblings, "-e", str(source))
    shown = run(str(python), "-m", "pytest", "--collect-only", "-qq", cwd=source)
    return sum(int(count) for count in re.findall(r"^tests/\S+: (\d+)$", shown, re.MULTILINE))


def new_environment(at: Path, lent: Iterable[str]) -> Path:
    """Make an environment without pip, with links to the files of these distributions of `.venv`; return its Python."""
    venv.create(at, symlinks=True)
    (site,) = at.glob("lib/python3.*/site-packages")
    for name in lent:
        files = metadata.files(name) or []
        for entry in {file.parts[0] for file in files if file.parts[0] not in ("..", "__pycache__")}:
            if not (site / entry).exists():
                (site / entry).symlink_to(Path(str(metadata.distribution(name).locate_file(entry))).absolute())
    return at / "bin" / "python"


def closure(names: Iterable[str]) -> set[str]:
    """Return these distributions and all that they need."""
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        if (name := canonical(waiting.pop())) in found:
            continue
        found.add(name)
        lines = [line for line in metadata.requires(name) or [] if "extra ==" not in line and "win32" not in line]
        waiting += [re.split(r"[^\w.-]", line)[0] for line in lines]
    return found


def canonical(name: str) -> str:
    """Return a distribution's name as every installer compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def with_decoys(directory: Path) -> Path:
    """Make a directory where every top-level name of the repository is a package that must not be imported."""
    for folder in DECOYS:
        decoy = directory / folder / "__init__.py"
        decoy.parent.mkdir(parents=True)
        decoy.write_text(f"raise ImportError('the decoy {folder}/ was imported')\n", "utf-8")
    return directory


def pip(python: Path, *arguments: str) -> None:
    """Install into the environment of another Python."""
    run(
        sys.executable, "-m", "pip", "--python", str(python), "install", "-q", "--disable-pip-version-check", *arguments
    )


def environment() -> dict[str, str]:
    """Return this environment without what would change where Python or the server look."""
    foreign = ("MATON_", "POSTHOG_", "PYTHONPATH", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def run(*command: str, cwd: Path = ROOT) -> str:
    """Return what the command writes. When it fails, show that. Raises CalledProcessError."""
    done = subprocess.run(command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.stderr.write(done.stdout)
    done.check_returncode()
    return done.stdout


DISTRIBUTIONS = (
    Distribution("hogql-lang", ROOT / "hogql", "hogql_lang", {"src/hogql_lang": "hogql_lang"}, try_language),
    Distribution(
        "posthog-sandbox",
        ROOT / "sandbox",
        "posthog_sandbox",
        {"src/posthog_sandbox": "posthog_sandbox"},
        try_sandbox,
        lent=(HEAVY,),
    ),
    Distribution(PRODUCT, ROOT, "maton_posthog", {name: f"maton_posthog/{name}" for name in FLOORS}, try_product),
)

if __name__ == "__main__":
    main()
