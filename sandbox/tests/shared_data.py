"""Datasets that several files of tests only read: each is generated once in a run, and opened again."""

import os
from datetime import date
from pathlib import Path

from posthog_sandbox.dataset import open_dataset
from posthog_sandbox.storage.engine import Engine

from .sandbox_client import TODAY


def open_shared(events: int, *, seed: int = 42, today: date = TODAY) -> Engine:
    """Open a dataset that was generated earlier in this run, or generate it. Do not write to it."""
    runs_own = Path(f"{os.environ['POSTHOG_SANDBOX_CACHE']}-shared")
    return open_dataset(runs_own / f"{events}-{seed}-{today}", events=events, seed=seed, today=today)
