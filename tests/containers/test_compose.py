"""The compose file as users get it: up from nothing, an event in and a result out, a worker killed, workers stopped."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable
from urllib.request import urlopen

from ruamel.yaml import YAML

from tests.containers.sandbox import REPOSITORY
from tests.containers.stack import SAID, Stack
from tests.waiting import wait_until

EVENTS = 20_000
KILLED_AFTER = 2_000


def test_all_of_it_is_up_and_healthy(stack: Stack) -> None:
    services = YAML(typ="safe").load(REPOSITORY / "docker-compose.yml")["services"]
    for service in services:
        names = stack.containers(service)
        assert len(names) == (2 if service == "connector" else 1), service
        for name in names:
            state = stack.state(name)
            if service == "topics":
                assert (state["Running"], state["ExitCode"]) == (False, 0)
            else:
                assert state["Running"], service
                assert state.get("Health", {}).get("Status", "healthy") == "healthy"
    assert all("Health" in stack.state(name) for name in stack.containers("connector") + stack.containers("simulator"))


def test_what_has_to_be_made_is_made_within_the_limits_of_the_file(stack: Stack) -> None:
    for service in ("connector", "simulator", "topics"):
        host = stack.engine.inspect(stack.containers(service)[0])["HostConfig"]
        assert host["ReadonlyRootfs"] is True
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]


def commands() -> list[str]:
    """What examples/compose/README.md says to type, in order: what starts the stack has been typed."""
    text = (REPOSITORY / "examples" / "compose" / "README.md").read_text()
    (block,) = re.findall(r"```\n(.*?)```", text, re.DOTALL)
    up, *others = [command.strip() for command in block.split("\n\n")]
    assert up.startswith("docker compose up")
    return others


def test_the_readmes_example_is_typed_as_it_stands_and_accepted(stack: Stack) -> None:
    produce, *look = commands()
    before = stack.results()
    stack.engine.shell(produce)
    stack.wait_for_results(before + 2)
    for command in look:
        said = stack.engine.shell(command)
    lines = [line for line in said.splitlines() if "accepted" in line]
    assert {"m1", "m2"} <= {word for line in lines for word in line.split()}, said


def test_an_operator_finds_the_command_in_the_container(stack: Stack) -> None:
    connector = ("exec", "-T", "connector", "sms-connector")
    said = stack.engine.compose(
        *connector, "send", "--to", "+919812345670", "--provider", "simulated", "--campaign", "by-hand", "--body", "Hi",
        "--message-id", "by-hand-1", "--wait",
    )  # fmt: skip
    assert re.search(r"accepted\s+1", said), said
    assert "state: accepted" in stack.engine.compose(*connector, "trace", "by-hand-1")
    stack.engine.compose(*connector, "lag")
    stack.engine.compose(*connector, "topics", "check")


def test_prometheus_scrapes_both_workers_and_has_read_the_alerts(stack: Stack) -> None:
    def up() -> bool:
        with urlopen(
            "http://127.0.0.1:9090/api/v1/query?query=up%7Bjob%3D%22sms-connector%22%7D", timeout=10
        ) as answer:
            return answer.read().count(b',"1"]') == 2

    wait_until(up, "two workers to be scraped", within=60, every=1)
    with urlopen("http://127.0.0.1:9090/api/v1/rules", timeout=10) as answer:
        assert b"SmsConnectorDown" in answer.read()


def test_one_of_two_workers_killed_under_load_loses_nothing_and_is_started_again(stack: Stack) -> None:
    before = stack.results()
    stack.turn(latency=0.2)
    stack.produce(range(EVENTS))
    victim = stack.containers("connector")[0]
    wait_until(lambda: stack.results() >= before + KILLED_AFTER, "load", within=120, every=0.1)
    os.kill(stack.state(victim)["Pid"], signal.SIGKILL)  # as the kernel does: `docker kill` would count as a stop
    stack.wait_for_results(before + EVENTS)
    stack.turn()
    found = stack.audit()
    SAID.append(f"kill of one of two under load: {found.events} events, findings {dict(found.findings) or 'none'}")
    assert {"lost", "doubled", "strangers", "unsent", "denied", "untaken", "unasked"}.isdisjoint(found.findings)
    assert found.findings["repeated"] <= AT_PROVIDER, "more was sent again than was at the provider when it was killed"
    wait_until(lambda: stack.state(victim)["RestartCount"] == 1, "the restart", within=60, every=0.5)
    stack.wait_healthy(victim)


AT_PROVIDER = 8 * 100
"""Requests of one worker at once (`limits.concurrency`), times messages in a request: what one kill may repeat."""


def test_stopped_workers_finish_what_they_began_within_the_grace(stack: Stack) -> None:
    repeated = stack.audit().findings["repeated"]
    before, taken = stack.results(), stack.taken()
    stack.turn(latency=3)
    stack.produce(range(EVENTS, 2 * EVENTS))
    wait_until(
        lambda: len(stack.requests()) and stack.taken() > taken, "requests at the provider", within=60, every=0.2
    )
    began = time.monotonic()
    stack.engine.compose("stop", "connector")
    SAID.append(f"docker compose stop connector, with requests of 3 s under way: {time.monotonic() - began:.0f} s")
    for name in stack.containers("connector"):
        state = stack.state(name)
        assert (state["ExitCode"], state["OOMKilled"]) == (0, False), (
            "137 would be the engine's SIGKILL after the grace"
        )
        assert not state["Running"], "what was stopped stays so: on-failure does not restart 0"
    assert stack.results() - before == stack.taken() - taken, "what was sent has its result, and nothing else has"
    stack.turn()
    stack.engine.compose("start", "connector")
    stack.wait_for_results(before + EVENTS)
    found = stack.audit()
    assert found.findings["repeated"] == repeated, "a clean stop sends nothing again"
    assert set(found.findings) <= {"repeated"}


def test_no_log_shows_a_number_a_text_or_a_secret(stack: Stack) -> None:
    logs = stack.engine.compose("logs", "--no-color", "connector", "topics")
    shown: Iterable[str] = re.findall(r"\+?9198\d{8}|Hello \d+", logs)
    assert not list(shown)
