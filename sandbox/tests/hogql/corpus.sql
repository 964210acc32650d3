-- top events of the week
select event, count() from events where timestamp > now() - interval 7 day group by event order by count() desc limit 20

-- daily active users
SELECT toDate(timestamp) AS day, count(DISTINCT person_id) AS dau FROM events WHERE timestamp >= now() - INTERVAL 30 DAY GROUP BY day ORDER BY day

-- weekly active users by week
select toStartOfWeek(timestamp) as week, uniq(person_id) as wau from events where timestamp > now() - interval 12 week group by week order by week

-- top pages
SELECT properties.$current_url AS url, count() AS views, uniq(distinct_id) AS visitors FROM events WHERE event = '$pageview' GROUP BY url ORDER BY views DESC LIMIT 10

-- top pathnames without query string
select cutQueryString(properties.$current_url) as page, count() as c from events where event = '$pageview' and properties.$current_url is not null group by page order by c desc

-- browsers
select properties.$browser, count() from events where event = '$pageview' group by properties.$browser order by count() desc

-- browser share
select properties.$browser as browser, round(100 * count() / sum(count()) over (), 2) as pct from events group by browser order by pct desc

-- revenue by utm source
SELECT properties.utm_source AS source, sum(toFloat(properties.revenue)) AS revenue, count() AS orders FROM events WHERE event = 'purchase_completed' GROUP BY source ORDER BY revenue DESC

-- average order value per month
SELECT toStartOfMonth(timestamp) AS month, avg(toFloat(properties.revenue)) AS aov, quantile(0.5)(toFloat(properties.revenue)) AS median FROM events WHERE event = 'purchase_completed' GROUP BY month ORDER BY month

-- conversion with windowFunnel
SELECT level, count() FROM (SELECT person_id, windowFunnel(86400 * 14)(toDateTime(timestamp), event = '$pageview', event = 'signed_up', event = 'purchase_completed') AS level FROM events WHERE timestamp > now() - INTERVAL 30 DAY GROUP BY person_id) GROUP BY level ORDER BY level

-- cumulative funnel
WITH levels AS (SELECT person_id, windowFunnel(1209600)(toDateTime(timestamp), event = '$pageview', event = 'signed_up', event = 'purchase_completed') AS lvl FROM events GROUP BY person_id)
SELECT countIf(lvl >= 1) AS step_1, countIf(lvl >= 2) AS step_2, countIf(lvl >= 3) AS step_3, round(step_3 / step_1 * 100, 1) AS conversion FROM levels

-- simple funnel with countIf
select uniqIf(person_id, event = '$pageview') as visitors, uniqIf(person_id, event = 'signed_up') as signups, if(visitors > 0, signups / visitors, 0) as rate from events

-- weekly retention by cohort
with first_seen as (
    select person_id, min(toStartOfWeek(timestamp)) as cohort_week from events group by person_id
), activity as (
    select distinct person_id, toStartOfWeek(timestamp) as week from events
)
select f.cohort_week, dateDiff('week', f.cohort_week, a.week) as week_number, count(distinct a.person_id) as users
from activity a join first_seen f on a.person_id = f.person_id
group by f.cohort_week, week_number
order by f.cohort_week, week_number

-- retention function
select sum(r[1]) as d0, sum(r[2]) as d1, sum(r[3]) as d7 from (
  select person_id, retention(toDate(timestamp) = toDate(now() - interval 10 day), toDate(timestamp) = toDate(now() - interval 9 day), toDate(timestamp) = toDate(now() - interval 3 day)) as r
  from events group by person_id
)

-- session duration
select avg(session.$session_duration) as avg_duration, quantile(0.9)(session.$session_duration) as p90 from events where event = '$pageview'

-- sessions by channel
select $channel_type, count() as sessions, avg($session_duration) as avg_seconds, avg($pageview_count) as pages from sessions group by $channel_type order by sessions desc

-- bounce rate by entry page
select $entry_pathname as entry, count() as sessions, round(countIf($is_bounce) / count() * 100, 1) as bounce_rate from sessions where $start_timestamp > now() - interval 30 day group by entry having sessions > 1 order by sessions desc limit 25

-- sessions per day
select toDate($start_timestamp) as d, count(), avg(duration) from sessions group by d order by d desc limit 30

-- persons by country property
select properties.$geoip_country_name as country, count() from persons group by country order by 2 desc

-- latest persons
select id, created_at, properties.email, properties.name from persons order by created_at desc limit 10

-- persons with email domain
select splitByChar('@', assumeNotNull(properties.email))[2] as domain, count() from persons where properties.email ilike '%@%' group by domain order by count() desc

-- events with person email
select event, timestamp, person.properties.email from events where person.properties.email is not null order by timestamp desc limit 50

-- active users by plan
select person.properties.plan as plan, count(distinct person_id) as users from events where timestamp > now() - interval 7 day group by plan

-- person created in period
select count(distinct person.id) from events where person.created_at > now() - interval 30 day

-- join events and persons
select p.properties.email, count() as c from events e join persons p on e.person_id = p.id group by p.properties.email order by c desc limit 10

-- left join with subquery
select p.id, coalesce(e.c, 0) as events from persons p left join (select person_id, count() as c from events group by person_id) e on e.person_id = p.id order by events desc limit 10

-- events by hour of day
select toHour(timestamp) as hour, count() as c from events group by hour order by hour

-- events by weekday name
select toDayOfWeek(timestamp) as dow, formatDateTime(timestamp, '%W') as name, count() from events group by dow, name order by dow

-- heatmap weekday by hour
SELECT toDayOfWeek(timestamp) AS d, toHour(timestamp) AS h, count() AS c FROM events WHERE timestamp >= toStartOfDay(now()) - INTERVAL 4 WEEK GROUP BY d, h ORDER BY d, h LIMIT 200

-- moving average
select day, c, avg(c) over (order by day rows between 6 preceding and current row) as ma7 from (select toDate(timestamp) as day, count() as c from events group by day) order by day

