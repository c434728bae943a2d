"""What receipts are looked up by: the same of a result and of an entry, of nobody else's, and nothing to be read."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.model import Batch, Message, Result, Source, Status
from connector.receipts.callback import BatchToken, ReceiptEntry
from connector.receipts.correlation import (
    KEY_BYTES,
    AskedMessage,
    Correlation,
    Correlations,
    IndexKeys,
    correlation,
    keys_in,
)
from connector.receipts.index_records import (
    index_records,
    lookup_record,
    read_index,
    read_lookup,
    read_watermark,
    watermark_record,
)
from connector.receipts.tokens import DAY
from connector.request.renderer import compile_operation
from connector.untrusted import UnreadableError

NEW, OLD = "n" * 32, "o" * 32
BATCH = "ab" * 16
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)


def definition(folder: Path, match: str, *, name: str = "acme", sends: str = "batch_receipt()") -> Definition:
    file = folder / f"{name}.yaml"
    file.write_text(
        f"""
name: {name}
method: POST
url: https://acme.example.com/send
parameters: {{json: {{ref: "$${{{sends}?}}", to: "$${{To|digits}}", text: $$Body}}}}
batching: {{key: to, join: ",", records: 100}}
receipts:
  verify: url
  match: {match}
  state: s
  states: {{delivered: d}}
