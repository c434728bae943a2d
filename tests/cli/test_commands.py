"""What all commands have in common, and the pure parts of those that look into Kafka."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import click
import orjson
import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner

from connector.cli.lag import Situation, row
from connector.cli.main import COMMANDS, group
from connector.cli.moments import MOMENT
from connector.cli.replay import about_letter
from connector.cli.selection import Selection, may_hold
from connector.cli.trace.found import Seen, Trace
from connector.errors import UsageError
from connector.kafka.reader import Bounds, Members
from connector.kafka.topics import ActualTopic, expansion
from connector.model import Source
from connector.settings.model import Topics

NOW = datetime(2025, 1, 31, 8, tzinfo=UTC)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself(name: str) -> None:
    result = CliRunner().invoke(group, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")


def leaves(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Every command that does something."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from leaves(found, *names, name)
    else:
        yield names


@pytest.mark.parametrize("names", [it for it in leaves(group) if it != ("config", "reference")], ids=" ".join)
def test_help_has_examples_that_call_the_command(names: tuple[str, ...]) -> None:
    about = CliRunner().invoke(group, [*names, "--help"]).stdout
    _, found, examples = about.partition("Examples:\n")
    assert found or names[0] in {"provider", "campaign"}, about
    assert not found or f"sms-connector {' '.join(names)}" in examples


def complete(words: str) -> set[str]:
    """What bash is offered for these words."""
    env = {**os.environ, "_SMS_CONNECTOR_COMPLETE": "bash_complete", "COMP_WORDS": words}
    env["COMP_CWORD"] = str(words.count(" "))
    program = "from connector.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", program], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {line.partition(",")[2] for line in done.stdout.splitlines()}


def test_a_shell_completes_commands_options_and_choices() -> None:
    assert complete("sms-connector tra") == {"trace"}
    assert {"--since", "--status"} <= complete("sms-connector results --s")
    assert complete("sms-connector results --status e") == {"expired"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_variable_the_program_reads(shell: str) -> None:
    script = CliRunner().invoke(group, ["completion", shell]).stdout
    assert f"_SMS_CONNECTOR_COMPLETE={shell}_complete" in script


def test_a_moment_is_a_time_with_zone_or_so_long_ago() -> None:
    assert MOMENT.convert("2025-01-31T13:30:00+05:30", None, None) == NOW
    assert abs(MOMENT.convert("2h", None, None) - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(seconds=5)
    for wrong in ("yesterday", "2025-01-31T08:00:00"):
        with pytest.raises(click.BadParameter, match=r"zone|neither"):
            MOMENT.convert(wrong, None, None)


RESULT = {"status": "failed", "provider": "acme", "campaign_id": "c", "message_id": "m1", "reason": "No Route"}


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(), True),
        (Selection(statuses=("failed", "rejected"), providers=("acme",), campaign="c", message_id="m1"), True),
        (Selection(reason="no route"), True),
        (Selection(statuses=("accepted",)), False),
        (Selection(providers=("other",)), False),
        (Selection(campaign="d"), False),
        (Selection(message_id="m"), False),
        (Selection(reason="credit"), False),
    ],
)
def test_a_selection_takes_what_all_its_parts_take(selection: Selection, wanted: bool) -> None:
    assert selection.wants(RESULT) is wanted
    assert (selection.read(orjson.dumps(RESULT)) is not None) is wanted
    assert selection.read(b"no JSON") is None


def test_an_id_that_json_may_write_in_other_ways_is_always_looked_for() -> None:
    assert may_hold(b'{"message_id":"m1"}', "m1")
    assert not may_hold(b'{"message_id":"m2"}', "m1")
    assert may_hold(b'{"message_id":"a\\u002fb"}', "a/b")
    assert may_hold(b'{"message_id":"\\u00eb"}', "ë")


# ---- lag ------------------------------------------------------------------------------------------------------------

LANES = {"acme": {"state": "open", "reason": "HTTP 401", "requests": 0, "slots": 4}}


STABLE = Members("Stable", 2)


def oldest(*, topic: str = "in", age: float = 60.0, members: Members = STABLE, lanes: Any = None) -> str:
    record = SimpleNamespace(
        timestamp=(time.time() - age) * 1000, value=orjson.dumps({"message_id": "m1", "provider": "acme"})
    )
    situation = Situation(members, lanes, {"retry": 300.0})
    found = row(TopicPartition(topic, 0), 5, Bounds(0, 9), record, situation)
    assert found.lag == 4
    assert found.oldest is not None
    assert found.oldest.message_id == "m1"
    return found.oldest.holds


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({"members": Members("Empty", 0)}, "no worker runs"),
        ({"members": Members("PreparingRebalance", 2)}, "the group is rebalancing (PreparingRebalance)"),
        ({"topic": "retry"}, "its time: due in"),
        ({"topic": "retry", "age": 400.0}, "provider acme"),
        ({"lanes": LANES}, "provider acme is open: HTTP 401 (0 of 4 requests under way)"),
        ({}, "provider acme"),
    ],
)
def test_what_holds_a_partition_is_the_first_reason_that_is_enough(given: dict[str, Any], holds: str) -> None:
    assert oldest(**given).startswith(holds)


def test_a_partition_that_is_done_has_no_oldest_event() -> None:
    found = row(TopicPartition("in", 0), 9, Bounds(0, 9), None, Situation(Members("Stable", 1), None, {}))
    assert (found.lag, found.oldest) == (0, None)


# ---- trace ----------------------------------------------------------------------------------------------------------


def seen(topic: str, offset: int, **about: Any) -> Seen:
    return Seen(Source(topic, 0, offset), NOW + timedelta(seconds=offset), about)


def test_the_state_of_a_message_is_the_last_thing_known_of_it() -> None:
    trace = Trace(seen("in", 7, to="+919800000079"), committed=7)
    assert trace.state(NOW).startswith("open: not read yet")
    trace.sends.append(seen("journal", 8, batch_id="b"))
    assert trace.state(NOW).startswith("may be at the provider")
    trace.retries.append(seen("retry.30s", 9, due=(NOW + timedelta(seconds=30)).isoformat()))
    assert trace.state(NOW) == "waiting in retry.30s until 2025-01-31T08:00:30+00:00"
    trace.results.append(seen("results", 10, status="accepted"))
    assert trace.state(NOW) == "accepted"
    assert Trace(seen("in", 7), committed=8).state(NOW).startswith("finished")


def test_a_trace_is_told_in_the_order_of_time_with_the_number_masked() -> None:
    trace = Trace(seen("in", 1, to="+919800000079"), results=[seen("results", 5, status="accepted", code=None)])
    trace.retries.append(seen("retry.30s", 3, due="", attempts=1))
    state, *lines = trace.lines(NOW)
    assert state == "state: accepted"
    assert [line.split()[1] for line in lines] == ["event", "wait", "result"]
    assert "+**********79" in lines[0]
    assert "code" not in lines[2]


# ---- replay, topics -------------------------------------------------------------------------------------------------


def test_a_dead_letter_tells_what_its_result_told() -> None:
    headers = [
        ("__connect.errors.topic", b"in"),
        ("__connect.errors.exception.class.name", b"connector.failed"),
        ("__connect.errors.exception.message", b"gave up"),
    ]
    record = SimpleNamespace(headers=headers, value=b'{"message_id":"m1","provider":"acme"}')
    assert about_letter(record) == {
        "status": "failed",
        "reason": "gave up",
        "topic": "in",
        "message_id": "m1",
        "provider": "acme",
        "campaign_id": None,
    }


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--from", "results"), "needs --status"),
        (("--from", "results", "--status", "accepted"), "texted twice"),
        (("--status", "unknown"), "--may-repeat"),
    ],
)
def test_nobody_is_texted_twice_by_a_replay_that_was_not_thought_over(arguments: tuple[str, ...], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        CliRunner().invoke(group, ["replay", *arguments], catch_exceptions=False)


def test_topics_are_expanded_with_the_sources_last_and_those_that_have_enough_left_alone() -> None:
    topics = Topics()
    names = [topics.results, topics.journal, *topics.source_names, *topics.retry.values(), topics.dead_letters]
    actual = {name: ActualTopic(name, 4, 1) for name in [*names, topics.control]}
    actual[topics.journal] = ActualTopic(topics.journal, 8, 1)
    retries = list(topics.retry.values())
    assert expansion(topics, actual, 8) == [topics.results, *retries, topics.dead_letters, *topics.source_names]
