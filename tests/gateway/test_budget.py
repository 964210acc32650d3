import gc
import sys
from contextlib import suppress
from itertools import pairwise

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maton_posthog.gateway.budget import LIMITS, Budget, Ledger, Policy
from maton_posthog.gateway.errors import Refused

from .conftest import Clock, inside

pytestmark = pytest.mark.anyio

ME, YOU = "0b6f7a52", "7d9c2f34"


@pytest.fixture
def clock() -> Clock:
    return Clock()


def most_in_any(seconds: float, moments: list[float]) -> int:
    """Return the largest number of moments in any half-open window, with a tolerance of a microsecond."""
    return max(sum(start <= other < start + seconds - 1e-6 for other in moments) for start in moments)


async def test_a_request_is_sent_at_once_while_there_is_room(clock: Clock) -> None:
    ledger = Ledger("strict", clock=clock, sleep=clock.sleep)
    for _ in range(120):
        await ledger.spend(ME, Budget.QUERY)
    assert clock.slept == []
    assert ledger.state(ME, Budget.QUERY) == {"class": "query", "used": 120, "limit": 120, "resets_in_s": 3600}


async def test_of_130_strict_queries_120_are_sent_and_10_get_the_wait(clock: Clock) -> None:
    ledger = Ledger("strict", clock=clock, sleep=clock.sleep)
    sent = 0
    refusals: list[Refused] = []
    for number in range(130):
        clock.now = 1000.0 + number
        try:
            await ledger.spend(ME, Budget.QUERY)
            sent += 1
        except Refused as refused:
            refusals.append(refused)
    assert (sent, len(refusals)) == (120, 10)
    assert [refused.retry_after_s for refused in refusals] == [3600 - 120 - late for late in range(10)]
    first = refusals[0].as_json()["error"]
    assert first == {
        "code": "budget_spent",
        "message": "This server's query budget is spent.",
        "hint": "Wait 58 minutes. Until then use what needs no query: insights, definitions, flags, persons.",
        "source": "local",
        "outcome": "not_sent",
        "retryable": True,
        "retry_after_s": 3480,
    }
    clock.now = 1000.0 + 3600
    await ledger.spend(ME, Budget.QUERY)


async def test_adaptive_only_reports_a_spent_budget(clock: Clock) -> None:
    ledger = Ledger("adaptive", clock=clock, sleep=clock.sleep)
    for _ in range(130):
        await ledger.spend(ME, Budget.QUERY)
    assert clock.slept == []
    assert ledger.state(ME, Budget.QUERY)["used"] == 120


async def test_off_never_waits_but_still_counts(clock: Clock) -> None:
    ledger = Ledger("off", limits={Budget.CRUD: ((2, 1.0),)}, clock=clock, sleep=clock.sleep)
    for _ in range(5):
        await ledger.spend(ME, Budget.CRUD)
    assert clock.slept == []
    assert ledger.state(ME, Budget.CRUD)["used"] == 2


