"""What a lane makes of a fake's faults, in virtual time: and that a draft reaches nothing but the fake."""

from __future__ import annotations

import time
from typing import Any

import pytest

from connector.definition.files import CATALOGUE
from connector.definition.load import load, load_text
from connector.definition.tree import Login, SigV4
from connector.errors import UsageError
from connector.tools.simulator import PROVIDERS
from connector.tools.simulator.in_memory import InMemoryFake
from connector.workbench.simulation import DemoEnvironment, Simulated, simulate, simulated_events

EVENT: dict[str, Any] = {
    "campaign_id": "c",
    "body": "Hello",
    "template_id": "1107160000000012345",
    "template_variables": {"name": "Asha"},
    "custom": {"sender": "ACMEIN", "entity": "1101450000000054321"},
}
NOW = 1_800_000_000.0


def run(name: str, knobs: dict[str, Any], count: int = 400, outcomes: tuple[str, ...] = (), **event: Any) -> Simulated:
    definition = load(name, environment=DemoEnvironment())
    events = simulated_events(count, {**EVENT, **event}, outcomes)
    return simulate(definition, events, InMemoryFake(name, knobs), now=NOW)


def shipped_with_fakes() -> list[str]:
    names = sorted(file.stem for file in CATALOGUE.glob("*.yaml"))
    return [name for name in names if name in PROVIDERS]


@pytest.mark.parametrize("name", shipped_with_fakes())
def test_every_shipped_definition_is_taken_by_its_fake_with_demo_credentials(name: str) -> None:
    definition = load(name, environment=DemoEnvironment())
    kinds = {type(operation.auth) for operation in definition.operations}
    if kinds & {SigV4, Login}:
        pytest.skip("its fake wants what only a real login or AWS's signer gives")
    variables = {} if name != "tencent" else {"template_variables": ["Asha"]}

    events = simulated_events(200, {**EVENT, **variables}, ())
    simulated = simulate(definition, events, InMemoryFake(name, {}), now=time.time())
    assert simulated.results == {"accepted": 200}
    assert (simulated.taken, simulated.twice, simulated.lost, simulated.waiting) == (200, 0, 0, 0)


@pytest.mark.parametrize(
    ("knobs", "twice", "unknown"),
    [
        ({"error": 503, "error_taken": True, "times": 1}, True, False),
        ({"drop": "after", "times": 1}, True, False),
        ({"drop": "before", "times": 1}, False, False),
        ({"throttle": True, "times": 2, "retry_after": 5}, False, False),
        ({"malformed": True, "times": 1}, False, True),
        ({"broken": "any", "times": 1}, False, True),
        ({"down": True, "times": 1}, False, False),
        ({"latency": 40.0, "times": 1}, True, False),
    ],
)
def test_what_a_fault_costs_is_counted(knobs: dict[str, Any], twice: bool, unknown: bool) -> None:
    simulated = run("plivo", knobs)
    assert simulated.events == sum(simulated.results.values()) == simulated.taken
    assert (simulated.twice > 0, simulated.unknown > 0, simulated.lost) == (twice, unknown, 0)
    assert simulated.results.get("unknown", 0) == simulated.unknown


def test_numbers_that_ask_for_an_outcome_get_it() -> None:
    simulated = run("textlocal", {}, outcomes=("invalid", "blocked"))
    assert simulated.results == {"accepted": 392, "rejected": 8}
    assert {(each.code, each.messages) for each in simulated.reasons} == {("51", 8)} or len(simulated.reasons) == 2


def test_a_definition_that_believes_every_2xx_is_told_what_it_lost() -> None:
    text = "method: POST\nurl: https://sms.example.com/send\nparameters: {json: {msgs: [{to: $$To, text: $$Body}]}}\n"
    text += "batching: {key: msgs, records: 100}\n"
    definition = load_text(text, "draft", environment=DemoEnvironment())
    simulated = simulate(
        definition,
        simulated_events(100, {"body": "x"}, ("blocked",)),
        InMemoryFake("json", {}),
        now=NOW,
    )
    assert simulated.results == {"accepted": 100}
    assert simulated.lost == 2


def test_hours_of_waiting_take_no_time_and_end() -> None:
    simulated = run("plivo", {"down": True}, count=50)
    assert simulated.waiting + simulated.results.get("failed", 0) == 50
    assert simulated.waiting
    assert simulated.seconds == pytest.approx(3600, abs=1)


def test_a_draft_reaches_nothing_but_the_fake_whatever_address_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    text = (
        "method: POST\nurl: http://169.254.169.254/latest\nparameters: {pairs: {to: $$To, text: $$Body}}\n"
        "auth: {oauth2: {url: 'http://127.0.0.1:1/token', client_id: a, secret: b}}\n"
        "http: {private_hosts: true, proxy: 'http://127.0.0.1:1'}\n"
    )
    definition = load_text(text, "draft", environment=DemoEnvironment())
    simulated = simulate(definition, simulated_events(10, EVENT, ()), InMemoryFake("generic", {}), now=NOW)
    assert simulated.results == {"accepted": 10}


def test_what_cannot_be_simulated_is_said() -> None:
    with pytest.raises(UsageError, match="AWS"):
        run("aws-pinpoint", {})
    with pytest.raises(UsageError, match="no number asks for"):
        simulated_events(100, EVENT, ("loud",))
    with pytest.raises(ValueError, match="plivo has"):
        InMemoryFake("plivo", {"slow": True})
    with pytest.raises(UsageError, match="no message"):
        simulated_events(1, {"custom": 3}, ())
