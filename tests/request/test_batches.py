"""What shares a request, and how much of it fits: invariants over any messages."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.expression import MISSING
from connector.definition.expression_text import parse
from connector.definition.tree import EntrySource, Match, Response
from tests.request.trees import batch, message, renderer
from tests.thorough import examples

# Few values, so that equal ones meet: texts, numbers and truth values that Python takes for each other, nothing at all.
few = st.sampled_from(["a", "b", "1", "", None, 1, 1.0, True, False, 0, ["a"], {"a": 1}, '{"a":1}', "a&b=1"])

OUTSIDE = {
    "JSON": ({"h": "$${h?}", "g": "x$${g?}y", "d": {"i": ["$${i?}"]}, "r": ["$$To"]}, {}),
    "form": ({"h": "$${h?}", "g": "x$${g?}y", "d": {"i": ["$${i?}"]}, "r": ["$$To"]}, {"kind": "pairs"}),
    "query": (
        {"h": "$${h?}", "g": "x$${g?}y", "d": {"i": ["$${i?}"]}, "r": ["$$To"]},
        {"kind": "pairs", "method": "GET"},
    ),
    "XML": (
        {"m": {"@h": "$${h?}", "g": "x$${g?}y", "d": {"i": ["$${i?}"]}, "r": ["$$To"]}},
        {"kind": "xml", "key": "m.r"},
    ),
    "URL and headers": (
        ["$$To"],
        {
            "key": ".",
            "url": "https://x.example/$${h?}/x$${g?}y",
            "query": {"i": "$${i?}"},
            "headers": {"X-H": "$${h?}"},
        },
    ),
    "JSON in a form": (
        {"data": {"$json": {"h": "$${h?}", "g": "x$${g?}y", "i": "$${i?}", "r": ["$$To"]}}},
        {"kind": "pairs", "key": "data.r"},
    ),
}


@pytest.mark.parametrize(("body", "options"), OUTSIDE.values(), ids=OUTSIDE.keys())
@settings(max_examples=examples(50))
@given(st.fixed_dictionaries({"h": few, "g": few, "i": few}), st.sampled_from("hgi"), few)
def test_keys_are_equal_exactly_when_everything_outside_the_records_renders_to_the_same_bytes(
    body, options, one, name, value
):
    send = renderer(body, **{"key": "r", **options})
    first, second = message(1, custom=one), message(1, custom={**one, name: value})

    same = send.render([first], batch()).request == send.render([second], batch()).request

    assert (send.batch_key(first) == send.batch_key(second)) == same


@settings(max_examples=examples(50))
@given(st.lists(st.fixed_dictionaries({"h": few, "i": few}), min_size=1, max_size=8))
def test_keys_asked_for_at_once_are_those_asked_for_one_by_one(customs):
    send = renderer({"h": "$${h?}", "i": "$${i?}", "t": "$${TemplateID?}", "r": ["$$To"]}, key="r")
    messages = [message(n, custom=custom, template_id="t") for n, custom in enumerate(customs)]

    keys = send.batch_keys(messages)

    texts = all(isinstance(value, str) and value for custom in customs for value in custom.values())
    assert keys == ([send.batch_key(each) for each in messages] if texts else None)
    assert list(send.key_parts) == ["$${h?}", "$${i?}", "$${TemplateID?}"]
    if texts:
        assert keys == [(custom["h"], custom["i"], "t") for custom in customs]


@settings(max_examples=examples(50))
@given(
    st.lists(st.tuples(st.integers(1, 6), st.sampled_from("abc"), st.integers(0, 60)), max_size=40),
    st.integers(60, 400),
)
def test_every_message_is_sent_invalid_or_left_and_what_is_sent_stands_in_the_request(rows, bound):
    match = Match("expressions", ((parse("uid"), "uid"),))
    response = Response(entries=(EntrySource("e", match, each="@"),))
    send = renderer(
        {"n": "$${count()}", "r": [{"to": "$$To", "uid": "$${uid?}", "seq": "$${seq()}", "text": "$$Body"}]},
        key="r",
        max_bytes=bound,
        records=7,
        response=response,
    )
    messages = [message(n, custom={"uid": uid}, body="x" * size) for n, uid, size in rows]

    rendered = send.render(messages, batch())

    everyone = [*rendered.sent, *rendered.left, *(index for index, _ in rendered.invalid)]
    assert sorted(everyone) == list(range(len(messages)))
    assert (rendered.request is None) == (not rendered.sent)
    if rendered.request is not None:
        body = json.loads(rendered.request.body)
        sent = [messages[index] for index in rendered.sent]
        assert len(rendered.request.body) <= bound
        assert [record["to"] for record in body["r"]] == [m.to for m in sent]
        assert [record["seq"] for record in body["r"]] == list(range(1, len(sent) + 1))
        assert body["n"] == len(sent) <= 7
        assert len({m.to for m in sent}) == len({m.custom["uid"] for m in sent}) == len(sent)


@settings(max_examples=examples(50))
@given(st.lists(st.integers(0, 300), min_size=1, max_size=60), st.integers(50, 2000))
def test_what_is_sent_is_the_largest_prefix_that_fits(sizes, bound):
    send = renderer([{"to": "$$To", "text": "$$Body"}], key=".", max_bytes=bound)
    messages = [message(n, body="x" * (1 + size)) for n, size in enumerate(sizes)]

    def size_of(some):
        return len(orjson.dumps([{"to": m.to, "text": m.body} for m in some]))

    rendered = send.render(messages, batch())

    # When the first is too large alone, all such are looked for at once.
    alone = [n for n, m in enumerate(messages) if size_of([m]) > bound] if size_of(messages[:1]) > bound else []
    assert [index for index, _ in rendered.invalid] == alone
    others = [n for n in range(len(messages)) if n not in alone]
    fitting = [count for count in range(1, len(others) + 1) if size_of([messages[n] for n in others[:count]]) <= bound]
    assert rendered.sent == others[: max(fitting, default=0)]
    assert rendered.left == others[len(rendered.sent) :]


@settings(max_examples=examples(50))
@given(st.lists(st.tuples(st.sampled_from(["x", "y", "z"]), st.integers(1, 9), st.integers()), min_size=1, max_size=30))
def test_maps_merge_to_what_each_message_said(rows):
    send = renderer({"to": ["$$To"], "v": {"$$name": {"$$To": "$$value"}}}, key=["to", "v"])
    messages = [message(n, custom={"name": name, "value": value % 1000}) for name, n, value in rows]

    rendered = send.render(messages, batch())

    body = json.loads(rendered.request.body)
    sent = [messages[index] for index in rendered.sent]
    assert body["to"] == [m.to for m in sent]
    assert sum(len(inner) for inner in body["v"].values()) == len(sent)
    assert all(body["v"][m.custom["name"]][m.to] == m.custom["value"] for m in sent)


def test_a_replacement_at_a_key_is_merged_as_what_it_is_and_other_kinds_wait():
    send = renderer({"to": ["$$To"], "v": "$${v?}"}, key=["to", "v"])

    def merged(*values):
        rendered = send.render([message(n, custom={"v": v}) for n, v in enumerate(values)], batch())
        return json.loads(rendered.request.body).get("v"), rendered.left

    assert merged([1], [2], [3]) == ([1, 2, 3], [])
    assert merged([1], [2, 3], None, [4]) == ([1, 4], [1, 2])
    assert merged({"a": [1]}, {"a": [2], "b": 1}) == ({"a": [1, 2], "b": 1}, [])
    assert merged("a", 2, True) == ("a,2,true", [])
    assert merged(None, None) == (None, [])
    assert merged("a", ["b"], {"c": 1}, "d") == ("a,d", [1, 2])


def test_a_message_that_is_nowhere_in_the_request_is_never_called_sent():
    send = renderer({"to": "$${To|map('+919800000001'='x')?}", "text": ["$$Body"]}, key=["to", "text"])

    rendered = send.render([message(1, body="a"), message(2, body="b")], batch())

    assert rendered.sent == [0]
    assert rendered.invalid[0][1].reason == "nothing of the message would stand in the request"


def test_a_key_passes_through_the_encoding_it_names():
    send = renderer({"data": {"$json": [{"to": "$$To"}]}}, kind="pairs", key="data")

    ((_, value),) = parse_qsl(send.render([message(1), message(2)], batch()).request.body.decode())

    assert json.loads(value) == [{"to": "+919800000001"}, {"to": "+919800000002"}]


def test_a_key_may_name_an_element_of_a_list():
    send = renderer({"messages": [{"text": "$$Body", "to": [{"n": "$$To"}]}]}, key="messages.0.to")

    body = send.render([message(1, body="a"), message(2, body="a")], batch()).request.body

    assert body == b'{"messages":[{"text":"a","to":[{"n":"+919800000001"},{"n":"+919800000002"}]}]}'


def test_after_a_request_its_records_are_let_go():
    send = renderer({"to": ["$$To"], "v": ["$$Body"]}, key=["to", "v"])

    assert send.render([message(body="a")], batch()).request is not None
    assert [key.merged for key in send._keys] == [MISSING, MISSING]


@pytest.mark.parametrize("third", ["u3", 3, {"u": 3}])
@pytest.mark.parametrize("custom", [None, {}, {"uid": None}, {"uid": ""}])
def test_a_record_without_its_value_is_left_out_of_those_that_are_written_at_once(custom, third):
    send = renderer({"r": [{"to": "$$To", "uid": "$$uid"}]}, key="r")
    messages = [message(1, custom={"uid": "u1"}), message(2, custom=custom), message(3, custom={"uid": third})]
    rendered = send.render(messages, batch())
    assert rendered.sent == [0, 2]
    assert [index for index, _ in rendered.invalid] == [1]
    assert rendered.request is not None
    assert [it["uid"] for it in json.loads(rendered.request.body or b"")["r"]] == ["u1", third]
