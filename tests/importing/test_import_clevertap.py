"""`import-clevertap`: the form, field by field."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import BasicAuth, OAuth2
from connector.errors import DefinitionError
from connector.model import Batch, Message
from connector.request.renderer import compile_operation
from connector.tools.importing.clevertap import read_form
from tests.definition.write import FIXTURES

SEED = (FIXTURES / "seed-batched.jsonc").read_text()

FORM = """\
method: POST
endpoint: https://sms.example.com/send
authentication:
  basic: {username: me, password: hunter2-word-1}
headers: {X-Source: clevertap, authkey: hunter2-number-2}
parameters:
  json: |
PAYLOAD
batching: {key: msgs, records: 1000}
""".replace("PAYLOAD", "".join(f"    {line}\n" for line in SEED.splitlines()))


def run(*arguments: Any, text: str | None = None) -> Any:
    return CliRunner().invoke(group, ["import-clevertap", *map(str, arguments)], input=text)


def sent(definition: str, tmp_path: Path, messages: list[Message], **environment: str) -> Any:
    file = tmp_path / "made.yaml"
    file.write_text(definition)
    (operation,) = load(file, environment=Environment(environment)).operations
    request = compile_operation(operation).render(messages, Batch("0" * 32, 0.0)).request
    assert request is not None
    return request, operation


def test_the_seeds_form_is_the_seeds_definition(tmp_path: Path) -> None:
    result = run("-", "--name", "acme", text=FORM)
    assert result.exit_code == 0, result.stderr
    assert "//Global Key-Value pair" in result.stdout
    assert "hunter2-word-1" not in result.output + result.stderr
    assert "hunter2-number-2" not in result.output + result.stderr
    secrets = {"ACME_USER": "me", "ACME_PASSWORD": "hunter2-word-1", "ACME_AUTHKEY": "hunter2-number-2"}
    assert all(f"#   {name}\n" in result.stdout for name in secrets)
    messages = [
        Message(
            f"m{number}",
            f"+9198123456{number}",
            template_id="1107",
            template_variables={"a": number},
            campaign_id="c",
            custom={"hid": 7, "uid": f"u{number}"},
        )
        for number in (70, 71)
    ]
    request, operation = sent(result.stdout, tmp_path, messages, **secrets)
    assert json.loads(request.body) == {
        "hid": 7,
        "tid": "1107",
        "cid": "c",
        "type": "template",
        "msgs": [
            {"seq": 1, "to": each.to, "uid": each.custom["uid"], "variables": each.template_variables, "enc": "utf8"}
            for each in messages
        ],
    }
    assert operation.auth == BasicAuth("me", "hunter2-word-1")
    assert dict(request.headers)["authkey"] == "hunter2-number-2"
    assert operation.batching.max_records == 1000


def test_options_do_what_the_file_does(tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text(SEED)
    by_file = run("-", "--name", "acme", text=FORM)
    by_options = run(
        *("--name", "acme", "--endpoint", "https://sms.example.com/send", "--basic", "me:hunter2-word-1"),
        *("--header", "X-Source=clevertap", "--header", "authkey=hunter2-number-2", "--json", payload),
        *("--batch-key", "msgs", "--batch-records", 1000),
    )
    assert by_options.exit_code == 0
    assert by_options.stdout == by_file.stdout


def test_oauth2_and_pairs_in_a_get(tmp_path: Path) -> None:
    result = run(
        *("--method", "GET", "--endpoint", "https://api.acme.example/send", "--client-url", "https://a.example/token"),
        *("--client-id", "${ACME_ID}", "--secret-key", "hunter2-key", "--auth-pair", "scope=sms"),
        *("--parameter", "to=$$To", "--parameter", "text=$$Body", "--parameter", "key=0123456789"),
    )
    assert result.exit_code == 0, result.stderr
    assert "hunter2-key" not in result.output + result.stderr
    environment = {"ACME_ID": "id-1", "ACME_SECRET": "hunter2-key", "ACME_KEY": "0123456789"}
    request, operation = sent(result.stdout, tmp_path, [Message("m1", "+919812345678", body="a b&c")], **environment)
    assert request.url == "https://api.acme.example/send?to=%2B919812345678&text=a%20b%26c&key=0123456789"
    assert operation.auth == OAuth2("https://a.example/token", "id-1", "hunter2-key", {"scope": "sms"})


def test_a_payload_may_be_a_structure(tmp_path: Path) -> None:
    text = (
        "method: POST\nendpoint: https://sms.example.com/send\nauthentication: none\n"
        "parameters: {json: {to: $$To, text: $$Body, rate: 1.10, on: true}}\n"
    )
    result = run("-", text=text)
    assert result.exit_code == 0, result.stderr
    request, _ = sent(result.stdout, tmp_path, [Message("m1", "+919812345678", body="x")])
    assert request.body == b'{"to":"+919812345678","text":"x","rate":1.10,"on":true}'


def test_every_fault_of_a_form_has_its_place() -> None:
    text = "method: PUT\nendpoint: https://a.example\nbatching: {key: msgs, records: 5000}\nheader: {a: b}\n"
    with pytest.raises(DefinitionError) as error:
        read_form(text, "form.yaml")
    assert [str(problem).split("; ")[0] for problem in error.value.problems] == [
        "form.yaml:1:9: method: `PUT` cannot stand here",
        "form.yaml:3:32: batching.records: 5000 cannot stand here",
        "form.yaml:4:1: header: the key `header` is not known",
    ]
    for broken in ("", "method: [", "- a\n", "method: POST\n"):
        with pytest.raises(DefinitionError):
            read_form(broken, "form.yaml")


def test_what_check_finds_in_the_draft_is_said_and_fails() -> None:
    result = run("--endpoint", "https://sms.example.com/send", "--parameter", "to=$$to")
    assert result.exit_code == 1
    assert "write $$To" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--endpoint"),
        (["--endpoint", "https://a.example", "--batch-key", "msgs"], "come together"),
        (["--endpoint", "https://a.example", "--client-id", "x"], "come together"),
        (["--endpoint", "https://a.example", "--parameter", "a"], "KEY=VALUE"),
        (["--endpoint", "https://a.example", "--parameter", "a=b", "--json", "-"], "choose one"),
        (["nowhere.yaml"], "No such file"),
        (["-", "--name", "a b"], "letters, digits"),
    ],
)
def test_wrong_options_are_named(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(group, ["import-clevertap", *arguments], input=FORM, standalone_mode=False)
    assert said in str(result.exception)


def test_the_form_of_today_with_the_id_of_the_message_is_a_definition(tmp_path: Path) -> None:
    form = FORM.replace('"enc": "utf8"', '"enc": "utf8", "mid": "$$MessageID"')
    result = run("-", "--name", "acme", text=form)
    assert result.exit_code == 0, result.stderr
    assert "$$MessageID" in result.stdout
    secrets = {"ACME_USER": "me", "ACME_PASSWORD": "hunter2-word-1", "ACME_AUTHKEY": "hunter2-number-2"}
    shared: dict[str, Any] = {"template_id": "1107", "template_variables": {"a": 1}, "campaign_id": "c"}
    messages = [Message(f"m{n}", f"+9198123456{n}", custom={"hid": 7, "uid": "u"}, **shared) for n in (70, 71)]
    request, _ = sent(result.stdout, tmp_path, messages, **secrets)
    assert [each["mid"] for each in json.loads(request.body)["msgs"]] == ["m70", "m71"]
    (told,) = [line for line in result.stdout.splitlines() if "comes back from the provider as `meta`" in line]
    (suggested,) = re.findall("`(receipts: {.*?})`", told)
    file = tmp_path / "reporting.yaml"
    file.write_text(f"{result.stdout}{suggested}\n")
    receipts = load(file, environment=Environment(secrets)).receipts
    assert receipts is not None
    assert receipts.match.token == "meta"
    assert "comes back" not in run("-", "--name", "acme", text=FORM).stdout


def test_an_id_outside_the_batching_key_is_refused_with_its_place() -> None:
    result = run(
        "-", "--name", "acme", text=FORM.replace('"type": "template"', '"type": "template", "mid": "$$MessageID"')
    )
    assert result.exit_code == 1
    assert "`$$MessageID` stands outside the batching key" in result.stderr