@pytest.mark.parametrize("policy", ["adaptive", "strict"])
async def test_a_short_wait_is_waited_out(clock: Clock, policy: Policy) -> None:
    ledger = Ledger(policy, limits={Budget.CRUD: ((2, 1.5),)}, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        await ledger.spend(ME, Budget.CRUD)
    assert clock.now == 1001.5


@given(
    gaps=st.lists(st.floats(0, 1.5), min_size=1, max_size=60),
    windows=st.sampled_from([((3, 1.0),), ((5, 2.0), (8, 4.0)), ((2, 0.5), (3, 1.0), (9, 10.0))]),
    pace=st.sampled_from([None, 1, 4]),
)
@settings(deadline=None)
def test_no_window_ever_counts_more_than_its_limit(
    gaps: list[float], windows: tuple[tuple[int, float], ...], pace: int | None
) -> None:
    async def run() -> None:
        clock = Clock()
        ledger = Ledger("strict", pace, limits={Budget.CRUD: windows}, clock=clock, sleep=clock.sleep)
        sent: list[float] = []
        for gap in gaps:
            clock.now += gap
            with suppress(Refused):
                await ledger.spend(ME, Budget.CRUD)
                sent.append(clock.now)
        for limit, seconds in [*windows, *([(pace, 1.0)] if pace else [])]:
            assert most_in_any(seconds, sent) <= limit

    anyio.run(run)


async def test_a_request_rejected_by_one_window_is_counted_in_no_other(clock: Clock) -> None:
    ledger = Ledger("strict", limits={Budget.CRUD: ((2, 10.0), (3, 3600.0))}, clock=clock, sleep=clock.sleep)
    for _ in range(2):
        await ledger.spend(ME, Budget.CRUD)
    for _ in range(20):
        with pytest.raises(Refused):
            await ledger.spend(ME, Budget.CRUD)
    clock.now += 10
    await ledger.spend(ME, Budget.CRUD)
    with pytest.raises(Refused) as refused:
        await ledger.spend(ME, Budget.CRUD)
    assert refused.value.retry_after_s == 3590


async def test_classes_and_connections_are_counted_separately(clock: Clock) -> None:
    ledger = Ledger("strict", clock=clock, sleep=clock.sleep)
    for _ in range(120):
        await ledger.spend(ME, Budget.QUERY)
    await ledger.spend(YOU, Budget.QUERY)
    await ledger.spend(ME, Budget.CRUD)
    assert ledger.state(YOU, Budget.QUERY)["used"] == 1
    assert ledger.state(ME, Budget.CRUD)["used"] == 1
    assert ledger.state(ME, Budget.ANALYTICS) == {"class": "analytics", "used": 0, "limit": 240}


async def test_the_control_plane_has_no_budget_but_the_pace(clock: Clock) -> None:
    ledger = Ledger("strict", 10, clock=clock, sleep=clock.sleep)
    for _ in range(11):
        await ledger.spend(ME, Budget.CONTROL)
    assert clock.now == 1001.0
    assert ledger.state(ME, Budget.CONTROL) == {"class": "control"}


async def test_32_waiters_are_sent_at_the_pace_and_in_order_of_arrival(clock: Clock) -> None:
    ledger = Ledger("adaptive", 10, clock=clock, sleep=clock.sleep)
    sent: list[tuple[float, int]] = []

    async def one(number: int) -> None:
        await ledger.spend((ME, YOU)[number % 2], Budget.CRUD)
        sent.append((clock.now, number))

    async with anyio.create_task_group() as group:
        for number in range(32):
            group.start_soon(one, number)
            await anyio.lowlevel.checkpoint()
    moments = [moment for moment, _ in sent]
    assert moments == [1000.0] * 10 + [1001.0] * 10 + [1002.0] * 10 + [1003.0] * 2
    assert all(earlier < later for earlier, later in pairwise(n for _, n in sent if n % 2))
    assert all(earlier < later for earlier, later in pairwise(n for _, n in sent if n % 2 == 0))
    assert len(clock.slept) <= 4, "only the first of them sleeps, the others queue"


async def test_a_class_that_waits_does_not_hold_up_another(clock: Clock) -> None:
    limits = {Budget.QUERY: ((1, 1.9),), Budget.CRUD: ((99, 1.0),)}
    ledger = Ledger("adaptive", 10, limits=limits, clock=clock, sleep=clock.sleep)
    await ledger.spend(ME, Budget.QUERY)
    order: list[Budget] = []

    async def one(budget: Budget) -> None:
        await ledger.spend(ME, budget)
        order.append(budget)

    async with anyio.create_task_group() as group:
        group.start_soon(one, Budget.QUERY)
        await anyio.lowlevel.checkpoint()
        group.start_soon(one, Budget.CRUD)
    assert order == [Budget.CRUD, Budget.QUERY]


@pytest.mark.parametrize("pace", [None, 1])
async def test_a_request_cancelled_while_waiting_is_not_counted(clock: Clock, pace: int | None) -> None:
    windows = ((1, 1.0), (50, 3600.0)) if pace is None else ((50, 3600.0),)
    ledger = Ledger("adaptive", pace, limits={Budget.CRUD: windows}, clock=clock, sleep=forever)
    await ledger.spend(ME, Budget.CRUD)
    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ledger.spend, ME, Budget.CRUD)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    clock.now += 1.0
    await ledger.spend(ME, Budget.CRUD)
    clock.now += 1.0
    assert ledger.state(ME, Budget.CRUD)["used"] in (0, 2)  # of the shorter window, or of the only one
    used = [len(window.sent) for window in inside(ledger)._books(ME).windows[Budget.CRUD]]
    assert max(used) == 2


async def forever(_: float) -> None:
    await anyio.sleep_forever()


@pytest.mark.parametrize("policy", ["adaptive", "strict", "off"])
async def test_a_429_closes_its_class_for_its_retry_after(clock: Clock, policy: Policy) -> None:
    ledger = Ledger(policy, clock=clock, sleep=clock.sleep)
    ledger.close(ME, Budget.QUERY, 30.0)
    ledger.close(ME, Budget.QUERY, 10.0)
    with pytest.raises(Refused) as refused:
        await ledger.spend(ME, Budget.QUERY)
    assert (refused.value.code, refused.value.retry_after_s, refused.value.retryable) == ("rate_limited", 30, True)
    await ledger.spend(ME, Budget.CRUD)
    await ledger.spend(YOU, Budget.QUERY)
    clock.now += 29.0
    await ledger.spend(ME, Budget.QUERY)
    assert clock.now == 1030.0


