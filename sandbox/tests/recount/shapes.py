"""Query structures: CTEs, subqueries, unions, windows, LIMIT BY, DISTINCT, arrays with lambdas, functions."""

from itertools import accumulate, pairwise
from urllib.parse import urlsplit

from .recounting import Case, Result, Row, Rows, counts, groups, of, sorted_rows, text


def _by_time(rows: Rows, *names: str) -> list[Row]:
    return sorted(rows.named(*names), key=lambda event: (event["timestamp"], event["uuid"]))


def _per_person(rows: Rows, *names: str) -> dict[str, list[Row]]:
    return groups((event["person_id"], event) for event in _by_time(rows, *names))


def _running_total(rows: Rows) -> Result:
    purchases = _by_time(rows, "purchase_completed")
    totals = accumulate(of(event, "revenue") for event in purchases)
    return [[event["uuid"], total] for event, total in zip(purchases, totals, strict=True)]


def _ranks(rows: Rows) -> Result:
    found = [
        [person, number, event["uuid"]]
        for person, events in _per_person(rows, "checkout_started").items()
        for number, event in enumerate(events, 1)
        if number <= 2
    ]
    return sorted_rows(found)[:100]


def _previous(rows: Rows) -> Result:
    return sorted_rows(
        [
            [later["uuid"], of(earlier, "product")]
            for events in _per_person(rows, "checkout_started").values()
            for earlier, later in pairwise(events)
        ]
    )


def _moving(rows: Rows) -> Result:
    values = [of(event, "revenue") for event in _by_time(rows, "purchase_completed")]
    return [[sum(values[max(place - 2, 0) : place + 1])] for place in range(len(values))]


def _share(rows: Rows) -> Result:
    found = counts(of(event, "$device_type") for event in rows.named("$pageview"))
    total = sum(number for _, number in found)
    return [[device, number / total] for device, number in found]


def _dense_ranks(rows: Rows) -> Result:
    found = counts(event["event"] for event in rows.events)
    sizes = sorted({number for _, number in found}, reverse=True)
    return sorted([[name, sizes.index(number) + 1] for name, number in found], key=lambda row: (row[1], row[0]))


def _top_two_pages(rows: Rows) -> Result:
    found = groups((of(event, "$os"), of(event, "$pathname")) for event in rows.named("$pageview"))
    return [
        [system, path, number]
        for system in sorted(found)
        for path, number in sorted(counts(found[system]), key=lambda row: (-row[1], row[0]))[:2]
    ]


def _domains(rows: Rows) -> Result:
    urls: list[str] = [of(event, "$current_url") for event in rows.named("$pageview")]
    return counts(urlsplit(url).hostname for url in urls)


def _urls_of_sessions(rows: Rows) -> Result:
    return [
        [sum(1 for session in rows.sessions if any("/pricing" in url for url in session["$urls"])),
         sum(len(session["$urls"]) for session in rows.sessions)]
    ]  # fmt: skip


def _paths(rows: Rows) -> Result:
    first = [
        [events[0]["person_id"], [of(event, "$pathname") for event in events][:3]]
        for events in _per_person(rows, "$pageview").values()
    ]
    return sorted_rows(first)[:50]


def _buckets(rows: Rows) -> Result:
    def bucket(value: float) -> str:
        return "small" if value < 20 else "middle" if value < 100 else "large"

    return counts(bucket(of(event, "revenue")) for event in rows.events if of(event, "revenue") is not None)


def _array_join(rows: Rows) -> Result:
    found = counts(url for session in rows.sessions for url in session["$urls"])
    return sorted(found, key=lambda row: (-row[1], row[0]))[:10]


def _words(rows: Rows) -> Result:
    return sorted_rows([[title.upper(), len(title.split(" "))]
                        for title in {of(event, "title") for event in rows.named("$pageview")}])  # fmt: skip


def _above_average(rows: Rows) -> Result:
    sales = [of(event, "revenue") for event in rows.named("purchase_completed")]
    average = sum(sales) / len(sales)
    return [[sum(1 for event in rows.events if (of(event, "revenue") or 0) > average)]]


