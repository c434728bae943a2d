"""What belonged to no message is read again by a definition that was mended meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.receipts.callback import BatchToken, MessageToken, Unmatched, Why
from connector.receipts.receipt_records import read_unmatched, unmatched_record
from connector.untrusted import UnreadableError
from tests.receipts.build import NOW, SOURCE, post, proved, reader, token

WRONG = """
verify: none
decode: json
each: "[]"
match: {token: ref}
state: status
states: {delivered: OK}
id: id
replies: [{when: "kind == 'mo'", from: from, text: text}]
"""
RIGHT = WRONG.replace("state: status", "state: state")


def kept(found: Unmatched) -> Unmatched:
    """As it comes back from its topic."""
    _, value, headers = unmatched_record(found)
    assert read_unmatched(value, headers) == found
    return read_unmatched(value, headers)


def test_an_entry_whose_state_stood_elsewhere_is_a_receipt_once_the_definition_says_where(tmp_path: Path) -> None:
    body = b'[{"id":"x"}, {"ref":"%s","state":"OK","id":"p-1"}]' % token().encode()
    wrong = proved(reader(tmp_path, WRONG), post("/r/acme", body))
    assert [(it.why, it.index, it.count) for it in wrong.unmatched] == [
        (Why.UNREADABLE, 0, 2),
        (Why.UNREADABLE, 1, 2),
    ]
    mended = reader(tmp_path, RIGHT)
    assert mended.read_again(kept(wrong.unmatched[0])).unmatched[0].why is Why.UNREADABLE
    (entry,) = mended.read_again(kept(wrong.unmatched[1])).entries
    assert isinstance(entry.token, MessageToken)
    assert (entry.token.source, entry.index, entry.count, entry.arrived) == (SOURCE, 1, 2, NOW)
    right = proved(mended, post("/r/acme", body))
    assert right.entries == [entry]


def test_whose_it_is_is_known_again_where_only_the_url_said_it(tmp_path: Path) -> None:
    in_url = WRONG.replace('each: "[]"\nmatch: {token: ref}\n', "")
    wrong = proved(reader(tmp_path, in_url), post(f"/m/acme/{token()}", b'{"state":"OK"}'))
    (found,) = wrong.unmatched
    (entry,) = reader(tmp_path, in_url.replace("state: status", "state: state")).read_again(kept(found)).entries
    assert isinstance(entry.token, MessageToken)
    assert entry.token.source == SOURCE


@pytest.mark.parametrize("in_query", [False, True])
def test_a_whole_callback_is_divided_once_it_can_be_read(tmp_path: Path, in_query: bool) -> None:
    as_json = WRONG.replace('each: "[]"\n', "")
    as_form = RIGHT.replace('each: "[]"\n', "").replace("decode: json", f"decode: {'query' if in_query else 'form'}")
    fields = {"ref": token(), "state": "OK", "id": "p-1"}
    callback = post("/r/acme", fields)
    if in_query:
        callback = post("/r/acme", query=callback.body.decode(), method="GET")
    wrong = proved(reader(tmp_path, as_json), callback)
    (found,) = wrong.unmatched
    assert (found.whole, found.in_query) == (True, in_query)
    (entry,) = reader(tmp_path, as_form).read_again(kept(found)).entries
    assert isinstance(entry.token, MessageToken)


def test_a_reply_that_was_no_receipt_is_a_reply(tmp_path: Path) -> None:
    without = WRONG.split("replies:", maxsplit=1)[0]
    wrong = proved(reader(tmp_path, without), post("/r/acme", b'[{"kind":"mo","from":"+1555","text":"hi"}]'))
    (inbound,) = reader(tmp_path, RIGHT).read_again(kept(wrong.unmatched[0])).inbound
    assert (inbound.sender, inbound.text) == ("+1555", "hi")


@pytest.mark.parametrize("document", [b"", b"[1]", b"{", b"\xff", b'"text"', b"[" * 100_000])
@pytest.mark.parametrize("whole", [False, True])
def test_nothing_that_stands_there_ends_it(tmp_path: Path, document: bytes, whole: bool) -> None:
    found = Unmatched("acme", NOW, Why.UNREADABLE, "was", document, whole=whole, token=BatchToken("0" * 32, 20_000))
    again = reader(tmp_path, RIGHT).read_again(found)
    assert not again.entries
    assert all(it.document for it in again.unmatched if document and whole)


def test_what_others_wrote_into_the_topic_is_refused() -> None:
    _, value, headers = unmatched_record(Unmatched("acme", NOW, Why.UNKNOWN, "r", b"{}"))
    for wrong in ([], [*headers, *headers], [("unmatched", b"{}")], [("unmatched", None)]):
        with pytest.raises(UnreadableError):
            read_unmatched(value, wrong)
    with pytest.raises(UnreadableError):
        read_unmatched(None, headers)
    newer = [(headers[0][0], headers[0][1].replace(b'"v":1', b'"v":2'))]
    with pytest.raises(UnreadableError, match="version"):
        read_unmatched(value, newer)
