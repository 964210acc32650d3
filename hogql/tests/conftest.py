"""Settings for all tests: no limits that depend on the machine's speed.

Property tests draw the same examples on every run, and many others with `ORACLE_SEEDS=N --hypothesis-profile=drawn`.
"""

import gc
import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "drawn",
    deadline=None,
    max_examples=1000 if os.environ.get("ORACLE_SEEDS") else 100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("repeatable", settings.get_profile("drawn"), derandomize=True)
settings.load_profile("repeatable")


def pytest_collection_finish() -> None:
    """Spare the collector what lives as long as the run, which is most of it: it took a seventh of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
