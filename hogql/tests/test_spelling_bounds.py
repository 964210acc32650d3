import difflib
from collections.abc import Sequence
from typing import Any

import pytest

from hogql_lang.spelling import nearest


@pytest.mark.parametrize(
    ("name", "near"),
    [("currentUrl", "$current_url"), ("evnt", "event"), ("PERSON_ID", "person_id"), ("user_id", "person_id")],
)
def test_the_nearest_name_is_found(name: str, near: str) -> None:
    assert nearest(name, ["event", "person_id", "$current_url"])[0] == near


def test_the_work_of_a_search_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def close(name: str, names: Sequence[str], **_: Any) -> list[str]:
        compared.append((len(name), len(names)))
        return []

    monkeypatch.setattr(difflib, "get_close_matches", close)
    assert nearest("x" * 1_000_000, map(str, range(100_000))) == ()
    assert compared == [(200, 10_000)]
