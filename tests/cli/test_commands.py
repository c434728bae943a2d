"""What all commands have in common, and the pure parts of those that look into Kafka."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import orjson
import pytest
from aiokafka import TopicPartition
from click.testing import CliRunner

from connector.cli.main import COMMANDS, group, main
from connector.cli.moments import MOMENT
from connector.cli.output import table_lines
from connector.cli.replay import about_letter
from connector.cli.trace.found import FoundRecord, Trace
from connector.errors import UsageError
from connector.health.status_report import LaneReport
from connector.kafka.reader import Bounds, Members
from connector.kafka.topic_plan import ActualTopic, expansion
from connector.model import Source
from connector.operating.chosen_records import Selection, may_hold
from connector.operating.group_progress import GroupSituation, row
from connector.operating.holding import Providers
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


@pytest.mark.parametrize("names", list(leaves(group)), ids=" ".join)
def test_help_has_examples_that_call_the_command_and_its_exit_codes(names: tuple[str, ...]) -> None:
    about = CliRunner().invoke(group, [*names, "--help"]).stdout
    examples = about.partition("Examples:\n")[2]
    assert f"sms-connector {' '.join(names)}" in examples
    assert "Exit codes: 0 " in about


PRINT_DATA = (
    *("results", "lag", "trace", "replay", "send", "check", "render", "reply", "receipt", "demo", "simulate"),
    *("config show", "providers list", "providers show", "provider list", "campaign list"),
)


@pytest.mark.parametrize("name", PRINT_DATA)
def test_what_prints_data_prints_it_for_programs_too(name: str) -> None:
    assert "--json" in CliRunner().invoke(group, [*name.split(), "--help"]).stdout


def test_bench_runs_in_a_clone_and_says_so_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", lambda command: asked.append(command) or 1)
    monkeypatch.chdir(Path(__file__).parents[2])
    assert CliRunner().invoke(group, ["bench", "job", "--only", "connector"], standalone_mode=False).return_value == 1
    assert asked == [[sys.executable, "-m", "bench", "job", "--only", "connector"]]
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(group, ["bench"])
    assert isinstance(result.exception, UsageError)
    assert "clone of the repository" in str(result.exception)


SOUND = "name: acme\nmethod: POST\nurl: https://sms.example.com/\nparameters: {json: {to: $$To, text: $$Body}}\n"


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        ("check sound.yaml", 0, ""),
        ("check wrong.yaml", 78, ""),
        ("check", 2, "Missing argument"),
        ("render sound.yaml --event event.json", 0, ""),
        ("render sound.yaml --event broken.json", 1, ""),
        ("render wrong.yaml --event event.json", 78, "url"),
        ("render sound.yaml --event nowhere.json", 2, "nowhere.json"),
        ("reply sound.yaml --event event.json --body event.json", 0, ""),
        ("import-curl", 2, "no curl command"),
        ("import-clevertap", 2, "--endpoint"),
        ("providers show nobody", 78, "no definition is called `nobody`"),
        ("config show --set nonsense=1", 78, "nonsense"),
        ("config show --set nonsense", 2, "NAME=VALUE"),
        ("config show --config nowhere.yaml", 78, "nowhere.yaml"),
        ("run", 78, "no provider is configured"),
        ("simulate --port 99999", 2, "65535"),
        ("simulate --set nonsense", 2, "PROVIDER.KNOB=VALUE"),
        ("schemas . --check", 1, ""),
        ("completion tcsh", 2, "tcsh"),
        ("replay --from results", 2, "--status"),
        ("send nowhere.jsonl", 2, "nowhere.jsonl"),
        ("trace m1 --set kafka.bootstrap.servers=127.0.0.1:1", 1, "127.0.0.1:1"),
        ("campaign get c --set kafka.bootstrap.servers=127.0.0.1:1", 1, "127.0.0.1:1"),
        ("provider pause p --set kafka.bootstrap.servers=127.0.0.1:1", 1, "127.0.0.1:1"),
        ("send event.json --set kafka.bootstrap.servers=127.0.0.1:1", 1, "127.0.0.1:1"),
    ],
)
def test_exit_codes_are_those_of_the_help_and_complaints_go_to_standard_error(
    command: str,
    code: int,
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "sound.yaml").write_text(SOUND)
    (tmp_path / "wrong.yaml").write_text(SOUND.replace("https", "ftp"))
    (tmp_path / "event.json").write_text('{"message_id": "m1", "to": "+919812345678", "provider": "p", "body": "hi"}')
    (tmp_path / "broken.json").write_text('{"message_id": "m1"}')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("connector.logs.configure", lambda _log: None)  # this process's logs are the tests' own
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    shown = capsys.readouterr()
    assert ended.value.code == code, shown
    assert told in shown.err
    assert "Traceback" not in shown.err


@pytest.mark.parametrize("command", ["providers list", "config show"])
def test_no_colour_is_written_where_nobody_sees_it_or_wants_it(command: str) -> None:
    """Not into a pipe, and with NO_COLOR not on a terminal either."""
    program = [sys.executable, "-m", "connector", *command.split()]
    assert b"\x1b" not in subprocess.run(program, capture_output=True, check=True).stdout
    ours, theirs = os.openpty()
    subprocess.run(
        program, stdout=theirs, stderr=theirs, env={**os.environ, "NO_COLOR": "1", "TERM": "xterm"}, check=True
    )
    assert b"\x1b" not in os.read(ours, 100_000)
    os.close(ours)
    os.close(theirs)


def test_who_reads_only_the_beginning_of_the_output_gets_no_traceback() -> None:
    program = f"{sys.executable} -m connector config reference"
    command = f"(sleep 1; {program}; echo $? >&2) | true"  # nobody reads any more when it writes
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert done.stderr == "1\n"


def test_the_list_of_commands_imports_none_of_them() -> None:
    code = "import sys; from connector.cli.main import group; group(['--help'], standalone_mode=False); "
    code += "print([it for it in ('aiohttp', 'aiokafka', 'faust', 'pydantic', 'rich') if it in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")


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


ASK = {
    "bash": 'source {script}; COMP_WORDS=(sms-connector tra); COMP_CWORD=1; {function}; echo "${{COMPREPLY[@]}}"',
    "zsh": "autoload -U compinit; compinit -D; source {script}; whence -w {function}",
    "fish": "source {script}; complete -C 'sms-connector tra'",
}


@pytest.mark.parametrize("shell", ASK)
def test_the_shells_that_are_here_take_the_script_and_complete(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    script = tmp_path / "script"
    script.write_text(CliRunner().invoke(group, ["completion", shell]).stdout)
    program = tmp_path / "sms-connector"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -c "from connector.cli.main import main; main()" "$@"\n')
    program.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    ask = ASK[shell].format(script=script, function="_sms_connector_completion")
    if shell == "bash":
        ask = ask.replace("_sms_connector_completion;", "_sms_connector_completion sms-connector tra sms-connector;")
    done = subprocess.run([shell, "-c", ask], env=env, capture_output=True, text=True, check=True)
    assert ("trace" if shell != "zsh" else "function") in done.stdout, done.stderr


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

LANES = {"acme": LaneReport(state="open", reason="HTTP 401", open=0, delayed=0, requests=0, slots=4)}


STABLE = Members("Stable", 2)


def oldest(
    *, topic: str = "in", age: float = 60.0, members: Members = STABLE, lanes: Any = None, retry: bytes = b""
) -> str:
    record = SimpleNamespace(
        timestamp=(time.time() - age) * 1000,
        value=orjson.dumps({"message_id": "m1", "provider": "acme"}),
        headers=[("retry", retry)],
    )
    situation = GroupSituation(members, Providers(lanes, grace=600.0), {"retry": 300.0})
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
        ({"topic": "retry", "retry": b'{"v":2}'}, "format version 2: only a worker of that version can read it"),
        ({"lanes": LANES}, "provider acme is open: HTTP 401 (0 of 4 requests under way)"),
        ({}, "provider acme"),
        (
            {"lanes": {"acne": LANES["acme"]}},
            "provider acme has no definition (did you mean acne?); it waits 10m for it, then it ends `invalid`",
        ),
        ({"lanes": {"other": LANES["acme"]}}, "provider acme has no definition; it waits 10m for it"),
    ],
)
def test_what_holds_a_partition_is_the_first_reason_that_is_enough(given: dict[str, Any], holds: str) -> None:
    assert oldest(**given).startswith(holds)


def test_a_partition_that_is_done_has_no_oldest_event() -> None:
    found = row(
        TopicPartition("in", 0), 9, Bounds(0, 9), None, GroupSituation(Members("Stable", 1), Providers(None), {})
    )
    assert (found.lag, found.oldest) == (0, None)


def test_events_of_a_campaign_that_names_no_provider_say_so() -> None:
    providers = Providers({}, frozenset({"diwali"}), 600.0)
    assert providers.say(None, "diwali").startswith(
        "an event without provider, and campaign diwali names none; it waits"
    )
    assert providers.say(None, "other") == "an event without provider"


# ---- trace ----------------------------------------------------------------------------------------------------------


def seen(topic: str, offset: int, **about: Any) -> FoundRecord:
    return FoundRecord(Source(topic, 0, offset), NOW + timedelta(seconds=offset), about)


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


# ---- tables ---------------------------------------------------------------------------------------------------------

COLUMNS = ("topic", "lag", "oldest", "held by")
ROWS = [("sms.messages", 7, "m1", "provider acme is open: HTTP 401"), ("sms.retry.5s", 12, None, "")]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (
            None,
            """\
            topic         lag  oldest  held by
            sms.messages    7  m1      provider acme is open: HTTP 401
            sms.retry.5s   12""",
        ),
        (
            40,
            """\
            topic         lag  oldest
            sms.messages    7  m1
                held by: provider acme is open: HTTP
                    401
            sms.retry.5s   12""",
        ),
        (
            5,
            """\
            topic
            sms.messages
                lag: 7
                oldest: m1
                held by: provider acme is open: HTTP 401
            sms.retry.5s
                lag: 12""",
        ),
    ],
)
def test_a_table_loses_nothing_on_a_narrow_terminal(width: int | None, shown: str) -> None:
    """The last columns go below their row."""
    assert "\n".join(table_lines(COLUMNS, ROWS, right=("lag",), width=width)) == textwrap.dedent(shown)


def test_a_table_without_rows_is_its_head() -> None:
    assert list(table_lines(COLUMNS, [], right=(), width=80)) == ["topic  lag  oldest  held by"]


def test_what_holds_a_message_is_told_until_it_has_a_result() -> None:
    trace = Trace(seen("in", 7, to="+919800000079"), committed=7, held_by="provider plvio has no definition")
    assert trace.unfinished
    assert list(trace.lines(NOW))[1] == "held by: provider plvio has no definition"
    assert trace.document(NOW)["held_by"] == "provider plvio has no definition"
    assert not Trace(seen("in", 7), committed=8).unfinished
    assert Trace(seen("in", 7), committed=8, retries=[seen("retry.5s", 1, due="")]).unfinished
    assert not Trace(seen("in", 7), results=[seen("results", 5, status="accepted")]).unfinished
    assert not Trace(None).unfinished