CASES = (
    Case("a common table expression", "with views as (select person_id, count() as n from events where event = "
         "'$pageview' group by person_id) select count(), sum(n), max(n) from views",
         lambda rows: [[len(_per_person(rows, "$pageview")), len(rows.named("$pageview")),
                        max(len(events) for events in _per_person(rows, "$pageview").values())]]),
    Case("expressions that build on each other", "with a as (select person_id from events where event = 'signed_up'), "
         "b as (select person_id from events where event = 'purchase_completed' and person_id in "
         "(select person_id from a)) select count(distinct person_id) from b",
         lambda rows: [[len({event["person_id"] for event in rows.named("signed_up")}
                            & {event["person_id"] for event in rows.named("purchase_completed")})]]),
    Case("a value given a name", "with (select count() from events) as total select countIf(event = '$pageview') / "
         "total from events", lambda rows: [[len(rows.named("$pageview")) / len(rows.events)]]),
    Case("a subquery as a value", "select count() from events where properties.revenue > (select avg("
         "properties.revenue) from events where event = 'purchase_completed')",
         _above_average),
    Case("union all", "select n from (select count() as n from events where event = '$pageview' union all "
         "select count() from events where event = '$screen') order by n",
         lambda rows: sorted_rows([[len(rows.named("$pageview"))], [len(rows.named("$screen"))]])),
    Case("union distinct", "select count() from (select person_id from events where event = 'signed_up' union distinct "
         "select person_id from events where event = 'logged_in')",
         lambda rows: [[len({event["person_id"] for event in rows.named("signed_up", "logged_in")})]]),
    Case("intersect", "select count() from (select distinct person_id from events where event = 'signed_up' intersect "
         "select distinct person_id from events where event = 'task_created')",
         lambda rows: [[len(_per_person(rows, "signed_up").keys() & _per_person(rows, "task_created").keys())]]),
    Case("except", "select count() from (select distinct person_id from events where event = 'signed_up' except "
         "select distinct person_id from events where event = 'task_created')",
         lambda rows: [[len(_per_person(rows, "signed_up").keys() - _per_person(rows, "task_created").keys())]]),
    Case("distinct", "select distinct properties.$os from events where properties.$os is not null order by 1",
         lambda rows: sorted_rows([[name] for name in {of(event, "$os") for event in rows.events} - {None}])),
    Case("distinct pairs of columns", "select count() from (select distinct event, properties.$browser from events)",
         lambda rows: [[len({(event["event"], of(event, "$browser")) for event in rows.events})]]),
    Case("a running total", "select uuid, sum(properties.revenue) over (order by timestamp, uuid rows between "
         "unbounded preceding and current row) from events where event = 'purchase_completed' order by timestamp, uuid",
         _running_total),
    Case("row numbers within a partition", "select person_id, n, uuid from (select person_id, uuid, row_number() over "
         "(partition by person_id order by timestamp, uuid) as n from events where event = 'checkout_started') "
         "where n <= 2 order by toString(person_id), n limit 100", _ranks),
    Case("the row before", "select uuid, before from (select uuid, lagInFrame(properties.product) over (partition by "
         "person_id order by timestamp, uuid rows between unbounded preceding and unbounded following) as before, "
         "row_number() over (partition by person_id order by timestamp, uuid) as n from events "
         "where event = 'checkout_started') where n > 1 order by toString(uuid)", _previous),
    Case("a moving sum over a named window", "select sum(properties.revenue) over w from events where event = "
         "'purchase_completed' window w as (order by timestamp, uuid rows between 2 preceding and current row) "
         "order by timestamp, uuid", _moving),
    Case("shares of a whole", "select device, n / sum(n) over () from (select properties.$device_type as device, "
         "count() as n from events where event = '$pageview' group by device) order by device", _share),
    Case("dense ranks", "select event, dense_rank() over (order by n desc) as place from (select event, count() as n "
         "from events group by event) order by place, event", _dense_ranks),
    Case("limit by", "select properties.$os as os, properties.$pathname as path, count() as n from events where event "
         "= '$pageview' group by os, path order by os, n desc, path limit 2 by os", _top_two_pages),
    Case("limit and offset", "select event, count() as n from events group by event order by n desc, event limit 5 "
         "offset 3", lambda rows: sorted(counts(event["event"] for event in rows.events),
                                         key=lambda row: (-row[1], row[0]))[3:8]),
    Case("arrays with a lambda", "select countIf(arrayExists(x -> x like '%/pricing%', $urls)), "
         "sum(length(arrayMap(x -> lower(x), $urls))) from sessions", _urls_of_sessions),
    Case("arrays filtered and summed", "select arrayFilter(x -> x % 2 = 0, range(1, 8)), "
         "arraySum(arrayMap((x, y) -> x * y, [1, 2, 3], [4, 5, 6])), arrayReverse([1, 2]), [3, 4][1]",
         lambda rows: [[[2, 4, 6], 32, [2, 1], 3]]),
    Case("array join", "select arrayJoin($urls) as url, count() as n from sessions group by url order by n desc, url "
         "limit 10", _array_join),
    Case("array join as a clause", "select url, count() as n from sessions array join $urls as url group by url "
         "order by n desc, url limit 10", _array_join),
    Case("the first pages of each person", "select person_id, arraySlice(arrayMap(x -> x.2, arraySort(x -> x.1, "
         "groupArray((timestamp, properties.$pathname)))), 1, 3) from events where event = '$pageview' "
         "group by person_id order by toString(person_id) limit 50", _paths),
    Case("multiIf", "select multiIf(properties.revenue < 20, 'small', properties.revenue < 100, 'middle', 'large') as "
         "size, count() from events where properties.revenue is not null group by size order by size", _buckets),
    Case("case when", "select case when properties.revenue < 20 then 'small' when properties.revenue < 100 then "
         "'middle' else 'large' end as size, count() from events where properties.revenue is not null "
         "group by size order by size", _buckets),
    Case("coalesce and if", "select coalesce(properties.plan, 'none') as plan, count(), countIf(if(plan = 'none', 1, 0)"
         " = 1) from events group by plan order by plan",
         lambda rows: [[plan, number, number if plan == "none" else 0]
                       for plan, number in counts(of(event, "plan") or "none" for event in rows.events)]),
    Case("texts", "select distinct upper(properties.title) as title, length(splitByChar(' ', title)) from events "
         "where event = '$pageview' order by title", _words),
    Case("hosts of addresses", "select domain(properties.$current_url), count() from events "
         "where event = '$pageview' group by 1 order by 1", _domains),
    Case("concat and substring", "select concat(properties.$os, '/', substring(properties.app_version, 1, 3)) as "
         "build, count() from events where properties.$os is not null group by build order by build",
         lambda rows: counts(f"{of(event, '$os')}/{of(event, 'app_version')[:3]}" for event in rows.events
                             if of(event, "$os") is not None)),
    Case("null as text", "select concat('<', properties.plan, '>') as plan, count() from events group by 1 order by 1",
         lambda rows: counts(f"<{text(of(event, 'plan')) or ''}>" for event in rows.events)),
    Case("numbers", "select round(avg(properties.revenue), 2), intDiv(toInt(sum(properties.revenue)), 7), "
         "toInt(max(properties.seats)) % 4 from events where event = 'purchase_completed'",
         lambda rows: [[round(sum(of(event, "revenue") for event in rows.named("purchase_completed"))
                              / len(rows.named("purchase_completed")), 2),
                        int(sum(of(event, "revenue") for event in rows.named("purchase_completed"))) // 7,
                        max(of(event, "seats") or 0 for event in rows.named("purchase_completed")) % 4]]),
    Case("rows without a table", "select number, number * number from numbers(5)",
         lambda rows: [[number, number * number] for number in range(5)]),
    Case("tuples", "select (1, 'a'), tuple(event, 2) from events where event = '$screen' limit 1",
         lambda rows: [[[1, "a"], ["$screen", 2]]]),
)  # fmt: skip
