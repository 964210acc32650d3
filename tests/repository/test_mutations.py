"""The list of mutations is complete and can be made; `make mutations` makes them."""

import re

import pytest

from ..mutations.everything import MUTATIONS
from ..mutations.mutation import Mutation
from .test_floors import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / "SECURITY.md").exists(), reason="needs the checkout")
ROWS = re.compile(r"^\| (?!threat|asset|---)(.+?) \| (.+?) \| (`tests.+|`sandbox.+|`hogql.+) \|$", re.MULTILINE)


def threats() -> dict[str, str]:
    """Return the threats of the table of SECURITY.md with their tests."""
    return {threat: tests for threat, _, tests in ROWS.findall((ROOT / "SECURITY.md").read_text("utf-8"))}


@pytest.mark.parametrize("each", MUTATIONS, ids=lambda each: each.name)
def test_a_mutation_can_be_made_and_names_existing_tests(each: Mutation) -> None:
    assert (ROOT / each.file).read_text("utf-8").count(each.old) == 1
    assert each.old != each.new
    for test in each.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), test


def test_names_are_used_once() -> None:
    assert len({each.name for each in MUTATIONS}) == len(MUTATIONS)


def test_every_threat_has_a_mutation_and_every_mutation_a_threat() -> None:
    rows = threats()
    chosen = {each.threat: [row for row in rows if row.startswith(each.threat)] for each in MUTATIONS}
    assert {threat: found for threat, found in chosen.items() if len(found) != 1} == {}
    assert set(rows) == {row for found in chosen.values() for row in found}


def test_the_table_names_the_files_whose_tests_notice() -> None:
    rows = threats()
    missing = [
        (row, file)
        for row, tests in rows.items()
        for file in {
            test.partition("::")[0] for each in MUTATIONS if row.startswith(each.threat) for test in each.tests
        }
        if f"`{file}`" not in tests
    ]
    assert missing == []
