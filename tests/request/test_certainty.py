"""A message for which a signature cannot be computed ends `invalid` when it is rendered; none waits for it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.model import Batch, Message
from connector.request.certainty import may_fail
from connector.request.renderer import compile_operation

from .signing import DEFINITIONS, operation_of
from .test_signing import adding

SINGLE = """
method: POST
url: https://sms.example.com/
auth: {sign: {HEADERS}}
parameters: {pairs: {to: $$To, text: $$Body}}
"""
BATCHED = """
method: POST
url: https://sms.example.com/
auth: {sign: {HEADERS}}
parameters: {pairs: {to: $$To, text: $$Body}}
batching: {key: [to, text], records: 10, join: '|'}
"""


@pytest.mark.parametrize(
    ("headers", "good", "bad"),
    [
        ("X: \"$${fields()|get('text')|int}\"", "12", "twelve"),
        ("X: \"$${fields()|get('text')|unhex|base64}\"", "0a", "no hex"),
        ("X: \"$${fields()|get('text')}\"", "one line", "two\nlines"),
        ("X: \"a $${fields()|get('text')|upper} b\"", "one line", "two\nlines"),
        ("X: \"$${fields()|get('text')|date('utc')|md5}\"", "2026-01-02T03:04:05Z", "today"),
    ],
)
def test_what_fails_for_one_message_makes_it_invalid_and_no_other(
    headers: str, good: str, bad: str, tmp_path: Path
) -> None:
    headers = "headers: {" + headers + "}"
    operation = operation_of(SINGLE.replace("HEADERS", headers), {}, tmp_path)
    renderer = compile_operation(operation)
    outcomes = []
    for body in (good, bad, good):
        rendered = renderer.render([Message("m", "+919812345678", body=body)], Batch("a" * 32, 0.0))
        outcomes.append((rendered.request is not None, len(rendered.invalid)))
    assert outcomes == [(True, 0), (False, 1), (True, 0)]


def test_in_a_batch_the_one_at_fault_is_found(tmp_path: Path) -> None:
    headers = "headers: {X: \"$${fields()|get('text')|replace('|', '')|int}\"}"
    renderer = compile_operation(operation_of(BATCHED.replace("HEADERS", headers), {}, tmp_path))
    messages = [Message(f"m{n}", f"+91981234567{n}", body="x" if n == 3 else f"{n}") for n in range(6)]
    rendered = renderer.render(messages, Batch("a" * 32, 0.0))
    assert [index for index, _ in rendered.invalid] == [3]
    assert rendered.sent == [0, 1, 2, 4, 5]


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if name not in ("login", "session", "oauth1")])
def test_the_families_cost_nothing_of_this(name: str, tmp_path: Path) -> None:
    environment = dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+)\??\}", DEFINITIONS[name]), "aHVudGVyMg==")
    operation = operation_of(DEFINITIONS[name], environment, tmp_path)
    assert not may_fail(operation.auth.additions)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("values", "header", "fails"),
    [
        ({}, "$${body()|md5}", False),
        ({}, "$${body()|upper|md5}", True),
        ({"a": "x$${body()}"}, "$${a|sha1}", False),
        ({"a": "x$${body()}"}, "$${a|lower|sha1}", True),
        ({"a": "$${query()|sort|join('&')}"}, "$${a|hmac('k')|base64}", False),
        ({"a": "$${query()|sort|join('&')}"}, "$$a", True),
        ({"a": "$${query()|sort|join('&')|urlencode}"}, "$$a", False),
        ({"a": "$$b", "b": "$$c", "c": "$${fields()|get('x')}"}, "$$a", True),
        ({"a": "$${method()}$${host()}"}, "$${a|lower}", False),
        ({}, "$${now()|date('utc')}", False),
        ({}, "$${nonce()|uuid}", False),
        ({}, "$${path()}", True),
    ],
)
def test_what_may_fail_is_known_beforehand(values: dict[str, str], header: str, fails: bool) -> None:
    assert adding(values, headers={"X": header}).may_fail is fails
