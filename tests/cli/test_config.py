"""`config show` prints every value with its origin, and no secret."""

import json

import pytest
from click.testing import CliRunner

from connector.cli import options
from connector.cli.main import group
from connector.errors import SettingsError, UsageError
from connector.masking import Secrets

SECRET = "correct horse battery"


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(options, "SECRETS", Secrets())
    (tmp_path / "connector.yaml").write_text(
        "group: from-file\nresults: {to: hashed, salt: '${SALT}'}\n"
        "kafka: {security.protocol: SASL_SSL, sasl.mechanism: PLAIN, sasl.username: me, sasl.password: plain text}\n"
    )

    def run(*arguments: str) -> str:
        result = CliRunner(env={"SALT": SECRET}).invoke(group, ["config", "show", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    return run


def test_values_are_shown_and_secrets_are_not(invoke) -> None:
    shown = json.loads(invoke("--json"))
    assert shown["group"] == "from-file"
    assert shown["results.salt"] == "${SALT}"
    assert shown["kafka.sasl.password"] == "***"
    assert shown["timeouts.drain"] == "40s"


def test_origins_name_file_and_line_or_flag(invoke) -> None:
    shown = json.loads(invoke("--json", "--origin", "--set", "wait=2s"))
    assert shown["group"] == {"value": "from-file", "origin": "connector.yaml:1"}
    assert shown["wait"] == {"value": "2s", "origin": "--set wait"}
    assert shown["span"]["origin"] == "default"


def test_the_text_shows_the_same(invoke) -> None:
    text = invoke("--origin")
    assert SECRET not in text
    assert "plain text" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("group ")]
    assert line.split() == ["group", "from-file", "#", "connector.yaml:1"]


def test_a_file_can_be_named_by_flag_or_environment(invoke, tmp_path, monkeypatch) -> None:
    (tmp_path / "other.yaml").write_text("group: other\n")
    assert json.loads(invoke("--json", "--config", "other.yaml"))["group"] == "other"
    monkeypatch.setenv("SMS_CONNECTOR_CONFIG", "other.yaml")
    assert json.loads(invoke("--json"))["group"] == "other"


def test_secrets_that_were_read_are_hidden_from_logs_from_then_on(invoke) -> None:
    invoke()
    assert options.SECRETS.hide(f"{SECRET} and plain text") == "*** and ***"


def test_problems_stop_the_command(invoke) -> None:
    with pytest.raises(SettingsError, match="--set gruop"):
        invoke("--set", "gruop=x")
    with pytest.raises(UsageError, match="NAME=VALUE"):
        invoke("--set", "group")
