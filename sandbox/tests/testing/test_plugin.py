"""The fixtures as a test author uses them: another pytest, with the plugin as it is installed."""

import pytest

pytest_plugins = ("pytester",)

CONFTEST = """
from datetime import date
import pytest

@pytest.fixture(scope="session")
def posthog_sandbox_options():
    return {"events": 200, "today": date(2026, 11, 23), "now": "2026-11-23T12:00:00Z"}
"""
TESTS = """
import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

pids = set()

def send(project, path, body=None):
    headers = {"Authorization": f"Bearer {project.key}", "Content-Type": "application/json"}
    content = None if body is None else json.dumps(body).encode()
    with urlopen(Request(project.api_url + path, content, headers)) as response:
        return json.load(response)

@pytest.mark.parametrize("number", range(2))
def test_a_flag_is_new(posthog_project, number):
    pids.add(posthog_project.sandbox.pid)
    assert posthog_project.host == posthog_project.sandbox.posthog_url
    assert send(posthog_project, "feature_flags/", {"key": "mine", "filters": {"groups": [{}]}})["key"] == "mine"
    assert [request.body["key"] for request in posthog_project.sandbox.requests] == ["mine"]
    posthog_project.sandbox.add_fault(status=503)
    with pytest.raises(HTTPError) as failed:
        send(posthog_project, "feature_flags/")
    failed.value.close()

def test_the_run_has_one_sandbox_and_nothing_of_a_test_is_left(posthog_sandbox):
    assert pids == {posthog_sandbox.pid}
    assert posthog_sandbox.requests == ()

def test_the_options_are_used(posthog_project):
    query = {"kind": "HogQLQuery", "query": "select count(), toString(toDateTime(now())) from events"}
    assert send(posthog_project, "query/", {"query": query})["results"] == [[200, "2026-11-23 12:00:00"]]
"""


def test_every_test_gets_the_project_of_a_new_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)
    result = pytester.runpytest_subprocess("-W", "error")
    result.assert_outcomes(passed=4)


def test_the_fixtures_are_documented(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--fixtures")
    result.stdout.fnmatch_lines(
        ["posthog_sandbox_options *", "posthog_sandbox *", "*from its first use*", "posthog_project *"]
    )
