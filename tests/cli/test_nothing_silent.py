"""What a person mistypes is refused, with what may have been meant, before anything is sent or written."""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from connector.cli import campaign_input, control_topic
from connector.cli.campaign_input import campaign_of
from connector.cli.main import main
from connector.errors import ConfigurationError, ConnectorError
from connector.model import Campaign

DEFINITION = "method: POST\nurl: https://sms.example.com/\nparameters: {json: {to: $$To, text: $$Body}}\n"
EVENT = '{"message_id": "m1", "to": "+919812345678", "provider": "acme", "body": "hi"}'
NOW = datetime(2026, 1, 31, 8, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "acme.yaml").write_text(DEFINITION)
    (tmp_path / "connector.yaml").write_text("providers: [providers/]\nkafka: {bootstrap.servers: '127.0.0.1:1'}\n")
    (tmp_path / "event.json").write_text(EVENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Run:
    """A command line, and what became of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    def __call__(self, *words: str, given: bytes = b"") -> tuple[int, str]:
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        shown = self._capsys.readouterr()
        assert "Traceback" not in shown.err
        assert isinstance(ended.value.code, int)
        return ended.value.code, shown.err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(monkeypatch, capsys)


# ---- send -----------------------------------------------------------------------------------------------------------


def line(**fields: str) -> bytes:
    more = "".join(f', "{name}": "{value}"' for name, value in fields.items())
    return f"{EVENT[:-1]}{more}}}".encode()


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        (line(expire_at="2030-01-01T00:00:00Z"), "there is no field 'expire_at' (did you mean expires_at?)"),
        (
            line(sendAt="2030-01-01T00:00:00Z", hourz="9-5"),
            "there is no field 'hourz', 'sendAt' (did you mean send_at?)",
        ),
        (line(expires_at="2030-01-01T00:00:00"), "expires_at: a time without a zone"),
        (line(expires_at="tomorrow"), "expires_at: not an RFC 3339 time"),
        (line(priority="urgent"), "priority: not one of normal, high"),
        (line(to="+919812345679"), "'to' is written twice"),
        (b'{"message_id": "m", "To": "+919812345678"}', "there is no field 'To' (did you mean to?)"),
        (b'{"to": "+919812345678", "body": "x"}', "it names no provider"),
        (b'{"to": "+919812345678", "provider": "amce"}', "no provider is called 'amce' (did you mean acme?)"),
        (b"", "no events in it"),
        (b"\n \n", "no events in it"),
        (EVENT.encode("utf-16"), "it is UTF-16"),
        (b"\x1f\x8b\x08\x00", "it is packed with gzip"),
        (b"PK\x03\x04rest", "it is a ZIP archive or a spreadsheet"),
        (b"to,body\n+919812345678,hi\n", "no JSON"),
        (b'["x"]', "no JSON object"),
    ],
)
def test_send_refuses(run: Run, given: bytes, told: str) -> None:
    code, said = run("send", "-", given=given)
    assert code == 2
    assert told in said
    assert "919812345678" not in said


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["send", "--to", "+919812345678", "--provider", "acmee", "--body", "x"], "did you mean acme?"),
        (
            ["send", "--to", "98123", "--body", "x", "--provider", "acme", "--topic", "sms.mesages"],
            "not one of topics.sources",
        ),
        (["send", "--to", "nobody", "--body", "x", "--provider", "acme"], "to: not a phone number"),
        (["send", "--to", "+919812345678", "--boddy", "x"], "No such option"),
        (["send", "event.json", "--timeout", "5 parsecs"], "5 parsecs"),
        (["send", "providers"], "Is a directory"),
        (["results", "--since", "yesterday"], "neither a duration"),
        (["results", "--since", "2026-01-31T08:00:00"], "has no zone"),
        (["results", "--status", "acepted"], "accepted"),
        (["render", "providers/acme.yaml", "--event", "event.json", "--time", "2026-01-31T09:00:00"], "it has no zone"),
        (["render", "providers/acme.yaml", "--event", "providers/acme.yaml"], ""),
        (["check", "providers/amce.yaml"], ""),
        (["check", "acmee"], ""),
        (["topics", "expand", "0", "--yes"], "0"),
        (["simulate", "--provider", "twillio"], "twilio"),
        (["config", "show", "--set", "grop=x"], "did you mean group?"),
        (["campain", "list"], "No such command"),
        (["suppress", "add", "98"], ""),
    ],
)
def test_options_and_arguments_are_refused(run: Run, words: list[str], told: str) -> None:
    code, said = run(*words)
    assert code in (1, 2, 78)
    assert told in said


@pytest.mark.usefixtures("folder")
def test_an_event_that_has_expired_is_told_and_a_wrong_definition_stops_no_event(run: Run, folder: Path) -> None:
    code, said = run("send", "-", "--dry-run", given=line(expires_at="2020-01-01T00:00:00Z"))
    assert code == 0
    assert "1 event with an expires_at that has passed: they end `expired`, unsent" in said
    (folder / "providers" / "acme.yaml").write_text("method: POTS\n")
    code, said = run("send", "event.json", "--dry-run")
    assert (code, "providers are not looked at" in said) == (0, True)


@pytest.mark.usefixtures("folder")
def test_render_says_which_fields_it_passes_over(run: Run) -> None:
    code, said = run("render", "providers/acme.yaml", "--event", "-", given=line(expire_at="x"))
    assert code == 0
    assert "no message has a field 'expire_at', did you mean expires_at?; it is ignored" in said


# ---- campaigns ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"provider": "acme", "hourz": "9-5"}', ["hourz: no campaign has such a key; did you mean hours?"]),
        ('{"expires_at": "2026-01-31T07:59:59Z"}', ["2026-01-31T07:59:59+00:00 has passed", "write a time to come"]),
        ('{"expires_at": "2026-01-31T13:29:00+05:30"}', ["2026-01-31T07:59:00+00:00 has passed"]),
        ('{"expires_at": "2026-02-01T08:00:00"}', ["is no campaign"]),
        ('{"provider": "a", "provider": "b"}', ["provider: stands there twice"]),
        ('{"custom": {"x": 1, "x": 2}}', ["x: stands there twice"]),
        ('{"state": "stopped"}', ["is no campaign: a value does not fit at $.state"]),
        ('{"zzz": 1, "hourz": 2, "state": "x"}', ["zzz: no campaign has such a key", "hourz: no campaign", "$.state"]),
        ("", ["it is empty", 'write {"provider"']),
        ("[]", ["no JSON object"]),
        ("provider: acme", ["no JSON object"]),
        ("\ufeff{}", ["byte order mark"]),
        ("[" * 5000, ["no JSON object"]),
    ],
)
def test_a_campaign_that_nobody_understands_is_not_set(text: str, told: list[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        campaign_of(text.encode(), "diwali.json", NOW)
    assert all(str(problem).startswith("diwali.json") for problem in caught.value.problems)
    for each in told:
        assert each in str(caught.value)


def test_a_campaign_that_is_right_is_taken() -> None:
    found = campaign_of(b'{"provider": "acme", "expires_at": "2026-02-01T08:00:00+05:30"}', "c.json", NOW)
    assert found.provider == "acme"


@pytest.fixture
def steered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """One campaign has a record, and the last events name another; what is written is kept."""
    written: list[Any] = []
    table = SimpleNamespace(campaigns={"diwali": Campaign()}, check_room=lambda *_: None, paused=set())

    async def named(_: object) -> set[str]:
        return {"spring"}

    monkeypatch.setattr(control_topic, "read", lambda *_, **__: table)
    monkeypatch.setattr(control_topic, "write", lambda *given, **_: written.append(given[1]))
    monkeypatch.setattr(campaign_input, "_of_events", named)
    return written


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["pause", "diwali"], 0, ""),
        (["pause", "spring"], 0, ""),
        (["cancel", "spring"], 0, ""),
        (["pause", "neverseen"], 2, "no campaign is called 'neverseen'"),
        (["pause", "diwail"], 2, "did you mean diwali?. Say --new if it is meant"),
        (["cancel", "sprint"], 2, "did you mean spring?"),
        (["pause", "neverseen", "--new"], 0, ""),
        (["resume", "spring"], 2, "no campaign is called 'spring'"),
        (["resume", "diwail"], 2, "did you mean diwali?"),
        (["delete", "diwail"], 2, "did you mean diwali?"),
        (["get", "diwail"], 2, "did you mean diwali?"),
        (["delete", "diwali"], 0, ""),
    ],
)
def test_a_campaign_that_nobody_knows_is_not_steered(
    run: Run, steered: list[Any], words: list[str], code: int, told: str
) -> None:
    ended, said = run("campaign", *words)
    assert (ended, len(steered)) == (code, code == 0)
    assert told in said


def test_where_events_may_not_be_read_the_operator_says_so_himself(
    run: Run, steered: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_: object) -> set[str]:
        raise ConnectorError("not authorized")

    monkeypatch.setattr(campaign_input, "_of_events", refused)
    code, said = run("campaign", "pause", "spring")
    assert (code, steered) == (2, [])
    assert "could not be searched for it: not authorized" in said
    assert "--new" in said
    assert run("campaign", "pause", "spring", "--new")[0] == 0


def test_provider_pause_says_what_may_have_been_meant(run: Run, steered: list[Any]) -> None:
    code, said = run("provider", "pause", "acmee")
    assert (code, steered) == (2, [])
    assert "did you mean acme? known: acme" in said
