# ruff: noqa: E501 - a table is read across
"""Lists that are read side by side: `check` refuses what would shift one of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .write import problems_of


def written(parameters: str, keys: str, more: str = "") -> str:
    return (
        f"method: POST\nurl: https://sms.example.com/send\nparameters:\n  {parameters}\n"
        f"batching: {{key: [{keys}], records: 9}}\n{more}response: {{rules: [{{status: 200, then: accept}}]}}\n"
    )


SHIFTS = "may be left out of a list that is read beside others: all behind it would shift; leave the `?` out, or fill its place: "
REFUSED = [
    (written("json: {to: [$$To], text: ['$${otp?}'], t: $$TemplateID}", "to, text"), "4:29: parameters.json.text[0]", f"$${{otp?}} {SHIFTS}$${{otp|default('')}}"),
    (written("json: {to: [$$To], text: [{a: '$${otp?}'}], t: $$TemplateID}", "to, text"), "4:29: parameters.json.text[0]", f"$${{otp?}} {SHIFTS}$${{otp|default('')}}"),
    (written("pairs: {to: $$To, text: '$${Body|upper?}'}", "to, text"), "4:27: parameters.pairs.text", f"$${{Body|upper?}} {SHIFTS}$${{Body|upper|default('')}}"),
    (written("pairs: {to: {$json: [$$To]}, text: {$json: ['$${Body?}']}}", "to, text"), "4:47: parameters.pairs.text.$json[0]", SHIFTS),
    (written("xml: {r: {no: [$$To], msg: ['$${Body?}']}}", "r.no, r.msg"), "4:31: parameters.xml.r.msg[0]", SHIFTS),
    (written("json: {to: [$$To], text: ['$${Body?}']}", "."), "4:29: parameters.json.text[0]", SHIFTS),
    (written("json: {t: $$Body}", "'?to', '?x'", "query: {to: [$$To], x: ['$${x?}']}\n"), "6:25: query.x[0]", SHIFTS),
    (written("json: {to: [$$To], text: [$$Body, x]}", "to, text"), "4:28: parameters.json.text", "a list of 2 elements stands beside other lists; write one"),
    (written("json: {to: [$$To], t: $$TemplateID, v: $$TemplateVariables}", "to, v"), "4:42: parameters.json.v", "$$TemplateVariables is a whole list beside other lists, and messages bring different numbers; write [$$TemplateVariables], a list for each message"),
    (written("json: {to: [$$To], t: $$TemplateID, v: '$${TemplateVariables|lists}'}", "to, v"), "4:42: parameters.json.v", "is a whole list beside other lists"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "place", "message"), REFUSED, ids=[row[1] for row in REFUSED])
def test_what_would_shift_one_of_several_lists_is_refused(tmp_path: Path, text: str, place: str, message: str) -> None:
    errors, _ = problems_of(tmp_path, text)
    assert len(errors) == 1, errors
    assert errors[0].startswith(f"acme.yaml:{place}: ")
    assert message in errors[0]


@pytest.mark.parametrize(
    "text",
    [
        written("json: {to: [$$To], text: [\"$${Body|default('')}\"]}", "to, text"),
        written("json: {to: [$$To], text: [{a: $$Body, b: '$${otp?}'}]}", "to, text"),
        written("json: {to: [$$To, '$${cc?}'], text: $$Body}", "to"),
        written("json: {to: [$$To], v: '$${TemplateVariables|under(To)?}', t: $$Body}", "to, v"),
        written("json: {to: [$$To], v: [$$TemplateVariables], t: $$TemplateID}", "to, v"),
        written("json: {to: [$$To], v: [\"$${TemplateVariables|join('|')}\"], t: $$TemplateID}", "to, v"),
        written("pairs: {to: $$To, v: $$TemplateVariables, t: $$TemplateID}", "to, v"),
        written("json: {m: {$$To: {v: '$${TemplateVariables|lists?}'}}, t: $$Body}", "m"),
    ],
)
def test_what_shifts_nothing_is_left_in_peace(tmp_path: Path, text: str) -> None:
    assert problems_of(tmp_path, text) == ([], [])
