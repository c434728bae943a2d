"""Requests, exactly as they leave: what is sent, what is left, what is invalid."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from connector.definition.expression_text import parse
from connector.definition.tree import BasicAuth, Constant, EntrySource, Match, Response
from connector.errors import DefinitionError
from tests.request.trees import batch, message, renderer

SEED_RECORD = {"seq": 1, "to": "$$To", "uid": "$$uid", "variables": "$$TemplateVariables", "enc": "utf8"}
SEED_BATCHED = {"hid": "$$hid", "tid": "$$TemplateID", "cid": "$$CampaignID", "type": "template", "msgs": [SEED_RECORD]}
SEED_SINGLE = {"hid": "$$hid", "tid": "$$TemplateID", "cid": "$$CampaignID", "type": "template", **SEED_RECORD}


def seed_message(number=1, **custom):
    return message(
        number,
        template_id="T7",
        campaign_id="C9",
        custom={"hid": "H1", "uid": f"u{number}", **custom},
        template_variables={"name": "Asha", "n": 3},
    )


def test_the_seeds_batched_payload_is_one_request_of_many_records():
    send = renderer(
        SEED_BATCHED, key="msgs", headers={"X-Source": "clevertap"}, auth=BasicAuth("user", "päss"), method="POST"
    )

    rendered = send.render([seed_message(1), seed_message(2)], batch())

    assert rendered.sent == [0, 1]
    assert rendered.request.method == "POST"
    assert rendered.request.url == "https://sms.example.com/send"
    assert rendered.request.headers == (
        ("Content-Type", "application/json"),
        ("Authorization", "Basic dXNlcjpww6Rzcw=="),
        ("X-Source", "clevertap"),
    )
    assert rendered.request.body == (
        b'{"hid":"H1","tid":"T7","cid":"C9","type":"template","msgs":['
        b'{"seq":1,"to":"+919800000001","uid":"u1","variables":{"name":"Asha","n":3},"enc":"utf8"},'
        b'{"seq":1,"to":"+919800000002","uid":"u2","variables":{"name":"Asha","n":3},"enc":"utf8"}]}'
    )


def test_the_seeds_single_payload_is_one_request_per_message():
    send = renderer(SEED_SINGLE)

    rendered = send.render([seed_message(1), seed_message(2)], batch())

    assert (rendered.sent, rendered.left) == ([0], [1])
    assert send.max_records == 1
    assert rendered.request.body == (
        b'{"hid":"H1","tid":"T7","cid":"C9","type":"template","seq":1,"to":"+919800000001","uid":"u1",'
        b'"variables":{"name":"Asha","n":3},"enc":"utf8"}'
    )


def test_messages_share_a_key_exactly_when_what_stands_outside_the_records_is_equal():
    send = renderer(SEED_BATCHED, key="msgs")
    key = send.batch_key(seed_message(1))

    assert key == send.batch_key(seed_message(2))
    assert key != send.batch_key(seed_message(3, hid="H2"))
    assert send.description == "operation and campaign; $$hid; $$TemplateID; $$CampaignID"


@pytest.mark.parametrize(("one", "other"), [(1, True), (1, 1.0), (1, "1"), ({"a": 1}, '{"a":1}'), (0, False)])
def test_values_that_are_equal_in_python_but_not_in_json_do_not_share_a_batch(one, other):
    send = renderer({"hid": "$$hid", "msgs": ["$$To"]}, key="msgs")

    assert send.batch_key(message(custom={"hid": one})) != send.batch_key(message(custom={"hid": other}))


def test_in_pairs_a_number_and_its_text_are_the_same_bytes_and_share_a_batch():
    send = renderer({"hid": "$$hid", "to": "$$To"}, kind="pairs", key="to")

    assert send.batch_key(message(custom={"hid": 1})) == send.batch_key(message(custom={"hid": "1"}))


def test_what_belongs_to_the_batch_is_not_in_the_key_but_in_the_request():
    send = renderer(
        {"id": "$${batch_id()}", "n": "$${count()}", "at": "$${now()}", "to": [{"n": "$${seq()}", "to": "$$To"}]},
        key="to",
    )

    rendered = send.render([message(1), message(2)], batch())

    assert send.batch_key(message(1)) == ()
    assert json.loads(rendered.request.body) == {
        "id": "0123456789abcdef0123456789abcdef",
        "n": 2,
        "at": 1700000000,
        "to": [{"n": 1, "to": "+919800000001"}, {"n": 2, "to": "+919800000002"}],
    }


def test_a_missing_value_outside_the_records_raises_when_the_key_is_asked_for():
    send = renderer(SEED_BATCHED, key="msgs")

    with pytest.raises(Exception, match=r"\$\$hid has no value"):
        send.batch_key(message(template_id="T", campaign_id="C"))


def test_a_missing_value_makes_its_own_message_invalid_and_names_the_replacement():
    send = renderer({"msgs": [{"to": "$$To", "uid": "$$uid"}]}, key="msgs")
    good = [message(1, custom={"uid": "a"}), message(3, custom={"uid": "c"})]

    rendered = send.render([good[0], message(2, custom={"uid": None}), good[1], message(4)], batch())

    assert rendered.sent == [0, 2]
    assert [(index, error.reason) for index, error in rendered.invalid] == [
        (1, "$$uid has no value"),
        (3, "$$uid has no value"),
    ]
    assert json.loads(rendered.request.body)["msgs"][1] == {"to": "+919800000003", "uid": "c"}


def test_a_missing_optional_value_leaves_out_its_key_and_what_is_emptied_by_that():
    send = renderer(
        {
            "to": "$$To",
            "sender": "$${sender?}",
            "dlt": {"entity": "$${entity?}", "deep": ["$${a?}", {"b": "$${b?}"}]},
            "note": "for $${name?}!",
            "kept": [],
        }
    )

    body = send.render([message()], batch()).request.body

    assert json.loads(body) == {"to": "+919800000001", "note": "for !", "kept": []}


def test_equal_recipients_never_share_a_batch_whether_written_with_plus_or_without():
    send = renderer({"msgs": ["$$To"]}, key="msgs")
    messages = [message(1), message(2, to="919800000001"), message(3), message(4, to="+919800000003")]

    rendered = send.render(messages, batch())

    assert (rendered.sent, rendered.left) == ([0, 2], [1, 3])


def test_equal_match_values_never_share_a_batch():
    match = Match("expressions", ((parse("To|digits|last(10)"), "To"),))
    send = renderer({"msgs": ["$$To"]}, key="msgs", response=Response(entries=(EntrySource("e", match, each="@"),)))

    rendered = send.render([message(1), message(2, to="+449800000001"), message(3)], batch())

    assert (rendered.sent, rendered.left) == ([0, 2], [1])


def test_numbers_of_the_definition_keep_their_spelling():
    numbers = {"a": Constant(1.1, "1.10"), "b": Constant(1, "1"), "c": Constant(1000.0, "1e3"), "to": "$$To"}

    assert renderer(numbers).render([message()], batch()).request.body.startswith(b'{"a":1.10,"b":1,"c":1e3,')
    assert renderer(numbers, kind="pairs").render([message()], batch()).request.body.startswith(b"a=1.10&b=1&c=1e3&")


def test_no_more_than_the_definitions_records_go_in_one_request():
    send = renderer({"msgs": ["$$To"]}, key="msgs", records=2)

    assert send.render([message(n) for n in range(5)], batch()).left == [2, 3, 4]


# ---- merging ---------------------------------------------------------------------------------------------------------


def test_a_top_level_array_is_a_batch_of_its_own():
    send = renderer([{"to": "$$To", "body": "$$Body"}], key=".")

    body = send.render([message(1, body="a"), message(2, body="b")], batch()).request.body

    assert body == b'[{"to":"+919800000001","body":"a"},{"to":"+919800000002","body":"b"}]'


def test_objects_merge_at_every_depth():
    send = renderer({"to": ["$$To"], "values": {"$$name": {"$$To": "$$value"}}}, key=["to", "values"])
    messages = [
        message(1, custom={"name": "x", "value": 1}),
        message(2, custom={"name": "x", "value": 2}),
        message(3, custom={"name": "y", "value": 3}),
    ]

    assert json.loads(send.render(messages, batch()).request.body) == {
        "to": ["+919800000001", "+919800000002", "+919800000003"],
        "values": {"x": {"+919800000001": 1, "+919800000002": 2}, "y": {"+919800000003": 3}},
    }


def test_two_values_under_one_key_of_a_map_collide_and_the_second_waits():
    send = renderer({"to": ["$$To"], "by_uid": {"$$uid": "$$Body"}}, key=["to", "by_uid"])
    messages = [message(n, custom={"uid": uid}, body="b") for n, uid in enumerate(["a", "b", "a"])]

    rendered = send.render(messages, batch())

    assert (rendered.sent, rendered.left) == ([0, 1], [2])
    assert len(json.loads(rendered.request.body)["to"]) == 2


def test_merging_never_changes_the_messages():
    send = renderer({"to": ["$$To"], "v": "$$TemplateVariables"}, key=["to", "v"])
    messages = [message(n, template_variables={"x": {str(n): n}}) for n in range(3)]

    body = send.render(messages, batch()).request.body

    assert json.loads(body)["v"] == {"x": {"0": 0, "1": 1, "2": 2}}
    assert [m.template_variables for m in messages] == [{"x": {str(n): n}} for n in range(3)]


def test_texts_are_joined_and_the_separator_is_encoded_where_it_lands():
    send = renderer({"dst": "$${To|digits}", "text": "$$Body"}, key="dst", join="<")
    assert (
        b'"dst":"919800000001<919800000002"'
        in send.render([message(1, body="x"), message(2, body="x")], batch()).request.body
    )

    pairs = renderer({"to": "$$To"}, kind="pairs", key="to")
    assert pairs.render([message(1), message(2)], batch()).request.body == b"to=%2B919800000001%2C%2B919800000002"


# ---- pairs, text, URL, headers --------------------------------------------------------------------------------------


def test_get_pairs_stand_in_the_url_after_the_query():
    send = renderer(
        {"to": "$${To|digits}", "text": "$$Body", "entity": "$${entity?}", "rpt": 1},
        kind="pairs",
        method="GET",
        url="https://x.example/api/$$hid?v=2",
        query={"k": "a b"},
        key="to",
    )

    request = send.render([message(1, body="a&b=c é", custom={"hid": "h/1"})], batch()).request

    assert request.url == ("https://x.example/api/h%2F1?v=2&k=a%20b&to=919800000001&text=a%26b%3Dc%20%C3%A9&rpt=1")
    assert (request.method, request.body, request.headers) == ("GET", None, ())


def test_a_structure_in_pairs_becomes_brackets_and_a_users_object_becomes_json_text():
    send = renderer(
        {"From": "$$sender", "Messages": [{"To": "$$To", "Vars": "$$TemplateVariables"}]}, kind="pairs", key="Messages"
    )

    request = send.render(
        [message(n, custom={"sender": "S"}, template_variables={"a": [1, None]}) for n in (1, 2)], batch()
    ).request

    assert request.headers == (("Content-Type", "application/x-www-form-urlencoded"),)
    assert parse_qsl(request.body.decode(), strict_parsing=True) == [
        ("From", "S"),
        ("Messages[0][To]", "+919800000001"),
        ("Messages[0][Vars]", '{"a":[1,null]}'),
        ("Messages[1][To]", "+919800000002"),
        ("Messages[1][Vars]", '{"a":[1,null]}'),
    ]


def test_a_list_under_a_name_that_ends_in_brackets_repeats_the_name():
    send = renderer({"to[]": ["$$To"], "m[]": [{"a": 1}], "text": "$$Body"}, kind="pairs", key="to[]")

    request = send.render([message(1, body="x"), message(2, body="x")], batch()).request

    assert request.body == b"to%5B%5D=%2B919800000001&to%5B%5D=%2B919800000002&m%5B%5D%5Ba%5D=1&text=x"


def test_json_in_a_pair_is_text_and_keys_pass_through_it():
    send = renderer(
        {"apikey": "k", "data": {"$json": {"sender": "$$sender", "messages": [{"number": "$${To|digits|int}"}]}}},
        kind="pairs",
        key="data.messages",
    )

    body = send.render([message(n, custom={"sender": "S"}) for n in (1, 2)], batch()).request.body

    pairs = dict(parse_qsl(body.decode()))
    assert json.loads(pairs["data"]) == {
        "sender": "S",
        "messages": [{"number": 919800000001}, {"number": 919800000002}],
    }


def test_a_text_body_is_one_text():
    send = renderer("$$To|$$Body\n", kind="text", key=".", join="")

    request = send.render([message(1, body="héllo"), message(2, body="b")], batch()).request

    assert request.body == "+919800000001|héllo\n+919800000002|b\n".encode()
    assert request.headers == (("Content-Type", "text/plain; charset=utf-8"),)


def test_headers_keep_their_order_and_leave_out_what_has_no_value():
    send = renderer(
        {"to": "$$To"},
        headers={"X-A": "$$a", "X-B": "$${b?}", "X-C": "Key $$a, $${b?} end", "content-type": "application/vnd.x+json"},
    )

    headers = send.render([message(custom={"a": "1 $$To"})], batch()).request.headers

    assert headers == (
        ("X-A", "1 $$To"),
        ("X-C", "Key 1 $$To,  end"),
        ("content-type", "application/vnd.x+json"),
    )


@pytest.mark.parametrize("hostile", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "a\x7fb", "\ud800"])
def test_a_value_that_would_break_a_header_makes_its_message_invalid(hostile):
    send = renderer({"to": "$$To"}, headers={"X-A": "v=$$a"})

    rendered = send.render([message(custom={"a": hostile})], batch())

    assert rendered.request is None
    assert rendered.invalid[0][1].reason.startswith("$$a: a ")


@pytest.mark.parametrize("hostile", ["..", ".", "%2e%2e"])
def test_a_value_never_moves_the_path_of_the_url(hostile):
    send = renderer({"to": "$$To"}, url="https://x.example/a/$$id/send")

    rendered = send.render([message(custom={"id": hostile})], batch())

    assert rendered.request is None or urlsplit(rendered.request.url).path == "/a/%252e%252e/send"


# ---- the bound on bytes ---------------------------------------------------------------------------------------------


def test_the_largest_prefix_that_fits_is_sent_and_the_rest_waits():
    send = renderer({"msgs": ["$$To"]}, key="msgs", max_bytes=100)

    rendered = send.render([message(n) for n in range(20)], batch())

    assert len(rendered.request.body) == len(b'{"msgs":[]}') + 5 * 15 + 4
    assert (rendered.sent, rendered.left) == ([0, 1, 2, 3, 4], list(range(5, 20)))


def test_a_request_of_exactly_the_bound_fits():
    whole = len(b'{"msgs":["+919800000001","+919800000002"]}')
    messages = [message(1), message(2)]

    assert renderer({"msgs": ["$$To"]}, key="msgs", max_bytes=whole).render(messages, batch()).sent == [0, 1]
    assert renderer({"msgs": ["$$To"]}, key="msgs", max_bytes=whole - 1).render(messages, batch()).sent == [0]


def test_a_message_alone_over_the_bound_is_invalid_and_the_others_go():
    send = renderer({"msgs": [{"to": "$$To", "body": "$$Body"}]}, key="msgs", max_bytes=200)

    rendered = send.render([message(1, body="x" * 300), message(2, body="y"), message(3, body="z" * 300)], batch())

    assert (rendered.sent, rendered.left) == ([1], [])
    assert [index for index, _ in rendered.invalid] == [0, 2]
    assert "`bytes` allows 200" in rendered.invalid[0][1].reason


def test_a_url_is_bounded_to_7500_bytes_unless_the_definition_says_otherwise():
    pairs = {"to": "$$To", "text": "$$Body"}
    send = renderer(pairs, kind="pairs", method="GET", key="to")

    rendered = send.render([message(n, body="b") for n in range(1000)], batch())

    assert 7400 < len(rendered.request.url) <= 7500
    assert len(rendered.sent) + len(rendered.left) == 1000
    assert renderer(pairs, kind="pairs", method="GET").render([message(body="b" * 7500)], batch()).request is None


# ---- faults of the definition ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "options", "words"),
    [
        ({"to": "$$To"}, {"key": "msgs"}, "`msgs` does not stand in the parameters"),
        ({"r": ["$$To"], "n": ["$${count()}"]}, {"key": ["r", "n"]}, "not known before the last"),
        ({"a b": "$$To"}, {"kind": "xml"}, "no XML name"),
        ({"r": {"@a": {"b": "$$To"}}}, {"kind": "xml"}, "not a structure"),
        ({"r": {"@a": ["$$To"]}}, {"kind": "xml"}, "not a structure"),
        ({"r": {"a": "\x00"}}, {"kind": "xml"}, "parameters.xml.r.a: a character that XML cannot hold"),
        ({"r": "$$To \x00"}, {"kind": "xml"}, "a character that XML cannot hold"),
        ({"d": {"$xml": {"a": "$$To", "b": 2}}}, {"kind": "pairs"}, "one root element"),
        ({"a": "$$To"}, {"kind": "text"}, "no keys"),
        ({"to": "$$To"}, {"headers": {"X-A": "b\n"}}, "control character"),
        ({"r": "$$To"}, {"kind": "xml", "headers": {"Content-Type": "text/xml; charset=klingon"}}, "klingon"),
        ({"r": "$$To"}, {"kind": "xml", "headers": {"Content-Type": "text/xml; charset=utf-16"}}, "utf-16"),
    ],
)
def test_what_cannot_be_rendered_at_all_is_an_error_when_the_definition_is_loaded(body, options, words):
    with pytest.raises(DefinitionError, match=words):
        renderer(body, **options)


def test_the_current_payload_of_the_form_has_the_id_of_each_message():
    """`$$MessageID` is the sixth replacement of CleverTap's form; in the records it keeps no two messages apart."""
    send = renderer({**SEED_BATCHED, "msgs": [{**SEED_RECORD, "mid": "$$MessageID"}]}, key="msgs")
    messages = [seed_message(1), seed_message(2)]

    assert send.batch_key(messages[0]) == send.batch_key(messages[1])
    assert "MessageID" not in send.description
    assert send.render(messages, batch()).request.body == (
        b'{"hid":"H1","tid":"T7","cid":"C9","type":"template","msgs":['
        b'{"seq":1,"to":"+919800000001","uid":"u1","variables":{"name":"Asha","n":3},"enc":"utf8","mid":"m1"},'
        b'{"seq":1,"to":"+919800000002","uid":"u2","variables":{"name":"Asha","n":3},"enc":"utf8","mid":"m2"}]}'
    )


def test_without_batching_the_id_of_a_message_may_stand_anywhere():
    send = renderer(
        {"to": "$$To", "mid": "$$MessageID"},
        url="https://sms.example.com/send/$$MessageID",
        headers={"X-Id": "$${MessageID|upper}"},
    )
    request = send.render([seed_message(1)], batch()).request
    assert request.url == "https://sms.example.com/send/m1"
    assert ("X-Id", "M1") in request.headers
    assert request.body == b'{"to":"+919800000001","mid":"m1"}'