-- growth with lag
select week, users, lagInFrame(users, 1) over (order by week rows between unbounded preceding and unbounded following) as previous, round((users - previous) / nullIf(previous, 0) * 100, 1) as growth from (select toStartOfWeek(timestamp) as week, uniq(person_id) as users from events group by week) order by week

-- lag and lead
select event, timestamp, lag(event) over (partition by person_id order by timestamp) as previous_event, lead(event) over (partition by person_id order by timestamp) as next_event from events limit 20

-- running total
select day, sum(c) over (order by day) as total from (select toStartOfDay(timestamp) as day, count() as c from events where event = 'signed_up' group by day) order by day

-- first event of a person
select person_id, argMin(event, timestamp) as first_event, argMax(event, timestamp) as last_event, min(timestamp), max(timestamp) from events group by person_id limit 10

-- rank pages by source
select source, page, c, row_number() over (partition by source order by c desc) as rank from (select properties.utm_source as source, properties.$pathname as page, count() as c from events where event = '$pageview' group by source, page) order by source, rank limit 50

-- qualify
select event, properties.$browser as browser, count() as c from events group by event, browser qualify row_number() over (partition by event order by c desc) = 1

-- limit by
select event, properties.$os as os, count() as c from events group by event, os order by event, c desc limit 3 by event

-- distinct
select distinct event from events order by event

-- most common event sequences
select arrayStringConcat(arraySlice(groupArray(event), 1, 5), ' > ') as path, count() as c from (select person_id, event, timestamp from events order by timestamp) group by person_id

-- paths
select path, count() as users from (select person_id, arrayStringConcat(arraySlice(arrayMap(x -> x.2, arraySort(x -> x.1, groupArray((timestamp, event)))), 1, 3), ' -> ') as path from events group by person_id) group by path order by users desc limit 20

-- array functions
select arrayFilter(x -> x != '$pageview', groupUniqArray(event)) as names, length(names), has(names, 'purchase_completed') from events

-- arrayJoin keys of properties
select arrayJoin(JSONExtractKeys(properties)) as key, count() as c from events group by key order by c desc limit 30

-- json
select JSONExtractString(properties, '$browser') as b, JSONExtractFloat(properties, 'revenue') as a, JSONHas(properties, 'utm_source') as has_utm from events limit 5

-- nested json property
select properties.$set.email, properties['$set']['plan'], properties.$feature_flags[1] from events limit 5

-- bracket property
select properties['$current_url'] from events where properties['$browser'] = 'Chrome' limit 5

-- property with odd name
select properties.`my-prop`, properties['weird key''s'], properties."quoted key" from events limit 3

-- feature flags
select properties['$feature/new-checkout'] as variant, uniq(person_id) from events where event = '$feature_flag_called' group by variant

-- flag called
select properties.$feature_flag as flag, properties.$feature_flag_response as response, count() from events where event = '$feature_flag_called' group by flag, response order by count() desc

-- exceptions
select properties.$exception_type as type, properties.$exception_message as message, count() as c, uniq(person_id) as users, max(timestamp) as last_seen from events where event = '$exception' group by type, message order by c desc limit 20

-- quantiles
select quantiles(0.5, 0.9, 0.99)(toFloat(properties.revenue)) from events where event = 'purchase_completed'

-- median and stddev
select median(toFloat(properties.revenue)), stddevPop(toFloat(properties.revenue)), min(toFloat(properties.revenue)), max(toFloat(properties.revenue)) from events where event = 'purchase_completed'

-- histogram
select floor(toFloat(properties.revenue) / 10) * 10 as bucket, count() from events where event = 'purchase_completed' group by bucket order by bucket

-- case when
select case when properties.$device_type = 'Mobile' then 'mobile' when properties.$device_type = 'Tablet' then 'tablet' else 'desktop' end as device, count() from events group by device

-- multiIf
select multiIf(c = 1, 'once', c < 5, 'few', 'many') as bucket, count() from (select person_id, count() as c from events where event = 'purchase_completed' group by person_id) group by bucket

-- utm campaign performance
select properties.utm_campaign as campaign, uniq(person_id) as visitors, uniqIf(person_id, event = 'signed_up') as signups, countIf(event = 'purchase_completed') as purchases, sumIf(toFloat(properties.revenue), event = 'purchase_completed') as revenue from events where properties.utm_campaign != '' group by campaign order by revenue desc

-- between dates
select count() from events where timestamp between toDateTime('2026-11-01') and toDateTime('2026-11-15 23:59:59')

-- date literal text
select count() from events where timestamp >= '2026-11-01' and timestamp < '2026-12-01 00:00:00'

-- dates of this month
select count() from events where toStartOfMonth(timestamp) = toStartOfMonth(today())

-- yesterday
select count(), uniq(person_id) from events where toDate(timestamp) = yesterday()

-- date functions
select toYear(timestamp), toMonth(timestamp), dateTrunc('week', timestamp), date_trunc('month', timestamp), formatDateTime(timestamp, '%Y-%m'), toStartOfInterval(timestamp, interval 15 minute), toUnixTimestamp(timestamp), addDays(timestamp, 1), dateAdd(timestamp, interval 1 hour) from events limit 3

-- dateDiff between first and second event
select avg(dateDiff('hour', signup, purchase)) from (select person_id, minIf(timestamp, event = 'signed_up') as signup, minIf(timestamp, event = 'purchase_completed') as purchase, countIf(event = 'signed_up') as s, countIf(event = 'purchase_completed') as p from events group by person_id having s > 0 and p > 0)

-- week over week
select countIf(timestamp >= now() - interval 7 day) as this_week, countIf(timestamp < now() - interval 7 day and timestamp >= now() - interval 14 day) as last_week, (this_week - last_week) / last_week as change from events

-- stickiness
select active_days, count() as users from (select person_id, uniq(toDate(timestamp)) as active_days from events where timestamp > now() - interval 30 day group by person_id) group by active_days order by active_days

