# ruff: noqa: E501 - a table is read across
"""What the imports say about a sample: what is kept, what cannot stay, and whether somebody has written it before."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from connector.cli.imports import import_clevertap, import_curl
from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE
from connector.definition.load import load
from connector.errors import UsageError
from connector.tools.importing.known import known_providers, shipped_names

BASE = "curl https://sms.acme.example/send -d to=919812345678 -d text=Hello"


def run(*arguments: str, given: str | None = None) -> Any:
    return CliRunner().invoke(group, list(arguments), input=given)


def section(draft: str, title: str) -> list[str]:
    found = re.search(rf"^# {title}.*\n((?:#   .*\n)+)", draft, re.MULTILINE)
    return [line[4:].strip() for line in found[1].splitlines()] if found else []


def drafted(command: str) -> str:
    result = run("import-curl", given=command)
    assert result.exit_code == 0, result.stderr
    return result.stdout


# (what is added to the command, where it stands, what is said of it)
TOLD = [
    ("-d sign=5f4dcc3b5aa765d61d8327deb882cf99", "parameters.pairs.sign", "a signature: a constant cannot work: `auth: {sign: …}`"),
    ("-d Signature=AbCdEf012345678901234%2B8%3D", "parameters.pairs.Signature", "a signature"),
    ("-H 'X-Signature: 5f4dcc3b5aa765d61d8327deb882cf99'", "headers.X-Signature is left out", "a signature"),
    ("-H 'Authorization: HMAC-SHA256 Credential=AK, SignedHeaders=host, Signature=ab'", "headers.Authorization is left out", "a signature"),
    ("-H 'X-WSSE: UsernameToken Username=\"a\", PasswordDigest=\"b=\", Nonce=\"c\", Signature=d'", "headers.X-WSSE is left out", "a signature"),
    ("-d timestamp=1718000000", "parameters.pairs.timestamp", "a time stamp: a constant cannot work: `auth: {sign: …}`"),
    ("-d ts=1718000000123", "parameters.pairs.ts", "a time stamp"),
    ("-H 'X-Timestamp: 2024-06-01T10:00:00Z'", "headers.X-Timestamp", "a time stamp"),
    ("-d date=20240601100000", "parameters.pairs.date", "a time stamp"),
    ("-d nonce=abc", "parameters.pairs.nonce", "a nonce: a constant cannot work: `auth: {sign: …}`"),
    ("-H 'Idempotency-Key: 5f4d'", "headers.Idempotency-Key", "an id of this one request: a constant one may suppress every later message; write $$MessageID"),
    ("-d cust_ref=r1", "parameters.pairs.cust_ref", "an id of this one request"),
    ("-d requestId=0f8fad5b-d9cb-469f-a165-70867728950e", "parameters.pairs.requestId", "an id of this one request"),
    ("-d clientMsgId=17", "parameters.pairs.clientMsgId", "an id of this one request"),
    ("-d schedule_time=2024-01-01T10:00:00Z", "parameters.pairs.schedule_time", "a time: every message would be sent at it"),
    ("-d variables_values=5599", "parameters.pairs.variables_values", "looks like the sample's one-time code"),
    ("--data-urlencode 'short_url=1 (On) or 0 (Off)'", "parameters.pairs.short_url", "looks like a description of what may stand there"),
    ("-d 'route=promotional|transactional'", "parameters.pairs.route", "looks like a description"),
]  # fmt: skip


@pytest.mark.parametrize(("added", "place", "said"), TOLD, ids=[each[1] for each in TOLD])
def test_what_cannot_be_a_constant_is_told(added: str, place: str, said: str) -> None:
    told = [line for line in section(drafted(f"{BASE} {added}"), "To look at:") if line.startswith(f"{place}: ")]
    assert len(told) == 1
    assert said in told[0]


def test_what_is_kept_is_listed() -> None:
    draft = drafted(
        f"{BASE} -d type=OTP -d coding=0 -d msg_type=TEXT -d test=true -H 'Accept: text/html' -H 'X-Env: live'"
    )
    assert section(draft, "Kept as it is") == [
        "parameters.pairs.type: OTP",
        "parameters.pairs.coding: 0",
        "parameters.pairs.msg_type: TEXT",
        "parameters.pairs.test: true",
        "headers.X-Env: live",
    ]
    assert "parameters.json.log: false" in section(
        drafted("""curl https://sms.acme.example/ -H 'Content-Type: application/json' \
            -d '{"to": "919812345678", "text": "a b", "log": false, "n": 1.50}'"""),
        "Kept as it is",
    )
    many = drafted(BASE + "".join(f" -d k{n}=v" for n in range(50)))
    assert section(many, "Kept as it is")[-1] == "and 10 more"


def test_no_secret_stands_in_what_is_listed() -> None:
    draft = drafted(f"{BASE} -d apikey=hunter2-key-1 -d callback=https://me.example/?k=hunter2-key-1")
    assert "hunter2" not in draft
    assert "parameters.pairs.callback: https://me.example/?k=${ACME_APIKEY}" in section(draft, "Kept as it is")


def test_a_number_that_stays_as_a_key_is_told() -> None:
    draft = drafted("""curl https://sms.acme.example/ -H 'Content-Type: application/json' -d '{"to": "919812345678",
        "text": "a b", "vars": {"919812345678": {"n": "x"}, "other": 1}, "data": {"15551234567": "x", "y": 2}}'""")
    assert any(
        "a key looks like a phone number, and is kept as it is" in line for line in section(draft, "To look at:")
    )


