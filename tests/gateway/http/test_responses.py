import gzip
import json
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.gateway.errors import Failed
from maton_posthog.gateway.http.responses import MAX_BODY_BYTES, Fault, UpstreamResponse, parse, read_bounded
from tests.oracle import accepting

from ..fake_gateway import bomb, gzipped

pytestmark = pytest.mark.anyio

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)

WRITTEN: st.SearchStrategy[bytes] = JSON.map(lambda value: json.dumps(value).encode())


def edited(text: bytes, at: int, byte: bytes) -> bytes:
    """Return JSON with a byte changed or removed."""
    return text[:at] + byte + text[at + 1 :]


EDITED = st.builds(edited, WRITTEN, st.integers(0, 20), st.binary(max_size=1))


async def chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def whole(source: AsyncIterator[bytes], encoding: str, limit: int = MAX_BODY_BYTES) -> bytes | Fault:
    read = await read_bounded(source, encoding, limit)
    return b"".join(read) if isinstance(read, list) else read


def ok(body: bytes, status: int = 200) -> UpstreamResponse:
    return UpstreamResponse(status, [body], request_id="req-1")


@given(JSON)
def test_strict_json_is_returned_unchanged(value: Any) -> None:
    assert parse(ok(json.dumps(value).encode()), writes=False) == value
    assert parse(ok(json.dumps(value, ensure_ascii=False).encode()), writes=False) == value


@accepting(15, Failed)
@given(WRITTEN | EDITED | st.binary(max_size=200))
def test_any_bytes_are_strict_json_or_a_typed_error(body: bytes) -> None:
    value = parse(ok(body), writes=False)
    json.loads(json.dumps(value, allow_nan=False, ensure_ascii=False).encode())


@pytest.mark.parametrize("body", [b"", b" ", b"\r\n\t "])
def test_an_empty_body_is_nothing(body: bytes) -> None:
    assert parse(ok(body, 204), writes=False) is None


NOT_STRICT = {
    "nan": b'{"a": NaN}',
    "infinity": b"[Infinity]",
    "minus infinity": b"[-Infinity]",
    "infinite by exponent": b"[1e400]",
    "infinite at the top": b"-1e999",
    "infinite in an object": b'{"a": {"b": 1E+400 }}',
    "infinite by digits": b"[" + b"9" * 400 + b".0]",
    "infinite by digits and exponent": b"[" + b"9" * 250 + b".0e99]",
    "an integer of 5000 digits": b"1" * 5000,
    "nested 200,000 deep": b"[" * 200_000,
    "nested and closed": b"[" * 5000 + b"]" * 5000,
    "half a surrogate pair": b'"\\ud800"',
    "half a surrogate pair in a key": b'{"\\udc00": 1}',
    "not utf-8": b'"\xff"',
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "latin-1": '{"a": "é"}'.encode("latin-1"),
    "byte order mark": b"\xef\xbb\xbf{}",
    "html": b"<!doctype html><h1>502 Bad Gateway</h1>",
    "cut short": b'{"results": [1, 2',
    "two values": b"{} {}",
    "trailing comma": b"[1,]",
    "a raw newline": b'"a\nb"',
}


@pytest.mark.parametrize("body", NOT_STRICT.values(), ids=NOT_STRICT.keys())
@pytest.mark.parametrize("writes", [False, True])
def test_a_response_that_is_not_strict_json_is_one_typed_error(body: bytes, writes: bool) -> None:
    with pytest.raises(Failed, match="not valid JSON") as failed:
        parse(ok(body), writes=writes)
    assert failed.value.code == "bad_upstream_response"
    assert failed.value.request_id == "req-1"
    assert failed.value.outcome == ("unknown" if writes else None)
    assert ("Do not repeat" in (failed.value.hint or "")) is writes


@pytest.mark.parametrize("body", [b'["id-3e1234", 3e300, 1e-400]', b'{"a": "1e999"}', b'{"k": 1.5e308, "l": [true]}'])
def test_numbers_that_only_look_infinite_are_accepted(body: bytes) -> None:
    assert parse(ok(body), writes=False) == json.loads(body)


