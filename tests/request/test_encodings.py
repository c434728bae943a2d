"""Texts in other charsets, as bytes and as digests, in what is sent."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.errors import DefinitionError
from connector.request.renderer import compile_operation
from connector.request.show import show
from tests.marked import SECRET
from tests.request.trees import batch, message, renderer

LATIN = {"Content-Type": "text/plain; charset=iso-8859-1"}


def test_a_text_body_may_be_bytes_from_end_to_end():
    send = renderer("$${Body|encode('utf-16-be')}", kind="text", query={"to": "$$To"})

    assert send.render([message(body="Ж,😀")], batch()).request.body == "Ж,😀".encode("utf-16-be")


def test_bytes_and_text_may_stand_side_by_side_in_a_text_body():
    send = renderer("$$To;é;$${Body|encode('gsm')};$$name", kind="text", headers=LATIN)

    rendered = send.render([message(body="€@", custom={"name": "ü"})], batch())

    assert rendered.request.body == b"+919800000001;\xe9;\x1b\x65\x00;\xfc"


@given(st.text(st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF), min_size=1))
def test_no_text_of_a_message_is_taken_for_bytes(text):
    send = renderer("$$To;$$Body;$${Body|encode('latin-1')?}", kind="text")

    rendered = send.render([message(body=text)], batch())

    assert rendered.request is None
    assert [error.reason for _, error in rendered.invalid] == ["$$Body: utf-8 cannot hold character 1 of the text"]


@pytest.mark.parametrize("kind", ["pairs", "text"])
def test_what_a_charset_cannot_hold_makes_its_message_invalid_with_the_place_and_no_other(kind):
    payload = "$$To;$${Body|encode('latin-1')}" if kind == "text" else {"to": "$$To", "t": "$${Body|encode('latin-1')}"}
    send = renderer(payload, kind=kind, key="." if kind == "text" else ["to", "t"], join="|")

    rendered = send.render([message(1, body="é"), message(2, body="caf€"), message(3, body="ü")], batch())

    assert rendered.sent == [0, 2]
    ((index, error),) = rendered.invalid
    assert index == 1
    assert error.reason == "$${Body|encode('latin-1')}: encode: latin-1 cannot hold character 4 of the text"
    assert b"?" not in rendered.request.body


def test_equal_bytes_outside_the_records_share_a_batch():
    send = renderer({"to": "$$To", "t": "$${Body|encode('gsm')}"}, kind="pairs", key="to")

    assert send.batch_key(message(1, body="a")) == send.batch_key(message(2, body="a"))
    assert send.batch_key(message(1, body="a")) != send.batch_key(message(2, body="b"))
    rendered = send.render([message(1, body="€"), message(2, body="€")], batch())
    assert rendered.request.body == b"to=%2B919800000001%2C%2B919800000002&t=%1Be"


@pytest.mark.parametrize("charset", ["utf-16-be", "UTF-16LE", "gb18030", "cp037"])
def test_a_whole_body_may_be_in_a_charset_that_does_not_hold_ascii(charset):
    header = {"Content-Type": f"application/json; charset={charset}"}

    body = renderer({"t": "$$Body"}, headers=header).render([message(body="é")], batch()).request.body
    assert json.loads(body.decode(charset)) == {"t": "é"}

    body = (
        renderer({"r": {"t": "$$Body"}}, kind="xml", headers=header).render([message(body="Ж<")], batch()).request.body
    )
    written = "&#1046;" if charset == "cp037" else "Ж"
    assert body.decode(charset) == f'<?xml version="1.0" encoding="{charset}"?><r><t>{written}&lt;</t></r>'

    body = renderer("$$Body", kind="text", headers=header).render([message(body="é")], batch()).request.body
    assert body == "é".encode(charset)


def test_a_form_is_not_written_in_such_a_charset():
    header = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-16-be"}
    with pytest.raises(DefinitionError, match="a form cannot be written in utf-16-be"):
        renderer({"t": "$$Body"}, kind="pairs", headers=header)
    with pytest.raises(DefinitionError, match="a form cannot be written in utf-16-be"):
        renderer({"t": {"$form": {"a": "$$Body"}}}, headers=header)
    with pytest.raises(DefinitionError, match="`encode` gives bytes, beside a Content-Type of utf-16-be"):
        renderer("$${Body|encode('gsm')}", kind="text", headers=header)


def test_a_character_that_a_codec_would_turn_into_another_is_written_by_its_number_in_xml():
    header = {"Content-Type": "text/xml; charset=shift_jis"}
    body = renderer({"r": "$$Body"}, kind="xml", headers=header).render([message(body="¥5あ")], batch()).request.body
    assert body.decode("shift_jis").endswith("<r>&#165;5あ</r>")


SIGNED = """\
method: POST
url: https://sms.example.com/send
parameters:
  pairs:
    to: $$To
    text: "$${Body|hex('utf-16-be')}"
    sign: "$${${SMS_USER}|append(To)|append(Body)|append(${SMS_SECRET})|md5}"
    mac: "$${Body|hmac(${SMS_SECRET}, 'sha1')}"
