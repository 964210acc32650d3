"""Fields with dotted names (person, pdi, session, groups), and explicit joins."""

from .recounting import Case, Result, Rows, counts, groups, of, sorted_rows


def _people_of_purchases(rows: Rows) -> Result:
    people = rows.persons_by_id()
    return counts(people[event["person_id"]]["properties"].get("plan") for event in rows.named("purchase_completed"))


def _revenue_by_person(rows: Rows) -> Result:
    found = groups(
        (event["person_properties"].get("email"), of(event, "revenue")) for event in rows.named("purchase_completed")
    )
    return sorted_rows([[email, sum(values)] for email, values in found.items()])


def _session_revenue(rows: Rows) -> Result:
    sessions = rows.sessions_by_id()
    found = groups(
        (sessions[event["$session_id"]]["$channel_type"], of(event, "revenue"))
        for event in rows.named("purchase_completed")
        if event["$session_id"]
    )
    return sorted_rows([[channel, sum(values)] for channel, values in found.items()])


def _bounce_rate(rows: Rows) -> Result:
    found = groups((session["$channel_type"], session["$is_bounce"]) for session in rows.sessions)
    return sorted_rows([[channel, sum(bounces) / len(bounces)] for channel, bounces in found.items()])


def _events_by_industry(rows: Rows) -> Result:
    known = rows.groups_by_key()
    return counts(
        known[event["$group_0"]]["properties"].get("industry") for event in rows.events if event["$group_0"] in known
    )


def _distinct_ids_per_person(rows: Rows) -> Result:
    ids = groups((row["person_id"], row["distinct_id"]) for row in rows.distinct_ids)
    return counts(len(found) for found in ids.values())


def _signed_up_and_bought(rows: Rows) -> Result:
    signed_up = {event["person_id"] for event in rows.named("signed_up")}
    return [[sum(1 for event in rows.named("purchase_completed") if event["person_id"] in signed_up)]]


def _of_paying_people(rows: Rows) -> Result:
    people = rows.persons_by_id()
    plans = [people[event["person_id"]]["properties"].get("plan") for event in rows.events
             if event["person_id"] in people]  # fmt: skip
    return [[sum(1 for plan in plans if plan is not None and plan != "free")]]


def _pairs(rows: Rows) -> Result:
    bought = groups((event["person_id"], event) for event in rows.named("purchase_completed"))
    return [[sum(len(bought.get(event["person_id"], [])) for event in rows.named("checkout_started"))]]


def _persons_without_purchase(rows: Rows) -> Result:
    bought = {event["person_id"] for event in rows.named("purchase_completed")}
    return [[sum(1 for person in rows.persons if person["id"] not in bought)]]


def _replays_of_buyers(rows: Rows) -> Result:
    bought = {event["$session_id"] for event in rows.named("purchase_completed")}
    return [[sum(1 for replay in rows.replays if replay["session_id"] in bought)]]


