"""Which names are near enough to be suggested."""

import pytest

from maton_posthog.schemas.near import near

NEAR = [
    ("serach", "search"),
    ("limits", "limit"),
    ("projectId", "project_id"),
    ("datefrom", "date_from"),
    ("breakdowns", "breakdown"),
    ("brekdown", "breakdown"),
    ("from", "date_from"),
    ("Steps", "steps"),
    ("filter", "filters"),
    ("signedup", "signed_up"),
    ("$pageviews", "$pageview"),
    ("purchase_complete", "purchase_completed"),
    ("unique_user", "unique_users"),
    ("querytrends", "query_trends"),
    ("signup", "signed_up"),
    ("purchased", "purchase_completed"),
]
FAR = [
    ("status", "tags"),
    ("status", "start"),
    ("active", "archived"),
    ("type", "title"),
    ("order", "offset"),
    ("query", "key"),
    ("count", "amount"),
    ("name", "tags"),
    ("limit", "list"),
    ("login", "plan"),
    ("", "search"),
    ("$", "$os"),
]


@pytest.mark.parametrize(("name", "meant"), NEAR)
def test_a_misspelled_name_is_near(name: str, meant: str) -> None:
    assert near(name, ["other", meant, "else"]) == [meant]


@pytest.mark.parametrize(("name", "other"), FAR)
def test_another_name_is_not_near(name: str, other: str) -> None:
    assert near(name, [other]) == []


def test_the_nearest_name_is_first_and_there_are_no_more_than_asked_for() -> None:
    assert near("event", ["events", "event", "event_type", "my_event"], 3) == ["event", "events", "my_event"]
    assert near("x" * 100_000, ["x"]) == []
