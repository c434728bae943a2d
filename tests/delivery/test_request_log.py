"""What is logged of requests: one line each at `debug`, state changes at `info`, never a message."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from connector.delivery.sending import request_log
from connector.errors import Phase, RequestError
from connector.logs import configure
from connector.model import Outcome
from connector.settings.model import Log

from .virtual import simulate
from .world import World, names

Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged(request: pytest.FixtureRequest) -> Iterator[Logged]:
    """Every line of the test; the level is the fixture's parameter."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers[:], root.level
    configure(Log(format="json", level=request.param), stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def send(answer: Any, *, seconds: float = 1.0) -> World:
    """Three messages to a provider that answers so."""
    worlds = []

    async def scenario() -> None:
        world = World()
        worlds.append(world)
        world.provider.answer = answer
        world.offer(*names(3), body="Your code is 1234")
        await world.run(seconds)

    simulate(scenario())
    return worlds[0]


@pytest.mark.parametrize("logged", ["debug"], indirect=True)
@pytest.mark.parametrize(
    ("answer", "status", "outcomes"),
    [
        (lambda _: Outcome("accept"), 200, {"accept": 3}),
        (lambda call: {call.ids[0]: Outcome("reject", reason="+919800000001")}, 200, {"reject": 1, "accept": 2}),
        (lambda _: RequestError(Phase.CONNECT, "no connection", uncertain=False), None, {"connect": 3}),
        (lambda _: RequestError(Phase.READ, "time-out", uncertain=True), None, {"uncertain": 3}),
    ],
)
def test_a_request_is_one_line_without_numbers_and_texts(
    logged: Logged, answer: Any, status: int | None, outcomes: dict[str, int]
) -> None:
    world = send(answer)
    line = next(it for it in logged() if it["event"] == "batch")
    assert line["level"] == "debug"
    assert (line["provider"], line["campaign"]) == ("acme", "c1")
    assert (line["size"], line["http_status"], line["outcomes"]) == (3, status, outcomes)
    assert line["batch_id"] == world.provider.calls[0].batch
    assert 0 <= line["seconds"] <= 1
    assert "98000" not in json.dumps(logged())
    assert "1234" not in json.dumps([{**it, "batch_id": ""} for it in logged()])


@pytest.mark.parametrize("logged", ["info"], indirect=True)
def test_at_info_nothing_is_made_of_a_request_and_what_changes_is_told(
    logged: Logged, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    monkeypatch.setattr(request_log, "_tell", lambda *line: made.append(line))
    replies = iter([Outcome("pause", reason="no credit for +919800000001")])
    send(lambda _: next(replies, Outcome("accept")), seconds=60)
    told = [(it["level"], it["event"], it["provider"]) for it in logged()]
    assert made == []
    assert told == [("warning", "provider paused", "acme"), ("info", "provider works again", "acme")]
    assert "98000" not in json.dumps(logged())
