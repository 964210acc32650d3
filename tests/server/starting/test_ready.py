"""Ready answers: the same bytes as the SDK's, for every protocol version and all settings that change them."""

import json
from itertools import product
from pathlib import Path

import pytest

from maton_posthog.server.settings import Settings, load
from maton_posthog.server.starting.opening import REPLAYED, Opening
from maton_posthog.server.starting.ready import PATH, ReadyResults
from maton_posthog.tools.toolsets import Toolset
from tests.oracle import crossed
from tests.snapshots.files import difference
from tests.snapshots.ready import VERSIONS, every_kind_of_settings, line, ready_file, requests_of, results_of_sdk

pytestmark = pytest.mark.anyio
DIRECTORY = Path(__file__).parent
SOME = ((Toolset.FLAGS,), (Toolset.QUERY, Toolset.ANALYTICS), tuple(Toolset))


@pytest.mark.snapshot
async def test_the_file_holds_what_the_sdk_answers(tmp_path: Path) -> None:
    made = await ready_file(every_kind_of_settings(tmp_path))
    assert difference(PATH, json.dumps(made, ensure_ascii=False, indent=0) + "\n") == ""


@crossed(("flags", list(product((False, True), repeat=4))), ("version", VERSIONS), ("toolsets", SOME))
async def test_an_answer_is_the_sdks_byte_by_byte(
    flags: tuple[bool, bool, bool, bool], version: str, toolsets: tuple[Toolset, ...]
) -> None:
    pinned, connected, read_only, exports = flags
    settings = load(
        project_id=1 if pinned else None,
        connection_id="0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11" if connected else None,
        read_only=read_only,
        export_dir=DIRECTORY if exports else None,
        toolsets=toolsets,
    )
    await check(settings, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("connected", [False, True])
async def test_an_answer_without_what_is_about_one_person_is_the_sdks_too(version: str, connected: bool) -> None:
    connection = "0b6f7a52-6f0e-4d0e-9d59-3c1e5d0c1a11" if connected else None
    await check(load(aggregate_only=True, connection_id=connection), version)


async def check(settings: Settings, version: str) -> None:
    """Check that the ready answers are what the SDK writes."""
    expected = await results_of_sdk(settings, version)
    opening = Opening(ReadyResults(settings), (answers := list[bytes]()).append)
    passed = [opening.take(line(request, number)) for number, request in enumerate(requests_of(version))]
    assert [answer.decode() for answer in answers] == [
        f'{{"jsonrpc":"2.0","id":{number},"result":{text}}}' for number, text in enumerate(expected.values())
    ]
    assert [json.loads(each.line or b"")["id"] for each in passed if each] == [f"{REPLAYED}1"]
