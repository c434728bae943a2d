"""A request of one message, made by a way of its own, is what the way of a batch of one would make."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.expression import MISSING
from connector.definition.expression_text import parse
from connector.definition.tree import EntrySource, Match, Response
from connector.model import Message
from connector.request.renderer import Rendered, Renderer
from tests.request.trees import batch, message, renderer
from tests.thorough import examples

TOLD_APART = Response(entries=(EntrySource("e", Match("expressions", ((parse("h|digits"), "h"),)), each="@"),))
RECORD = {"to": "$$To", "uid": "$${h?}", "seq": "$${seq()}", "text": "$$Body"}
OPERATIONS: dict[str, tuple[Any, dict[str, Any]]] = {
    "records": ({"x": "$${g?}", "r": [RECORD]}, {"key": "r"}),
    "records of which some value is required": ({"r": [{"to": "$$To", "uid": "$$h"}]}, {"key": "r"}),
    "something outside is required": ({"x": "$$g", "r": [RECORD]}, {"key": "r"}),
    "counted": ({"n": "$${count()}", "r": [RECORD]}, {"key": "r"}),
    "bounded": ({"r": [RECORD]}, {"key": "r", "max_bytes": 70}),
    "told apart by what may be missing": ({"r": [RECORD]}, {"key": "r", "response": TOLD_APART}),
    "joined": ({"r": "$$To", "b": "$$Body"}, {"key": "r", "join": ","}),
    "joined, with the separator": ({"r": "$${g?}", "b": "$$To"}, {"key": "r", "join": "a"}),
    "a map": ({"r": {"$$To": "$${h?}"}}, {"key": "r"}),
    "a replacement": ({"r": "$${h?}"}, {"key": "r"}),
    "a form": ({"g": "x$${g?}y", "r": ["$${h?}"]}, {"key": "r", "kind": "pairs"}),
    "a query": ({"g": "x$${g?}y", "r": ["$$To"]}, {"key": "r", "kind": "pairs", "method": "GET"}),
    "XML": ({"m": {"@h": "$${g?}", "r": ["$${h?}"]}}, {"key": "m.r", "kind": "xml"}),
    "the whole body": (["$$To"], {"key": ".", "url": "https://x.example/$${h?}", "headers": {"X-H": "$${g?}"}}),
    "JSON in a form": ({"data": {"$json": {"g": "$${g?}", "r": ["$$To"]}}}, {"key": "data.r", "kind": "pairs"}),
}
few = st.sampled_from(["a", "12", "", None, 1, 1.5, True, ["a"], [], {"a": 1}, {}, "a,b", "\ud800", "x" * 90])


def general(send: Renderer, one: Message) -> Rendered:
    """As the way of batches renders it: also what is at fault is found there."""
    assert send._records is not None
    rendered, guilty = send._render_batch(send._records, [one], batch())
    if guilty:
        rendered.invalid = sorted([*rendered.invalid, *guilty], key=lambda pair: pair[0])
    return rendered


def told(rendered: Rendered) -> Any:
    invalid = [(index, error.reason) for index, error in rendered.invalid]
    return rendered.request, rendered.sent, invalid, rendered.left


@pytest.mark.parametrize(("body", "options"), OPERATIONS.values(), ids=OPERATIONS.keys())
@settings(max_examples=examples(200))
@given(st.fixed_dictionaries({}, optional={"h": few, "g": few}), st.sampled_from(["hi", "é", "x" * 80]))
def test_it_is_what_the_way_of_batches_makes(
    body: Any, options: dict[str, Any], custom: dict[str, Any], text: str
) -> None:
    send = renderer(body, **options)
    one = message(1, custom=custom, body=text)
    rendered = send.render([one], batch())
    assert told(rendered) == told(general(renderer(body, **options), one))
    assert send.render([one, message(2, custom={"h": "b"})], batch()) is not None  # nothing of it stays behind


@pytest.mark.parametrize("custom", [{}, {"g": "x"}])
def test_its_record_is_let_go_also_when_it_fails(custom: dict[str, Any]) -> None:
    send = renderer({"x": "$$g", "r": [RECORD]}, key="r")
    assert (send.render([message(1, custom=custom, body="hi")], batch()).request is None) is not bool(custom)
    assert [key.merged for key in send._keys] == [MISSING]


def test_an_error_of_ours_is_raised_and_no_result_of_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    send = renderer({"r": [RECORD]}, key="r")

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(send._envelope, "build", broken)
    with pytest.raises(ZeroDivisionError):
        send.render([message(1, body="hi")], batch())
    assert [key.merged for key in send._keys] == [MISSING]
