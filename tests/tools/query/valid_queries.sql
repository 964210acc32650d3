select e.event as `weird name`, `weird name` from events e where e.timestamp > now() - interval 1 day

select event as "a b", count() as c from events group by "a b" order by c

select sum(x) from (select 1 as x union all select 2 union all select 3)

with a as (select event, count() as c from events group by event), b as (select event, c * 2 as d from a) select b.d, a.c from a join b on a.event = b.event

with a as (select event from events) select event from a union all select event from a

with a as (select event from events) (select event from a) union all (select event from a)

select event, x from events array join [1, 2, 3] as x

select event, x.1, x.2 from events array join [(1, 'a')] as x

select event, x, y from events left array join [1] as x, [2] as y

select event, sum(1) over w as s from events window w as (partition by event order by timestamp)

select p.id from events e join (select id, properties.email as email from persons) as p on p.id = e.person_id where p.email != ''

select p.id, q.event from persons p left join (select person_id as id, event from events) q using (id)

select id from persons p left join (select person_id as id, event from events) q using id

select t.1, t.2 from (select (event, timestamp) as t from events)

select tupleElement(t, 1) from (select (event, timestamp) as t from events)

select e.properties.$browser, e.person.properties.email, e.session.$channel_type from events as e

select properties['$browser'], properties.`$browser`, properties."$browser" from events

select person.properties from events

select events.event, events.properties.$os from events

select pdi.person_id, pdi.person.properties.email from events

select pdi.distinct_id from persons

select arrayMap((x, y) -> x + y, [1, 2], [3, 4]) from events

select arrayFilter(x -> x in (select 1), [1, 2])

select event from events where person_id in (select id from persons where properties.email is not null)

select (select count() from persons) as n, event from events

select count() as c, c + 1 as d from events having d > 0

select event from events order by count() over (partition by event)

select distinct event from events limit 1 by event

select * from events limit 3

select e.* from events e limit 3

select *, 1 as one from persons limit 3

select event from (select * from events)

select x.event from (select * from events) x

select x.properties.$browser from (select * from events) x

select x.properties.email from (select properties from persons) x

select properties.email from (select properties from persons)

select p.props.email from (select properties as props from persons) p

select x from (select event as x from events) where x = 'a' group by x having count() > 1

select toDate(timestamp) as day, count() from events where day > today() - 7 group by day

select event from events sample 0.5

select event from events final

select number from numbers(10)

select n.number from numbers(10) as n

select number as n, n * 2 as m from numbers(1, 10) where m > 5

select a from (select 1 as a) as x, (select 2 as b) as y

select x.a, y.b from (select 1 as a) as x cross join (select 2 as b) as y

select a, b from (select 1 as a) as x join (select 1 as b) as y on x.a = y.b

select if(event = 'x', 1, 0) as is_x, sum(is_x) over () from events

select case event when 'a' then 1 else 2 end from events

select event like '%a%', event ilike 'A', event not like 'b', event =~ 'x', event !~ 'y' from events

select event between 'a' and 'b' from events

select count(*) from events where event in ('a', 'b') and not (event = 'c')

select count() from events where properties.$browser in ('Chrome') or properties.foo.bar = 'x'

select properties.a.b.c, properties['a']['b'], properties.arr[1] from events

select $session_id, $window_id, $group_0 from events

select group_0.properties.name, group_0.key, organization.properties.industry from events

select goe_0.key from events

select poe.properties.email, poe.id, poe.created_at from events

select session.$session_duration, session.id, session.duration from events

select session_id, $start_timestamp, $entry_utm_source from sessions

select * from sessions limit 1

select index, key, properties.name from groups

select person_id, distinct_id from person_distinct_ids

select p.person_id, p.person.properties.email from person_distinct_ids p

select events.timestamp, persons.created_at from events join persons on persons.id = events.person_id

select e1.event, e2.event from events e1 join events e2 on e1.person_id = e2.person_id and e1.timestamp < e2.timestamp limit 3

select quantile(0.9)(x) from (select 1 as x)

select quantilesIf(0.5, 0.9)(toFloat(properties.revenue), event = 'a') from events

select groupArray(3)(event) from events

with (select max(timestamp) from events) as latest select event from events where timestamp = latest

with 7 as days select event from events where timestamp > now() - toIntervalDay(days)

with days as (select arrayJoin(range(7)) as d) select today() - d from days

with recursive t as (select 1 as n union all select n + 1 from t where n < 5) select n from t

select t.n from (with a as (select 1 as n) select n from a) as t

with a as (select 1 as n) select * from (select n from a) as b where n in (select n from a)

with a as (select 1 as n), b as (select n as m from a) select m from b where m in (select a.n from a)

select event as e, e as f, f as g from events

select count() c from events

select event ev from events order by ev

select toString(uuid) as id from events where id = 'x'

select timestamp as event_time, event as timestamp from events limit 1

select event, count() from events group by 1 order by 2 desc limit 10 offset 5

