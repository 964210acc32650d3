"""New dashboards with their tiles. PostHog takes several requests for one: all of it is stored, or it is taken back."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...gateway.approval import Proposal
from ...gateway.budget import Budget
from ...gateway.call import Call
from ...gateway.errors import Failed, GatewayError
from ...schemas.base import OF_THE_CALL
from ...schemas.dashboards import CreateDashboard, DashboardState, DashboardView, NewTile
from ...schemas.insights import InsightName
from ...schemas.json import as_object, as_objects
from ...schemas.json.difference import same
from ...schemas.links import insight_page
from ...schemas.text import excerpt, named
from ..analytics.computing import INSIGHTS
from ..analytics.stored import source_of
from ..insights.numbers import LATER, headlines
from ..insights.saving import check_model, stored_query, stored_sql
from ..operation import Result, read, show
from ..operation.comparing import cut
from ..operation.undoing import removal, undo_call
from ..operation.writing import check_identity, create, dry_run
from .layout import Box, boxes
from .members import DASHBOARD
from .taking_back import Made, failure, take_back

DASHBOARDS = "/api/projects/{project_id}/dashboards/"
_LONGEST_TEXT = 80


@dataclass(frozen=True, slots=True)
class _Planned:
    """A tile as it is sent."""

    place: str
    tile: NewTile
    query: dict[str, Any] | None
    """The node of an insight; None for a text."""
    box: Box

    @property
    def label(self) -> str:
        """Return how a person sees the tile before it is made."""
        if self.query is None:
            return f"text: {excerpt(self.tile.text or '', _LONGEST_TEXT)}"
        return f"{excerpt(self.tile.name or '', _LONGEST_TEXT)} ({source_of(self.query).get('kind')})"

    def as_json(self) -> dict[str, Any]:
        """Return what is sent, as one object."""
        insight = {"name": self.tile.name, "description": self.tile.description, "query": self.query}
        what = {"text": self.tile.text} if self.query is None else insight
        return {**{name: value for name, value in what.items() if value is not None}, "layout": self.box}


def prepared_queries(args: CreateDashboard, _: Path | None) -> list[dict[str, Any] | None]:
    """Return the nodes of the tiles whose query is SQL, and None for the others. Raises Refused for a query that its
    tool or PostHog's models would reject.
    """
    found: list[dict[str, Any] | None] = []
    for at, tile in enumerate(args.tiles or ()):
        with _naming(f"tiles.{at}.query"):
            check_model(tile.query)
            found.append(stored_sql(tile.query))
    return found


@contextmanager
def _naming(place: str) -> Generator[None]:
    """Add the place of a tile's query to the errors about it."""
    try:
        yield
    except GatewayError as error:
        raise error.with_(message=f"{place}: {error.message.removeprefix('query: ')}") from error


async def create_dashboard(api: Call, args: CreateDashboard) -> Result:
    """Create a dashboard with its tiles, and return it with the headline number of each insight.

    Raises GatewayError.
    """
    fields = args.model_dump(mode="json", exclude={*OF_THE_CALL, "tiles"}, exclude_unset=True, exclude_none=True)
    if not args.tiles:
        undo = removal(DASHBOARDS)
        return await create(api, args, DASHBOARDS, fields, DashboardView, what="dashboard", undo=undo)
    plan = await _planned(api, args, args.tiles)
    sent = {**fields, "tiles": [one.as_json() for one in plan]}
    shown = {**{name: cut(value) for name, value in fields.items()}, "tiles": [one.label for one in plan]}
    proposal = Proposal(
        title=f"Create dashboard {named(args.name)} with {len(plan)} tiles",
        path=DASHBOARDS,
        body=sent,
        difference={name: {"before": None, "after": value} for name, value in shown.items()},
    )
    if args.dry_run:
        tiles = [{name: cut(value) for name, value in tile.items()} for tile in sent["tiles"]]
        return {**await dry_run(proposal, {}), "would_send": {**fields, "tiles": tiles}}
    await api.approve(proposal)
    made = Made(read(DashboardState, await api.post(DASHBOARDS, fields)).id)
    after, notes = await _all_or_nothing(api, made, plan)
    return await _shown(api, made, plan, after, notes)


async def _planned(api: Call, args: CreateDashboard, tiles: Sequence[NewTile]) -> list[_Planned]:
    """Return the tiles as they are sent. Queries of analyses can need look-ups, so nothing is made before these."""
    queries: list[dict[str, Any] | None] = list(api.prepared or prepared_queries(args, None))
    for at, tile in enumerate(tiles):
        if tile.query is not None and queries[at] is None:
            with _naming(f"tiles.{at}.query"):
                queries[at] = await stored_query(api, tile.query)
    places = boxes(tiles, queries)
    return [
        _Planned(f"tiles.{at}", tile, query, box)
        for at, (tile, query, box) in enumerate(zip(tiles, queries, places, strict=True))
    ]