def test_the_commands_own_variables_are_to_be_set() -> None:
    draft = drafted('curl "https://$HOST_PART.acme.example/$ACCOUNT" -d to=919812345678 -d text=Hi -d key=$API_KEY')
    assert section(draft, "Set in the environment") == ["HOST_PART", "ACCOUNT", "API_KEY"]


@pytest.mark.parametrize(
    ("sample", "written"),
    [
        ("9812345678", "$${To|digits|last(10)}"), ("2782123456", "$${To|digits}"), ("4155550100", "$${To|digits}"),
        ("27821234567", "$${To|digits}"), ("919812345678", "$${To|digits}"), ("+2782123456", "$$To"),
        ("9198XXXXXXXX,9198YYYYYYYY", "$${To|digits}"), ("91XXXXXXXXXX,91YYYYYYYYYY,91ZZZZZZZZZZ", "$${To|digits}"),
        ("number1,number2", "$$To"), ("9812345678,9812345679", "$${To|digits|last(10)}"),
    ],
)  # fmt: skip
def test_sample_numbers_of_all_countries(sample: str, written: str) -> None:
    draft = drafted(f"curl https://sms.acme.example/send -d 'to={sample}' -d text=Hello")
    assert re.search(rf'^    to: "?{re.escape(written)}"?$', draft, re.MULTILINE)
    assert ("batching:\n  key: to\n" in draft) is ("," in sample)


# ---- known providers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("https://api.textlocal.in/send/?x=1", ["textlocal"]),
        ("http://api.msg91.com/api/v2/sendsms", ["msg91"]),
        ("https://xyz.api.infobip.com/sms/3/messages", ["infobip"]),
        ("https://api.in.exotel.com/v1/Accounts/x/Sms/send", ["exotel"]),
        ("https://u:p@rest.nexmo.com:443/sms/json", ["vonage"]),
        ("https://pinpoint.us-east-1.amazonaws.com/v1", ["aws-pinpoint"]),
        ("https://sns.us-east-1.amazonaws.com/", []),
        ("http://10.0.0.7:13013/cgi-bin/sendsms?username=a", ["kannel"]),
        ("https://CLOUD.smsindiahub.in/x", ["smsindiahub-legacy", "smsindiahub"]),
        ("https://sms.acme.example/", []),
        ("https://sms.acme.example/send", []),
        ("http://127.0.0.1/x", []),
        ("http://localhost/x", []),
        ("https://evil-plivo.com/x", []),
    ],
)
def test_a_provider_of_the_catalogue_is_known_by_its_address(url: str, names: list[str]) -> None:
    assert known_providers(url) == names


def test_every_definition_of_the_catalogue_is_known_by_its_own_address() -> None:
    for name in shipped_names() - {"jasmin"}:  # a gateway of one's own, at `/send` as many others
        for operation in load(CATALOGUE / f"{name}.yaml", environment=Environment.placeholders()).operations:
            url = operation.url
            first = str(url.parts[0] if hasattr(url, "parts") else url.value)
            filled = re.sub(r"^\$\{[^}]*\}", "https://sms.example.com", first)
            given = {"exotel": "https://api.exotel.com", "infobip": "https://x.api.infobip.com"}.get(
                name, re.sub(r"\$\{[^}]*\}", "abc", filled)
            )
            assert name in known_providers(given)


# ---- names and files ------------------------------------------------------------------------------------------------


