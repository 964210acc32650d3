"""Conditions, typed property access, and the two-valued logic of nulls."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from .recounting import Case, Result, Row, Rows, counts, moment, of, sorted_rows, text


def _count(condition: Callable[[Row], Any]) -> Callable[[Rows], Result]:
    return lambda rows: [[sum(1 for event in rows.events if condition(event))]]


def _where(name: str, condition: str, recount: Callable[[Row], Any]) -> Case:
    return Case(name, f"select count() from events where {condition}", _count(recount))


def _persons(name: str, condition: str, recount: Callable[[Row], Any]) -> Case:
    query = f"select count() from persons where {condition}"
    return Case(name, query, lambda rows: [[sum(1 for person in rows.persons if recount(person))]])


def _above(value: float | None, limit: float) -> bool:
    return value is not None and value > limit


def _handled(event: Row) -> bool:
    raised: list[Row] | None = of(event, "$exception_list")
    return raised is not None and raised[0]["mechanism"]["handled"] is True


_EMPTY: Row = {}
_NOV = datetime(2026, 11, 1, tzinfo=UTC)

CASES = (
    _where("all events", "true", lambda e: True),
    _where("an event by name", "event = '$pageview'", lambda e: e["event"] == "$pageview"),
    _where("an event by exclusion", "event != '$pageview'", lambda e: e["event"] != "$pageview"),
    _where(
        "events in a list",
        "event in ('signed_up', 'project_created', 'nothing')",
        lambda e: e["event"] in ("signed_up", "project_created"),
    ),
    _where(
        "events outside a list", "event not in ['$pageview', '$pageleave']",
        lambda e: e["event"] not in ("$pageview", "$pageleave"),
    ),
    _where("and, or, not", "(event = '$pageview' or event = '$screen') and not properties.$os = 'iOS'",
           lambda e: e["event"] in ("$pageview", "$screen") and of(e, "$os") != "iOS"),
    _where("like", "event like '$%'", lambda e: e["event"].startswith("$")),
    _where("not like", "event not like '%\\\\_%'", lambda e: "_" not in e["event"]),
    _where("ilike", "properties.$browser ilike 'm%'", lambda e: (of(e, "$browser") or "").lower().startswith("m")),
    _where("a regular expression", "properties.$pathname =~ '^/(blog|docs)/'",
           lambda e: (of(e, "$pathname") or "").startswith(("/blog/", "/docs/"))),
    _where("the negated regular expression is true on null", "properties.$pathname !~ '^/blog/'",
           lambda e: not (of(e, "$pathname") or "").startswith("/blog/")),
    _where("equality is false on null", "properties.plan = 'free'", lambda e: of(e, "plan") == "free"),
    _where("inequality is true on null", "properties.plan != 'free'", lambda e: of(e, "plan") != "free"),
    _where("the function form of inequality is true on null", "notEquals(properties.plan, 'free')",
           lambda e: of(e, "plan") != "free"),
    _where("in is false on null", "properties.plan in ('free', 'pro')", lambda e: of(e, "plan") in ("free", "pro")),
    _where("not in is true on null", "properties.plan not in ('free', 'pro')",
           lambda e: of(e, "plan") not in ("free", "pro")),
    _where("not like is true on null", "properties.plan not like 'f%'",
           lambda e: not (of(e, "plan") or "").startswith("f")),
    _where("equals null asks for null", "properties.plan = null", lambda e: of(e, "plan") is None),
    _where("differs from null asks for a value", "properties.plan != null", lambda e: of(e, "plan") is not None),
    _where("is null", "properties.$browser is null", lambda e: of(e, "$browser") is None),
    _where("a property that no event has", "properties.never_sent is null", lambda e: True),
    _where("greater is false on null", "properties.revenue > 20", lambda e: _above(of(e, "revenue"), 20)),
    _where("the negation of greater is true on null", "not properties.revenue > 20",
           lambda e: not _above(of(e, "revenue"), 20)),
    _where("less or equal is false on null", "properties.revenue <= 20",
           lambda e: of(e, "revenue") is not None and of(e, "revenue") <= 20),
    _where("between is false on null", "properties.revenue between 15 and 24",
           lambda e: of(e, "revenue") is not None and 15 <= of(e, "revenue") <= 24),
    _where("not between is false on null too", "properties.plan not between 'a' and 'g'",
           lambda e: of(e, "plan") is not None and not "a" <= of(e, "plan") <= "g"),
    _where("two properties are equal when both are null", "properties.plan = properties.$geoip_city_name",
           lambda e: of(e, "plan") == of(e, "$geoip_city_name")),
    _where("two properties differ when one is null", "properties.plan != properties.$geoip_city_name",
           lambda e: of(e, "plan") != of(e, "$geoip_city_name")),
    _where("null is not distinct from null", "properties.plan is not distinct from null",
           lambda e: of(e, "plan") is None),
    _where("a number is compared as a number", "properties.$screen_width > 1000",
           lambda e: _above(of(e, "$screen_width"), 1000)),
    _where("a number beside a text", "properties.seats = '1'", lambda e: of(e, "seats") == 1),
    _where("a boolean is a boolean", "properties.coupon_used = true", lambda e: of(e, "coupon_used") is True),
    _where("a boolean is not the other one, or null", "properties.coupon_used != true",
           lambda e: of(e, "coupon_used") is not True),
    _where("a boolean beside a text", "properties.$is_identified = 'false'",
           lambda e: of(e, "$is_identified") is False),
    _where("a property with a slash in brackets", "properties['$feature/new-checkout'] = 'test'",
           lambda e: of(e, "$feature/new-checkout") == "test"),
    _where("a property with a slash in backquotes", "properties.`$feature/command-palette`",
           lambda e: of(e, "$feature/command-palette") is True),
    _where("a key of an object", "properties.$groups.organization = 'copper-press-3'",
           lambda e: (of(e, "$groups") or _EMPTY).get("organization") == "copper-press-3"),
    _where("an element of an array", "properties.$exception_types[1] = 'TypeError'",
           lambda e: (of(e, "$exception_types") or [None])[0] == "TypeError"),
    _where("deep inside arrays and objects", "properties.$exception_list.1.mechanism.handled = 'true'",
           lambda e: _handled(e)),
    _where("an array as its JSON", "properties.$active_feature_flags = '[\"new-checkout\"]'",
           lambda e: text(of(e, "$active_feature_flags")) == '["new-checkout"]'),
    _where("an empty text column", "$session_id = ''", lambda e: e["$session_id"] == ""),
    _where("since a moment", "timestamp >= '2026-11-01'", lambda e: e["timestamp"] >= _NOV),
    _where("between moments with an offset",
           "timestamp >= toDateTime('2026-11-01T02:00:00+02:00') and timestamp < '2026-11-08 00:00:00'",
           lambda e: _NOV <= e["timestamp"] < datetime(2026, 11, 8, tzinfo=UTC)),
    _where("a function in a condition", "length(properties.$el_text) > 8 and event = '$autocapture'",
           lambda e: e["event"] == "$autocapture" and len(of(e, "$el_text").encode()) > 8),
    _where("events without a person profile", "person_mode = 'propertyless'",
           lambda e: e["person_mode"] == "propertyless"),
    _where("people by name", "person.properties.plan = 'pro'", lambda e: e["person_properties"].get("plan") == "pro"),
    _persons("persons by mail", "properties.email ilike '%@quillboard.example'",
             lambda p: p["properties"].get("email", "").endswith("@quillboard.example")),
    _persons("persons who are not on a trial, or unknown", "properties.is_trial != true",
             lambda p: p["properties"].get("is_trial") is not True),
    _persons("persons by a date-time property", "properties.signed_up_at >= '2026-10-01'",
             lambda p: p["properties"].get("signed_up_at", "") >= "2026-10-01"),
    _persons("persons by a number", "properties.seats >= 3", lambda p: p["properties"].get("seats", 0) >= 3),
    _persons("identified persons", "is_identified", lambda p: p["is_identified"]),
    Case("values of an untyped property, null among them",
         "select properties.plan, count() from events group by 1 order by 1",
         lambda rows: counts(of(event, "plan") for event in rows.events)),
    Case("null comes last in descending order too",
         "select properties.plan, count() from events group by 1 order by properties.plan desc",
         lambda rows: sorted(counts(of(event, "plan") for event in rows.events),
                             key=lambda row: (row[0] is not None, row[0] or ""), reverse=True)),
    Case("values of a boolean property, null among them",
         "select properties.coupon_used, count() from events where event = 'purchase_completed' or event = '$screen' "
         "group by 1 order by 1",
         lambda rows: counts(of(event, "coupon_used") for event in rows.named("purchase_completed", "$screen"))),
    Case("values of a numeric property", "select properties.seats, count() from events group by 1 order by 1",
         lambda rows: counts(of(event, "seats") for event in rows.events)),
    Case("mixed texts and booleans of an untyped property are text",
         "select properties.$feature_flag_response, count() from events where event = '$feature_flag_called' "
         "group by 1 order by 1",
         lambda rows: counts(text(of(event, "$feature_flag_response"))
                             for event in rows.named("$feature_flag_called"))),
    Case("a date-time property is a date-time",
         "select properties.last_purchase_at from persons where properties.last_purchase_at is not null order by 1",
         lambda rows: sorted_rows([[moment(datetime.fromisoformat(person["properties"]["last_purchase_at"]))]
                                   for person in rows.persons if "last_purchase_at" in person["properties"]])),
    Case("a condition in the list of columns",
         "select properties.plan = 'free', count() from events group by 1 order by 1",
         lambda rows: counts(of(event, "plan") == "free" for event in rows.events)),
    Case("hostile texts come back as they were sent",
         "select JSONExtractString(properties, 'query') as sent, count() from events "
         "where event = 'search_performed' group by sent order by sent",
         lambda rows: counts(of(event, "query") for event in rows.named("search_performed"))),
    Case("hostile names of events come back as they were sent",
         "select event from events where event not like '$%' group by event order by event",
         lambda rows: [[event] for event, _ in counts(event["event"] for event in rows.events)
                       if not event.startswith("$")]),
    Case("a text that is not a number is null as one",
         "select count(), countIf(toFloat(properties.app_version) is null) from events",
         lambda rows: [[len(rows.events)] * 2]),
)  # fmt: skip
