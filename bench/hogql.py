"""HogQL through the sandbox's HTTP endpoint, and the same ClickHouse SQL sent directly to the engine.

The sandbox runs in a separate process over the same data; both sides run each query alternately.
"""

import http.client
import json
import statistics
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from posthog_sandbox.dataset import open_dataset
from posthog_sandbox.storage.engine import Engine

from .process import Process

TODAY = date(2026, 11, 23)
SANDBOX = "posthog_sandbox"
LONGEST_S = 1800.0
IDLE_S = 2.0
PATH = "/posthog/api/projects/1/query/"
TARGET = 1.5
_VIEWS = "event = '$pageview'"

QUERIES: Mapping[str, str] = {
    "all events": "select count() from events",
    "events by name": "select event, count() as n from events group by event order by n desc",
    "views by day": f"select toDate(timestamp) as day, count() from events where {_VIEWS} group by day order by day",
    "visitors by week": "select toStartOfWeek(timestamp) as week, uniq(person_id) from events group by 1 order by 1",
    "one week": "select count() from events where timestamp >= '2026-11-09' and timestamp < '2026-11-16'",
    "browsers": "select properties.$browser, count() as n from events group by 1 order by n desc limit 10",
    "not one country": "select count() from events where properties.$geoip_country_code != 'US'",
    "revenue by plan": "select properties.plan, sum(properties.revenue), median(properties.revenue) from events "
    "where event = 'purchase_completed' group by 1 order by 1",
    "top pages": f"select properties.$pathname as path, count() as n from events where {_VIEWS} group by path "
    "order by n desc limit 20",
    "people on plans": "select person.properties.plan, uniq(person_id) from events group by 1 order by 1",
    "channels of purchases": "select session.$channel_type, count() from events where event = 'purchase_completed' "
    "group by 1 order by 1",
    "industries": "select organization.properties.industry, count() from events where $group_0 != '' "
    "group by 1 order by 1",
    "bounce rate": "select $channel_type, avg($is_bounce), quantile(0.9)($session_duration) from sessions "
    "group by 1 order by 1",
    "funnel": "select level, count() from (select person_id, windowFunnel(1209600)(toDateTime(timestamp), "
    "event = 'signed_up', event = 'checkout_started', event = 'purchase_completed') as level from events "
    "group by person_id) group by level order by level",
    "retention": f"with firsts as (select person_id, min(toStartOfWeek(timestamp)) as first from events where {_VIEWS} "
    "group by person_id) select f.first, dateDiff('week', f.first, toStartOfWeek(e.timestamp)) as after, "
    f"uniq(e.person_id) from events e join firsts f on e.person_id = f.person_id where e.{_VIEWS} group by 1, after "
    "order by 1, after",
    "running total": "select day, sum(n) over (order by day) from (select toDate(timestamp) as day, count() as n "
    "from events where event = 'signed_up' group by day) order by day",
    "latest of each": "select event, properties.$os as os, timestamp from events where os is not null "
    "order by timestamp desc limit 1 by event limit 50",
    "latest events": "select uuid, event, timestamp, distinct_id, properties from events order by timestamp desc "
    "limit 100",
    "buyers": "select properties.email from persons where id in (select person_id from events "
    "where event = 'purchase_completed') and properties.email ilike '%.example' order by 1 limit 100",
    "five thousand rows": "select uuid, event, timestamp, properties.$current_url from events order by timestamp "
    "limit 5000",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """The measurements of one query: seconds of both sides in each round, and seconds of its translation."""

    name: str
    through: list[float]
    straight: list[float]
    translation: list[float]

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios."""
        return statistics.median(a / b for a, b in zip(self.through, self.straight, strict=True))

    @property
    def share(self) -> float:
        """The share of the translation in the time through the sandbox."""
        return statistics.median(a / b for a, b in zip(self.translation, self.through, strict=True))


class Endpoint:
    """The query endpoint over one connection. Call `open` before each timed request: the server closes connections
    that were idle for 5 s, and a query over millions of events takes longer."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=LONGEST_S)
        self._used = 0.0

    def open(self) -> None:
        """Connect again, unless the connection was used just before."""
        if time.monotonic() - self._used > IDLE_S:
            self._connection.close()
            self._connection.connect()

    def post(self, query: str) -> bytes:
        """Return the response body of a HogQL query. Raises RuntimeError if it is rejected."""
        return self.ask({"kind": "HogQLQuery", "query": query})

    def ask(self, query: Mapping[str, Any]) -> bytes:
        """Return the response body of a query of any kind. Raises RuntimeError if it is rejected."""
        body = json.dumps({"query": query, "refresh": "force_blocking"})
        headers = {"Authorization": "Bearer sandbox", "Content-Type": "application/json"}
        self._connection.request("POST", PATH, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        self._used = time.monotonic()
        if answer.status != 200:
            raise RuntimeError(f"{query}: {content.decode()}")
        return content

    def close(self) -> None:
        self._connection.close()


@contextmanager
def both_sides(events: int) -> Generator[tuple[Endpoint, Engine]]:
    """Yield a sandbox with this number of events, and a separate engine with the same events, both ready."""
    with ExitStack() as stack:
        options = ("--json", "--events", str(events), "--today", TODAY.isoformat())
        process = stack.enter_context(Process(SANDBOX, *options, longest_s=LONGEST_S, quiet=True))
        stack.callback(process.end)
        endpoint = Endpoint(json.loads(process.read_line())["gateway_url"])
        stack.callback(endpoint.close)
        engine = stack.enter_context(open_dataset(None, events=events, today=TODAY))
        endpoint.open()
        endpoint.post("select count() from events")
        yield endpoint, engine


def measure(events: int, rounds: int) -> Generator[Measured]:
    """Yield the measurements of all queries over this number of events."""
    with both_sides(events) as (endpoint, engine):
        for name, query in QUERIES.items():
            yield _one(endpoint, engine, name, query, rounds)


def _one(endpoint: Endpoint, engine: Engine, name: str, query: str, rounds: int) -> Measured:
    endpoint.open()
    first: dict[str, Any] = json.loads(endpoint.post(query))
    sql = first["clickhouse"]
    if len(engine.select(sql).rows) < len(first["results"]):
        raise RuntimeError(f"{name}: the two sides returned different rows")
    measured = Measured(name, [], [], [])

    def through() -> None:
        endpoint.open()
        began = time.perf_counter()
        content = endpoint.post(query)
        measured.through.append(time.perf_counter() - began)
        timings: list[dict[str, Any]] = json.loads(content)["timings"]
        measured.translation.append(next(step["t"] for step in timings if step["k"] == "./translate"))

    def straight() -> None:
        began = time.perf_counter()
        engine.select(sql)
        measured.straight.append(time.perf_counter() - began)

    for number in range(rounds):
        for side in (through, straight) if number % 2 else (straight, through):
            side()
    return measured


def report(events: int, rounds: int) -> None:
    """Print one line per query, and one for all of them."""
    print(f"\nHogQL over {events:,} events: through the sandbox, and the same SQL sent to the engine.")
    print(f"{'':34} {'sandbox':>10} {'engine':>10}   ratio    translation")
    ratios: list[float] = []
    shares: list[float] = []
    for one in measure(events, rounds):
        ours, least = (f"{statistics.median(side) * 1000:,.1f} ms" for side in (one.through, one.straight))
        print(f"{one.name:34} {ours:>10} {least:>10}   {one.ratio:.2f}     {one.share:.0%}", flush=True)
        ratios.append(one.ratio)
        shares.append(one.share)
    low, ratio, high = statistics.quantiles(ratios, n=4)
    verdict = "met" if ratio <= TARGET else "MISSED"
    print(
        f"{f'median of {len(ratios)} queries':34} {'':>10} {'':>10}   {ratio:.2f}  ({low:.2f}-{high:.2f})    "
        f"<= {TARGET:.2f}  {verdict}; translation {statistics.median(shares):.0%}",
        flush=True,
    )
