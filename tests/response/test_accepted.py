"""What a rule that accepts takes for success, in definitions as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.response.reply_reader import compile_response
from tests.definition.write import loaded

from .build import read, reply

DEFINITION = """\
method: POST
url: https://sms.example.com/send
parameters:
  json: {{to: $$To, text: $$Body}}
response:
{decode}  rules:
    - {rule}
"""


def then_of(tmp_path: Path, rule: str, body: str, status: int, decode: str = "") -> str:
    definition = loaded(tmp_path, DEFINITION.format(rule=rule, decode=f"  decode: {decode}\n" if decode else ""))
    return read(compile_response(definition.operations[0]), reply(body, status)).outcomes[0].then


@pytest.mark.parametrize(
    "rule",
    ["{then: accept}", "{when: \"status != 'error'\", then: accept}", "{text: FAILED, then: accept}",
     "{header: {Content-Type: json}, then: accept}"],
)  # fmt: skip
@pytest.mark.parametrize(("status", "then"), [
    (200, "accept"), (202, "accept"), (302, "pause"), (401, "pause"), (403, "pause"), (429, "throttle"),
    (400, "reject"), (500, "uncertain"),
])  # fmt: skip
def test_accept_without_a_status_means_2xx(tmp_path: Path, rule: str, status: int, then: str) -> None:
    definition = loaded(tmp_path, DEFINITION.format(rule=rule, decode=""))
    answer = reply('{"status": "FAILED"}', status, content_type="application/json")
    assert read(compile_response(definition.operations[0]), answer).outcomes[0].then == then


def test_a_status_beyond_2xx_that_is_named_by_itself_is_accepted(tmp_path: Path) -> None:
    rule = "{status: [2xx, 409], when: \"state == 'known'\", then: accept}"
    assert then_of(tmp_path, rule, '{"state": "known"}', 409) == "accept"
    assert then_of(tmp_path, rule, '{"state": "known"}', 410) == "reject"


@pytest.mark.parametrize("rule", ["{then: reject}", "{when: \"code == '7'\", then: reject}"])
def test_other_outcomes_hold_for_every_status(tmp_path: Path, rule: str) -> None:
    for status in (200, 401, 500):
        assert then_of(tmp_path, rule, '{"code": 7}', status) == "reject"


@pytest.mark.parametrize(("body", "decode"), [
    ('{"code": 0}', "json"), ('{"code": "0"}', "json"), ("<code>0</code>", "xml"),
])  # fmt: skip
@pytest.mark.parametrize("code", ["'0'", "`0`"])
def test_a_code_is_the_same_as_a_number_and_as_a_text(tmp_path: Path, body: str, decode: str, code: str) -> None:
    rules = f'{{when: "code != {code}", then: retry}}\n    - {{when: "code == {code}", then: accept}}'
    assert then_of(tmp_path, rules, body, 200, decode) == "accept"
    assert then_of(tmp_path, rules, body.replace("0", "5"), 200, decode) == "retry"
