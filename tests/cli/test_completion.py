"""What Tab offers: files, names of the catalogue, providers and settings, and campaigns where Kafka may be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from connector.cli import control_topic
from connector.cli.completing import ASK_KAFKA
from connector.cli.main import group
from connector.model import Campaign

FILE = "(files)"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With settings and two definitions, of which one says another name than its file's."""
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "acme.yaml").write_text("method: POST\n")
    (tmp_path / "providers" / "b.yaml").write_text("# ours\nname: best-sms\nmethod: POST\n")
    (tmp_path / "connector.yaml").write_text(
        "providers: [providers/, plivo]\ntopics: {sources: [sms.in, sms.urgent]}\n"
    )
    (tmp_path / "other.yaml").write_text("providers: [twilio]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def offered(line: str, **environ: str) -> list[str]:
    """What a shell is told when Tab is pressed at the end of a line."""
    words = line.split(" ")
    asked = {
        "_SMS_CONNECTOR_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        **environ,
    }
    result = CliRunner(env=asked).invoke(group, prog_name="sms-connector", complete_var="_SMS_CONNECTOR_COMPLETE")
    assert result.stderr == ""
    found = [it.split(",", 1) for it in result.stdout.splitlines() if it]
    return [FILE if kind == "file" else value for kind, value in found]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sms-connector imp", ["import-curl", "import-clevertap"]),
        ("sms-connector campaign pa", ["pause"]),
        ("sms-connector check pl", ["plivo"]),
        ("sms-connector check o", ["ovh", "other.yaml"]),
        ("sms-connector check providers/a", [FILE]),
        ("sms-connector check nothing-like-it", [FILE]),
        ("sms-connector render pli", ["plivo"]),
        ("sms-connector render plivo --event ev", [FILE]),
        ("sms-connector reply plivo --body ", [FILE]),
        ("sms-connector receipt plivo --request ", [FILE]),
        ("sms-connector providers show tw", ["twilio"]),
        ("sms-connector import-curl com", [FILE]),
        ("sms-connector import-clevertap fo", [FILE]),
        ("sms-connector campaign put diwali di", [FILE]),
        ("sms-connector suppress import op", [FILE]),
        ("sms-connector demo --events ", [FILE]),
        ("sms-connector run --config co", [FILE]),
        ("sms-connector send ev", [FILE]),
        ("sms-connector send --provider ", ["acme", "best-sms", "plivo"]),
        ("sms-connector send --topic sms.", ["sms.in", "sms.urgent"]),
        ("sms-connector send --config other.yaml --provider ", ["twilio"]),
        ("sms-connector results --provider b", ["best-sms"]),
        ("sms-connector replay --provider a", ["acme"]),
        ("sms-connector receipts summary --provider a", ["acme"]),
        ("sms-connector receipts replay --provider a", ["acme"]),
        ("sms-connector provider pause ", ["acme", "best-sms", "plivo"]),
        ("sms-connector run --set max_a", ["max_age="]),
        ("sms-connector topics check --print ", ["commands", "terraform", "strimzi"]),
        ("sms-connector campaign pause ", []),
    ],
)
def test_tab_offers(line: str, expected: list[str]) -> None:
    assert offered(line) == expected


def test_settings_that_cannot_be_read_offer_nothing_and_say_nothing(folder: Path) -> None:
    (folder / "connector.yaml").write_text("providers: [nowhere/, \n")
    assert offered("sms-connector send --provider ") == []
    assert offered("sms-connector send --topic ") == []


@pytest.mark.usefixtures("folder")
def test_campaigns_are_asked_for_where_the_script_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    table = SimpleNamespace(campaigns={"diwali": Campaign(), "dusk": Campaign(), "spring": Campaign()})
    monkeypatch.setattr(control_topic, "read", lambda _settings, **_options: table)
    for command in (
        "campaign pause",
        "campaign get",
        "send --campaign",
        "results --campaign",
        "receipts summary --campaign",
    ):
        assert offered(f"sms-connector {command} d", **{ASK_KAFKA: "1"}) == ["diwali", "dusk"]
        assert offered(f"sms-connector {command} d") == []


@pytest.mark.usefixtures("folder")
def test_a_kafka_that_is_away_offers_nothing_and_says_nothing() -> None:
    away = {ASK_KAFKA: "1", "SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    assert offered("sms-connector campaign pause d", **away) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_asks_kafka_only_where_that_is_wanted(shell: str) -> None:
    plain = CliRunner().invoke(group, ["completion", shell])
    asking = CliRunner().invoke(group, ["completion", shell, "--ask-kafka"])
    assert (plain.exit_code, asking.exit_code) == (0, 0)
    assert ASK_KAFKA not in plain.stdout
    assert asking.stdout.replace(f"{ASK_KAFKA}=1 ", "") == plain.stdout
    assert asking.stdout != plain.stdout


def parameters(command: click.Command, *names: str) -> Iterator[tuple[str, click.Parameter]]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from parameters(found, *names, name)
    for each in command.params:
        yield " ".join([*names, each.opts[0]]), each


def test_whatever_is_a_file_a_provider_or_a_campaign_is_completed() -> None:
    """A parameter that comes later is not forgotten."""
    names = {"FILE", "FILES…", "EVENTS", "N|FILE", "[FILE]", "[FORM]", "[FILE | curl …]"}
    silent = []
    for name, each in parameters(group):
        kind = type(each.type).__name__
        is_file = each.metavar in names and kind not in ("Path", "File")
        is_name = each.name in ("provider", "providers", "campaign", "campaign_id") and kind != "Choice"
        if (is_file or is_name) and each._custom_shell_complete is None:
            silent.append(name)
    assert silent == []