-- dau wau ratio
with daily as (select toDate(timestamp) as d, uniq(person_id) as dau from events where timestamp > now() - interval 30 day group by d), weekly as (select uniq(person_id) as wau from events where timestamp > now() - interval 7 day) select avg(dau) / any(wau) from daily cross join weekly

-- scalar subquery
select event, count() as c, c / (select count() from events) as share from events group by event order by share desc

-- in subquery
select count() from events where person_id in (select person_id from events where event = 'purchase_completed') and event = '$pageview'

-- not in subquery
select count(distinct person_id) from events where person_id not in (select distinct person_id from events where event = 'purchase_completed')

-- union all
select 'pageviews' as metric, count() as value from events where event = '$pageview' union all select 'purchases', count() from events where event = 'purchase_completed'

-- intersect
select distinct person_id from events where event = '$pageview' intersect select distinct person_id from events where event = 'purchase_completed'

-- except
select count() from (select distinct person_id from events where event = 'signed_up' except select distinct person_id from events where event = 'purchase_completed')

-- cohort comparison by CTE
with buyers as (select distinct person_id from events where event = 'purchase_completed'), all_users as (select person_id, count() as events, uniq($session_id) as sessions from events group by person_id)
select if(b.person_id is not null, 'buyer', 'other') as segment, count() as people, avg(events), avg(sessions) from all_users u left join buyers b on u.person_id = b.person_id group by segment

-- select star
select * from events limit 5

-- select star persons
select * from persons limit 5

-- star with where and order
SELECT * FROM events WHERE event = '$pageview' AND timestamp > now() - INTERVAL 1 DAY ORDER BY timestamp DESC LIMIT 100

-- distinct ids of a person
select person_id, groupArray(distinct_id) as ids from person_distinct_ids group by person_id having length(ids) > 1 limit 10

-- pdi
select pdi.person_id, count() from events group by pdi.person_id limit 5

-- pdi person
select pdi.person.properties.email, count() from events group by pdi.person.properties.email limit 5

-- groups
select index, key, properties.name from groups limit 10

-- events by company
select $group_0 as company, uniq(person_id) as users, count() from events where $group_0 != '' group by company order by users desc limit 10

-- group properties
select group_0.properties.name as company, group_0.properties.industry, count() from events group by company, group_0.properties.industry order by count() desc limit 10

-- regex
select count() from events where properties.$current_url =~ '.*/pricing.*' and event !~ '^\\$'

-- match and extract
select extract(properties.$current_url, 'https?://([^/]+)') as host, count() from events where match(properties.$current_url, 'pricing|docs') group by host

-- like and ilike
select count() from events where properties.$current_url like '%pricing%' or properties.$pathname not ilike '%DOCS%'

-- lower and upper and concat
select lower(event), upper(event), concat(event, ' - ', properties.$browser), length(event), substring(event, 1, 3), replaceAll(event, '_', ' '), trim(event) from events limit 5

-- domain functions
select domain(properties.$referrer) as ref, count() from events where event = '$pageview' group by ref order by count() desc limit 10

-- coalesce
select coalesce(properties.utm_source, properties.$referring_domain, 'direct') as src, count() from events group by src

-- null-safe property filter
select count() from events where properties.$browser != 'Chrome'

-- property in list
select count() from events where properties.$browser in ('Chrome', 'Safari') and properties.$os not in ('Windows')

-- is null
select countIf(properties.utm_source is null), countIf(properties.utm_source is not null) from events

-- numeric property comparison
select count() from events where properties.revenue > 50

-- numeric cast
select sum(toInt(properties.quantity)), avg(toFloat(properties.price)) from events

-- cast syntax
select cast(properties.revenue as Float), toString(timestamp), properties.revenue::float, toDecimal(properties.revenue, 2) from events limit 2

-- greatest least
select greatest(1, 2), least(3, 4), abs(-5), round(3.14159, 2), ceil(1.2), floor(1.8), pow(2, 3), sqrt(16), intDiv(7, 2), 7 % 2

-- numbers
select number, today() - number as day from numbers(7)

-- fill days from numbers
select d.day as day, coalesce(e.c, 0) as c from (select toDate(now()) - number as day from numbers(30)) d left join (select toDate(timestamp) as day, count() as c from events group by day) e on e.day = d.day order by day

-- array range expand
select arrayJoin(arrayMap(i -> toDate(now()) - i, range(0, 7))) as day

-- array join clause
select event, tag from (select event, ['a', 'b'] as tags from events limit 3) array join tags as tag

-- session id uniq
select uniq($session_id) as sessions, count() / sessions as events_per_session from events where $session_id != ''

-- events in session
select $session_id, min(timestamp) as started, max(timestamp) as ended, dateDiff('second', started, ended) as seconds, count() as events from events where $session_id != '' group by $session_id order by seconds desc limit 10

-- entry page by session
select session.$entry_pathname, count() from events where event = 'purchase_completed' group by session.$entry_pathname order by count() desc

-- time to convert
select quantile(0.5)(minutes), avg(minutes) from (select person_id, dateDiff('minute', minIf(timestamp, event = '$pageview'), minIf(timestamp, event = 'purchase_completed')) as minutes from events group by person_id having countIf(event = 'purchase_completed') > 0)

-- power users
select person_id, any(person.properties.email) as email, count() as events, uniq(toDate(timestamp)) as days from events where timestamp > now() - interval 30 day group by person_id having days >= 3 order by events desc limit 20

-- churned users
select count() from (select person_id, max(timestamp) as last_seen from events group by person_id having last_seen < now() - interval 14 day)

-- new users per week
select toStartOfWeek(first_seen) as week, count() as new_users from (select person_id, min(timestamp) as first_seen from events group by person_id) group by week order by week

-- lifecycle
select status, count() from (select person_id, multiIf(min(timestamp) > now() - interval 7 day, 'new', countIf(timestamp > now() - interval 14 day and timestamp <= now() - interval 7 day) > 0, 'returning', 'resurrecting') as status from events group by person_id having max(timestamp) > now() - interval 7 day) group by status

