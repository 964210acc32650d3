"""Addresses of PostHog's app in arguments."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.schemas.base import Id, TextId
from maton_posthog.schemas.insights import InsightId
from maton_posthog.schemas.links import PAGES, AppPage, WrongPage, parse, unpasted
from maton_posthog.schemas.persons import PersonId
from maton_posthog.tools.operations import OPERATIONS

HOST = "https://us.posthog.com"
UUID = "0197d0c6-5b1e-7d3a-9c41-3f7be21a8e54"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        (f"{HOST}/project/5/feature_flags/42", AppPage("flag", "42", 5)),
        (f"{HOST}/project/5/feature_flags/42/?tab=usage#top", AppPage("flag", "42", 5)),
        (f" {HOST}/feature_flags/42 ", AppPage("flag", "42", None)),
        ("https://eu.posthog.com/project/136209/insights/AbC123/edit", AppPage("insight", "AbC123", 136209)),
        (f"{HOST}/project/5/dashboard/9", AppPage("dashboard", "9", 5)),
        (f"{HOST}/project/5/cohorts/7", AppPage("cohort", "7", 5)),
        (f"{HOST}/project/5/data-management/actions/3", AppPage("action", "3", 5)),
        (f"{HOST}/project/5/actions/3", AppPage("action", "3", 5)),
        (f"{HOST}/project/5/data-management/annotations/6", AppPage("annotation", "6", 5)),
        (f"{HOST}/project/5/experiments/11", AppPage("experiment", "11", 5)),
        (f"{HOST}/project/5/surveys/{UUID}", AppPage("survey", UUID, 5)),
        (f"{HOST}/project/5/persons/{UUID}#activeTab=events", AppPage("person", UUID, 5)),
        (f"{HOST}/project/5/replay/{UUID}?t=12", AppPage("recording", UUID, 5)),
        (f"{HOST}/project/5/error_tracking/{UUID}?fingerprint=a", AppPage("error", UUID, 5)),
        (f"{HOST}/project/5/settings", AppPage(None, None, 5)),
        (f"{HOST}/project/5/insights/new", AppPage(None, None, 5)),
        (f"{HOST}/insights/new", None),
        (f"{HOST}/project/five/insights/AbC123", None),
        ("ftp://us.posthog.com/project/5/dashboard/9", None),
        ("https://[/project/5/dashboard/9", None),
        ("project/5/dashboard/9", None),
    ],
)
def test_an_address_names_an_object_and_its_project(address: str, page: AppPage | None) -> None:
    assert parse(address) == page


@given(st.text(max_size=60))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    for address in (text, f"https://{text}", f"{HOST}/project/{text}", f"{HOST}/project/5/dashboard/{text}"):
        parse(address)


@pytest.mark.parametrize(
    ("given", "plain", "projects"),
    [
        ({"flag": f"{HOST}/project/5/feature_flags/42"}, {"flag": "42"}, (("flag", 5),)),
        ({"flag_id": f"{HOST}/project/5/feature_flags/42"}, {"flag_id": "42"}, (("flag_id", 5),)),
        ({"project_id": f"{HOST}/project/5/insights/AbC123"}, {"project_id": "5"}, ()),
        ({"error_id": f"{HOST}/project/5/error_tracking/{UUID}"}, {"error_id": UUID}, (("error_id", 5),)),
        ({"error": f"{HOST}/project/5/error_tracking/{UUID}"}, {"error": UUID}, (("error", 5),)),
        ({"error": "Failed to load https://a.example/x"}, {"error": "Failed to load https://a.example/x"}, ()),
        ({"error": "https://a.example/x"}, {"error": "https://a.example/x"}, ()),
        ({"copy_from": f"{HOST}/project/5"}, {"copy_from": "5"}, ()),
        (
            {"dashboards": [3, f"{HOST}/project/5/dashboard/9", f"{HOST}/project/6/dashboard/10"]},
            {"dashboards": [3, "9", "10"]},
            (("dashboards", 5), ("dashboards", 6)),
        ),
        ({"dashboards": f'["{HOST}/project/5/dashboard/9"]'}, {"dashboards": ["9"]}, (("dashboards", 5),)),
        ({"resource": "Flag", "id": f"{HOST}/feature_flags/42"}, {"resource": "Flag", "id": "42"}, ()),
        ({"name": f"{HOST}/project/5/dashboard/9"}, {"name": f"{HOST}/project/5/dashboard/9"}, ()),
        ({"flag": "checkout://new"[:8], "limit": 3}, {"flag": "checkout", "limit": 3}, ()),
    ],
)
def test_addresses_become_identifiers(
    given: dict[str, Any], plain: dict[str, Any], projects: tuple[tuple[str, int], ...]
) -> None:
    read = unpasted(given)
    assert (read.arguments, read.projects) == (plain, projects)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"flag": f"{HOST}/project/5/dashboard/9"}, "must name a flag; this is the page of a dashboard"),
        ({"insight_id": f"{HOST}/project/5/insights/new"}, "must name an insight; this is an address without one"),
        ({"survey_id": "https://example.com/"}, "must name a survey; this is an address without one"),
        ({"resource": "cohort", "id": f"{HOST}/feature_flags/42"}, "must name a cohort; this is the page of a flag"),
        ({"project_id": f"{HOST}/feature_flags/42"}, "must name a project; this address has no /project/ and number"),
    ],
)
def test_an_address_of_something_else_is_rejected_by_its_argument(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(WrongPage, match=problem) as caught:
        unpasted(arguments)
    assert caught.value.argument in arguments


def test_every_argument_that_names_an_object_takes_its_address() -> None:
    kinds = {Id, TextId, InsightId, PersonId}
    named: set[tuple[str, str]] = set()
    for operation in OPERATIONS:
        for name, info in operation.input.model_fields.items():
            parts = {info.annotation, *getattr(info.annotation, "__args__", ())}
            parts |= {item for part in parts for item in getattr(part, "__args__", ()) if part is not None}
            if parts & kinds:
                named.add((operation.name, name))
    assert len(named) > 30
    for tool, name in named:
        kind = {"flag": "flag", "id": "flag", "dashboards": "dashboard"}.get(name, name.removesuffix("_id"))
        kind = "insight" if name.endswith("_insights") else "dashboard" if name.endswith("_dashboards") else kind
        if name in ("project_id", "copy_from"):
            continue
        address = f"{HOST}/project/5/" + PAGES[kind].partition("{")[0] + "77a"
        read = unpasted({"resource": kind, name: address})
        assert read.arguments[name] == "77a", (tool, name)
