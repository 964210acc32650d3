import base64
import html
import json
import re
import unicodedata
from typing import Any, cast
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maton_posthog.schemas.secret_forms import secret_forms
from maton_posthog.schemas.text import REDACTED, Cleaner, excerpt, may_need_cleaning

KEPT = [
    "plain",
    "tab\tand\nnewline",
    "Grüße, naïve café, Ελληνικά, русский, 日本語, 한국어, עברית, العربية",
    "👨\u200d👩\u200d👧",
    "❤\ufe0f\u200d🔥",
    "🏳\ufe0f\u200d🌈",
    "👩🏽\u200d💻",
    "1\ufe0f\u20e3 #\ufe0f\u20e3",
    "©\ufe0f",
    "می\u200cخواهم",  # noqa: RUF001 - Persian
    "क्\u200dष",
    "❤\ufe0e",
    "e\u0301",
    "\u2014 “quotes” …",
    "\u00a0\u3000",
    "\ufffd\ufffc",
]
HIDDEN = {
    "unicode tags": ("a\U000e0001\U000e0041\U000e007fb", "ab", 3),
    "bidirectional controls": ("\u202ea\u2066b\u2069\u202c\u200e\u200f\u061c", "ab", 7),
    "zero width": ("i\u200bg\u2060n\ufeffore", "ignore", 3),
    "soft hyphen": ("pass\u00adword", "password", 1),
    "joiner in ascii": ("a\u200db\u200cc", "abc", 2),
    "joiner at the edges": ("\u200d👩\u200d", "👩", 2),
    "a run of joiners": ("é\u200d\u200c\u200d\u200cé", "éé", 4),
    "selectors in ascii": ("a\ufe00b\ufe0fc\U000e0101d", "abcd", 3),
    "a run of selectors": ("😀\ufe00\ufe01\ufe0e\ufe0f\U000e0100\U000e01ef", "😀\ufe0e", 5),
    "a run of selectors after a kanji": ("葛\U000e0100\U000e0101\ufe00", "葛", 3),
    "an emoji selector after ascii": ("a\ufe0f\u200dé", "aé", 2),
    "fillers": ("a\u3164\uffa0\u115f\u1160b", "ab", 4),
    "mongolian vowel separator": ("a\u180eb", "ab", 1),
    "interlinear": ("a\ufff9b\ufffbc", "abc", 2),
    "osc hyperlink": ("\x1b]8;;http://evil\x1b\\x\x07", "]8;;http://evil\\x", 3),
    "c1 csi": ("\x9b31mred", "31mred", 1),
    "carriage return overwrites": ("safe\revil", "safeevil", 1),
    "backspace and delete": ("a\x08\x7fb", "ab", 2),
    "nul": ("a\x00b", "ab", 1),
    "half a surrogate pair": ("a\ud83db\udc00", "ab", 2),
    "musical controls": ("a\U0001d173b", "ab", 1),
}


@pytest.mark.parametrize("text", KEPT)
def test_visible_text_is_kept_unchanged(text: str) -> None:
    cleaner = Cleaner()
    assert cleaner.text(text) == text
    assert cleaner.removed == 0


@pytest.mark.parametrize(("text", "clean", "removed"), HIDDEN.values(), ids=HIDDEN.keys())
def test_invisible_characters_are_removed_and_counted(text: str, clean: str, removed: int) -> None:
    cleaner = Cleaner()
    assert cleaner.text(text) == clean
    assert cleaner.removed == removed


def test_windows_line_endings_become_newlines_and_are_not_counted() -> None:
    cleaner = Cleaner()
    assert cleaner.text("a\r\nb\r\n") == "a\nb\n"
    assert cleaner.removed == 0


TRICKY = st.text(
    alphabet=st.sampled_from("a1é😀葛ا\u200c\u200d\ufe00\ufe0f\U000e0100\U000e0041\u20e3\u200b\x1b\r\n\t\ud800"),
    max_size=20,
)


@given(TRICKY | st.text())
@example("a\ufe0f\u200dé")
def test_cleaning_is_idempotent_and_the_text_valid_utf8(text: str) -> None:
    clean = Cleaner().text(text)
    again = Cleaner()
    assert again.text(clean) == clean
    assert again.removed == 0
    clean.encode()
    assert not any(unicodedata.category(character) == "Cc" for character in clean if character not in "\t\n")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("key phx_abcdefgh12345678 end", f"key {REDACTED} end"),
        ("phs_synthetic_secret-9", REDACTED),
        ("token=pha_0123456789", f"token={REDACTED}"),
        ("x_phr_0123456789", f"x_{REDACTED}"),
        ('{"a":"phx_0123456789"}', f'{{"a":"{REDACTED}"}}'),
        ("ph\u200bx_0123456789", REDACTED),
        (
            "https://connect.maton.ai/?session_token=abc.def&x=1",
            f"https://connect.maton.ai/?session_token={REDACTED}&x=1",
        ),
        ("phc_0123456789abcdef", "phc_0123456789abcdef"),
        ("graphs_overview2026", "graphs_overview2026"),
        ("alphas_and_omegas", "alphas_and_omegas"),
        ("phx_short", "phx_short"),
        ("session_token", "session_token"),
    ],
)
def test_secrets_are_redacted_and_similar_text_is_not(text: str, clean: str) -> None:
    assert Cleaner().text(text) == clean


def test_literal_secrets_are_redacted_in_keys_and_values() -> None:
    cleaner = Cleaner(["mtk_canary", ""])
    value = {"a": ["Bearer mtk_canary"], "mtk_canary": {"b": "m\u200btk_\u2060canary"}}
    assert cleaner.value(value) == {"a": [f"Bearer {REDACTED}"], REDACTED: {"b": REDACTED}}