-- top n with others
select if(rank <= 5, browser, 'Other') as name, sum(c) as total from (select properties.$browser as browser, count() as c, row_number() over (order by c desc) as rank from events group by browser) group by name order by total desc

-- countIf filters
select count() filter (where event = '$pageview') as views, count() filter (where event = 'purchase_completed') as buys from events

-- group array of struct
select person_id, groupArray(tuple(event, toString(timestamp))) from events group by person_id limit 1

-- sumMap and topK
select topK(5)(event), uniqExact(person_id), uniqHLL12(person_id) from events

-- any and anyLast
select any(event), anyLast(event), anyIf(event, event = 'purchase_completed') from events

-- ternary and null coalesce
select properties.plan ?? 'free' as plan, count() > 10 ? 'a lot' : 'few' from events group by plan

-- string concat operator
select event || ':' || distinct_id from events limit 3

-- order by expression and nulls
select properties.revenue from events where event = 'purchase_completed' order by toFloat(properties.revenue) desc nulls last limit 5

-- having without alias
select event from events group by event having count(distinct person_id) > 10

-- positional group by
select event, properties.$browser, count() from events group by 1, 2 order by 3 desc

-- comment in query
-- this finds clicks
select count() /* all */ from events where event = '$autocapture' -- end

-- elements chain
select elements_chain, count() from events where event = '$autocapture' and elements_chain ilike '%button%' group by elements_chain order by count() desc limit 5

-- lead time between pageviews
select avg(gap) from (select dateDiff('second', timestamp, leadInFrame(timestamp) over (partition by $session_id order by timestamp rows between current row and unbounded following)) as gap from events where event = '$pageview') where gap > 0 and gap < 1800

-- session count per person from sessions
select distinct_id, count() from sessions group by distinct_id limit 5

-- replay table
select session_id, click_count, keypress_count, start_time from session_replay_events where start_time > now() - interval 7 day order by click_count desc limit 5

-- experiment exposure
with exposures as (select person_id, argMin(properties.$feature_flag_response, timestamp) as variant, min(timestamp) as exposed_at from events where event = '$feature_flag_called' and properties.$feature_flag = 'new-checkout' group by person_id)
select variant, count(distinct x.person_id) as exposed, countIf(e.event = 'purchase_completed' and e.timestamp > x.exposed_at) as conversions from exposures x left join events e on e.person_id = x.person_id group by variant

-- median time on page by path
select properties.$pathname as path, medianIf(toFloat(properties.$prev_pageview_duration), event = '$pageleave') as seconds from events group by path order by seconds desc nulls last limit 10

-- multi touch attribution
select arrayDistinct(arrayFilter(x -> x != '', groupArray(ifNull(properties.utm_source, '')))) as touchpoints, sum(toFloat(properties.revenue)) as revenue from events group by person_id having revenue > 0 order by revenue desc limit 10

-- timezones
select toTimeZone(timestamp, 'America/New_York'), toDateTime('2026-11-01 10:00:00', 'Europe/Berlin'), timestamp from events limit 1

-- parse date
select parseDateTimeBestEffort('2026-11-01T10:00:00Z'), toDate('2026-11-01'), toStartOfQuarter(now()), toISOWeek(now()), toMonday(now()), toLastDayOfMonth(now())

-- pivot with sumIf
select toStartOfMonth(timestamp) as month, countIf(properties.$browser = 'Chrome') as chrome, countIf(properties.$browser = 'Safari') as safari, countIf(properties.$browser = 'Firefox') as firefox from events group by month order by month

-- cross product of ctes
with totals as (select count() as total from events) select event, count() as c, round(c / any(totals.total), 4) as share from events cross join totals group by event

-- column cte
with 7 as days, now() - toIntervalDay(days) as start select count() from events where timestamp >= start

-- deep nesting
select avg(x) from (select max(y) as x from (select count() as y, person_id from events group by person_id, toDate(timestamp)) group by person_id)

-- union inside from
select metric, sum(v) from (select 'a' as metric, count() as v from events union all select 'b' as metric, count() as v from persons) group by metric order by metric

-- self join same session
select a.event as first, b.event as second, count() as c from events a inner join events b on a.$session_id = b.$session_id where a.event = '$pageview' and b.event = 'purchase_completed' and b.timestamp > a.timestamp group by first, second

-- dictionary of counts
select map('a', 1, 'b', 2)['a'], tupleElement((1, 'x'), 2), [1, 2, 3][2], arraySum([1, 2, 3]), arrayReverse([1, 2]), arrayElement([5, 6], 1), indexOf(['a', 'b'], 'b'), arrayZip([1], ['a']), arrayExists(x -> x > 1, [1, 2]), arrayCount(x -> x = 1, [1, 1]), arrayEnumerate(['a', 'b'])

-- group by all
select event, toDate(timestamp) as day, count() from events group by all order by day desc limit 10

-- rollup
select event, properties.$browser as b, count() from events group by event, b with rollup limit 20

-- sample
select count() from events sample 1

-- hash and uuid
select cityHash64(distinct_id) % 10 as bucket, uniq(person_id) from events group by bucket order by bucket

-- url parameters
select extractURLParameter(properties.$current_url, 'ref') as ref, path(properties.$current_url) as p, count() from events group by ref, p limit 10

-- aggregates of booleans
select avg(properties.$is_identified = 'true'), sum(event = 'purchase_completed'), max(properties.plan = 'pro') from events

-- boolean property
select count() from events where properties.coupon_used = true or person.properties.is_trial = false

-- is identified
select is_identified, count() from persons group by is_identified

-- bool and or precedence
select count() from events where (event = 'a' or event = 'b') and not (properties.x = '1' or properties.y is null)

-- empty string checks
select count() from events where notEmpty(properties.utm_source) and not empty(event)

