"""The rows a new sandbox starts with, so that no list is empty and the events have their counterparts."""

from datetime import UTC, date, datetime, time

from .connections import seed_connection
from .identity import DATA_PROJECT, EMPTY_PROJECT, founded
from .resources.account import new_project
from .store import Store


def fill(store: Store, today: date, base_url: str) -> None:
    """Fill a store that has no projects yet; a kept one is left as it is, but for the address in the connection."""
    with store.transaction() as rows:
        if rows.all("projects"):
            return
        since = founded(datetime.combine(today, time(), UTC))
        rows.insert("settings", 0, {"current_project": DATA_PROJECT})
        for id in (DATA_PROJECT, EMPTY_PROJECT):
            rows.insert("projects", 0, new_project(id, since))
        seed_connection(rows, since, base_url)
