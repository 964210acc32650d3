"""The parameters of a dataset. A start from the cache needs them, and nothing of the generator."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from .story import Story, tell

type ReportProgress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters that determine every byte of a dataset."""

    events: int
    """Exact number of events, at least 1."""
    seed: int
    today: date
    """The last day of the data."""
    hostile: bool = True
    """Whether some values are deliberately hostile (prompt injection, control characters, very long text ...)."""
    weekday: int | None = None
    """The weekday that the calendar takes `today` for (0 is Monday); None for the real one. See `tell`."""

    @property
    def calendar(self) -> int:
        """The weekday of `today` in the calendar of the data."""
        return self.today.weekday() if self.weekday is None else self.weekday

    @property
    def story(self) -> Story:
        """The calendar of the data."""
        return tell(self.today, self.weekday)