def test_secret_fields_are_redacted_unless_empty() -> None:
    value = {
        "secret_api_token": "x",
        "secret_api_token_backup": {"deep": 1},
        "live_events_token": "x",
        "slack_incoming_webhook": "https://hooks.example/x",
        "personal_api_key": None,
        "api_token": "phc_public",
    }
    assert Cleaner().value({"projects": [value]}) == {
        "projects": [
            {
                "secret_api_token": REDACTED,
                "secret_api_token_backup": REDACTED,
                "live_events_token": REDACTED,
                "slack_incoming_webhook": REDACTED,
                "personal_api_key": None,
                "api_token": "phc_public",
            }
        ]
    }


def test_only_a_tool_can_reveal_a_session_token_never_the_shape_of_an_object() -> None:
    url = "https://connect.maton.ai/?session_token=abc"
    pending = {"connection_id": "x", "status": "PENDING", "url": url}
    assert "abc" not in json.dumps(Cleaner().value({"row": pending}))
    assert Cleaner().revealed({**pending, "url": f"{url}\u202e"})["url"] == url
    assert Cleaner(["abc"]).revealed(url).endswith(REDACTED)


KEY = "mtk_CANARY_7f3a_0123456789"


@pytest.mark.parametrize("shown", [12, 16, len(KEY)])
@pytest.mark.parametrize("text", ["{}", "{}…", "`{}` is not an argument", "a {}{}"])
def test_the_beginning_of_a_secret_in_a_text_that_was_cut_is_redacted(text: str, shown: int) -> None:
    clean = Cleaner([KEY]).text(text.replace("{}", KEY[:shown]))
    assert clean == text.replace("{}", REDACTED)
    assert may_need_cleaning(json.dumps([text.replace("{}", KEY[:shown])]), [KEY])


@pytest.mark.parametrize("before", ["", "B", "Be", "Bearer "])
@pytest.mark.parametrize("after", ["", "x", "xy"])
def test_every_form_in_which_upstream_can_echo_a_secret_is_redacted(before: str, after: str) -> None:
    secret = 'k/ey+of"maton&<7f3a>'
    data = f"{before}{secret}{after}"
    echoed = [
        data,
        base64.b64encode(data.encode()).decode(),
        base64.urlsafe_b64encode(data.encode()).decode(),
        quote(data, safe=""),
        re.sub("%..", lambda found: found[0].lower(), quote(data, safe="")),
        quote_plus(data),
        data.encode().hex(),
        data.encode().hex().upper(),
        html.escape(data),
        json.dumps(data),
    ]
    for text in echoed:
        assert REDACTED in Cleaner(secret_forms(secret)).text(text), text


def test_keys_that_differ_only_in_invisible_characters_keep_all_values() -> None:
    cleaner = Cleaner()
    assert cleaner.value({"a": 1, "a\u200b": 2, "\u200ba": 3, "b": 4}) == {
        "a": 1,
        "a (again)": 2,
        "a (again) (again)": 3,
        "b": 4,
    }
    assert cleaner.removed == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TRICKY | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TRICKY | st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(JSON)
def test_every_string_in_a_value_is_cleaned_and_its_shape_kept(value: Any) -> None:
    clean = Cleaner().value(value)
    json.dumps(clean, ensure_ascii=False).encode()
    assert shape(clean) == shape(value)
    again = Cleaner()
    assert again.value(clean) == clean
    assert again.removed == 0


@given(JSON)
def test_rendered_text_that_is_clean_is_not_changed_again(value: Any) -> None:
    text = json.dumps(Cleaner().value(value), ensure_ascii=False)
    assert Cleaner(rendered=True).text(text) == text


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return [shape(item) for item in cast("dict[str, Any]", value).values()]
    if isinstance(value, list):
        return [shape(item) for item in cast("list[Any]", value)]
    return str if isinstance(value, str) else value


def test_tuples_become_lists() -> None:
    assert Cleaner().value(("a", 1)) == ["a", 1]


def test_an_excerpt_is_one_clean_line_of_bounded_length() -> None:
    assert excerpt("a\r\n  b\t\u202ec\x1b[0m") == "a b c[0m"
    assert excerpt("x" * 500) == "x" * 500
    assert excerpt("x" * 501) == "x" * 499 + "…"
    assert len(excerpt("y" * 10_000_000, 20)) == 20
    assert excerpt("") == ""


@given(st.text(max_size=60), st.integers(1, 30))
def test_an_excerpt_never_exceeds_its_limit(text: str, limit: int) -> None:
    line = excerpt(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


JSON_TEXT = st.recursive(
    TRICKY
    | st.text()
    | st.sampled_from(["phx_abcdefgh1", "session_token=a", 'k"ey-of-maton', "mtk_canary", "\nphs_12345678"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=9) | st.just("live_events_token"), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(JSON_TEXT)
def test_a_value_that_the_scan_clears_is_not_changed_by_cleaning(value: Any) -> None:
    secrets = ['k"ey-of-maton', "mtk_canary"]
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    if not may_need_cleaning(text, secrets):
        cleaner = Cleaner(secrets)
        assert cleaner.value(value) == value
        assert cleaner.removed == 0


@pytest.mark.parametrize(
    "text", ["Grüße 日本語", "tab\tand\nnewline", 'a "quoted" \\ path', "a_b phc_0123456789abcdef"]
)
def test_the_scan_clears_ordinary_text(text: str) -> None:
    assert not may_need_cleaning(json.dumps({"a": [text]}, ensure_ascii=False), ["mtk_canary"])


@pytest.mark.parametrize("text", [text for text, _, _ in HIDDEN.values()], ids=HIDDEN.keys())
def test_the_scan_finds_hidden_characters(text: str) -> None:
    assert may_need_cleaning(json.dumps([text], ensure_ascii=False))
