-- Users per week, by browser.
select toStartOfWeek(timestamp) as week, properties.$browser as browser, uniq(person_id) as users
from events
where event = '$pageview' and timestamp >= now() - interval 8 week
group by week, browser
order by week, users desc
limit 1000
