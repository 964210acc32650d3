"""Errors of rejected queries have PostHog's words, the nearest names, and the place."""

from __future__ import annotations

import pytest

from posthog_sandbox.hogql import Context, HogqlError, translate

REFUSED = [
    ("select evnt from events", "Unable to resolve field: evnt. Did you mean `event`?", "evnt"),
    ("select foo from events", "Unable to resolve field: foo", "foo"),
    (
        "select $browser from events",
        "Unable to resolve field: $browser. Event properties are read as `properties.$browser`.",
        "$browser",
    ),
    ("select properties.$browser from event", "Unknown table `event`. Did you mean `events`?", "event"),
    ("select 1 from foo", "Unknown table `foo`.", "foo"),
    ("select 1 from events e join foo f on 1", "Unknown table `foo`.", None),
    ("select 1 from default.events", "Unknown table `default.events`. Did you mean `events`?", None),
    ("select 1 from heatmaps", "Table `heatmaps` exists in PostHog, but has no data here.", "heatmaps"),
    (
        "select countt() from events",
        "Unsupported function call 'countt(...)'. Perhaps you meant 'count(...)'?",
        "countt()",
    ),
    ("select lower() from events", "Function 'lower' expects 1 argument, found 0", "lower()"),
    ("select substring('a') from events", "Function 'substring' expects at least 2 arguments, found 1", None),
    ("select today(1)", "Function 'today' expects 0 arguments, found 1", "today(1)"),
    ("select avg() from events", "Aggregation 'avg' expects 1 argument, found 0", "avg()"),
    (
        "select sum(count()) from events",
        "Aggregation 'count' cannot be nested inside another aggregation 'sum'.",
        "count()",
    ),
    ("select lag(event) from events", "Window function 'lag' needs an OVER clause.", "lag(event)"),
    ("select lower(event) over () from events", "'lower' is neither an aggregation nor a window function.", None),
    (
        "select p.emial from (select properties.email as email from persons) p",
        "Unable to resolve field: emial. Did you mean `email`?",
        "p.emial",
    ),
    (
        "select person from events",
        "Unable to resolve field: person. It is a table: name a column of it, like `person.id`.",
        "person",
    ),
    ("select event.x from events", "Cannot read `x` of a value of type string.", "event.x"),
    (
        "select * from events, persons",
        "Cannot use '*' without table name when there are multiple tables in the query",
        "*",
    ),
    (
        "select created_at from events e join persons p on p.id = e.person_id",
        "Ambiguous query. Found multiple sources for field: created_at. Write `e.created_at` or `p.created_at`.",
        "created_at",
    ),
    ("select 1 as a, 2 as a", "Cannot redefine an alias with the name: a", "2 as a"),
    ("select 1 as ``", "Alias cannot be empty", None),
    (
        "select 1 from events e join events e on 1",
        'Already have joined a table called "e". Can\'t redefine.',
        None,
    ),
    ("select {missing}", "Unresolved placeholder: {missing}. Give it a value in `values`.", "{missing}"),
    ("select {variables.x}", "Variable x is missing from query", "{variables.x}"),
    ("select count() from events where person_id in cohort 9", "Cohorts are not available here.", "9"),
    ("select count() from events where matchesAction('a')", "Actions are not available here.", "'a'"),
    ("select cast(1 as foo)", "Unknown type `foo`.", "cast(1 as foo)"),
    ("select row_number() over w from events", "Unknown window `w`.", "row_number() over w"),
    ("select tag from events array join [1] as x", "Unable to resolve field: tag", "tag"),
    ("select 1 union all select 2, 3", "UNION ALL needs the same number of columns on both sides: 1 and 2.", None),
    ("select <spam>x</spam>", "Unknown tag <spam>. Did you mean `span`?", "<spam>x</spam>"),
]


@pytest.mark.parametrize(("query", "message", "place"), REFUSED)
def test_a_query_without_meaning_is_rejected_with_a_remedy_and_the_place(
    query: str, message: str, place: str | None
) -> None:
    with pytest.raises(HogqlError) as caught:
        translate(query, Context())
    error = caught.value
    assert (error.code, error.message) == ("hogql_query_error", message)
    if place is not None:
        assert query[error.start : error.end] == place


@pytest.mark.parametrize(
    ("query", "hint", "place"),
    [
        ("select count() form events", "trailing tokens", "events"),
        ("select uniq(person_id) from events group bye event", "trailing tokens", "group"),
        ("select 1; select 2", "trailing tokens", "select"),
        ("select 1 from events array join [1]", "ARRAY JOIN arrays must have an alias", "[1]"),
        ("select '😀', é from events", "unexpected character", "é"),
        ("select event from", "expected table reference after FROM", ""),
        ("select 'é', é from events", "unexpected character", "é"),
        ("", "expecting {SELECT", ""),
        ("delete from events", "expecting {SELECT", "delete from events"),
        ("insert into events values (1)", "expecting {SELECT", "insert into events values (1)"),
        ("drop table events", "expecting {SELECT", "drop table events"),
    ],
)
def test_text_that_does_not_parse_is_a_syntax_error_with_its_place(query: str, hint: str, place: str) -> None:
    with pytest.raises(HogqlError) as caught:
        translate(query, Context())
    error = caught.value
    assert error.code == "hogql_syntax_error"
    assert hint in error.message
    assert query[error.start : error.end] == place


def test_an_error_inside_a_cohort_points_to_where_the_query_names_it() -> None:
    query = "select count() from events where person_id in cohort 7"
    with pytest.raises(HogqlError) as caught:
        translate(query, Context(cohorts=lambda _: "select nothing from persons"))
    assert caught.value.message == "In cohort 7: Unable to resolve field: nothing"
    assert query[caught.value.start : caught.value.end] == "7"


def test_a_cohort_or_an_action_that_does_not_exist_is_named() -> None:
    context = Context(cohorts=lambda _: None, actions=lambda _: None)
    with pytest.raises(HogqlError, match="Could not find a cohort with id 9"):
        translate("select 1 from events where person_id in cohort 9", context)
    with pytest.raises(HogqlError, match="Could not find an action 'buy'"):
        translate("select 1 from events where matchesAction('buy')", context)