-- second set, 1
SELECT event, count(*) AS total, count(DISTINCT distinct_id) AS unique_users FROM events WHERE timestamp >= today() - INTERVAL 7 DAY GROUP BY event HAVING total > 5 ORDER BY total DESC

-- second set, 2
SELECT toStartOfHour(timestamp) AS hour, countIf(event = '$pageview') AS pv FROM events WHERE toDate(timestamp) = toDate('2026-11-23') GROUP BY hour ORDER BY hour

-- second set, 3
SELECT person.properties.email AS email, max(timestamp) AS last_seen, dateDiff('day', max(timestamp), now()) AS days_inactive FROM events GROUP BY email HAVING days_inactive > 7 ORDER BY days_inactive DESC LIMIT 50

-- second set, 4
WITH signups AS (SELECT person_id, min(timestamp) AS t0 FROM events WHERE event = 'signed_up' GROUP BY person_id), purchases AS (SELECT person_id, min(timestamp) AS t1 FROM events WHERE event = 'purchase_completed' GROUP BY person_id) SELECT count(s.person_id) AS signed_up, countIf(p.t1 > s.t0 AND p.t1 <= s.t0 + INTERVAL 7 DAY) AS converted, round(converted / signed_up, 3) AS rate FROM signups AS s LEFT JOIN purchases AS p USING (person_id)

-- second set, 5
SELECT * FROM (SELECT event, count() AS c FROM events GROUP BY event) WHERE c > 10 ORDER BY c DESC

-- second set, 6
SELECT t.event, t.c FROM (SELECT event, count() AS c FROM events GROUP BY event) AS t WHERE t.c > 1

-- second set, 7
SELECT arrayElement(splitByChar('/', properties.$pathname), 2) AS section, count() FROM events WHERE event = '$pageview' GROUP BY section

-- second set, 8
SELECT splitByChar('/', coalesce(properties.$pathname, ''))[2] AS section, count() AS c FROM events GROUP BY section ORDER BY c DESC

-- second set, 9
SELECT if(empty(properties.$referring_domain) OR properties.$referring_domain = '$direct', 'Direct', properties.$referring_domain) AS source, uniq(person_id) FROM events GROUP BY source

-- second set, 10
SELECT quantile(0.95)(properties.$prev_pageview_duration) FROM events WHERE properties.$prev_pageview_duration IS NOT NULL

-- second set, 11
SELECT toDate(timestamp) AS d, uniq(person_id) AS dau, avg(uniq(person_id)) OVER (ORDER BY toDate(timestamp) ROWS BETWEEN 6 PRECEDING AND CURRENT ROW) AS rolling FROM events GROUP BY d ORDER BY d

-- second set, 12
SELECT e.event, e.person.properties.name, e.properties.$browser FROM events e WHERE e.timestamp > now() - toIntervalHour(48) LIMIT 10

-- second set, 13
SELECT properties.plan, count() FROM persons GROUP BY properties.plan WITH TOTALS

-- second set, 14
SELECT DISTINCT properties.$os FROM events WHERE properties.$os IS NOT NULL ORDER BY properties.$os

-- second set, 15
SELECT person_id FROM events WHERE event = '$pageview' GROUP BY person_id HAVING count() BETWEEN 2 AND 5

-- second set, 16
SELECT event, groupArray(10)(distinct_id) FROM events GROUP BY event

-- second set, 17
SELECT event, argMax(properties.$current_url, timestamp) AS last_url FROM events WHERE event LIKE '$%' GROUP BY event

-- second set, 18
SELECT sum(properties.revenue) AS rev, toStartOfMonth(timestamp) AS m FROM events WHERE properties.revenue > 0 GROUP BY m ORDER BY m

-- second set, 19
SELECT m, rev, rev - lagInFrame(rev) OVER (ORDER BY m) AS delta FROM (SELECT toStartOfMonth(timestamp) AS m, sum(properties.revenue) AS rev FROM events GROUP BY m)

-- second set, 20
SELECT session.$channel_type AS ch, uniq(session.id) FROM events GROUP BY ch

-- second set, 21
SELECT s.$channel_type, count(e.uuid) FROM events e LEFT JOIN sessions s ON e.$session_id = s.session_id GROUP BY s.$channel_type

-- second set, 22
SELECT toString(toDate(timestamp)) || ' ' || event AS label, count() FROM events GROUP BY label ORDER BY label LIMIT 5

-- second set, 23
SELECT countIf(event = '$pageview' AND properties.$pathname = '/pricing') / nullIf(countIf(event = '$pageview'), 0) FROM events

-- second set, 24
SELECT uniqExactIf(person_id, event = '$pageview') a, uniqExactIf(person_id, event = 'signed_up') b, b / a FROM events

-- second set, 25
SELECT CASE properties.$device_type WHEN 'Mobile' THEN 'M' WHEN 'Desktop' THEN 'D' ELSE 'O' END AS dt, count() FROM events GROUP BY dt

-- second set, 26
SELECT dateTrunc('day', timestamp) AS day, event, count() AS c FROM events WHERE event IN ('$pageview', '$autocapture') GROUP BY day, event ORDER BY day ASC, c DESC

-- second set, 27
SELECT toDayOfWeek(timestamp) IN (6, 7) AS weekend, count() FROM events GROUP BY weekend

-- second set, 28
SELECT row_number() OVER w AS rn, event FROM events WINDOW w AS (PARTITION BY person_id ORDER BY timestamp) ORDER BY rn LIMIT 5

-- second set, 29
SELECT first_value(event) OVER (PARTITION BY $session_id ORDER BY timestamp) AS entry, count() OVER (PARTITION BY $session_id) FROM events LIMIT 5

-- second set, 30
SELECT arrayMap(x -> concat(x.1, '=', toString(x.2)), arrayZip(groupArray(event), groupArray(1))) FROM events GROUP BY person_id LIMIT 1

-- second set, 31
SELECT arrayReduce('sum', [1, 2, 3])

