"""References in requests: what may be done with them, and what they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.cli.fit import misfits
from connector.definition import check_receipts
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.model import Batch, Message, Source
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import BATCH_LENGTH, SHORT_LENGTH, Tokens
from connector.request.renderer import compile_operation
from connector.settings import Settings
from tests.definition.write import EMPTY, problems_of

HEAD = """
name: acme
method: POST
url: https://acme.example.com/send
response: {rules: [{status: 200, then: accept}]}
"""
RECEIPTS = "receipts: {match: token, state: s, states: {delivered: d}}\n"
URL = "https://sms.example.com"
TOKENS = Tokens(["hunter2-token-key-01"], ["sms.messages"])
MESSAGE = Message("m-1", "+447700900001", provider="acme", campaign_id="c", body="Hello")


def written(folder: Path, pairs: str, receipts: str = RECEIPTS) -> Definition:
    file = folder / "acme.yaml"
    file.write_text(f"{HEAD}parameters: {{pairs: {{to: $$To, text: $$Body, {pairs}}}}}\n{receipts}")
    return load(file, environment=EMPTY)


def sent(definition: Definition, message: Message = MESSAGE, *, count: int = 1, referring: bool = True) -> str:
    signer = ReferenceSigner(TOKENS, "acme", URL)
    references = signer.of([message], [Source("sms.messages", 0, 7)], 1_795_770_000.0)
    batch = Batch("0" * 32, 1_795_770_000.0, references=references if referring else None)
    request = compile_operation(definition.operations[0]).render([message], batch).request
    assert request is not None
    assert request.body is not None
    return request.body.decode()


WRONG = {
    "a filter that makes something else of it": (
        'ref: "$${receipt()|md5}"',
        "`md5` makes something else of a reference",
    ),
    "cut": ('ref: "$${receipt()|ref(20)}"', "something else of a reference"),
    "cut where the url stands": ('ref: "$${receipt_url()|truncate(50)}"', "something else of a reference"),
    "the short one cut": ("ref: \"$${receipt('short')|at_most(17)}\"", "has no room"),
    "an argument nobody knows": ("ref: \"$${receipt('long')}\"", "`receipt('long')` is not known"),
    "an argument that is none": ('ref: "$${receipt(short)}"', "write receipt() or receipt('short')"),
    "an argument for who takes none": ("ref: \"$${batch_id('short')}\"", "takes no arguments"),
    "spelt wrong": ('ref: "$${reciept()}"', "did you mean `receipt()`"),
}


@pytest.mark.parametrize(("pairs", "message"), WRONG.values(), ids=WRONG)
def test_what_would_be_no_reference_is_an_error(tmp_path: Path, pairs: str, message: str) -> None:
    text = f"{HEAD}parameters: {{pairs: {{to: $$To, text: $$Body, {pairs}}}}}\n{RECEIPTS}"
    errors, _ = problems_of(tmp_path, text)
    assert [message in str(error) for error in errors] == [True], errors


def test_a_reference_without_receipts_is_an_error(tmp_path: Path) -> None:
    text = f'{HEAD}parameters: {{pairs: {{to: $$To, text: $$Body, cb: "$${{receipt_url()?}}"}}}}\n'
    errors, _ = problems_of(tmp_path, text)
    assert ["nothing says how receipts come back" in str(error) for error in errors] == [True]


@pytest.mark.parametrize("call", ["receipt()", "receipt('short')", "receipt_url()"])
def test_what_differs_per_message_stands_in_the_records(tmp_path: Path, call: str) -> None:
    body = f'{{ref: "$${{{call}?}}", msgs: [{{to: $$To, text: $$Body}}]}}'
    text = f"{HEAD}parameters: {{json: {body}}}\nbatching: {{key: msgs, records: 10}}\n{RECEIPTS}"
    errors, _ = problems_of(tmp_path, text)
    assert [f"`{call}` stands outside the batching key" in str(error) for error in errors] == [True], errors


@pytest.mark.parametrize("call", ["batch_receipt()", "batch_receipt_url()"])
def test_what_belongs_to_the_request_may_stand_outside_and_separates_nothing(tmp_path: Path, call: str) -> None:
    body = f'{{ref: "$$custom-$${{{call}}}", msgs: [{{to: $$To, text: $$Body}}]}}'
    text = f"{HEAD}parameters: {{json: {body}}}\nbatching: {{key: msgs, records: 10}}\n{RECEIPTS}"
    (tmp_path / "acme.yaml").write_text(text)
    renderer = compile_operation(load(tmp_path / "acme.yaml", environment=EMPTY).operations[0])
    messages = [Message(f"m{n}", f"+44770090000{n}", body="Hello", custom={"custom": "x"}) for n in (1, 2)]
    assert len({renderer.batch_key(message) for message in messages}) == 1


def test_receipts_that_no_request_asks_for_are_a_warning(tmp_path: Path) -> None:
    for receipts, said in (
        (RECEIPTS, "no request sends a callback URL"),
        ("receipts: {extends: clevertap}\n", "no request sends one"),
    ):
        _, warnings = problems_of(tmp_path, f"{HEAD}parameters: {{pairs: {{to: $$To, text: $$Body}}}}\n{receipts}")
        assert [said in str(warning) for warning in warnings] == [True]


def test_a_batch_url_of_a_single_message_is_the_messages_own(tmp_path: Path) -> None:
    definition = written(tmp_path, 'cb: "$${batch_receipt_url()}"')
    token = TOKENS.message("acme", Source("sms.messages", 0, 7), "m-1", "c", 1_795_770_000.0)
    assert sent(definition).endswith(f"%2Fm%2Facme%2F{token}")


def test_message_id_is_the_reference_where_receipts_bring_it_back_from_a_field(tmp_path: Path) -> None:
    token = TOKENS.message("acme", Source("sms.messages", 0, 7), "m-1", "c", 1_795_770_000.0)
    clevertap = "receipts: {extends: clevertap}\n"
    assert f"mid={token}" in sent(written(tmp_path, "mid: $$MessageID", clevertap))
    assert f"mid=x{token}" in sent(written(tmp_path, "mid: x$$MessageID", clevertap))
    assert f"mid={token}" in sent(written(tmp_path, 'mid: "$${uid|default(MessageID)}"', clevertap))
    # the event's id where nothing brings it back, nobody asks for receipts, or the event says something itself
    assert "mid=m-1" in sent(written(tmp_path, "mid: $$MessageID"))
    assert "mid=m-1" in sent(written(tmp_path, "mid: $$MessageID", ""))
    assert "mid=m-1" in sent(written(tmp_path, "mid: $$MessageID", clevertap), referring=False)
    own = Message("m-1", "+447700900001", body="Hello", custom={"MessageID": "mine"})
    assert "mid=mine" in sent(written(tmp_path, "mid: $$MessageID", clevertap), own)


def test_message_id_that_is_a_reference_cannot_be_shortened(tmp_path: Path) -> None:
    pairs = 'to: $$To, text: $$Body, mid: "$${MessageID|ref(20)}"'
    errors, _ = problems_of(tmp_path, f"{HEAD}parameters: {{pairs: {{{pairs}}}}}\nreceipts: {{extends: clevertap}}\n")
    assert ["something else of a reference" in str(error) for error in errors] == [True]
    assert problems_of(tmp_path, f"{HEAD}parameters: {{pairs: {{{pairs}}}}}\n")[0] == []


def test_what_settings_do_not_provide_is_told_all_at_once_with_its_place(tmp_path: Path) -> None:
    definition = written(
        tmp_path, 'a: "$${receipt()}", b: "$${receipt_url()}", c: "$${receipt_url()?}", d: "$${batch_receipt()}"'
    )
    told = misfits([definition], Settings())
    assert [problem.path for problem in told] == ["parameters.pairs.a", "parameters.pairs.b", "parameters.pairs.d"]
    assert all("needs receive.url and receive.keys, which are not set" in problem.message for problem in told)
    assert all(problem.line for problem in told)
    assert "`$${receipt_url()?}`" in told[1].remedy
    assert misfits([definition], Settings.model_validate({"receive": RECEIVE})) == []


RECEIVE = {"url": URL, "keys": ["hunter2-token-key-01"], "url_keys": ["hunter2-url-key-0001"]}


@pytest.mark.parametrize(
    ("room", "right"), [(len(f"{URL}/m/acme/") + check_receipts.USUAL_REFERENCE, True), (70, False), (39, False)]
)
def test_a_callback_url_that_cannot_fit_is_told_when_the_settings_are_known(
    tmp_path: Path, room: int, right: bool
) -> None:
    pairs = (
        f'cb: "$${{receipt_url()|at_most({room})?}}"'
        if room >= 46
        else f'cb: "$${{batch_receipt_url()|at_most({room})?}}"'
    )
    told = misfits([written(tmp_path, pairs)], Settings.model_validate({"receive": RECEIVE}))
    assert [problem.path for problem in told] == ([] if right else ["parameters.pairs.cb"])


def test_lengths_are_those_of_the_tokens() -> None:
    assert (check_receipts.SHORT_REFERENCE, check_receipts.BATCH_REFERENCE) == (SHORT_LENGTH, BATCH_LENGTH)
    uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    usual = TOKENS.message("acme", Source("sms.messages", 11, 100_000), uuid, None, 1_795_770_000.0)
    assert abs(len(usual) - check_receipts.USUAL_REFERENCE) <= 2


def test_a_reference_longer_than_its_field_makes_the_message_invalid_with_the_reason(tmp_path: Path) -> None:
    definition = written(tmp_path, 'ref: "$${receipt()|at_most(80)?}"')
    message = Message("m" * 128, "+447700900001", campaign_id="c" * 256, body="Hello")
    references = ReferenceSigner(TOKENS, "acme", URL).of([message], [Source("sms.messages", 0, 7)], 0.0)
    rendered = compile_operation(definition.operations[0]).render(
        [message], Batch("0" * 32, 0.0, references=references)
    )
    assert [error.reason for _, error in rendered.invalid] == [
        "$${receipt()|at_most(80)?}: at_most: longer than 80 characters"
    ]


def test_a_short_reference_of_an_offset_beyond_it_makes_the_message_invalid(tmp_path: Path) -> None:
    definition = written(tmp_path, "ref: \"$${receipt('short')?}\"")
    references = ReferenceSigner(TOKENS, "acme", URL).of([MESSAGE], [Source("sms.messages", 0, 1 << 36)], 0.0)
    rendered = compile_operation(definition.operations[0]).render(
        [MESSAGE], Batch("0" * 32, 0.0, references=references)
    )
    assert ["too large for a short receipt reference" in error.reason for _, error in rendered.invalid] == [True]
