"""Keys and values of the suppressions topic, as we and others write them."""

from __future__ import annotations

import pytest

from connector.suppressions.record import (
    KeyFormatError,
    Phone,
    Suppression,
    SuppressionState,
    encode,
    key_of,
    normal_sender,
    phone_of,
    read_suppression,
    suppresses,
)


@pytest.mark.parametrize(
    "text", ["+919812345678", "919812345678", "00919812345678", " +91 98123-45678 ", "+91.(981)/2345678"]
)
def test_spellings_of_one_number_have_one_key(text: str) -> None:
    assert key_of(text) == b"919812345678"
    assert phone_of(key_of(text)) == Phone(919812345678, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "0171234567",
        "1234",
        "+0049171",
        "ACME",
        "+91981234567x",
        "1" * 20,
        "919812345678.0",
        "٣٤٥٦٧٨",
        "+91|98",
    ],
)
def test_what_is_no_international_number_is_refused(text: str) -> None:
    with pytest.raises(KeyFormatError, match="international"):
        key_of(text)


@pytest.mark.parametrize(
    "key",
    [
        None,
        b"",
        b"091234567",
        b"+091234567",
        b"abc",
        b"919812345678|",
        b"919812345678|\xff",
        b"91 98",
        b'"919812345678',
        b'"919812345678"x',
        b'""',
        b'["919812345678"]',
        b"9" * 20,
        "٩١٩٨١٢٣٤٥٦".encode(),
        b"91981234\x0067",
        b"919812345678.0",
        b"9.19812345678e11",
    ],
)
def test_a_key_that_names_nobody_is_told(key: bytes | None) -> None:
    with pytest.raises(KeyFormatError):
        phone_of(key)


@pytest.mark.parametrize(
    "key",
    [
        b"919812345678",
        b"+919812345678",
        b"00919812345678",
        b" 919812345678\n",
        b'"919812345678"',
        b'"+919812345678"',
        b' "\\u002b91 98123-45678" ',
        "+91\u00a098123\u00a045678".encode(),
    ],
)
def test_keys_in_usual_spellings_name_one_number_whoever_wrote_them(key: bytes) -> None:
    assert phone_of(key) == Phone(919812345678, None)


@pytest.mark.parametrize(
    "key", [b"919812345678|Acme", b"+919812345678|ACME", b'"00919812345678|acme"', b"91 9812345678 | acme "]
)
def test_so_do_keys_with_a_sender(key: bytes) -> None:
    assert phone_of(key) == Phone(919812345678, "acme")


@pytest.mark.parametrize("sender", ["Acme", " ACME ", "acme"])
def test_a_sender_is_compared_without_case(sender: str) -> None:
    assert phone_of(key_of("+919812345678", sender)) == Phone(919812345678, "acme")


def test_a_sender_that_is_a_number_is_compared_by_digits() -> None:
    assert normal_sender("+1 (555) 0100") == normal_sender("15550100") == "15550100"


@pytest.mark.parametrize("sender", ["", "  ", "a|b", "x" * 129])
def test_a_sender_that_is_none_is_refused(sender: str) -> None:
    with pytest.raises(KeyFormatError, match="sender"):
        key_of("+919812345678", sender)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, False),
        (b"", False),
        (b"{}", True),
        (b'{"state":"suppressed"}', True),
        (b'{"state":"lifted"}', False),
        (b'{"state":"LIFTED"}', True),  # whoever writes it meant something else, or made a mistake
        (b'{"state":1}', True),
        (b"not JSON", True),
        (b"\xff", True),
        (encode(Suppression(state=SuppressionState.LIFTED)), False),
        (encode(Suppression(by="reply")), True),
    ],
)
def test_only_what_clearly_lifts_lifts(value: bytes | None, expected: bool) -> None:
    assert suppresses(value) is expected


@pytest.mark.parametrize(
    "value",
    [
        b'{"x":' + b"[" * 100_000,
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"x":' + b'{"x":' * 50_000 + b"1" + b"}" * 50_001,
        b'{"x":"\xff"}',
        b'{"\xff":1}',
        b'{"x":"\\ud800"}',
        b'{"state":"\\ud800"}',
        b'{"x":1e999}',
        b'{"x":' + b"9" * 30_000 + b"}",
        b"[" * 60_000,
        b"\x00\x00\x00\x00\x07magic",
    ],
    ids=lambda value: repr(value[:24]),
)
def test_whatever_others_wrote_suppresses_and_stops_nobody(value: bytes) -> None:
    assert suppresses(value)
    assert isinstance(read_suppression(value), Suppression)


@pytest.mark.parametrize("key", [b"919812345678|" + b"x" * 129, b"9" * 60_000, b'"' + b"9" * 60_000, b'"\\ud800"'])
def test_a_key_that_is_too_long_names_nobody(key: bytes) -> None:
    """Senders are kept in memory, as many as there may be."""
    with pytest.raises(KeyFormatError):
        phone_of(key)