-- second set, 32
SELECT JSONExtractString(person.properties, 'email') FROM events LIMIT 1

-- second set, 33
SELECT JSONExtractArrayRaw(properties, '$elements'), JSONExtract(properties, 'revenue', 'Float64') FROM events LIMIT 1

-- second set, 34
SELECT min(timestamp), max(timestamp), count() FROM events

-- second set, 35
SELECT event FROM events WHERE lower(event) LIKE '%sign%' AND NOT startsWith(event, '$') GROUP BY event

-- second set, 36
SELECT count() FROM events WHERE person.properties.email NOT LIKE '%@example.com'

-- second set, 37
SELECT formatDateTime(toStartOfWeek(timestamp), '%Y-%m-%d') AS wk, count() FROM events GROUP BY wk ORDER BY wk

-- second set, 38
SELECT a.d, a.c, b.c FROM (SELECT toDate(timestamp) d, count() c FROM events GROUP BY d) a FULL OUTER JOIN (SELECT toDate(timestamp) d, uniq(person_id) c FROM events GROUP BY d) b ON a.d = b.d ORDER BY a.d

-- second set, 39
SELECT number FROM numbers(5) WHERE number % 2 = 0

-- second set, 40
SELECT toStartOfInterval(timestamp, toIntervalHour(6)) AS t, count() FROM events GROUP BY t ORDER BY t LIMIT 10

-- second set, 41
SELECT sequenceMatch('(?1).*(?2)')(toDateTime(timestamp), event = '$pageview', event = '$autocapture') AS m, person_id FROM events GROUP BY person_id LIMIT 5

-- second set, 42
SELECT coalesce(nullIf(properties.utm_source, ''), '(none)') AS s, count() FROM events GROUP BY 1 ORDER BY 2 DESC

-- second set, 43
SELECT event, round(avg(toFloat(properties.revenue)), 2) AS avg_rev FROM events GROUP BY event HAVING avg_rev IS NOT NULL AND NOT isNaN(avg_rev)

-- second set, 44
SELECT multiIf(toHour(timestamp) < 6, 'night', toHour(timestamp) < 12, 'morning', 'later') AS part, count() FROM events GROUP BY part

-- second set, 45
SELECT person_id, arrayStringConcat(groupArray(event), '>') AS p FROM (SELECT * FROM events ORDER BY timestamp) GROUP BY person_id LIMIT 2

-- second set, 46
SELECT topK(3)(properties.$browser) FROM events

-- second set, 47
SELECT count() AS events, uniq(person_id) AS persons, events / persons AS per_person FROM events

-- second set, 48
SELECT p.id, p.properties.email FROM persons p WHERE p.id IN (SELECT person_id FROM events WHERE event = '$pageview' LIMIT 5)

-- second set, 49
SELECT pdi.distinct_id, p.id FROM person_distinct_ids pdi JOIN persons p ON pdi.person_id = p.id LIMIT 5

-- second set, 50
SELECT persons.properties.email FROM persons LIMIT 3

-- second set, 51
SELECT events.event, events.timestamp FROM events ORDER BY events.timestamp DESC LIMIT 3

-- second set, 52
SELECT max(toInt(properties.$screen_width)) FROM events

-- second set, 53
SELECT toInt(properties.$browser_version) AS v, count() FROM events GROUP BY v ORDER BY v

-- second set, 54
SELECT toDateTime(properties.created) FROM events LIMIT 1

-- second set, 55
SELECT count() FROM events WHERE timestamp >= toDateTime('2026-11-20T00:00:00Z') AND timestamp < toStartOfDay(now())

-- second set, 56
SELECT count() FROM events WHERE toDate(timestamp) BETWEEN '2026-11-01' AND '2026-11-20'

-- second set, 57
SELECT count() FROM events WHERE toDate(timestamp) >= '2026-11-01'

-- second set, 58
SELECT event, count() FROM events WHERE timestamp > dateSub(now(), interval 1 month) GROUP BY event

-- second set, 59
SELECT dateDiff('second', min(timestamp), max(timestamp)) / 60 AS minutes, $session_id FROM events WHERE notEmpty($session_id) GROUP BY $session_id ORDER BY minutes DESC LIMIT 3

-- second set, 60
SELECT concat(toString(toYear(timestamp)), '-Q', toString(toQuarter(timestamp))) q, count() FROM events GROUP BY q

-- second set, 61
SELECT exists(SELECT 1 FROM events WHERE event = 'nope')

-- second set, 62
SELECT event FROM events WHERE event = (SELECT event FROM events GROUP BY event ORDER BY count() DESC LIMIT 1) LIMIT 1

-- second set, 63
WITH top AS (SELECT event FROM events GROUP BY event ORDER BY count() DESC LIMIT 3) SELECT event, toDate(timestamp) d, count() FROM events WHERE event IN top GROUP BY event, d

-- second set, 64
WITH (SELECT count() FROM events) AS total SELECT event, count() / total FROM events GROUP BY event

-- second set, 66
SELECT group_0.properties.name, sum(properties.revenue) FROM events WHERE $group_0 != '' GROUP BY group_0.properties.name

-- second set, 67
SELECT count() FROM events WHERE properties.coupon_used = true

-- second set, 68
SELECT count() FROM events WHERE properties.coupon_used = 'true'

-- second set, 69
SELECT elements_chain_texts, elements_chain_href FROM events WHERE event = '$autocapture' LIMIT 3

-- second set, 70
SELECT id, properties FROM persons WHERE is_identified = 1 LIMIT 2

-- second set, 71
SELECT person.is_identified, count() FROM events GROUP BY person.is_identified

-- second set, 72
SELECT uniqMerge(s) FROM (SELECT uniqState(person_id) AS s FROM events GROUP BY event)

-- second set, 73
SELECT countDistinct(person_id), countDistinctIf(person_id, event = '$pageview') FROM events

-- second set, 74
SELECT avgIf(session.$session_duration, session.$session_duration > 0) FROM events

