"""Logs on stderr: one record per line, clean, and without the contents of requests."""

import io
import json
import logging
import threading
import warnings
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from maton_posthog.schemas.secret_forms import secret_forms
from maton_posthog.server.logs import repeats, stderr

SECRET = "mtk_CANARY_7f3a"


@pytest.fixture(autouse=True)
def loggers_as_before() -> Generator[None]:
    root, ours = logging.getLogger(), logging.getLogger(stderr.OURS)
    handlers, level, our_level = root.handlers[:], root.level, ours.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
    ours.setLevel(our_level)


def test_a_text_line_names_level_and_logger(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("info")
    logging.getLogger("maton_posthog.server").info("Ready", extra={"fields": {"port": 1, "url": "http://x/"}})
    assert capsys.readouterr().err.endswith("INFO    maton_posthog.server: Ready port=1 url=http://x/\n")


def test_a_json_line_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("debug", as_json=True)
    logging.getLogger("maton_posthog.x").debug('a\n{"level": "forged"}', extra={"fields": {"progress": 0.5}})
    (line,) = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert entry["message"] == 'a {"level": "forged"}'
    assert (entry["level"], entry["logger"], entry["progress"]) == ("debug", "maton_posthog.x", 0.5)
    assert entry["time"].endswith("Z")


def test_libraries_log_warnings_at_every_level(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("debug")
    for name in ("httpx2", "mcp.server", "uvicorn.error", "asyncio"):
        logging.getLogger(name).info("https://maton.example.com/?query")
    logging.getLogger("mcp.server").warning("heed")
    assert capsys.readouterr().err.count("\n") == 1


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def merging(clock: Clock) -> tuple[logging.Logger, io.StringIO, repeats.Merging]:
    stream = io.StringIO()
    handler = repeats.Merging(stream, frozenset({stderr.AUDIT}), clock)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    return logging.getLogger("uvicorn.error"), stream, handler


def test_a_line_that_repeats_is_written_once_and_then_counted() -> None:
    clock = Clock()
    logger, stream, handler = merging(clock)
    for number in range(30_000):
        logger.warning("Invalid HTTP request received.")
        if number % 10_000 == 0:
            logger.warning("Other %d", number)
    assert stream.getvalue().splitlines() == [
        "Invalid HTTP request received.",
        *(f"Other {n}" for n in (0, 10_000, 20_000)),
    ]
    clock.now += repeats.WINDOW_S
    logger.warning("Later")
    assert stream.getvalue().splitlines()[4:] == ["Invalid HTTP request received. (repeated 29999 times)", "Later"]
    logger.warning("Later")
    handler.finish()
    assert stream.getvalue().splitlines()[6:] == ["Later (repeated once more)"]


def test_repeats_are_written_without_another_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "WINDOW_S", 0.01)
    written = threading.Event()

    class Stream(io.StringIO):
        def write(self, text: str, /) -> int:
            if "repeated" in text:
                written.set()
            return super().write(text)

    handler = repeats.Merging(Stream(), frozenset())
    logging.getLogger().handlers[:] = [handler]
    with handler.lock or threading.RLock():
        for _ in range(3):
            handler.emit(logging.makeLogRecord({"msg": "Again"}))
    assert written.wait(60)


def test_the_lines_of_the_audit_log_and_of_errors_are_all_written() -> None:
    _, stream, _ = merging(Clock())
    for _ in range(3):
        logging.getLogger(stderr.AUDIT).warning("tool=delete_flag outcome=ok")
    assert stream.getvalue().count("tool=") == 3


def test_very_many_different_lines_do_not_fill_the_memory() -> None:
    logger, stream, handler = merging(Clock())
    for number in range(3 * repeats.MOST_KNOWN):
        logger.warning("Line %d", number)
        logger.warning("Line %d", number)
    assert len(handler._known) <= repeats.MOST_KNOWN  # pyright: ignore[reportPrivateUsage]
    handler.finish()
    assert stream.getvalue().count("(repeated once more)") == 3 * repeats.MOST_KNOWN


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_no_text_can_forge_a_line_or_control_a_terminal(text: str) -> None:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stderr", stream)
        stderr.configure("info")
    logging.getLogger("maton_posthog").info("%s", text)
    written = stream.getvalue()
    assert written.count("\n") == 1
    assert not [character for character in written[:-1] if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0]


def test_secrets_and_query_strings_are_removed(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("info", secrets=secret_forms(SECRET, "k"))
    logging.getLogger("maton_posthog").info("GET https://x.example.com/a?email=a@b.c&x=1 with %s, kept", SECRET)
    assert "GET https://x.example.com/a?… with [redacted], kept" in capsys.readouterr().err


def test_a_question_is_not_a_query_string(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("info")
    logging.getLogger("maton_posthog").info("Really? Yes = yes")
    assert "Really? Yes = yes" in capsys.readouterr().err


class Person(BaseModel):
    age: int


def test_an_exception_is_logged_with_its_place_but_without_values_of_a_model(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stderr.configure("info", secrets=[SECRET])
    try:
        try:
            Person.model_validate({"age": "a@b.c"})
        except ValidationError as error:
            raise RuntimeError(f"no person with {SECRET}\nat all") from error
    except RuntimeError:
        logging.getLogger("maton_posthog").exception("It failed")
    written = capsys.readouterr().err
    assert "a@b.c" not in written
    assert SECRET not in written
    first, *rest = written.splitlines()
    assert first.endswith("It failed")
    assert all(line.startswith("    ") for line in rest)
    assert "    ValidationError: Person: age" in rest
    assert rest[-1] == "    RuntimeError: no person with [redacted] at all"


def test_an_exception_is_part_of_the_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("info", as_json=True)
    try:
        raise KeyError("results")
    except KeyError:
        logging.getLogger("maton_posthog").exception("It failed")
    entry = json.loads(capsys.readouterr().err)
    assert entry["exception"][-1] == "KeyError: 'results'"
    assert "test_stderr.py" in entry["exception"][0]


def test_warnings_are_records_too(capsys: pytest.CaptureFixture[str]) -> None:
    stderr.configure("info", as_json=True)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("heed", stacklevel=1)
    assert "heed" in json.loads(capsys.readouterr().err)["message"]
