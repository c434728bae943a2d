"""`sms-connector receipt`: what a captured callback means, without its numbers and texts."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import group
from connector.cli.receipt import parse_request
from connector.errors import UsageError
from connector.model import Source
from connector.receipts.tokens import Tokens, UrlSecrets
from tests.marked import TEXT

KEY = "hunter2-of-the-tokens"
URL_KEY = "hunter2-of-the-urls-"
DEFINITION = """
method: POST
url: https://acme.example.com/send
parameters: {pairs: {to: $$To, text: $$Body}}
receipts:
  decode: form
  id: id
  state: status
  states: {delivered: DELIVRD}
  reason: words
  replies: [{when: "kind == 'reply'", from: from, text: text}]
"""


def _run(folder: Path, request: bytes) -> Result:
    (folder / "acme.yaml").write_text(DEFINITION)
    (folder / "callback.http").write_bytes(request)
    variables = {
        "SMS_CONNECTOR_RECEIVE__URL": "https://sms.example.com",
        "SMS_CONNECTOR_RECEIVE__KEYS": f"[{KEY}]",
        "SMS_CONNECTOR_RECEIVE__URL_KEYS": "[hunter2-of-the-urls-]",
    }
    arguments = ["receipt", str(folder / "acme.yaml"), "--request", str(folder / "callback.http")]
    return CliRunner().invoke(group, arguments, env=variables)


def _token() -> str:
    source = Source("sms.messages", 3, 4711)
    return Tokens([KEY], ["sms.messages"]).message("acme", source, "m-1", "c-1", time.time())


def _post(path: str, body: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n"
    return head.encode() + body.encode()


def test_a_receipt_is_shown_with_its_message_and_without_its_number(tmp_path: Path) -> None:
    body = "id=p-1&status=DELIVRD&words=given+to+919812345678"
    result = _run(tmp_path, _post(f"/m/acme/{_token()}", body))
    assert result.exit_code == 0, result.output
    assert "callback: verified by token, answer 200" in result.output
    assert "receipt: entry 1 of 1, delivered, whose message m-1 at sms.messages/3/4711, id p-1" in result.output
    assert "given to **********78" in result.output


def test_a_reply_is_shown_without_its_text(tmp_path: Path) -> None:
    path = f"/r/acme/{UrlSecrets([URL_KEY]).of('acme')}"
    result = _run(tmp_path, _post(path, f"kind=reply&from=919812345678&text={TEXT}"))
    assert f"reply: from **********78, characters {len(TEXT)}" in result.output


@pytest.mark.parametrize("path", ["/m/acme/wrong", "/r/acme", "/r/acme/wrong", "/elsewhere"])
def test_what_would_be_refused_ends_with_one(tmp_path: Path, path: str) -> None:
    result = _run(tmp_path, _post(path, "status=DELIVRD"))
    assert result.exit_code == 1
    assert "not verified" in str(result.exception)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    result = _run(tmp_path, _post(f"/m/acme/{_token()}", "nothing=1"))
    assert "unmatched: entry 1 of 1, why unreadable, reason it says no state" in result.output


@pytest.mark.parametrize("raw", [b"", b"POST", b"POST x HTTP/1.1\n\n", b"POST /r/a HTTP/1.1\nno colon\n\n"])
def test_what_is_no_request_is_a_usage_error(raw: bytes) -> None:
    with pytest.raises(UsageError):
        parse_request(raw, 0.0)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_request_is_read_as_editors_and_captures_write_it(end: str) -> None:
    callback = parse_request(end.join(["get /m/a/b?x=1 HTTP/1.1", "A: 1", "a: 2", "", "body", ""]).encode(), 1.0)
    assert (callback.method, callback.path, callback.query) == ("GET", "/m/a/b", "x=1")
    assert (callback.headers, callback.body) == ({"a": "1, 2"}, b"body")


SIGNED = DEFINITION.replace("  decode: form\n", "  decode: form\n  verify: {twilio: {secret: hunter2-of-acme}}\n")
SKETCH = _post("/m/acme/{receipt}", "id=p-1&status=DELIVRD")


def _sign(
    folder: Path, sketch: bytes, *options: str, text: str = SIGNED, url: str = "https://sms.example.com/x"
) -> Result:
    (folder / "acme.yaml").write_text(text)
    (folder / "sketch.http").write_bytes(sketch)
    variables = {
        "SMS_CONNECTOR_RECEIVE__URL": url,
        "SMS_CONNECTOR_RECEIVE__KEYS": f"[{KEY}]",
        "SMS_CONNECTOR_RECEIVE__URL_KEYS": "[hunter2-of-the-urls-]",
    }
    arguments = ["receipt", str(folder / "acme.yaml"), "--request", str(folder / "sketch.http"), *options]
    return CliRunner().invoke(group, arguments, env=variables if url else {})


def test_what_it_signs_it_takes_itself(tmp_path: Path) -> None:
    sketch = SKETCH.replace(b"/m/", b"/x/m/")
    made = _sign(tmp_path, sketch, "--sign", "--message", "sms.messages/3/4711", "--message-id", "m-7")
    assert made.exit_code == 0, made.output
    shown = _sign(tmp_path, made.output.encode())
    assert "callback: verified by twilio, answer 200" in shown.output
    assert "message m-7 at sms.messages/3/4711" in shown.output
    refused = _sign(tmp_path, made.output.replace("DELIVRD", "UNDELIV").encode())
    assert refused.exit_code == 1


def test_as_a_curl_command_to_the_public_url(tmp_path: Path) -> None:
    sketch = _post("/x/r/acme/{secret}", "id={receipt_short}&status=DELIVRD")
    made = _sign(tmp_path, sketch, "--sign", "--curl", "--message", "sms.messages/3/4711", text=DEFINITION)
    assert made.exit_code == 0, made.output
    assert made.output.startswith("curl -X POST https://sms.example.com/x/r/acme/")
    assert "--data-raw 'id=" in made.output
    assert "{" not in made.output


@pytest.mark.parametrize(
    ("sketch", "options", "code", "said"),
    [
        (SKETCH, ("--sign",), 2, "write TOPIC/PARTITION/OFFSET"),
        (SKETCH, ("--sign", "--message", "sms.messages/3/4711"), 1, "below the path of receive.url"),
        (SKETCH, ("--message", "sms.messages/3/4711"), 2, "belong to --sign"),
        (_post("/x/m/acme/{receipt}", ""), ("--sign", "--message", "other/3/4711"), 1, "not signed by us"),
    ],
)
def test_what_cannot_be_signed_is_told(
    tmp_path: Path, sketch: bytes, options: tuple[str, ...], code: int, said: str
) -> None:
    made = _sign(tmp_path, sketch, *options)
    assert getattr(made.exception, "exit_code", made.exit_code) == code
    assert said in f"{made.output} {made.exception}"


def test_without_keys_nothing_is_signed(tmp_path: Path) -> None:
    assert "have no receive.url" in f"{_sign(tmp_path, _post('/r/acme', ''), '--sign', url='').exception}"
