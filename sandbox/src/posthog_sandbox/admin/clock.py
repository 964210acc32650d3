"""What time it is in the sandbox: the machine's time until somebody sets another."""

from datetime import UTC, datetime, timedelta

from ..errors import ApiError, maton_invalid
from ..values import Clock, Row, as_object, timestamp

_FARTHEST = timedelta(days=366 * 50)


class SettableClock:
    """A clock that runs on from the moment it was set to, or stands still there."""

    def __init__(self, real: Clock) -> None:
        self._real = real
        self._set: tuple[datetime, datetime, bool] | None = None

    def __call__(self) -> datetime:
        """The time now, in UTC."""
        if self._set is None:
            return self._real()
        moment, since, frozen = self._set
        return moment if frozen else moment + (self._real() - since)

    def set(self, moment: datetime, *, frozen: bool) -> None:
        """Go on from this moment."""
        self._set = (moment.astimezone(UTC), self._real(), frozen)

    def reset(self) -> None:
        """Follow the machine's time again."""
        self._set = None

    def shown(self) -> Row:
        """The clock as JSON."""
        return {
            "now": timestamp(self()),
            "is_set": self._set is not None,
            "frozen": self._set is not None and self._set[2],
        }

    def obey(self, sent: object) -> None:
        """Do what `{"now": "2026-01-31T12:00:00Z"}` or `{"advance_s": 3600}` says; `"frozen": true` stops the clock
        there. Raises ApiError 422."""
        body = as_object(sent)
        if (
            body is None
            or not body.keys() <= {"now", "advance_s", "frozen"}
            or ("now" in body) == ("advance_s" in body)
        ):
            raise _wrong("an object with either now or advance_s, and perhaps frozen, is expected")
        frozen = body.get("frozen", self._set is not None and self._set[2])
        if not isinstance(frozen, bool):
            raise _wrong("frozen is true or false")
        moment = _moment(body["now"]) if "now" in body else self() + _seconds(body["advance_s"])
        if abs(moment - self._real()) > _FARTHEST:
            raise _wrong("the clock moves by 50 years at most")
        self.set(moment, frozen=frozen)


def _moment(value: object) -> datetime:
    try:
        moment = datetime.fromisoformat(str(value))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _wrong("now is a time as in ISO 8601") from None


def _seconds(value: object) -> timedelta:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _FARTHEST.total_seconds():
        raise _wrong("advance_s is a number of seconds")
    return timedelta(seconds=value)


def _wrong(message: str) -> ApiError:
    return maton_invalid(["body"], message)
