import csv
import io
import os
from pathlib import Path
from typing import Any

import pytest

from maton_posthog.gateway.errors import Failed, Refused
from maton_posthog.schemas.query import RunHogql
from maton_posthog.tools.operation import Reply
from maton_posthog.tools.query import export as query_export
from maton_posthog.tools.query.operations import OPERATIONS

from ..posthog.fake import QUERY_PATH, FakeCall, answer

pytestmark = pytest.mark.anyio
RUN = OPERATIONS[0]


def upstream(rows: list[list[Any]], directory: Path) -> FakeCall:
    found = answer("hogql_response_with_limit_in_sql", results=rows, columns=["a", "a"])
    return FakeCall({f"POST {QUERY_PATH}": found}, export_dir=directory)


async def exported(api: FakeCall, kind: str = "csv", **more: Any) -> Path:
    arguments = {"query": "SELECT 1", "check": "off", "export": kind, **more}
    reply = await RUN.run(api, RunHogql.model_validate(arguments))
    assert isinstance(reply, Reply)
    return Path(reply.result["file"])


def files(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def test_fifty_thousand_rows_are_written_to_one_private_file(tmp_path: Path) -> None:
    rows = [[number, f"text {number}"] for number in range(49_999)]
    path = await exported(upstream(rows, tmp_path), name="../../Weekly: «review»")
    assert path.parent == tmp_path
    assert path.name.endswith("-weekly-review.csv")
    if os.name == "posix":
        assert path.stat().st_mode & 0o077 == 0
    read = list(csv.reader(io.StringIO(path.read_text("utf-8"), newline="")))
    assert (len(read), read[-1]) == (50_000, ["49998", "text 49998"])


async def test_every_value_is_written_as_it_is(tmp_path: Path) -> None:
    odd = ['=HYPERLINK("http://x")', "-1+1", 'a,"b"\r\nc', None, True, ["x", None], {"k": "ü"}, 1.5]
    path = await exported(upstream([[value, ""] for value in odd], tmp_path))
    read = [row[0] for row in csv.reader(io.StringIO(path.read_bytes().decode(), newline=""))][1:]
    assert read == ['=HYPERLINK("http://x")', "-1+1", 'a,"b"\r\nc', "", "true", '["x", null]', '{"k": "ü"}', "1.5"]


async def test_parquet_supports_mixed_values_and_duplicate_names(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra")
    path = await exported(upstream([[1, "x"], [None, {"k": 1}]], tmp_path), "parquet")
    assert parquet.read_table(path).to_pydict() == {"a": [1, None], "a_2": ["x", '{"k": 1}']}


async def test_a_missing_directory_costs_no_query(tmp_path: Path) -> None:
    api = upstream([[1, 2]], tmp_path / "gone")
    with pytest.raises(Refused, match="does not exist"):
        await exported(api)
    assert api.sent == []


async def test_a_full_disk_is_reported_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(query_export, "_csv_cell", full)
    with pytest.raises(Failed, match="No space left"):
        await exported(upstream([[1, 2]], tmp_path))
    assert files(tmp_path) == []
