import string
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from maton_posthog.gateway import paths
from maton_posthog.gateway.budget import Budget
from maton_posthog.gateway.client import Gateway, GatewayConfig
from maton_posthog.gateway.errors import Advice, Refused
from maton_posthog.gateway.http.request import Request, encode
from tests.oracle import accepting

from .conftest import Opener
from .fake_gateway import FakeGateway, reply

pytestmark = pytest.mark.anyio

FLAG = "/api/projects/{project_id}/feature_flags/{flag_id}/"
NASTY = [
    "..",
    ".",
    "../..",
    "../../../slack/api/chat.postMessage",
    "%2e%2e",
    "%2E%2E/slack",
    "..%2f..%2fslack",
    "%2f",
    "a/b",
    "/",
    "//",
    "//evil.example/x",
    "\\",
    "..\\..\\slack",
    "1?x=1",
    "1#x",
    "1;x",
    "1&x=1",
    "．．",  # noqa: RUF001 - full width dots
    "1／2",  # noqa: RUF001
    "１",  # noqa: RUF001
    "\x00",
    "1\x00",
    "1\n",
    "1\r\nHost: evil",
    " ",
    "",
    "a b",
    "é",
    "\ud800",
    "x" * 201,
    "http://evil.example",
    "{project_id}",
]  # fmt: skip
SAFE = st.from_regex(r"[A-Za-z0-9_@$:~.-]{1,40}", fullmatch=True)
TEXTS = st.one_of(
    st.sampled_from(NASTY),
    st.text(max_size=30),
    st.text(alphabet="./\\%2eEfF@:;?#&~$\x00 ", max_size=12),
    SAFE,
)


@pytest.mark.parametrize("value", NASTY)
def test_a_malicious_identifier_is_rejected(value: str) -> None:
    with pytest.raises(Refused, match="flag_id") as refused:
        paths.fill(FLAG, {"project_id": 1, "flag_id": value})
    assert refused.value.code == "invalid_argument"


async def test_a_malicious_path_is_rejected_by_the_client_too(fake: FakeGateway, gateway: Opener) -> None:
    client = gateway()
    for value in NASTY:
        if value != "a/b":
            with pytest.raises(Refused):
                await get(client, f"/api/projects/1/{value}/x/")
    assert fake.connections == 0


@given(project=TEXTS, flag=TEXTS)
def test_a_path_is_rejected_or_keeps_its_number_of_segments(project: str, flag: str) -> None:
    with suppress(Refused):
        keeps_its_segments(project, flag)


@accepting(50, Refused)
@given(project=SAFE, flag=SAFE)
@example("@current", "$builtin_$virt_x")
@example("1", "0195-ab.cd~e:f")
def test_a_path_of_identifiers_keeps_its_number_of_segments(project: str, flag: str) -> None:
    keeps_its_segments(project, flag)


def keeps_its_segments(project: str, flag: str) -> None:
    path = paths.fill(FLAG, {"project_id": project, "flag_id": flag})
    target = encode(Request(method="GET", path=path, writes=False, budget=Budget.CRUD)).target
    assert target.split("/") == ["", "api", "projects", project, "feature_flags", flag, ""]
    assert set(target) <= set(string.ascii_letters + string.digits + "/_@$:~.-")


@pytest.mark.parametrize("value", ["@current", "$builtin_$virt_x", "0195-ab.cd~e:f", "...", ".x", "-", "a" * 200])
async def test_the_server_gets_the_path_as_it_was_filled(fake: FakeGateway, gateway: Opener, value: str) -> None:
    await get(gateway(), paths.fill(FLAG, {"project_id": value, "flag_id": 42}))
    assert [request.target for request in fake.received] == [f"/posthog/api/projects/{value}/feature_flags/42/"]


@given(query=st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=20), max_size=4))
@example({"a b": "x&y=z#?%2e/ü😀"})
@example({"a": "\x00\r\n"})
def test_a_query_cannot_change_the_path(query: dict[str, str]) -> None:
    request = Request(method="GET", path="/api/projects/1/", writes=False, budget=Budget.CRUD, query=query)
    path, _, rest = encode(request).target.partition("?")
    assert path == "/api/projects/1/"
    assert set(rest) <= set(string.ascii_letters + string.digits + "%=&_.-~")


async def test_query_values_arrive_as_they_were_given(fake: FakeGateway, gateway: Opener) -> None:
    query = {"search": "a&b=c d+e/ü😀%2e#?", "empty": "", "json": '{"a":[1]}'}
    request = Request(method="GET", path="/api/projects/1/x/", writes=False, budget=Budget.CRUD, query=query)
    await gateway().send(request, float("inf"))
    assert fake.received[0].path == "/posthog/api/projects/1/x/"
    assert fake.received[0].query == query


async def test_a_query_too_long_for_a_url_is_rejected(fake: FakeGateway, gateway: Opener) -> None:
    request = Request(method="GET", path="/api/x/", writes=False, budget=Budget.CRUD, query={"search": "x" * 70_000})
    with pytest.raises(Refused, match="valid URL"):
        await gateway().send(request, float("inf"))
    assert fake.received == []


@pytest.mark.parametrize("value", [None, True, False])
def test_a_value_that_is_not_an_identifier_is_rejected(value: object) -> None:
    with pytest.raises(Refused, match="flag_id"):
        paths.fill(FLAG, {"project_id": 1, "flag_id": value})