def test_a_long_integer_stays_exact() -> None:
    assert parse(ok(b"9" * 400), writes=False) == int("9" * 400)


def test_the_last_of_two_equal_keys_wins() -> None:
    assert parse(ok(b'{"a": 1, "a": 2}'), writes=False) == {"a": 2}


@pytest.mark.parametrize(
    ("fault", "code"), [("too_large", "response_too_large"), ("badly_encoded", "bad_upstream_response")]
)
def test_a_success_that_cannot_be_read_is_an_error_and_leaves_a_write_unknown(fault: Any, code: str) -> None:
    for writes, outcome in ((False, None), (True, "unknown")):
        with pytest.raises(Failed) as failed:
            parse(UpstreamResponse(201, (), fault=fault), writes=writes)
        assert (failed.value.code, failed.value.outcome, failed.value.status) == (code, outcome, 201)


@pytest.mark.parametrize("size", [1, 7, 1_000_000])
async def test_a_gzip_body_is_unpacked_in_chunks_of_any_size(size: int) -> None:
    value = {"rows": list(range(1000))}
    assert await whole(chunks(gzipped(value), size), "gzip") == json.dumps(value).encode()


async def test_a_plain_body_can_be_as_large_as_the_limit() -> None:
    assert await whole(chunks(b"x" * 100, 30), "", limit=100) == b"x" * 100
    assert await whole(chunks(b"x" * 101, 30), "identity", limit=100) == "too_large"
    assert await whole(chunks(gzip.compress(b"x" * 100), 9), "gzip", limit=100) == b"x" * 100
    assert await whole(chunks(gzip.compress(b"x" * 101), 9), "gzip", limit=100) == "too_large"


async def test_the_parts_of_a_plain_body_are_not_copied_on_the_event_loop() -> None:
    sent = [b"1" * 1000, b"2" * 1000]

    async def source() -> AsyncIterator[bytes]:
        for part in sent:
            yield part

    read = await read_bounded(source(), "")
    assert isinstance(read, list)
    assert [id(part) for part in read] == [id(part) for part in sent]
    response = UpstreamResponse(200, read)
    assert (response.size, response.body) == (2000, b"".join(sent))


@pytest.mark.parametrize("size", [1024, 65_536, 1_000_000])
async def test_a_gzip_bomb_is_not_unpacked_beyond_the_limit(size: int) -> None:
    packed = bomb()
    assert len(packed) < 200_000
    tracemalloc.start()
    try:
        assert await whole(chunks(packed, size), "gzip") == "too_large"
        assert tracemalloc.get_traced_memory()[1] < 3 * MAX_BODY_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("cut", range(1, 10))
async def test_a_gzip_body_that_ends_early_is_never_treated_as_complete(cut: int) -> None:
    packed = gzipped({"rows": ["different", "words", "here"] * 10})
    assert await whole(chunks(packed[: len(packed) * cut // 10], 16), "gzip") == "badly_encoded"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b'{"a": 1}'),
        ("gzip", gzipped([1]) + b"more"),
        ("gzip", gzipped([1]) + gzipped([2])),
        ("br", b"\x0b\x02\x80[1]\x03"),
        ("zstd", b"(\xb5/\xfd"),
        ("deflate", zlib.compress(b"[1]")),
        ("gzip, gzip", gzip.compress(gzipped([1]))),
        ("nonsense", b"[1]"),
    ],
)
async def test_an_unrequested_or_wrong_encoding_is_an_error(encoding: str, body: bytes) -> None:
    assert await whole(chunks(body, 1000), encoding) == "badly_encoded"


async def test_nothing_at_all_is_an_empty_body_in_any_encoding() -> None:
    assert await whole(chunks(b"", 1), "gzip") == b""


def test_a_response_is_ok_from_200_to_299() -> None:
    assert [status for status in range(100, 600) if UpstreamResponse(status, ()).ok] == list(range(200, 300))