select event, count() from events group by all order by 2

select event, count() from events group by rollup(event)

select event, count() from events group by grouping sets ((event), ())

select toDate(timestamp) as d, count() from events group by d order by d with fill

select event from events where team_id = 1

select e.team_id from events e

select elements_chain_href, elements_chain_texts from events

select x, y from (select 1, 2) as t(x, y)

with t(x, y) as (select 1, 2) select x, y from t

with t as (select 1, 2) select * from t

select count() from (select distinct person_id from events)

select count(), event, from events group by event

select -1, +1, not true, 1 ? 2 : 3, null ?? 1

select cast(event as String), event::String, try_cast(event as Int64) from events

select trim(both 'a' from event) from events

select {'a': 1, 'b': event} from events

select f'hello {event}' from events

select sum(revenue) from (select toFloat(properties.revenue) as revenue from events where event = 'x')

select $virt_initial_channel_type from persons

select person.$virt_initial_channel_type from events

select created_at, person.created_at, person_mode from events

select a.x from (select 1 as x) a left join (select 1 as x) b on a.x = b.x where b.x is null

select a.x, b.x from (select 1 as x) a left any join (select 1 as x) b on a.x = b.x

select a.x from (select 1 as x, now() as t) a asof join (select 1 as x, now() as t) b on a.x = b.x and a.t >= b.t

select * exclude (properties) from events limit 1

select event from events qualify row_number() over (partition by event order by timestamp) = 1

select event from events where {filters}

select sum(a) filter (where b > 1) from (select 1 as a, 2 as b)

select lag(event) over (partition by person_id order by timestamp), lagInFrame(event, 1) over (partition by person_id order by timestamp rows between 1 preceding and current row) from events

select first_value(event) over (partition by person_id order by timestamp) from events

select event from posthog.events limit 1

select e.event from posthog.events e limit 1

SELECT Event FROM (SELECT event AS Event FROM events)

select e.x.1 from (select (1, 2) as x) e

select e.x[1], e.x[1].1 from (select [(1, 2)] as x) e

select arrayJoin(x) as y, y.1 from (select [(1, 2)] as x)

select mapKeys(m), m['a'] from (select map('a', 1) as m)

select count() from events where properties.$browser = properties.$os

select max(e.timestamp) as timestamp, e.event from events e group by e.event

(select event from events limit 1) union all (select event from events limit 2)

select event from events union distinct select event from events

select 1 intersect select 1

select event from events except select 'a'

select x from (select event as x from events union all select 'a' as y) as u

select x from (select event as x from events union all select 'a' as y) u where x != ''

select person.id as person_id, count() from events group by person_id

select events.person.properties.email from events

select person_id, min(timestamp) as first, dateDiff('day', first, max(timestamp)) as age from events group by person_id

select a.* from (select event, timestamp from events) a

select a.event from (select e.* from events e) a

select properties.$browser as browser from events where browser = 'Chrome' group by browser

select JSONExtractString(properties, '$browser'), properties from events

select issue_id, event_issue_id from events

select sum(amount) from (select toFloat(properties.amount) as amount, * from events)

select q.amount, q.event from (select *, toFloat(properties.amount) as amount from events) as q

select event, count() as "count" from events group by event having "count" > 1

select id, person_id from (select uuid as id, person_id from events) where person_id is not null

select d.day, coalesce(c.n, 0) from (select today() - number as day from numbers(7)) d left join (select toDate(timestamp) as day, count() as n from events group by day) c on c.day = d.day

with daily as (select toDate(timestamp) as day, count() as n from events group by day) select day, n, avg(n) over (order by day rows between 6 preceding and current row) as week from daily

select step, count() from (select person_id, arrayJoin(arraySort(groupUniqArray(event))) as step from events group by person_id) group by step

select events.$session_id, sessions.$session_duration from events left join sessions on sessions.session_id = events.$session_id

select uniq(e.$group_0) from events e where e.organization.properties.industry is not null

select top.event from (select event, count() as n from events group by event order by n desc limit 3) as top

select event from events as ev where ev.person.properties.email ilike '%@%'

select ifNull(properties.$browser, 'none') browser, count() from events group by browser

select a.b as `c.d` from (select 1 as b) as a order by `c.d`

select toStartOfWeek(timestamp, 1), toStartOfInterval(timestamp, interval 1 hour) from events

select x from (select 1 as x) as "my table" where "my table".x = 1

select x from (select [1,2] as xs) array join xs as x

select pair.1 from (select arrayJoin(JSONExtractKeysAndValuesRaw(properties)) as pair from events)

select p.properties.email from events e inner join persons as p on e.person_id = p.id

select e.event from events e left join person_distinct_ids pdi on pdi.distinct_id = e.distinct_id

select event from events where `timestamp` >= '2026-01-01'

select argMax(event, timestamp), anyLast(properties.$os) as last_os from events group by person_id having last_os != ''

select person.pdi.distinct_id from events

select null as n, true as t, [] as e, tuple() as u
