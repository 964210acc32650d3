"""The README describes what there is: arguments, attributes, faults, keys, control endpoints."""

import inspect
import re
from pathlib import Path

from posthog_sandbox import Request, Sandbox
from posthog_sandbox.maton.keys import KEYS
from posthog_sandbox.testing import plugin

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def first_column(heading: str) -> list[str]:
    """Return the names in the first column of the table under this heading."""
    table = README.split(f"\n| {heading} |", 1)[1].split("\n\n", 1)[0]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    return [re.split(r"\W", name)[0] for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def arguments_of(function: object) -> list[str]:
    assert callable(function)
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_every_argument_and_attribute_of_a_sandbox_is_listed() -> None:
    public = {name for name in vars(Sandbox) if not name.startswith("_")}
    assert first_column("argument") == sorted(arguments_of(Sandbox), key=first_column("argument").index)
    assert set(first_column("attribute")) == public - {"pid"}
    assert all(f"`{name}`" in README for name in inspect.signature(Request).parameters)


def test_every_field_of_a_fault_is_listed() -> None:
    named_before = {"method", "path", "times"}
    assert set(first_column("field")) | named_before == set(arguments_of(Sandbox.add_fault))


def test_every_fixture_is_listed() -> None:
    fixtures = {name for name in vars(plugin) if name.startswith("posthog_")}
    assert set(first_column("fixture")) == fixtures


def test_every_key_is_listed() -> None:
    table = README.split("\n| key |", 1)[1].split("\n\n", 1)[0]
    assert re.findall(r"^\| `([\w-]+)`", table, re.MULTILINE) == [key.name for key in KEYS]