async def test_a_429_of_maton_closes_everything(clock: Clock) -> None:
    ledger = Ledger(clock=clock, sleep=clock.sleep)
    ledger.close(ME, None, 30.0)
    for account, budget in ((ME, Budget.QUERY), (YOU, Budget.CRUD), (ME, Budget.CONTROL)):
        with pytest.raises(Refused, match="Upstream limits"):
            await ledger.spend(account, budget)
    clock.now += 30.0
    await ledger.spend(YOU, Budget.CRUD)


async def test_an_absurd_retry_after_does_not_close_forever(clock: Clock) -> None:
    ledger = Ledger(clock=clock, sleep=clock.sleep)
    ledger.close(ME, Budget.CRUD, 999_999_999.0)
    clock.now += 3600.0
    await ledger.spend(ME, Budget.CRUD)


async def test_a_429_that_comes_while_others_wait_for_the_pace_stops_them_too(clock: Clock) -> None:
    ledger = Ledger("adaptive", 1, clock=clock, sleep=clock.sleep)
    await ledger.spend(ME, Budget.QUERY)
    refusals: list[Refused] = []

    async def one() -> None:
        try:
            await ledger.spend(ME, Budget.QUERY)
        except Refused as refused:
            refusals.append(refused)

    async with anyio.create_task_group() as group:
        group.start_soon(one)
        await anyio.lowlevel.checkpoint()
        ledger.close(ME, Budget.QUERY, 60.0)
    assert [refused.code for refused in refusals] == ["rate_limited"]
    assert ledger.state(ME, Budget.QUERY)["used"] == 1


async def test_a_queue_at_the_end_of_its_patience_is_sent_or_rejected() -> None:
    policies: tuple[tuple[Policy, int], ...] = (("adaptive", 6), ("strict", 3))
    for policy, sent in policies:
        clock = Clock()
        ledger = Ledger(policy, limits={Budget.CRUD: ((1, 1.0),)}, clock=clock, sleep=clock.sleep)
        done: list[float] = []

        async def one(ledger: Ledger = ledger, clock: Clock = clock, done: list[float] = done) -> None:
            with suppress(Refused):
                await ledger.spend(ME, Budget.CRUD)
                done.append(clock.now)

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(one)
        assert done[:3] == [1000.0, 1001.0, 1002.0]
        assert len(done) == sent
        assert max(done) <= 1002.0


async def test_counts_of_very_many_connections_stay_small(clock: Clock) -> None:
    ledger = Ledger("adaptive", clock=clock, sleep=clock.sleep)
    await ledger.spend(ME, Budget.QUERY)
    for number in range(1000):
        await ledger.spend(f"connection-{number}", Budget.CRUD)
        if number % 50 == 0:
            await ledger.spend(ME, Budget.QUERY)
    assert len(inside(ledger)._accounts) <= 64
    assert ledger.state(ME, Budget.QUERY)["used"] == 21
    for _ in range(20_000):
        await ledger.spend(ME, Budget.QUERY)
    kept = [window.sent for window in inside(ledger)._books(ME).windows[Budget.QUERY]]
    gc.collect()
    assert sum(map(sys.getsizeof, kept)) < 4096


def test_the_limits_are_those_that_maton_states() -> None:
    assert LIMITS == {
        Budget.ANALYTICS: ((240, 60.0), (1200, 3600.0)),
        Budget.QUERY: ((120, 3600.0),),
        Budget.CRUD: ((480, 60.0), (4800, 3600.0)),
        Budget.CONTROL: (),
    }


async def test_no_request_overtakes_a_waiting_one(clock: Clock) -> None:
    ledger = Ledger("adaptive", 1, clock=clock, sleep=clock.sleep)
    assert ledger.spend_now(ME, Budget.CRUD)
    assert not ledger.spend_now(ME, Budget.CRUD)
    order: list[str] = []

    async def patient() -> None:
        await ledger.spend(ME, Budget.CRUD)
        order.append("patient")

    async with anyio.create_task_group() as group:
        group.start_soon(patient)
        await anyio.lowlevel.checkpoint()
        clock.now += 1.0  # there is room again, but not for a new request
        assert not ledger.spend_now(ME, Budget.CRUD)
        assert not ledger.spend_now(YOU, Budget.QUERY)
    assert order == ["patient"]


async def test_spending_at_once_keeps_to_the_same_limits_and_gates(clock: Clock) -> None:
    ledger = Ledger("strict", limits={Budget.CRUD: ((1, 1.5),)}, clock=clock, sleep=clock.sleep)
    assert ledger.spend_now(ME, Budget.CRUD)
    assert not ledger.spend_now(ME, Budget.CRUD), "a short wait is for `spend`"
    ledger.close(ME, Budget.CRUD, 60.0)
    with pytest.raises(Refused, match="Upstream limits"):
        ledger.spend_now(ME, Budget.CRUD)
