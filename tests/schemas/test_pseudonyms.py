"""Pseudonyms are stable, keyed, and found by names of fields and by patterns."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maton_posthog.schemas.privacy.names import Subject, identifies, kind_of
from maton_posthog.schemas.privacy.pseudonyms import DOMAIN, Pseudonyms, is_pseudonym, pseudonym_in

ONE, OTHER = Pseudonyms(b"one key"), Pseudonyms(b"another key")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.emails(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["email", "name", "person", "x"]), inner),
)


@given(st.sampled_from(Subject), st.text(min_size=1))
def test_a_value_has_one_pseudonym_per_key(kind: Subject, value: str) -> None:
    assert ONE.of(kind, value) == ONE.of(kind, value)
    assert ONE.of(kind, value) != OTHER.of(kind, value)
    assert is_pseudonym(ONE.of(kind, value))


def test_different_values_have_different_pseudonyms() -> None:
    assert len({ONE.of(Subject.EMAIL, f"{number}@example.com") for number in range(20_000)}) == 20_000


def test_case_and_space_make_no_difference() -> None:
    assert ONE.of(Subject.EMAIL, " Jane@Example.com") == ONE.of(Subject.EMAIL, "jane@example.com")


@given(JSON)
def test_what_is_replaced_is_not_replaced_again(value: Any) -> None:
    once = ONE.value(value)
    assert ONE.value(once) == once
    assert ONE.patterns(once) == once


@given(st.emails(domains=st.just("corp.example")))
def test_an_email_is_found_by_its_field_whatever_it_looks_like(email: str) -> None:
    shown = ONE.value({"email": email})["email"]
    assert email not in shown


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("jane.doe+x@mail.corp.example", "email"),
        ("JANE@CORP.EXAMPLE", "email"),
        ("jane%40corp.example", "email"),
        ("jörg@müller.example", "email"),
        ("203.0.113.77", "ip"),
        ("2001:db8::77ca", "ip"),
        ("fe80:0:0:0:1:2:3:4", "ip"),
        ("+49 30 5550 1234", "phone"),
        ("+4930555501234", "phone"),
        ("+1 (555) 555-0123", "phone"),
        ("(555) 555-0123", "phone"),
        ("555-555-0123", "phone"),
        ("030 55501234", "phone"),
    ],
)
@pytest.mark.parametrize("around", ["{}", "before {} after", "a,{},b", "x={}&y", '{{"q":"{}"}}', "({})", "seen {}."])
def test_a_pattern_is_replaced_wherever_it_is(text: str, kind: str, around: str) -> None:
    shown = ONE.text(around.format(text))
    assert text not in shown
    assert f"{kind}-" in shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T12:30:00.123456+00:00",
        "2026-11-23 12:30:00",
        "12:30:45",
        "5d79eecb-93e6-5c8b-90f9-8510ba4040b8",
        "019c8795-79e3-7a05-ac56-597b102f1960",
        "https://us.posthog.com/project/136209/insights/abc123",
        "127.0.0.1",
        "1234567890",
        "1732365000123",
        "$pageview",
        "version 1.2.3",
        "SELECT count() FROM events WHERE a::int = 1",
        "aa:bb:cc:dd:ee:ff",
        "@corp.example",
        "person-3f9a2c",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert ONE.text(text) == text


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("email", "email"), ("Email", "email"), ("userEmail", "email"), ("$email", "email"), ("work_email", "email"),
        ("contact_email_address", "email"), ("firstName", "name"), ("billing_last_name", "name"), ("FULL NAME", "name"),
        ("customer_name", "name"), ("phoneNumber", "phone"), ("phone_2", "phone"), ("shipping_address", "address"),
        ("address_line_1", "address"), ("zip", "address"), ("$geoip_latitude", "address"), ("$ip", "ip"),
        ("$initial_ip", "ip"), ("ip_address", "ip"), ("$user_id", "user"), ("date_of_birth", "text"),
        ("$survey_response", "text"), ("$survey_response_0190bbbb", "text"),
        ("email_count", None), ("emails_sent", None), ("plan_name", None), ("event", None), ("zipped", None),
        ("$geoip_city_name", None), ("$geoip_country_code", None), ("ship_date", None), ("tip", None), ("name", None),
    ],
)  # fmt: skip
def test_names_of_personal_fields_are_known(name: str, kind: str | None) -> None:
    assert kind_of(name) == kind


def test_a_name_is_personal_among_the_properties_of_a_person_only() -> None:
    assert ONE.value({"name": "Checkout", "key": "checkout"}) == {"name": "Checkout", "key": "checkout"}
    assert is_pseudonym(ONE.value({"name": "Jane", "distinct_ids": ["a"]})["name"])
    assert is_pseudonym(ONE.value({"person": {"name": "Jane"}})["person"]["name"])


def test_ids_that_calls_need_stay() -> None:
    person = {
        "uuid": "5d79eecb-93e6-5c8b-90f9-8510ba4040b8",
        "distinct_ids": ["019c-anon", "u_17"],
        "is_identified": True,
    }
    assert ONE.value(person) == person


def test_json_inside_a_text_is_replaced_by_its_fields() -> None:
    shown = ONE.value(json.dumps({"name": "Jane", "plan": "pro"}))
    assert json.loads(shown)["plan"] == "pro"
    assert "Jane" not in shown


def test_columns_with_personal_names_are_replaced() -> None:
    shown = ONE.value({"columns": ["email", "count"], "rows": [["jane", 3]]})
    assert shown["rows"] == [[ONE.of(Subject.EMAIL, "jane"), 3]]


def test_pictures_stay() -> None:
    block = {"type": "image", "data": "+4930555501234 jane@corp.example"}
    assert ONE.patterns(block) == block


def test_a_pseudonym_is_found_in_arguments() -> None:
    email = ONE.of(Subject.EMAIL, "jane@corp.example")
    assert pseudonym_in({"a": [{"b": f"x {email}"}]}) == ("a.b", email.removesuffix(f"@{DOMAIN}"))
    assert pseudonym_in({"a": "email-1", "b": ["5d79eecb-93e6-5c8b-90f9-8510ba4040b8"], "c": None}) is None


@pytest.mark.parametrize(
    "name", ["person_id", "distinct_id", "$session_id", "uuid", "id", "email", "$device_id", "name"]
)
def test_names_that_tell_persons_apart_are_known(name: str) -> None:
    assert identifies(name)
    assert not identifies("plan")
