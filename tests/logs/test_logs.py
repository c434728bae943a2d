"""Logs hold what happened and nothing private, whoever wrote them and in whichever format."""

import io
import json
import logging
import re
import warnings

import pytest
import structlog

from connector import logs
from connector.errors import Problem, TopicError
from connector.logs import configure
from connector.masking import Secrets
from connector.settings.model import Log

NUMBER = "919812345678"


@pytest.fixture
def stream(monkeypatch):
    """A stream that logs are configured to; the process' own logging comes back afterwards."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("aiokafka", "faust", "mode", "aiohttp", "asyncio")}
    monkeypatch.setattr(logs, "SECRETS", Secrets(["hunter2hunter2"]))
    yield io.StringIO()
    root.handlers[:], root.level = before
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_without_a_terminal_each_event_is_one_json_line(stream) -> None:
    configure(Log(), stream=stream)
    structlog.get_logger("connector.test").info("batch sent", size=3, batch_id="0123456789", took=0.25)
    (line,) = lines(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "batch sent",
        "level": "info",
        "logger": "connector.test",
        "size": 3,
        "batch_id": "0123456789",
        "took": 0.25,
    }


@pytest.mark.parametrize("form", ["json", "human"])
def test_nothing_private_is_written_in_either_format(stream, form) -> None:
    configure(Log(format=form), stream=stream)
    log = structlog.get_logger("connector.test")
    log.info(
        "to %s", NUMBER, to=NUMBER, msisdn=int(NUMBER), body="the text", url=f"http://x/?to={NUMBER}&k=hunter2hunter2"
    )
    log.info("nested", request={"to": [NUMBER], "token": "abc", NUMBER: {"body": "the text"}}, tried=(NUMBER,))
    try:
        raise ValueError(f"no route to {NUMBER} with hunter2hunter2")
    except ValueError:
        log.exception("failed")
        logging.getLogger("aiohttp.client").exception("failed for %s", NUMBER)
    logging.getLogger("library").warning("sent to %s", NUMBER, extra={"body": "the text"})
    written = stream.getvalue()
    assert "ValueError" in written
    assert "**********78" in written
    for private in (NUMBER, "hunter2", "the text", "abc"):
        assert private not in written


def test_ids_and_places_stay_readable(stream) -> None:
    configure(Log(), stream=stream)
    structlog.get_logger().info(
        "x", message_id=NUMBER, topic="t-1234567", offset=123456789, count=123456789, error=None
    )
    line = lines(stream)[0]
    assert (line["message_id"], line["topic"], line["offset"], line["count"]) == (
        NUMBER,
        "t-1234567",
        123456789,
        123456789,
    )
    assert line["error"] is None


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("debug", ["ours debug", "ours info", "theirs info", "theirs warning"]),
        ("info", ["ours info", "theirs warning"]),
        ("warning", ["theirs warning"]),
        ("error", []),
    ],
)
def test_the_level_is_ours_and_libraries_are_one_step_quieter(stream, level, written) -> None:
    configure(Log(level=level), stream=stream)
    ours, theirs = structlog.get_logger("connector.test"), logging.getLogger("aiokafka.conn")
    ours.debug("ours debug")
    ours.info("ours info")
    theirs.info("theirs info")
    theirs.warning("theirs warning")
    assert [line["event"] for line in lines(stream)] == written


def test_on_a_terminal_a_line_is_short(stream) -> None:
    """Time to the second, what happened, and of what; not which file wrote it."""
    configure(Log(format="human"), stream=stream)
    structlog.get_logger("connector.stream.some.long.name").info("partitions opened", partitions=9)
    written = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ \[info *\] partitions opened +partitions=9\n", written)


def test_what_ends_a_worker_for_a_person_to_mend_is_no_line_of_a_service(stream) -> None:
    """It is told once, by the worker, at its end."""
    configure(Log(), stream=stream)
    logging.getLogger("connector.stream.faust.app").error("[^-App]: Crashed reason=%r", MISSING, exc_info=MISSING)
    assert stream.getvalue() == ""


def test_configuring_again_replaces_the_first(stream) -> None:
    first = io.StringIO()
    configure(Log(), stream=first)
    configure(Log(), stream=stream)
    structlog.get_logger().info("once")
    assert first.getvalue() == ""
    assert len(lines(stream)) == 1


def test_warnings_are_logged(stream) -> None:
    configure(Log(), stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=True)
        warnings.warn(f"deprecated {NUMBER}", stacklevel=1)
        logging.captureWarnings(capture=False)
    assert "deprecated **********78" in lines(stream)[0]["event"]


@pytest.mark.usefixtures("stream")
@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_switches_colours_off_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, no_color: str, coloured: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("NO_COLOR", no_color)
    terminal = Terminal()
    logs.configure(Log(), stream=terminal)
    structlog.get_logger("t").info("hello")
    assert ("\x1b[" in terminal.getvalue()) is coloured


MISSING = TopicError([Problem("there is no topic sms.results", "run `sms-connector topics create`")])


@pytest.mark.parametrize("form", ["json", "human"])
@pytest.mark.parametrize("library", [False, True], ids=["ours", "a library's"])
def test_what_a_person_has_to_mend_is_told_without_a_traceback_whoever_logs_it(stream, form, library) -> None:
    configure(Log(format=form), stream=stream)
    log = logging.getLogger("mode.services") if library else structlog.get_logger("connector.test")
    log.error("Crashed reason=%r", MISSING, exc_info=MISSING)
    try:
        raise MISSING
    except TopicError:
        log.exception("failed")
    written = stream.getvalue()
    assert "Traceback" not in written
    assert written.count("run `sms-connector topics create`") == 2  # in what is said, or beside it


def test_another_error_has_its_traceback(stream) -> None:
    configure(Log(), stream=stream)
    try:
        raise KeyError("x")
    except KeyError:
        logging.getLogger("mode.services").exception("Crashed")
    (line,) = lines(stream)
    assert line["exception"].startswith("Traceback")
