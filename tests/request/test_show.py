"""Requests for people: secrets by name, and commands that a shell takes as they are."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from connector.definition.tree import BasicAuth
from connector.model import Request
from connector.request.show import curl, show
from tests.request.trees import batch, message, renderer

# Stands in for curl: its arguments and standard input as JSON.
FAKE_CURL = """#!/usr/bin/env python3
import json, os, sys
stdin = sys.stdin.buffer.read() if "@-" in sys.argv else b""
print(json.dumps([[os.fsencode(a).decode("latin-1") for a in sys.argv[1:]], stdin.decode("latin-1")]))
"""


@pytest.fixture
def run(tmp_path: Path):
    """Runs a command in a shell where `curl` only tells what it was given."""
    fake = tmp_path / "curl"
    fake.write_text(FAKE_CURL)
    fake.chmod(0o755)

    def run(command: str, **environment: str):
        path = f"{tmp_path}:{os.environ['PATH']}"
        script = tmp_path / "script"
        script.write_text(command)
        done = subprocess.run(
            ["sh", str(script)], capture_output=True, check=True, env={"PATH": path, **environment}, timeout=60
        )
        arguments, stdin = json.loads(done.stdout)
        decoded = [argument.encode("latin-1").decode() for argument in arguments]
        return decoded, stdin.encode("latin-1")

    return run


def secret_request(body: str = "hi") -> Request:
    send = renderer(
        {"user": "${USER_NAME}", "to": "$$To", "text": "$$Body"},
        kind="pairs",
        url="https://x.example/${ACCOUNT}/send?key=${KEY}",
        query={"token": "${file:/run/secrets/token}"},
        headers={"X-Key": "k ${KEY}"},
        auth=BasicAuth("${USER_NAME}", "${PASSWORD}"),
    )
    request = send.render([message(body=body)], batch()).request
    assert request is not None
    return request


REFERENCES = ["${USER_NAME}", "${ACCOUNT}", "${KEY}", "${PASSWORD}", "${file:/run/secrets/token}"]


def test_secrets_stand_by_name_in_url_query_headers_form_and_basic_authorization():
    assert show(secret_request(), REFERENCES) == (
        "POST https://x.example/${ACCOUNT}/send?key=${KEY}&token=${file:/run/secrets/token}\n"
        "Content-Type: application/x-www-form-urlencoded\n"
        "Authorization: Basic base64(${USER_NAME}:${PASSWORD})\n"
        "X-Key: k ${KEY}\n"
        "\n"
        "user=${USER_NAME}&to=%2B919800000001&text=hi"
    )


def test_what_only_looks_like_a_reference_stays_encoded():
    assert "text=%24%7BHOME%7D" in show(secret_request("${HOME}"), REFERENCES)


def test_real_basic_authorization_is_shown_as_it_is_sent():
    request = Request("POST", "https://x.example/", (("Authorization", "Basic dTpw"),))

    assert "Authorization: Basic dTpw" in show(request)


def test_a_body_never_moves_the_cursor():
    request = Request("POST", "https://x.example/", (), "a\x1b[2Jb\n\x9bc".encode())

    assert show(request).endswith("a\\x1b[2Jb\n\\x9bc")


def test_a_shell_fills_in_the_references_and_nothing_else(run):
    text = 'it\'s "$HOME" `id` $(id) ${HOME} \\ ! * ~ \n;&|<>#'
    send = renderer({"to": "$$To", "text": "$$Body", "key": "${KEY}"}, headers={"X-Empty": "", "X-Key": "${KEY}"})
    request = send.render([message(body=text)], batch()).request

    arguments, _ = run(curl(request, ["${KEY}"]), KEY="s3'cret", HOME="/root")

    assert arguments[:3] == ["-X", "POST", "https://sms.example.com/send"]
    assert arguments[3:9] == ["-H", "Content-Type: application/json", "-H", "X-Empty;", "-H", "X-Key: s3'cret"]
    assert arguments[9] == "--data-raw"
    assert json.loads(arguments[10]) == {"to": "+919800000001", "text": text, "key": "s3'cret"}


def test_curl_gets_basic_authorization_as_user_and_password(run):
    values = {"USER_NAME": "u", "PASSWORD": "p w", "ACCOUNT": "a", "KEY": "k"}

    arguments, _ = run(curl(secret_request(), REFERENCES), **values)

    assert arguments[arguments.index("-u") + 1] == "u:p w"
    assert "https://x.example/a/send?key=k&token=${file:/run/secrets/token}" in arguments
    assert arguments[0] == "--globoff"
    assert not any("Authorization" in argument for argument in arguments)


@pytest.mark.parametrize("body", [b"a\x00b\r\n", b"\xff\xfe", b"x" * 200_000, b"@/etc/passwd"])
def test_any_body_reaches_curl_byte_for_byte(run, body):
    arguments, stdin = run(curl(Request("POST", "https://x.example/", (("X-A", "b"),), body)))

    given = stdin if arguments[-2:] == ["--data-binary", "@-"] else arguments[-1].encode()
    assert given == body
    assert "X-A: b" in arguments
