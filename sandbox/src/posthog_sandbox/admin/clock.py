"""The sandbox's time: the machine's time until a test sets another."""

from datetime import UTC, datetime, timedelta

from ..errors import ApiError, maton_invalid
from ..values import Clock, Row, as_object, timestamp

_FARTHEST = timedelta(days=366 * 50)


class SettableClock:
    """A clock that continues from the moment it was set to, or stays frozen there."""

    def __init__(self, real: Clock) -> None:
        self._real = real
        self._set: tuple[datetime, datetime, bool] | None = None

    def __call__(self) -> datetime:
        """Return the current time in UTC."""
        if self._set is None:
            return self._real()
        moment, since, frozen = self._set
        return moment if frozen else moment + (self._real() - since)

    def set(self, moment: datetime, *, frozen: bool) -> None:
        """Continue from this moment, or stay at it when frozen."""
        self._set = (moment.astimezone(UTC), self._real(), frozen)

    def reset(self) -> None:
        """Follow the machine's time again."""
        self._set = None

    def shown(self) -> Row:
        """Return the clock as JSON."""
        return {
            "now": timestamp(self()),
            "is_set": self._set is not None,
            "frozen": self._set is not None and self._set[2],
        }

    def apply(self, sent: object) -> None:
        """Apply `{"now": "2026-01-31T12:00:00Z"}` or `{"advance_s": 3600}`; `"frozen": true` stops the clock there.

        Raises ApiError 422.
        """
        body = as_object(sent)
        if (
            body is None
            or not body.keys() <= {"now", "advance_s", "frozen"}
            or ("now" in body) == ("advance_s" in body)
        ):
            raise _wrong("Expected an object with either `now` or `advance_s`, and optionally `frozen`.")
        frozen = body.get("frozen", self._set is not None and self._set[2])
        if not isinstance(frozen, bool):
            raise _wrong("`frozen` must be true or false.")
        moment = _moment(body["now"]) if "now" in body else self() + _seconds(body["advance_s"])
        if abs(moment - self._real()) > _FARTHEST:
            raise _wrong("The clock can be moved by at most 50 years.")
        self.set(moment, frozen=frozen)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong("`now` must be an ISO 8601 time.") from None


def _seconds(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _FARTHEST.total_seconds():
        raise _wrong("`advance_s` must be a number of seconds, at most 50 years.")
    return timedelta(seconds=value)


def _wrong(message: str) -> ApiError:
    return maton_invalid(["body"], message)