"""
    )
    return load(file, environment=Environment({}))


def found_by(folder: Path, match: str, *secrets: str, **options: str) -> Correlation:
    found = correlation(definition(folder, match, **options), IndexKeys(secrets or (NEW,)))
    assert found is not None
    return found


def result(**fields: Any) -> Result:
    known: dict[str, Any] = {
        "message_id": "m-1",
        "provider": "acme",
        "to": "+919812345678",
        "batch_id": BATCH,
        "batch_size": 2,
    }
    given_id = {"provider_message_id": "p-1", "provider_batch_id": "B-1"}
    return Result(Status.ACCEPTED, Source("sms.messages", 3, 41), NOW, **(known | given_id | fields))


@pytest.mark.parametrize(
    ("match", "said", "token"),
    [
        ("{id: a}", {"id": "p-1"}, None),
        ('{batch: a, "To|digits": b}', {"batch": "B-1", "To|digits": "919812345678"}, None),
        ('{batch: a, "To|digits|last(10)": b}', {"batch": "B-1", "To|digits|last(10)": "9812345678"}, None),
        ('{"To|digits": b}', {"To|digits": "919812345678"}, BatchToken(BATCH, 1)),
        ('{token: t, batch: a, "To|digits": b}', {"batch": "X", "To|digits": "919812345678"}, BatchToken(BATCH, 1)),
        ('{token: t, batch: a, "To|digits": b}', {"batch": "B-1", "To|digits": "919812345678"}, None),
        ('{"message_id()|ref(20)": a}', {"message_id()|ref(20)": "m-1"}, None),
        ('{"batch_id()": a, "To|digits": b}', {"batch_id()": BATCH, "To|digits": "919812345678"}, None),
    ],
)
def test_a_result_is_found_by_what_its_receipts_say_whatever_of_it_they_bring(
    tmp_path: Path, match: str, said: dict[str, str], token: BatchToken | None
) -> None:
    known = found_by(tmp_path, match)
    (key,) = known.of_entry(token, said)
    assert key in keys_in(known.of_result(result()))
    assert len(key) == KEY_BYTES


@pytest.mark.parametrize(
    ("match", "said", "token"),
    [
        ('{"To|digits": b}', {"To|digits": "919812345678"}, None),  # a number alone names nobody's message
        ('{batch: a, "To|digits": b}', {"To|digits": "919812345678"}, None),
        ('{batch: a, "To|digits": b}', {"batch": "B-1"}, None),
        ("{id: a}", {}, BatchToken(BATCH, 1)),
    ],
)
def test_what_names_no_message_is_not_looked_up(
    tmp_path: Path, match: str, said: dict[str, str], token: BatchToken | None
) -> None:
    assert found_by(tmp_path, match).of_entry(token, said) == []


@pytest.mark.parametrize(
    "other",
    [
        {"provider_batch_id": "B-2"},
        {"batch_id": "cd" * 16, "provider_batch_id": None},
        {"to": "+919812345679"},
        {"provider_batch_id": "B-1919812345678", "to": "+9"},  # no two lists of values are written alike
    ],
)
def test_another_request_or_number_has_other_keys(tmp_path: Path, other: dict[str, Any]) -> None:
    known = found_by(tmp_path, '{token: t, batch: a, "To|digits": b}')
    ours, theirs = keys_in(known.of_result(result())), keys_in(known.of_result(result(**other)))
    assert ours
    assert not set(ours[1:]) & set(theirs[1:])
    assert ours != theirs


def test_another_definition_form_or_secret_has_other_keys(tmp_path: Path) -> None:
    said = {"id": "p-1"}
    keys = {
        *found_by(tmp_path, "{id: a}").of_entry(None, said),
        *found_by(tmp_path, "{id: a}", name="other").of_entry(None, said),
        *found_by(tmp_path, "{id: a}", OLD).of_entry(None, said),
        *found_by(tmp_path, "{batch: a}").of_entry(None, {"batch": "p-1"}),
        *found_by(tmp_path, '{"message_id()": a}').of_entry(None, {"message_id()": "p-1"}),
    }
    assert len(keys) == 5


def test_only_what_was_accepted_or_may_have_been_is_looked_up(tmp_path: Path) -> None:
    known = found_by(tmp_path, "{id: a}")
    sent = {status for status in Status if known.of_result(_with(status))}
    assert sent == {Status.ACCEPTED, Status.UNKNOWN}
    assert known.of_result(result(batch_id=None)) == b""  # it was in no request
    assert known.of_result(result(provider_message_id=None)) == b""


def _with(status: Status) -> Result:
    found = result()
    found.status = status
    return found


def test_a_message_that_was_alone_in_its_request_needs_no_key_of_the_request(tmp_path: Path) -> None:
    known = found_by(tmp_path, '{"To|digits": b}')
    assert known.of_result(result(batch_size=1)) == b""
    assert found_by(tmp_path, '{"To|digits": b}', sends="count()").of_result(result()) == b""  # none asks for it


def test_nobody_else_pays(tmp_path: Path) -> None:
    with_keys, without = Correlations(IndexKeys([NEW])), Correlations(None)
    for each in (with_keys, without):
        each.use(definition(tmp_path, "{token: ref}"))
        assert not each
    with_keys.use(definition(tmp_path, "{id: a}"))
    without.use(definition(tmp_path, "{id: a}"))
    assert not without
    ((name, keys),) = with_keys.headers(result())
    assert name == "receipt"
    assert len(keys) == KEY_BYTES
    assert with_keys.headers(result(provider="another")) == []
    with_keys.use(definition(tmp_path, "{token: ref}"))
    assert not with_keys


def test_while_secrets_are_changed_a_result_is_found_by_all_of_them(tmp_path: Path) -> None:
    header = found_by(tmp_path, "{id: a}", NEW, OLD).of_result(result())
    for secrets in ((NEW,), (OLD,), (OLD, NEW)):
        entry = found_by(tmp_path, "{id: a}", *secrets).of_entry(None, {"id": "p-1"})
        assert set(entry) <= set(keys_in(header))
    both = found_by(tmp_path, "{id: a}", NEW, OLD).of_entry(None, {"id": "p-1"})
    assert both[1:] == found_by(tmp_path, "{id: a}", OLD).of_entry(None, {"id": "p-1"})


def test_nothing_of_a_number_or_id_can_be_read_in_what_is_written(tmp_path: Path) -> None:
    known = found_by(tmp_path, '{token: t, batch: a, "To|digits": b}')
    header = known.of_result(result())
    (first, second) = index_records(header, msgspec.json.encode(result()))
    for key, value, headers in (first, second):
        assert key in keys_in(header)
        assert headers == []
        assert b"9812345678" not in (value or b"") + (key or b"")
        assert b"B-1" not in (value or b"")
        assert b"p-1" not in (value or b"")
    token = read_index(first[1]).token
    assert token.source == Source("sms.messages", 3, 41)
    assert (token.message_id, token.day) == ("m-1", int(NOW.timestamp() // DAY))


def test_results_that_no_receipt_is_of_are_not_in_the_index(tmp_path: Path) -> None:
    header = found_by(tmp_path, "{id: a}").of_result(result())
    assert index_records(header, msgspec.json.encode(_with(Status.REJECTED))) == []
    assert index_records(header[1:], msgspec.json.encode(result())) == []  # none of ours
    for value in (None, b"", b"[]", b'{"status":"accepted"}'):
        with pytest.raises(UnreadableError):
            index_records(header, value)


def test_entries_and_watermarks_are_read_as_they_were_written_and_what_others_wrote_is_not(tmp_path: Path) -> None:
    keys = (b"a" * 16, b"b" * 16)
    entry = ReceiptEntry("acme", 1.5, 3, 4, orjson.dumps({"s": "d"}), BatchToken(BATCH, 7), {}, keys)
    key, value, headers = lookup_record(entry)
    assert key == keys[0]
    assert read_lookup(key, value, headers) == entry
    bare = msgspec.structs.replace(entry, token=None, keys=keys[:1])
    assert read_lookup(*lookup_record(bare)) == bare
    for wrong in ((None, value, headers), (key, None, headers), (key[1:], value, headers), (key, value, [])):
        with pytest.raises(UnreadableError):
            read_lookup(*wrong)
    another = headers[0][1].replace(b'"v":1', b'"v":2')
    for raw in (b"{", b'{"v":1}', another, b'{"v":1,"provider":"a","arrived":1,"others":"zz"}'):
        with pytest.raises(UnreadableError):
            read_lookup(key, value, [("lookup", raw)])
    mark = read_watermark(watermark_record({7: 1_795_770_000_123})[2])
    assert mark is not None
    assert mark.until == {7: 1_795_770_000_123}
    assert read_watermark([("another", b"1")]) is None
    for raw in (b"", b"{", b'{"v":2,"until":{"1":1}}', b'{"v":1,"until":{"-1":1}}'):
        with pytest.raises(UnreadableError):
            read_watermark([("watermark", raw)])
    for raw in (None, b"{}", b'{"v":2,"source":{"topic":"a","partition":1,"offset":1},"day":1}'):
        with pytest.raises(UnreadableError):
            read_index(raw)


NUMBERS = st.sampled_from(["+919812345678", "+19812345678", "919812345678", "+449812345678", "+15550001111"])


@given(st.lists(NUMBERS, max_size=12))
def test_two_messages_of_a_request_are_never_found_by_the_same_key(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[str]
) -> None:
    """Providers that answer with ten digits would call +91… and +1… by one name."""
    loaded = definition(tmp_path_factory.mktemp("acme"), '{batch: a, "To|digits|last(10)": b}')
    known = correlation(loaded, IndexKeys([NEW]))
    assert known is not None
    renderer = compile_operation(loaded.operations[0])
    messages = [Message(f"m{at}", to, body="b") for at, to in enumerate(numbers)]
    rounds = 0
    while messages:
        rounds += 1
        rendered = renderer.render(messages, Batch(f"{rounds:032x}", 1.0))
        sent = [AskedMessage(messages[at].to, messages[at].message_id, None) for at in rendered.sent]
        assert sent
        keys = [key for header in known.of_results(f"{rounds:032x}", "B", len(sent), sent) for key in keys_in(header)]
        assert len(set(keys)) == len(keys)
        messages = [messages[at] for at in rendered.left]