-- second set, 75
SELECT a, b FROM (SELECT event AS a, count() AS b FROM events GROUP BY event UNION ALL SELECT 'total' AS a, count() AS b FROM events) ORDER BY b DESC

-- second set, 76
SELECT tuple(event, count()) FROM events GROUP BY event

-- second set, 77
SELECT arraySort(x -> -x, [3, 1, 2]), arrayFirst(x -> x > 1, [1, 2, 3]), arrayCumSum([1, 2]), arrayFold((acc, x) -> acc + x, [1, 2, 3], toInt64(0))

-- second set, 78
SELECT median(session_len) FROM (SELECT dateDiff('second', min(timestamp), max(timestamp)) AS session_len FROM events GROUP BY $session_id)

-- second set, 79
SELECT count() FROM events WHERE has(['$pageview', '$screen'], event)

-- second set, 80
SELECT first_event, count() FROM (SELECT person_id, argMin(event, timestamp) AS first_event FROM events GROUP BY person_id) GROUP BY first_event ORDER BY count() DESC

-- second set, 81
SELECT cohort, arrayMap(x -> round(x, 2), groupArray(pct)) FROM (SELECT toStartOfWeek(timestamp) AS cohort, uniq(person_id) / 10 AS pct FROM events GROUP BY cohort) GROUP BY cohort

-- second set, 82
SELECT event, timestamp FROM events WHERE timestamp > '2026-11-01' ORDER BY timestamp LIMIT 1 BY event LIMIT 10

-- second set, 83
SELECT stddevSamp(properties.revenue), varPop(properties.revenue), corr(properties.revenue, properties.seats) FROM events

-- second set, 84
SELECT JSONLength(properties), length(JSONExtractKeys(properties)) FROM events LIMIT 1

-- second set, 85
SELECT replaceRegexpAll(properties.$pathname, '[0-9]+', ':id') AS route, count() FROM events GROUP BY route ORDER BY count() DESC LIMIT 10