@pytest.mark.parametrize(
    "value",
    ["", "short", "x" * 65, "0b6f7a52\r\nX-Evil: 1", "0b6f7a52\x00-6f0e", "../../slack", "0b6f 7a52", "0b6f7a52é"],
)
async def test_a_connection_id_that_is_invalid_in_a_header_is_rejected(
    fake: FakeGateway, gateway: Opener, value: str
) -> None:
    request = Request(method="GET", path="/api/x/", writes=False, budget=Budget.CRUD, connection=value)
    with pytest.raises(Refused, match="MATON_CONNECTION_ID") as refused:
        await gateway().send(request, float("inf"))
    assert refused.value.advice is Advice.LIST_CONNECTIONS
    assert fake.received == []


@pytest.mark.parametrize(
    ("path", "running"),
    [
        ("/api/projects/1/query/2fbd/", True),
        ("/api/projects/1/query/", False),
        ("/api/projects/1/feature_flags/query/", False),
        ("/api/projects/1/query/a/b/", False),
        ("/api/organizations/1/query/a/", False),
    ],
)
async def test_no_delete_is_sent_to_posthog_except_for_a_running_query(
    fake: FakeGateway, gateway: Opener, path: str, running: bool
) -> None:
    fake.answers(reply(204, b""))
    request = Request(method="DELETE", path=path, writes=True, budget=Budget.CRUD)
    if running:
        assert await gateway().send(request, float("inf")) is None
    else:
        with pytest.raises(RuntimeError, match="no DELETE goes to PostHog"):
            await gateway().send(request, float("inf"))
    assert len(fake.received) == running


GOOD_URLS = [
    ("https://api.maton.ai", "https://api.maton.ai"),
    ("https://api.maton.ai/", "https://api.maton.ai"),
    ("HTTPS://API.Maton.AI:443/", "https://api.maton.ai"),
    ("https://api.maton.ai:8443/base/v1/", "https://api.maton.ai:8443/base/v1"),
    ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ("http://127.8.9.1", "http://127.8.9.1"),
    ("http://localhost:80/", "http://localhost"),
    ("http://[::1]:8000/", "http://[::1]:8000"),
    ("https://10.0.0.1", "https://10.0.0.1"),
    ("https://my_gateway", "https://my_gateway"),
]
BAD_URLS = [
    "",
    "api.maton.ai",
    "//api.maton.ai",
    "ftp://api.maton.ai",
    "file:///etc/passwd",
    "http://api.maton.ai",
    "http://10.0.0.1",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "https://",
    "https://api.maton.ai@evil.example",
    "https://key:secret@api.maton.ai",
    "https://@api.maton.ai",
    "https://api.maton.ai\\@evil.example",
    "https:\\\\api.maton.ai",
    "https://api.maton.ai?x=1",
    "https://api.maton.ai?",
    "https://api.maton.ai#x",
    "https://api.maton.ai/../x",
    "https://api.maton.ai/%2e%2e/x",
    "https://api.maton.ai//x",
    "https://api.maton.ai/a;b",
    "https://api.maton.ai/a b",
    "https://api.maton.ai\n.evil.example",
    "https://api.maton.ai\t",
    " https://api.maton.ai",
    "https://api。maton。ai",
    "https://аpi.maton.ai",  # noqa: RUF001 - a Cyrillic letter
    "https://-api.maton.ai",
    "https://api..maton.ai",
    "https://api.maton.ai.",
    "https://2130706433",
    "https://0x7f.1",
    "http://2130706433",
    "http://0x7f000001",
    "https://[fe80::1%25eth0]",
    "https://[::1",
    "https://api.maton.ai:99999",
    "https://api.maton.ai:0",
    "https://api.maton.ai:port",
]


@pytest.mark.parametrize(("url", "plain"), GOOD_URLS)
def test_a_valid_base_url_is_normalized(url: str, plain: str) -> None:
    assert paths.check_base_url(url, "MATON_GATEWAY_URL") == plain


@pytest.mark.parametrize("url", BAD_URLS)
def test_an_invalid_base_url_is_rejected_in_one_line_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match=r"^MATON_GATEWAY_URL: [a-z][^\n]+\.$") as refused:
        paths.check_base_url(url, "MATON_GATEWAY_URL")
    assert "secret" not in str(refused.value)
    assert "evil" not in str(refused.value)


def test_a_gateway_is_not_made_for_a_bad_base_url() -> None:
    for url in BAD_URLS:
        with pytest.raises(ValueError, match="MATON_CONTROL_URL"):
            Gateway(GatewayConfig(api_key=None, gateway_urls=("https://api.maton.ai",), control_urls=(url,)))


@accepting(10, ValueError)
@given(
    st.from_regex(r"[a-z0-9.-]{1,20}(:[0-9]{1,5})?(/[a-z]{0,9}){0,2}", fullmatch=True)
    | st.text(alphabet="htps:/.@[]%\\?#;0127ax \n", max_size=40)
    | st.text(max_size=40)
)
def test_any_text_is_a_base_url_or_a_value_error(text: str) -> None:
    plain = paths.check_base_url(f"https://{text}", "URL")
    assert paths.check_base_url(plain, "URL") == plain
    assert plain.isascii()
    assert plain.isprintable()


async def get(client: Gateway, path: str) -> object:
    return await client.send(Request(method="GET", path=path, writes=False, budget=Budget.CRUD), float("inf"))
