"""A deterministic synthetic dataset: 90 days of a small software business, loaded into the embedded ClickHouse."""

from . import product
from .cache import Cache, cache_directory
from .directory import DatasetBusyError, DatasetDirectory, DatasetError, claim, remove_own_temporary
from .opening import Opening, open_dataset
from .parameters import Parameters
from .story import Story, newest_today, tell

__all__ = [
    "Cache",
    "DatasetBusyError",
    "DatasetDirectory",
    "DatasetError",
    "Opening",
    "Parameters",
    "Story",
    "cache_directory",
    "claim",
    "newest_today",
    "open_dataset",
    "product",
    "remove_own_temporary",
    "tell",
]