"""


def test_a_secret_may_take_part_in_a_digest_and_stands_nowhere_in_clear(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(SIGNED)
    secret = f"{SECRET}-key"
    definition = load(file, environment=Environment({"SMS_USER": "me", "SMS_SECRET": secret}))
    (operation,) = definition.operations

    body = compile_operation(operation).render([message(body="é")], batch()).request.body.decode()

    sign = hashlib.md5(f"me+919800000001é{secret}".encode()).hexdigest()
    mac = hmac.new(secret.encode(), "é".encode(), "sha1").hexdigest()
    assert body == f"to=%2B919800000001&text=00e9&sign={sign}&mac={mac}"
    assert definition.secrets == {"${SMS_USER}": "me", "${SMS_SECRET}": secret}
    assert secret not in repr(operation)
    assert "${SMS_SECRET}" in str([use for use in repr(operation).split() if "SMS_SECRET" in use])


def test_what_a_reference_in_a_replacement_brings_is_never_scanned_and_shows_as_its_name(tmp_path):
    file = tmp_path / "acme.yaml"
    file.write_text(SIGNED.replace("|md5", ""))
    values = {"SMS_USER": "$$Body'}|raw", "SMS_SECRET": "${SMS_USER}"}
    (operation,) = load(file, environment=Environment(values)).operations
    request = compile_operation(operation).render([message(body="x")], batch()).request
    assert b"sign=%24%24Body%27%7D%7Craw%2B919800000001x%24%7BSMS_USER%7D&" in request.body

    (operation,) = load(file, environment=Environment.placeholders()).operations
    request = compile_operation(operation).render([message(body="x")], batch()).request
    assert "sign=${SMS_USER}%2B919800000001x${SMS_SECRET}&" in show(request)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_base64_of_a_document_reads_back_as_the_document(text):
    inner = {"$json": {"t": "$$Body", "to": "$$To"}}
    document = {"t": text, "to": "+919800000001"}

    body = renderer({"$base64": inner}, kind="text").render([message(body=text)], batch()).request.body
    assert json.loads(base64.b64decode(body)) == document

    body = renderer({"d": {"$base64": inner}}, kind="pairs").render([message(body=text)], batch()).request.body
    assert json.loads(base64.b64decode(dict(parse_qsl(body.decode()))["d"])) == document

    body = (
        renderer({"d": {"$base64": "$${Body|encode('utf-16-le')};$$To"}})
        .render([message(body=text)], batch())
        .request.body
    )
    assert base64.b64decode(json.loads(body)["d"]) == text.encode("utf-16-le") + b";+919800000001"


def test_records_merge_inside_base64():
    send = renderer({"$base64": {"$json": {"msgs": [{"to": "$$To"}], "text": "$$Body"}}}, kind="text", key="msgs")

    assert send.batch_key(message(1, body="a")) == send.batch_key(message(2, body="a"))
    rendered = send.render([message(n, body="a") for n in (1, 2)], batch())
    assert json.loads(base64.b64decode(rendered.request.body)) == {
        "msgs": [{"to": "+919800000001"}, {"to": "+919800000002"}],
        "text": "a",
    }
