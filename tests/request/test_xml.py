"""XML bodies, read back by an independent parser."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from tests.request.trees import batch, message, renderer

VALUE_FIRST = {
    "MESSAGE": {
        "@VER": "1.2",
        "USER": {"@USERNAME": "u", "@PASSWORD": "${VF_PASSWORD}"},
        "SMS": [{"@TEXT": "$$Body", "@ID": "$${seq()}", "ADDRESS": {"@FROM": "$$sender", "@TO": "$${To|digits}"}}],
    }
}


def test_attributes_elements_and_a_list_that_repeats_its_element():
    send = renderer(VALUE_FIRST, kind="xml", key="MESSAGE.SMS")
    messages = [message(1, body='a "b" <c>\n&', custom={"sender": "S"}), message(2, body="é", custom={"sender": "S"})]

    request = send.render(messages, batch()).request

    assert request.headers == (("Content-Type", "application/xml; charset=utf-8"),)
    assert request.body.decode() == (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<MESSAGE VER="1.2"><USER USERNAME="u" PASSWORD="${VF_PASSWORD}"/>'
        '<SMS TEXT="a &quot;b&quot; &lt;c&gt;&#10;&amp;" ID="1"><ADDRESS FROM="S" TO="919800000001"/></SMS>'
        '<SMS TEXT="é" ID="2"><ADDRESS FROM="S" TO="919800000002"/></SMS></MESSAGE>'
    )
    assert [sms.get("TEXT") for sms in ET.fromstring(request.body).iter("SMS")] == ['a "b" <c>\n&', "é"]


def test_text_beside_attributes_and_what_is_left_out():
    send = renderer(
        {"sms": {"@lang": "en", "#text": "$$Body", "x": "$${x?}", "@y": "$${y?}", "dlt": {"id": "$${z?}"}, "e": ""}},
        kind="xml",
    )

    body = send.render([message(body="</sms>]]>\r\n")], batch()).request.body

    assert body.decode().split("?>")[1] == '<sms lang="en">&lt;/sms&gt;]]&gt;&#13;\n<e/></sms>'


def test_the_charset_of_the_content_type_is_the_bodys():
    send = renderer({"m": {"@t": "$$Body"}}, kind="xml", headers={"Content-Type": "text/xml; charset=ISO-8859-1"})

    request = send.render([message(body="é€")], batch()).request

    assert request.body == b'<?xml version="1.0" encoding="ISO-8859-1"?><m t="\xe9&#8364;"/>'
    assert ET.fromstring(request.body).get("t") == "é€"


def test_json_in_another_charset_is_ascii_and_says_the_same():
    send = renderer({"t": "$$Body"}, headers={"Content-Type": "application/json; charset=latin-1"})

    body = send.render([message(body="é😀")], batch()).request.body

    assert body == b'{"t":"\\u00e9\\ud83d\\ude00"}'
    assert json.loads(body) == {"t": "é😀"}


def test_a_character_the_charset_cannot_hold_makes_only_its_message_invalid():
    send = renderer("$$Body", kind="text", key=".", headers={"Content-Type": "text/plain; charset=latin-1"})

    rendered = send.render([message(1, body="é"), message(2, body="€")], batch())

    assert rendered.request.body == b"\xe9"
    assert [error.reason for _, error in rendered.invalid] == ["$$Body: latin-1 cannot hold character 1 of the text"]


@pytest.mark.parametrize("hostile", ["a\x00b", "a\x0bb", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_makes_only_its_message_invalid(hostile):
    send = renderer(VALUE_FIRST, kind="xml", key="MESSAGE.SMS")
    messages = [message(1, body="a", custom={"sender": "S"}), message(2, body=hostile, custom={"sender": "S"})]

    rendered = send.render(messages, batch())

    assert (rendered.sent, [index for index, _ in rendered.invalid]) == ([0], [1])


@pytest.mark.parametrize(
    ("place", "raw", "invalid"),
    [
        ("t", "<b>x</b>", False),
        ("t", "</t><evil/>", True),
        ("t", "<b>", True),
        ("@t", "a&amp;b", False),
        ("@t", '" evil="1', True),
        ("@t", '"/><evil/><m t="', True),
    ],
)
def test_raw_brings_markup_but_never_ends_what_it_stands_in(place, raw, invalid):
    send = renderer({"m": {place: "$${Body|raw}"}}, kind="xml")

    rendered = send.render([message(body=raw)], batch())

    assert bool(rendered.invalid) == invalid


def test_xml_stands_as_text_in_a_pair():
    send = renderer({"data": {"$xml": {"a": {"b": ["$$To"]}}}}, kind="pairs", key="data.a.b")

    body = send.render([message(1), message(2)], batch()).request.body

    assert body == b"data=%3Ca%3E%3Cb%3E%2B919800000001%3C%2Fb%3E%3Cb%3E%2B919800000002%3C%2Fb%3E%3C%2Fa%3E"