async def _all_or_nothing(api: Call, made: Made, plan: Sequence[_Planned]) -> tuple[Sequence[Any], list[str]]:
    """Make the tiles in their order. Return them as they are stored, with notes on what differs from what was sent."""
    far, notes, what = api.counted_as(Budget.ANALYTICS), list[str](), ""
    try:
        for one in plan:
            if one.query is not None:
                what = f"{one.place} ({named(one.tile.name or '')})"
                notes += await _make_insight(far, made, one)
        what = "The layout"
        tiles = await _lay_out(api, made, plan)
    except GatewayError as error:
        raise await failure(api, made, what, error) from error
    except BaseException:  # the call was cancelled, maybe after PostHog received a request
        await take_back(api, made)
        raise
    moved = [one.place for one, tile in zip(plan, tiles, strict=True) if not _is_there(one.box, tile)]
    return tiles, [*notes, *([f"PostHog placed these tiles differently: {', '.join(moved)}."] if moved else [])]


async def _make_insight(far: Call, made: Made, one: _Planned) -> list[str]:
    tile = one.tile
    description = {} if tile.description is None else {"description": tile.description}
    body = {"name": tile.name, **description, "query": one.query, "dashboards": [made.dashboard], "saved": True}
    stored = as_object(await far.post(INSIGHTS, body))
    made.insights.append({**read(InsightName, stored).model_dump(), "dashboard_tiles": stored.get("dashboard_tiles")})
    if not same(tile.name, stored.get("name")):
        raise _not_stored(f"{one.place}.name")
    if not same(one.query, stored.get("query"), with_more=True):
        return [f"PostHog stored a query for {one.place} that differs from the one sent; get_insight shows it."]
    return []


async def _lay_out(api: Call, made: Made, plan: Sequence[_Planned]) -> Sequence[Any]:
    """Place the insights and add the texts in one request. Return the stored tiles in the order of the plan."""
    numbers = await _tile_ids(api, made)
    insights = iter(made.insights)
    body = [
        {**({"id": numbers[next(insights)["id"]]} if one.query else _text(one)), "layouts": {"sm": one.box}}
        for one in plan
    ]
    after = await api.patch(DASHBOARD, {"tiles": body}, dashboard_id=made.dashboard)
    check_identity(made.dashboard, after)
    made.stored = after
    tiles = as_objects(after.get("tiles"))
    shown = {as_object(tile.get("insight")).get("id"): tile for tile in tiles if tile.get("insight")}
    # PostHog numbers new texts in the order in which they are sent.
    texts = iter(sorted((tile for tile in tiles if tile.get("text")), key=lambda tile: int(tile.get("id") or 0)))
    insights = iter(made.insights)
    found = [shown.get(next(insights)["id"]) if one.query else next(texts, None) for one in plan]
    for one, tile in zip(plan, found, strict=True):
        if tile is None:
            raise _not_stored(one.place)
        if one.query is None and as_object(tile.get("text")).get("body") != one.tile.text:
            raise _not_stored(f"{one.place}.text")
    return found


def _text(one: _Planned) -> dict[str, Any]:
    return {"text": {"body": one.tile.text}}


async def _tile_ids(api: Call, made: Made) -> dict[int, int]:
    """Return the number of each insight's tile; older servers show it only with the dashboard."""
    found: dict[int, int] = {}
    for insight in made.insights:
        for tile in as_objects(insight["dashboard_tiles"]):
            if tile.get("dashboard_id") == made.dashboard and isinstance(number := tile.get("id"), int):
                found[insight["id"]] = number
    if len(found) == len(made.insights):
        return found
    board = as_object(await api.get(DASHBOARD, dashboard_id=made.dashboard))
    for tile in as_objects(board.get("tiles")):
        if isinstance(number := tile.get("id"), int):
            found[as_object(tile.get("insight")).get("id", 0)] = number
    if missing := [each for each in made.insights if each["id"] not in found]:
        raise _not_stored(f"the tile of {named(missing[0]['name'] or '')}")
    return found


def _is_there(box: Box, tile: Any) -> bool:
    return same(box, as_object(as_object(tile).get("layouts")).get("sm"), with_more=True)


def _not_stored(what: str) -> Failed:
    return Failed("bad_upstream_response", f"PostHog accepted the request but did not store {what}.", source="posthog")


async def _shown(api: Call, made: Made, plan: Sequence[_Planned], tiles: Sequence[Any], notes: list[str]) -> Result:
    numbers = iter(await headlines(api, [each["id"] for each in made.insights], made.dashboard))
    insights = iter(made.insights)
    shown: list[dict[str, Any]] = []
    for one, tile in zip(plan, tiles, strict=True):
        if one.query is None:
            shown.append({"id": tile.get("id"), "text": excerpt(one.tile.text or "", _LONGEST_TEXT)})
            continue
        insight = next(insights)
        short = {name: insight[name] for name in ("id", "name") if insight.get(name) is not None}
        shown.append({"id": tile.get("id"), "insight": short, **insight_page(insight), **next(numbers)})
    if any("no_headline" in tile for tile in shown):
        notes = [*notes, LATER]
    undo = undo_call(api, "delete_dashboard", {"dashboard_id": str(made.dashboard), "delete_insights": True})
    board = show(DashboardView, {**made.stored, "tiles": None})
    return {**board, "tiles": shown, **({"note": " ".join(notes)} if notes else {}), **undo}