-- second set, 86
SELECT properties.$pathname AS path, countIf(next IS NULL) AS exits FROM (SELECT properties, leadInFrame(properties.$pathname) OVER (PARTITION BY $session_id ORDER BY timestamp ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS next FROM events WHERE event = '$pageview') GROUP BY path

-- second set, 88
SELECT toStartOfDay(timestamp) AS day, count() AS c FROM events GROUP BY day ORDER BY day WITH FILL STEP toIntervalDay(1)

-- second set, 90
SELECT timestamp, timestamp + INTERVAL 1 DAY, timestamp - timestamp, now() > timestamp FROM events LIMIT 1

-- third set, 1
WITH base AS (SELECT person_id, toStartOfMonth(min(timestamp)) AS cohort_month FROM events WHERE event = 'signed_up' GROUP BY person_id) SELECT b.cohort_month, countDistinct(b.person_id) AS size, countDistinctIf(e.person_id, e.timestamp >= b.cohort_month + INTERVAL 1 MONTH) AS m1 FROM base b INNER JOIN events e ON e.person_id = b.person_id GROUP BY b.cohort_month ORDER BY b.cohort_month

-- third set, 2
SELECT person.properties.$initial_utm_source AS src, count(DISTINCT person_id) AS users, sum(toFloat(properties.revenue)) / users AS arpu FROM events GROUP BY src ORDER BY arpu DESC

-- third set, 3
SELECT properties.$geoip_country_code AS c, bar(count(), 0, 1000, 20) FROM events GROUP BY c ORDER BY count() DESC LIMIT 5

-- third set, 4
SELECT event, count() AS n, lagInFrame(n, 1, 0) OVER (ORDER BY n DESC) FROM events GROUP BY event

-- third set, 5
SELECT toStartOfFifteenMinutes(timestamp) AS slot, count() FROM events WHERE timestamp > now() - INTERVAL 1 DAY GROUP BY slot

-- third set, 6
SELECT arrayJoin(splitByChar(',', 'a,b,c')) AS x

-- third set, 7
SELECT sumMap(map(event, 1)) FROM events

-- third set, 8
SELECT groupArray((event, n)) FROM (SELECT event, count() n FROM events GROUP BY event ORDER BY n DESC LIMIT 3)

-- third set, 9
SELECT arrayMap((k, v) -> k || '=' || toString(v), ['a'], [1])

-- third set, 10
SELECT JSON_VALUE(properties, '$.plan') FROM events LIMIT 1

-- third set, 11
SELECT if(isNotNull(properties.utm_source), properties.utm_source, 'organic') s, count() FROM events GROUP BY s

-- third set, 12
SELECT toUUID('018f3f7e-0000-0000-0000-000000000000') = person_id FROM events LIMIT 1

-- third set, 14
SELECT * FROM events WHERE uuid = '018f3f7e-0000-0000-0000-000000000000'

-- third set, 15
SELECT session_id, dateDiff('minute', min_first_timestamp, max_last_timestamp) m FROM raw_session_replay_events ORDER BY m DESC LIMIT 5

-- third set, 16
SELECT count() FROM (SELECT DISTINCT $session_id FROM events WHERE event = '$rageclick')

-- third set, 17
SELECT p.properties.plan AS plan, avg(s.$session_duration) FROM sessions s JOIN person_distinct_ids d ON s.distinct_id = d.distinct_id JOIN persons p ON p.id = d.person_id GROUP BY plan

-- third set, 18
SELECT quantilesExact(0.25, 0.5, 0.75)($session_duration) FROM sessions

-- third set, 19
SELECT histogram(5)($session_duration) FROM sessions

-- third set, 20
SELECT uniqExact(person_id) FILTER (WHERE properties.$device_type = 'Mobile') FROM events

-- third set, 21
SELECT person_id, groupUniqArray(properties.$os) AS oses FROM events GROUP BY person_id HAVING length(oses) > 1

-- third set, 22
SELECT toDate(timestamp) AS date, count() FROM events GROUP BY date ORDER BY date DESC

-- third set, 23
SELECT day, event, c FROM (SELECT toDate(timestamp) AS day, event, count() AS c, rank() OVER (PARTITION BY toDate(timestamp) ORDER BY count() DESC) AS r FROM events GROUP BY day, event) WHERE r <= 3 ORDER BY day, c DESC

-- third set, 24
SELECT avg(total) FROM (SELECT sum(properties.revenue) AS total FROM events WHERE event = 'purchase_completed' GROUP BY person_id)

-- third set, 25
SELECT countIf(properties.$exception_level = 'error') AS errors, countIf(event = '$exception') / count(DISTINCT $session_id) FROM events

-- third set, 26
SELECT ifNull(toString(properties.$screen_width), 'n/a') || 'x' || ifNull(toString(properties.$screen_height), 'n/a') AS res, count() FROM events GROUP BY res

-- third set, 27
SELECT toMonth(timestamp) m, toYear(timestamp) y, count() FROM events GROUP BY y, m ORDER BY y, m

-- third set, 28
SELECT JSONExtractKeysAndValues(properties, 'String') FROM events LIMIT 1

-- third set, 29
SELECT event, min2(count(), 10), max2(1, 2), round(count() * 100.0 / (SELECT count() FROM events), 2) AS pct FROM events GROUP BY event

-- third set, 30
SELECT a.person_id FROM events AS a ANY LEFT JOIN persons AS b ON a.person_id = b.id LIMIT 3

-- third set, 31
SELECT e.distinct_id, e.session.$entry_utm_source, e.person.properties.name FROM events e WHERE e.event = 'purchase_completed'

-- third set, 32
SELECT timestamp AT FROM events LIMIT 1

-- third set, 33
SELECT count() FROM events WHERE timestamp >= toStartOfMonth(now() - interval 1 month) AND timestamp < toStartOfMonth(now())

-- third set, 34
SELECT arrayStringConcat(arrayMap(x -> x.2, arraySort(x -> x.1, groupArray(tuple(timestamp, properties.$pathname)))), ' → ') FROM events WHERE event = '$pageview' GROUP BY $session_id LIMIT 3

-- third set, 35
SELECT * FROM persons WHERE properties.email = 'a@b.c' OR id IN (SELECT person_id FROM person_distinct_ids WHERE distinct_id = 'x')

-- third set, 36
SELECT toStartOfWeek(timestamp, 1) w, count() FROM events GROUP BY w

-- third set, 37
SELECT corr(properties.seats, properties.revenue), simpleLinearRegression(toFloat(properties.seats), toFloat(properties.revenue)) FROM events WHERE event = 'purchase_completed'

-- third set, 38
SELECT ntile(4) OVER (ORDER BY c) AS q, person_id FROM (SELECT person_id, count() c FROM events GROUP BY person_id)

-- third set, 40
SELECT properties.$groups.company, count() FROM events GROUP BY 1

-- tags, 1
SELECT event, <strong>{event} by {distinct_id}</strong> AS shown, <a href={f'https://quillboard.example/{properties.$pathname}'}>open</a> FROM events WHERE event = '$pageview' LIMIT 5

-- tags, 2
SELECT <Sparkline data={groupArray(n)} labels={['a', 'b']} color='red' /> FROM (SELECT toDate(timestamp) AS day, count() AS n FROM events GROUP BY day ORDER BY day)

-- tags, 3
SELECT recordingButton(session_id), min_first_timestamp, person.properties.email FROM raw_session_replay_events ORDER BY min_first_timestamp DESC LIMIT 3

-- sparkline of hours
SELECT properties.$browser AS browser, sparkline(arrayMap(h -> countEqual(groupArray(toHour(timestamp)), h), range(0, 24))) FROM events GROUP BY browser

-- traffic
SELECT getTrafficType(properties.$raw_user_agent) AS kind, countIf(isLikelyBot(properties.$raw_user_agent)) FROM events GROUP BY kind

-- versions
SELECT DISTINCT properties.$browser_version FROM events ORDER BY sortableSemVer(properties.$browser_version) DESC LIMIT 5

-- two unnamed subqueries
SELECT pages, purchases FROM (SELECT count() AS pages FROM events WHERE event = '$pageview'), (SELECT count() AS purchases FROM events WHERE event = 'purchase_completed')

-- zero filled days
SELECT toDate(timestamp) AS day, count() FROM events WHERE event = 'purchase_completed' GROUP BY day ORDER BY day WITH FILL FROM toDate('2026-08-01') TO toDate('2026-11-25')

-- zero filled days of the clock
SELECT toStartOfDay(timestamp) AS day, count() FROM events GROUP BY day ORDER BY day WITH FILL STEP toIntervalDay(1)

-- postgres words
SELECT date_part('year', timestamp), date_bin(interval 15 minute, timestamp, toDateTime('2026-01-01')), split_part(properties.$current_url, '/', 3), to_char(timestamp, '%Y'), timezone('Asia/Tokyo', timestamp), date_subtract(timestamp, interval 1 day) FROM events LIMIT 3

-- postgres aggregates
SELECT string_agg(event, ', '), json_agg(event), every(timestamp > '2020-01-01'), array_agg(event) FROM (SELECT event, timestamp FROM events LIMIT 5)

-- answers of a survey
SELECT getSurveyResponse(0) AS score, count() FROM events WHERE event = 'survey sent' GROUP BY score

-- submissions of a survey
SELECT count() FROM events WHERE uniqueSurveySubmissionsFilter('0190c1f4-0000-7000-8000-000000000001', '2026-01-01')

-- channels of sites
SELECT lookupDomainType(properties.$referring_domain) AS kind, lookupOrganicSourceType(properties.$referring_domain), lookupPaidSourceType(properties.utm_source), count() FROM events GROUP BY ALL

-- a table under its own name
SELECT e.event, count() FROM posthog.events e WHERE e.timestamp > now() - interval 7 day GROUP BY e.event