CASES = (
    Case("plan of the person of an event, as it was then",
         "select person.properties.plan, count() from events group by 1 order by 1",
         lambda rows: counts(event["person_properties"].get("plan") for event in rows.events)),
    Case("a number among the properties of a person",
         "select person.properties.seats, count() from events group by 1 order by 1",
         lambda rows: counts(event["person_properties"].get("seats") for event in rows.events)),
    Case("persons of events", "select count(distinct person_id), uniq(person.id) from events",
         lambda rows: [[len({event["person_id"] for event in rows.events})] * 2]),
    Case("the person as it is now", "select p.properties.plan, count() from events e join persons p "
         "on e.person_id = p.id where e.event = 'purchase_completed' group by 1 order by 1", _people_of_purchases),
    Case("revenue by the mail of the person", "select person.properties.email as email, sum(properties.revenue) "
         "from events where event = 'purchase_completed' group by email order by email", _revenue_by_person),
    Case("a person's time of creation", "select count() from events where person.created_at >= '2026-10-01' "
         "and person_mode = 'full'",
         lambda rows: [[sum(1 for event in rows.events if event["person_mode"] == "full"
                            and event["person_created_at"].isoformat() >= "2026-10-01")]]),
    Case("distinct ids lead to the person of the event",
         "select count() from events where pdi.person_id = person_id and person_mode = 'full'",
         lambda rows: [[sum(1 for event in rows.events if event["person_mode"] == "full")]]),
    Case("distinct ids per person", "select n, count() from (select person_id, count() as n from person_distinct_ids "
         "group by person_id) group by n order by n", _distinct_ids_per_person),
    Case("channels of purchases", "select session.$channel_type as channel, sum(properties.revenue) from events "
         "where event = 'purchase_completed' and $session_id != '' group by channel order by channel",
         _session_revenue),
    Case("sessions by channel", "select $channel_type, count() from sessions group by 1 order by 1",
         lambda rows: counts(session["$channel_type"] for session in rows.sessions)),
    Case("bounce rate by channel", "select $channel_type, avg($is_bounce) from sessions group by 1 order by 1",
         _bounce_rate),
    Case("pages of sessions", "select sum($pageview_count), sum($num_uniq_urls), max($session_duration) from sessions",
         lambda rows: [[sum(session["$pageview_count"] for session in rows.sessions),
                        sum(session["$num_uniq_urls"] for session in rows.sessions),
                        max(session["$session_duration"] for session in rows.sessions)]]),
    Case("sessions recounted from their events",
         "select count(), sum(views) from (select $session_id, countIf(event = '$pageview') as views from events "
         "where $session_id != '' group by $session_id)",
         lambda rows: [[len(rows.sessions), sum(session["$pageview_count"] for session in rows.sessions)]]),
    Case("where sessions begin", "select $entry_pathname, count() as n from sessions group by 1 order by n desc, 1 "
         "limit 5",
         lambda rows: sorted(counts(session["$entry_pathname"] for session in rows.sessions),
                             key=lambda row: (-row[1], row[0]))[:5]),
    Case("groups by plan", "select properties.plan, count() from groups where index = 0 group by 1 order by 1",
         lambda rows: counts(group["properties"].get("plan") for group in rows.groups)),
    Case("events by the industry of their organization", "select group_0.properties.industry, count() from events "
         "where group_0.key != '' group by 1 order by 1", _events_by_industry),
    Case("the group type by its name", "select organization.properties.name as name, count() from events "
         "where $group_0 = 'copper-press-3' group by name order by name",
         lambda rows: [[rows.groups_by_key()["copper-press-3"]["properties"]["name"],
                        sum(1 for event in rows.events if event["$group_0"] == "copper-press-3")]]),
    Case("a number of a group", "select sum(properties.employees) from groups",
         lambda rows: [[sum(group["properties"]["employees"] for group in rows.groups)]]),
    Case("an inner join of subqueries", "select count() from events as b inner join (select distinct person_id from "
         "events where event = 'signed_up') as s on b.person_id = s.person_id "
         "where b.event = 'purchase_completed'", _signed_up_and_bought),
    Case("a join multiplies rows", "select count() from (select person_id from events where event = "
         "'checkout_started') a join (select person_id from events where event = 'purchase_completed') b "
         "on a.person_id = b.person_id", _pairs),
    Case("null stays null in the condition of a join", "select count() from events e join persons p "
         "on e.person_id = p.id and p.properties.plan != 'free'", _of_paying_people),
    Case("a left join keeps the rows without a match", "select count(), countIf(b.n > 0) from persons p left join "
         "(select person_id, count() as n from events where event = 'purchase_completed' group by person_id) b "
         "on p.id = b.person_id",
         lambda rows: [[len(rows.persons), len(rows.persons) - _persons_without_purchase(rows)[0][0]]]),
    Case("an anti join", "select count() from persons where id not in (select person_id from events "
         "where event = 'purchase_completed')", _persons_without_purchase),
    Case("a cross join", "select count() from groups a cross join groups b",
         lambda rows: [[len(rows.groups) ** 2]]),
    Case("recordings of buying sessions", "select count() from session_replay_events where session_id in "
         "(select $session_id from events where event = 'purchase_completed')", _replays_of_buyers),
    Case("clicks in recordings", "select sum(click_count), sum(active_milliseconds) from session_replay_events",
         lambda rows: [[sum(replay["click_count"] for replay in rows.replays),
                        sum(replay["active_seconds"] * 1000 for replay in rows.replays)]]),
    Case("columns of an event as they are", "select uuid, event, distinct_id, $session_id, person_id from events "
         "where event = 'signed_up' order by toString(uuid) limit 20",
         lambda rows: sorted_rows([[event[name] for name in ("uuid", "event", "distinct_id", "$session_id",
                                                             "person_id")] for event in rows.named("signed_up")])[:20]),
)  # fmt: skip
