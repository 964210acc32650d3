-- Revenue per day.
select toDate(timestamp) as day, sum(toFloat(properties.amount)) as revenue
from events
where event = 'purchase' and timestamp >= now() - interval 30 day
group by day
order by day
limit 100