def test_a_name_that_the_file_does_not_have_is_written_into_it(tmp_path: Path) -> None:
    for command, given in (("import-curl", BASE), ("import-clevertap", None)):
        form = ["--endpoint", "https://sms.acme.example/x", "--parameter", "to=$$To", "--parameter", "t=$$Body"]
        rest = form if given is None else []
        for number, (name, output, written, called) in enumerate(
            [("beta", "zzz.yaml", True, "beta"), ("beta", "beta.yaml", False, "beta"), (None, "zzz.yaml", False, "zzz")]
        ):
            file = tmp_path / command / str(number) / output
            file.parent.mkdir(parents=True)
            named = ["--name", name] if name else []
            result = run(command, *named, "--output", str(file), *rest, given=given)
            assert result.exit_code == 0, result.stderr
            assert f"{output}: ok ({called})" in result.stderr
            assert ("\nname: beta\n" in file.read_text()) is written
            assert load(file, environment=Environment.placeholders()).name == called
        result = run(command, "--output", str(tmp_path / "a b.yaml"), *rest, given=given)
        assert isinstance(result.exception, UsageError)
        assert "rename it, or say --name" in str(result.exception)


def test_no_user_or_password_of_an_endpoint_stays_in_the_file() -> None:
    form = ["--parameter", "to=$$To", "--parameter", "text=$$Body"]
    result = run("import-clevertap", "--endpoint", "https://a.example/s?user=me&pass=hunter2%26x&v=1&to2=$$To", *form)
    assert result.exit_code == 0, result.stderr
    assert "hunter2" not in result.stdout
    assert "url: https://a.example/s\n" in result.stdout
    for line in ('user: "${A_USER}"', 'pass: "${A_PASS}"', 'v: "1"', "to2: $$To"):
        assert f"  {line}\n" in result.stdout
    assert section(result.stdout, "Set in the environment") == ["A_USER", "A_PASS"]


def help_examples(command: click.Command) -> list[list[str]]:
    text = (command.help or "").partition("Examples:")[2]
    return [line.split("sms-connector ")[1].split() for line in text.splitlines() if "sms-connector " in line]


@pytest.mark.parametrize("command", [import_curl, import_clevertap], ids=["curl", "clevertap"])
def test_the_examples_of_the_help_do_what_they_say(
    command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "command.txt").write_text(BASE)
    (tmp_path / "form.yaml").write_text(
        "method: POST\nendpoint: https://a.example/s\nparameters: {pairs: {to: $$To, t: $$Body}}\n"
    )
    (tmp_path / "payload.json").write_text('{"msgs": [{"to": "$$To", "text": "$$Body"}]}')
    examples = help_examples(command)
    assert len(examples) >= 2
    for example in examples:
        (tmp_path / "acme.yaml").unlink(missing_ok=True)
        result = run(*example, given=BASE)
        assert result.exit_code == 0, f"{example}: {result.stderr}"
        assert (tmp_path / "acme.yaml").exists() is ("acme.yaml" in example)


def test_options_may_stand_behind_the_file_and_never_take_curls(tmp_path: Path) -> None:
    file = tmp_path / "command.txt"
    file.write_text(BASE)
    assert run("import-curl", str(file), "--to", "to", "--name", "x").stdout.count("name: x\n") == 1
    result = run("import-curl", "--name", "curl", *BASE.split())
    assert (result.exit_code, "name: curl\n" in result.stdout) == (0, True)
    result = run("import-curl", *BASE.split(), "--output", "x.html", "-o", "y")  # curl's own
    assert result.exit_code == 0, result.stderr
    assert isinstance(run("import-curl", str(file), *BASE.split()).exception, UsageError)
    assert run("import-curl", str(file), "other").exit_code == 2
    assert run("import-curl", "--nonsense", str(file)).exit_code == 2


# ---- shapes ---------------------------------------------------------------------------------------------------------


def test_a_form_of_parts_and_names_that_repeat_are_taken_over() -> None:
    draft = drafted("curl -X PUT https://sms.acme.example/send -F to=919812345678 -F 'text=Hello you'")
    assert "method: PUT\n" in draft
    assert 'parameters:\n  multipart:\n    to: "$${To|digits}"\n    text: $$Body\n' in draft
    draft = drafted("curl https://sms.acme.example/send -d to=919812345678 -d to=919812345679 -d text=Hello")
    assert "nesting:\n  lists: repeat\nbatching:\n  key: to\n" in draft
