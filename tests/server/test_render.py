import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.text import REDACTED
from maton_posthog.server.render import MAX_TEXT_BYTES, dumps, render
from tests.oracle import accepting, examples

SIZES = [1_000, 39_000, 40_000, 41_000, 100_000, 1_000_000, 5_000_000]


def strict(text: str) -> Any:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    return json.loads(text.encode(), parse_constant=refuse)


def rows_of(size: int, width: int = 100) -> list[list[Any]]:
    return [[number, "é" * (width // 2 - 10), None] for number in range(size // width)]


@pytest.mark.parametrize("size", SIZES)
def test_rows_of_any_size_are_complete_and_in_order_or_reported_as_truncated(size: int) -> None:
    rows = rows_of(size)
    text, shown = render({"project": {"id": 1}, "columns": ["a", "b", "c"], "rows": rows})
    assert strict(text) == shown
    assert len(text.encode()) <= MAX_TEXT_BYTES
    kept = shown["rows"]
    assert kept == rows[: len(kept)]
    assert shown["columns"] == ["a", "b", "c"]
    if len(kept) < len(rows):
        assert shown["truncated"] is True
        assert shown["rows_returned"] == len(kept)
        assert f"Only {len(kept)} of {len(rows)} rows" in shown["how_to_continue"]
        assert len(text.encode()) > MAX_TEXT_BYTES * 0.95, "as many as fit"
    else:
        assert "truncated" not in shown


@pytest.mark.parametrize("width", [50, 1_000, 3_900, 60_000])
def test_no_row_is_lost_or_shown_twice_over_the_pages_of_a_list(width: int) -> None:
    everything = [{"id": number, "name": "x" * width} for number in range(90)]
    seen: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = everything[offset : offset + 20]
        more = {"next_offset": offset + 20} if offset + 20 < len(everything) else {}
        text, shown = render({"things": page, **more}, offset=offset)
        assert len(text.encode()) <= MAX_TEXT_BYTES
        assert shown["things"], "a page never comes empty"
        assert ("truncated" in shown) is (len(dumps({"things": page, **more}).encode()) > MAX_TEXT_BYTES)
        seen += shown["things"]
        offset = shown.get("next_offset")
    assert [row["id"] for row in seen] == list(range(90))


def test_a_list_that_is_not_a_page_gets_no_offset() -> None:
    _, shown = render({"things": [{"id": number, "name": "x" * 5_000} for number in range(20)]})
    assert "next_offset" not in shown
    assert shown["how_to_continue"] == "Only 7 of 20 fit into one result; get single ones by their id."


def test_a_text_too_long_for_any_row_is_truncated_with_its_length() -> None:
    text, shown = render({"id": 1, "description": "é" * 100_000})
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert shown["description"] == "é" * 500 + "… (100000 characters)"
    assert shown["truncated"] is True
    assert "truncated" in shown["how_to_continue"]


def test_a_long_inner_list_is_truncated_with_its_length() -> None:
    deep = {"filters": {"groups": [{"value": ["x" * 100] * 1000}]}}
    text, shown = render({"id": 1, **deep})
    assert strict(text) == shown
    assert len(text.encode()) <= MAX_TEXT_BYTES
    assert shown["filters"]["groups"][0]["value"] == ["x" * 100] * 20 + ["… (1000 items)"]


def test_rows_that_fit_with_truncated_texts_are_all_kept() -> None:
    _, shown = render({"things": [{"name": "x" * 50_000} for _ in range(25)]})
    assert shown["things"] == [{"name": "x" * 500 + "… (50000 characters)"}] * 25


@pytest.mark.parametrize("inner", [{"groups": ["x" * 100] * 1000}, [["x" * 100] * 1000]])
def test_a_long_list_directly_below_a_field_is_truncated(inner: Any) -> None:
    _, shown = render({"id": 1, "field": inner})
    cut = shown["field"]["groups"] if isinstance(inner, dict) else shown["field"][0]
    assert cut == ["x" * 100] * 20 + ["… (1000 items)"]


def test_a_result_that_cannot_be_truncated_is_an_error_with_a_remedy() -> None:
    with pytest.raises(Failed, match="at most 40 kB") as error:
        render({f"field {number}": "x" * 100 for number in range(1000)})
    assert error.value.code == "response_too_large"
    assert "smaller `limit`" in str(error.value.hint)


def test_a_result_is_one_compact_line_of_json() -> None:
    text, shown = render({"project": {"id": 1, "name": "Größe"}, "rows": [[1, None, True, 0.5]]})
    assert text == '{"project":{"id":1,"name":"Größe"},"rows":[[1,null,true,0.5]]}'
    assert strict(text) == shown


def test_hidden_characters_are_removed_and_counted() -> None:
    text, shown = render({"events": [{"na\u200bme": "pay\u202eload\U000e0041", "url": "\x1b]8;;http://x\x07"}]})
    assert shown == {"events": [{"name": "payload", "url": "]8;;http://x"}], "hidden_characters_removed": 5}
    assert text.isprintable()


def test_a_clean_result_counts_nothing() -> None:
    assert "hidden_characters_removed" not in render({"a": "👨\u200d👩\u200d👧 葛\U000e0100"})[1]


def test_secrets_are_redacted_in_keys_values_and_errors() -> None:
    error = {"error": {"message": "x", "upstream": {"detail": "Bearer mtk_canary"}}}
    for result in (error, {"mtk_canary": 1}, {"rows": [["mtk\u200b_canary"]]}):
        text, _ = render(result, ["mtk_canary"])
        assert "mtk_canary" not in text
        assert REDACTED in text


def test_a_new_connection_keeps_the_url_that_its_user_has_to_open() -> None:
    url = "https://connect.maton.ai/?session_token=abc"
    assert render({"connection_id": "x", "status": "PENDING", "url": url})[1]["url"] == url
    assert "abc" not in render({"connection_id": "x", "status": "ACTIVE", "url": url})[0]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=9), inner, max_size=5),
    max_leaves=30,
)


@accepting(50, Failed)
@given(st.dictionaries(st.text(max_size=9), JSON, max_size=6), st.integers(1, 1000))
@settings(max_examples=examples(30, 300))
def test_any_result_is_strict_json_within_the_limit_or_one_error(result: dict[str, Any], times: int) -> None:
    big = {**result, "things": [result] * times}
    text, shown = render(big)
    assert strict(text) == strict(dumps(shown))
    assert len(text.encode()) <= MAX_TEXT_BYTES
