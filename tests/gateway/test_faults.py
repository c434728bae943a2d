"""A real gateway that refuses, dies, stands still, or has lost its network, while a worker sends to it.

Witnesses are the gateway's own access log (what was asked of it, and how often) and the SMSC (what left it).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

import pytest

from tests.gateway.kannel import OCTETS, Kannel
from tests.gateway.sending import PATIENCE, define, event, phone, worker
from tests.gateway.smsc import Smsc
from tests.integration.pipeline import Pipeline
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

EVENTS, BEFORE = 300, 80
CONCURRENCY = 8
LOAD = f"limits: {{requests: 100/s, concurrency: {CONCURRENCY}}}\nhttp: {{total: %s, private_hosts: true}}"
LATE = EVENTS  # numbers of those under `report` begin here


def prepared(pipeline: Pipeline, **definitions: str) -> Pipeline:
    """Topics, settings and definitions: name → what is changed in ours."""
    for name, more in definitions.items():
        define(pipeline, name, OCTETS, more)
    pipeline.configure()
    pipeline.create_topics()
    return pipeline


def arrived(network: Smsc) -> Counter[str]:
    """How many SMS each number got."""
    return Counter(f"+{submitted.destination}" for submitted in network.submitted)


def statuses(pipeline: Pipeline, provider: str) -> Counter[str]:
    return Counter(result["status"] for result in pipeline.read_results() if result["provider"] == provider)


def test_a_wrong_password_sends_nothing_and_the_right_one_everything_once(
    pipeline: Pipeline, gateway: tuple[Kannel, Smsc]
) -> None:
    kannel, network = gateway
    prepared(pipeline, kannel="")
    pipeline.produce(event(number, "kannel") for number in range(50))
    wrong = worker(pipeline, kannel, "w0", "hunter2-but-another")
    wrong.wait_for("probe failed: provider stays paused", PATIENCE)
    assert wrong.stop() == 0, wrong.output
    assert "HTTP 403" in wrong.output
    assert (pipeline.count_results(), kannel.requests()) == (0, {})
    right = worker(pipeline, kannel, "w1")
    pipeline.wait_for_results(50)
    assert right.stop() == 0, right.output
    assert statuses(pipeline, "kannel") == {"accepted": 50}
    wait_until(lambda: len(network.submitted) == 50, "all to arrive", within=PATIENCE)
    assert kannel.requests() == arrived(network) == {phone(number): 1 for number in range(50)}


def paused(output: str) -> set[str]:
    """The providers that a worker has paused."""
    return set(re.findall(r'"provider": "(\w+)".*"event": "provider paused"', output))


def kill(kannel: Kannel, until: Callable[[], None]) -> None:
    kannel.kill()
    until()
    kannel.start()


def kill_bearerbox(kannel: Kannel, until: Callable[[], None]) -> None:
    """smsbox is left without the half that it hands messages to, and starts itself anew."""
    kannel.kill(only_bearerbox=True)
    until()
    kannel.start()


def stand_still(kannel: Kannel, until: Callable[[], None]) -> None:
    kannel.pause()
    until()
    kannel.resume()


@pytest.mark.parametrize("fault", [kill, kill_bearerbox, stand_still])
def test_a_gateway_that_fails_under_load_loses_nothing(
    pipeline: Pipeline, gateway: tuple[Kannel, Smsc], fault: Callable[[Kannel, Callable[[], None]], None]
) -> None:
    """`resend`: all are accepted, and what was under way may be asked for again. `report`: nothing is asked for twice,
    and what was under way, and the probes, end unknown.
    """
    kannel, network = gateway
    load = LOAD % ("1s" if fault is stand_still else "20s")  # when a reply counts as lost
    prepared(pipeline, resend=load, report=f"on_uncertain: report\n{load}")
    pipeline.produce(
        each for number in range(EVENTS) for each in (event(number, "resend"), event(LATE + number, "report"))
    )
    running = worker(pipeline, kannel)
    wait_until(lambda: pipeline.count_results() >= BEFORE, "the load", within=PATIENCE)

    def until_both_have_noticed() -> None:
        wait_until(lambda: {"resend", "report"} == paused(running.output), "both to be paused", within=PATIENCE)

    fault(kannel, until_both_have_noticed)
    pipeline.wait_for_results(2 * EVENTS)
    assert running.stop() == 0, running.output
    results = pipeline.read_results()
    assert len({result["message_id"] for result in results}) == len(results) == 2 * EVENTS
    assert statuses(pipeline, "resend") == {"accepted": EVENTS}
    reported = statuses(pipeline, "report")
    assert set(reported) <= {"accepted", "unknown"}

    accepted = {result["to"] for result in results if result["status"] == "accepted"}
    wait_until(
        lambda: accepted <= set(arrived(network)), "everything that was accepted to leave the gateway", within=PATIENCE
    )
    asked = kannel.requests()
    again = {number: times for number, times in asked.items() if times > 1}
    assert not [number for number in again if number >= phone(LATE)], "under `report` nothing is asked for twice"
    assert all(times <= 6 for times in again.values()), again  # `attempts`, and one more after the outage
    if fault is stand_still:  # what it was asked for meanwhile it does when it wakes up, unless the connection has gone
        wait_until(
            lambda: arrived(network) == asked, "all that was asked for to leave the gateway, as often", within=PATIENCE
        )
        assert reported["unknown"] >= 1
    else:
        assert len(again) <= CONCURRENCY, "what was under way"
        assert reported["unknown"] <= CONCURRENCY


def test_without_its_network_the_gateway_takes_messages_into_its_queue(
    pipeline: Pipeline, gateway: tuple[Kannel, Smsc]
) -> None:
    """They are accepted, with the code that says so, and leave when the network is back."""
    kannel, network = gateway
    prepared(pipeline, kannel="")
    network.go()
    wait_until(lambda: not kannel.connected(), "the gateway to notice")
    pipeline.produce(event(number, "kannel") for number in range(30))
    running = worker(pipeline, kannel)
    pipeline.wait_for_results(30)
    assert running.stop() == 0, running.output
    assert [(result["status"], result["code"]) for result in pipeline.read_results()] == [("accepted", "3")] * 30
    assert network.submitted == []
    network.come()
    wait_until(lambda: len(network.submitted) == 30, "all to leave the gateway", within=PATIENCE)
    assert arrived(network) == {phone(number): 1 for number in range(30)}


def test_what_finds_the_queue_full_waits_and_is_sent_once(
    pipeline: Pipeline, make_gateway: Callable[..., tuple[Kannel, Smsc]]
) -> None:
    """503 is "try again later": no attempt is counted, nothing fails."""
    kannel, network = make_gateway(queue=10)
    prepared(pipeline, kannel="retry: {attempts: 1}")
    network.go()
    wait_until(lambda: not kannel.connected(), "the gateway to notice")
    pipeline.produce(event(number, "kannel") for number in range(60))
    running = worker(pipeline, kannel)
    pipeline.wait_for_results(10)
    wait_until(lambda: "queue full" in kannel.log(), "the queue to be full", within=PATIENCE)
    network.come()
    pipeline.wait_for_results(60)
    assert running.stop() == 0, running.output
    assert statuses(pipeline, "kannel") == {"accepted": 60}
    wait_until(lambda: len(network.submitted) >= 60, "all to leave the gateway", within=PATIENCE)
    assert arrived(network) == {phone(number): 1 for number in range(60)}
