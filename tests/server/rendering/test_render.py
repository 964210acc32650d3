import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Failed
from maton_posthog.schemas.json import is_list, is_object
from maton_posthog.schemas.json import rows as packed_rows
from maton_posthog.schemas.json.rows import Rows
from maton_posthog.schemas.text import REDACTED
from maton_posthog.server.results.render import MAX_TEXT_BYTES, dumps, render
from tests.oracle import accepting, examples

from .plain import plain_render

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
    assert shown == {
        "events": [{"name": "payload", "url": "]8;;http://x"}],
        "hidden_characters_removed": 5,
        "hidden_in": ["events.0.name", "events.0.name", "events.0.url"],
    }
    assert text.isprintable()


def test_the_cells_with_hidden_characters_are_named_by_row_and_column_and_only_the_first_ones() -> None:
    table = {"columns": ["event", "e\u200bmail"], "rows": [["a", "b"], ["a", "x\u200by"], ["\u200b", {"k": "z\u2060"}]]}
    _, shown = render(table)
    assert shown["hidden_in"] == ["columns.1", "rows.1.email", "rows.2.event", "rows.2.email.k"]
    _, shown = render({"rows": [["\u200b"]] * 90})
    assert shown["hidden_in"] == [f"rows.{at}.0" for at in range(5)]
    _, shown = render({"columns": ["mtk_canary_key \u200b"], "rows": [["\u200b"]]}, ("mtk_canary_key",))
    assert shown["hidden_in"] == ["columns.0", "rows.0.[redacted]"]


def test_a_clean_result_counts_nothing() -> None:
    assert "hidden_characters_removed" not in render({"a": "👨\u200d👩\u200d👧 ❤\ufe0f"})[1]


def test_secrets_are_redacted_in_keys_values_and_errors() -> None:
    error = {"error": {"message": "x", "upstream": {"detail": "Bearer mtk_canary"}}}
    for result in (error, {"mtk_canary": 1}, {"rows": [["mtk\u200b_canary"]]}):
        text, _ = render(result, ["mtk_canary"])
        assert "mtk_canary" not in text
        assert REDACTED in text


def test_a_new_connection_keeps_the_url_that_its_user_has_to_open() -> None:
    url = "https://connect.maton.ai/?session_token=abc"
    pending = {"connection_id": "x", "status": "PENDING", "url": url}
    assert render(pending, revealed=("url",))[1]["url"] == url
    assert "abc" not in render({"row": pending}, revealed=("url",))[0]
    assert "abc" not in render(pending)[0]


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


TEXTS = st.text(max_size=9) | st.sampled_from(
    ["é" * 300, "x" * 2_000, "a\u200bb", "\ud800", "phx_abcdefgh1", "mtk_canary", '"\\\n']
)
CELLS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
ITEMS = (
    st.lists(CELLS, max_size=5)
    | st.lists(st.lists(CELLS, max_size=25), max_size=3)
    | st.dictionaries(TEXTS, CELLS | st.lists(CELLS, max_size=25), max_size=4)
)
LISTS = st.sampled_from(["rows", "things", "notes", "live_events_token"])


def shown_by(rendering: Any, result: dict[str, Any], offset: int | None) -> tuple[str, Any]:
    try:
        return rendering(result, ["mtk_canary"], offset=offset)
    except Failed as error:
        return "", (error.code, error.hint)


@given(
    st.dictionaries(LISTS, st.tuples(st.lists(ITEMS, max_size=4), st.integers(0, 1500)), max_size=3),
    st.dictionaries(TEXTS, CELLS | ITEMS, max_size=4),
    st.none() | st.integers(0, 40),
)
@settings(max_examples=examples(30, 600))
def test_every_result_is_rendered_as_if_all_of_it_was_cleaned_and_written(
    lists: dict[str, tuple[list[Any], int]], others: dict[str, Any], offset: int | None
) -> None:
    result: dict[str, Any] = others | {name: (items * times)[:3_000] for name, (items, times) in lists.items()}
    text, shown = shown_by(render, result, offset)
    plain_text, plain = shown_by(plain_render, result, offset)
    if is_object(plain) and "truncated" in plain and "hidden_characters_removed" in plain:
        assert len(text.encode()) <= MAX_TEXT_BYTES
        for name, value in plain.items():
            cut = is_list(value) and shown[name] != value
            assert not cut or abs(len(shown[name]) - len(value)) == 1, "the size of the count can cost a row"
    else:
        assert (text, shown) == (plain_text, plain)


@given(
    st.lists(st.lists(CELLS.filter(lambda cell: cell != "\ud800"), max_size=5), max_size=5),
    st.integers(0, 500),
    st.integers(0, 90),
)
@settings(max_examples=examples(40, 400))
def test_rows_that_are_still_text_are_rendered_like_parsed_ones(rows: list[Any], times: int, start: int) -> None:
    everything = (rows * times)[start:]
    packed = Rows.of(rows * times)[start:]
    assert list(packed) == everything
    assert shown_by(render, {"rows": packed}, None) == shown_by(render, {"rows": everything}, None)


def test_only_removed_characters_of_shown_rows_are_counted() -> None:
    rows = [["x" * 1000, "a\u200bb"] if number < 3 or number > 45 else ["x" * 1000, "c"] for number in range(90)]
    _, shown = render({"rows": rows})
    assert shown["rows_returned"] < 45
    assert shown["hidden_characters_removed"] == 3
    assert shown["hidden_in"] == ["rows.0.1", "rows.1.1", "rows.2.1"]
    _, shown = render({"rows": rows[3:]})
    assert "hidden_characters_removed" not in shown


def test_rows_that_cannot_be_shown_are_never_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[int] = []

    def parse(text: bytes) -> list[Any]:
        parsed.append(len(text))
        return json.loads(b"[" + text + b"]")

    monkeypatch.setattr(packed_rows, "parse_block", parse)
    packed = Rows.of([[number, "x" * 1000] for number in range(5_000)])
    _, shown = render({"rows": packed, "rows_returned": len(packed)})
    assert shown["how_to_continue"].startswith("Only 39 of 5000 rows fit")
    assert sum(parsed) < 200_000


@given(st.recursive(CELLS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)))
@example([5e-05, 1e-7, 1e16, -1e300, 5e-324, 1.5e-10])
@example("1e-7")
@example(1e-7)
@example({"a": 1e-7, "e-7,": "0.0000"})
def test_json_is_what_the_standard_library_writes(value: Any) -> None:
    assert dumps(value) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_numbers_that_json_lacks_are_never_written(number: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        dumps({"rows": [["NaN", number]]})
