"""What a provider echoes, without what its request held."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.model import Message
from connector.response.documented import documented_codes
from connector.response.marks import MarkedTexts
from connector.response.redact import REPLY_CHARACTERS, WITHHELD, Redactor, hide_number, redact
from connector.response.unescape import folded, unescaped
from tests.response.build import response

SECRETS = {"${KEY}": "ab/cd+ef", "${LONG}": "ab/cd+ef-gh", "${PIN}": "123"}
BODY = "Your one-time password is 483920, do not share it"
ASHA = Message("m1", "+919812345678", body=BODY, template_variables={"name": "Krishnamurthy"}, custom={"city": "Pune"})
TOKEN = "hunter2.bearer-token_of/an+hour"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("key ab/cd+ef is wrong", "key ${KEY} is wrong"),
        ("key ab%2Fcd%2Bef is wrong", "key ${KEY} is wrong"),
        ("key AB/CD+EF is wrong", "key ${KEY} is wrong"),
        ("ab/cd+ef-gh", "${LONG}"),  # one secret holds another
        ("code 123", "code 123"),  # too short to be looked for
        ("to +919812345678 refused", "to +**********78 refused"),
        ("to 98123 45678 refused", "to ***** ***78 refused"),
        ("request 57 of 2023-11-14", "request 57 of 2023-11-14"),
        ("Messages can only be sent between 9am to 9pm", "Messages can only be sent between 9am to 9pm"),
        ("", ""),
    ],
)
def test_redacted_and_redacted_again(text: str, redacted: str) -> None:
    assert redact(text, SECRETS) == redacted
    assert redact(redacted, SECRETS) == redacted


def hidden(text: str, *, secrets: dict[str, str] | None = None) -> str:
    return Redactor(secrets or {}).echo([ASHA], (TOKEN,)).text(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("98-12/34_56.78 is not a number", "**-**/**_**.78 is not a number"),
        ("number \uff19\uff18\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "number ********\uff17\uff18"),
        ("number \u096f\u096e\u0967\u0968\u0969\u096a\u096b\u096c\u096d\u096e", "number ********\u096d\u096e"),
        ("code 483920 was refused", "code ****20 was refused"),
        ("91981234", "******34"),  # what is left of a number
        ("4 8 3 9 2 0", "* * * * 2 0"),
        ("dear KRISHNAMURTHY!", "dear ***!"),
        ("Krishna is not", "Krishna is not"),  # half of a name is no text
        ("…word is 483920, do not sha", "…***"),  # what the provider cut off
        ("in Pune", "in Pune"),  # too short to be looked for
        (f"token {TOKEN}", "token ***"),
        (f"token {TOKEN[3:20]}…", "token ***…"),
        ("Krishna\u200bmurthy", "***"),
    ],
)
def test_numbers_texts_variables_and_tokens_are_hidden(text: str, shown: str) -> None:
    assert hidden(text) == shown


def test_a_documented_code_is_not_hidden_though_a_text_holds_it() -> None:
    rules = [{"when": "code == '483920'", "then": "reject"}, {"text": "ERR-(4011|4012)", "then": "reject"}]
    codes = documented_codes(response(rules=rules))
    assert {"483920", "4011", "4012"} <= codes
    echo = Redactor({}, codes).echo([ASHA])
    assert echo.word("483920") == "483920"
    assert echo.text("refused: 483920") == "refused: 483920"
    assert Redactor({}).echo([ASHA]).word("483920") == "****20"


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("919812345678-17", "919812345678-17"),  # a number in an id stays: receipts are matched by it
        ("id-ab/cd+ef-gh-1", "id-${LONG}-1"),
        (base64.b64encode(b"demo:ab/cd+ef-gh").decode(), "***"),
        (b"ab/cd+ef-gh".hex().upper(), "***"),
        (quote("ab/cd+ef-gh", safe=""), "${LONG}"),
        ("id:pass", "id:${SHORT}"),
        ("Message queued: 483920", "Message queued: ****20"),  # no id by its look
        ("compassion", "compassion"),  # a short secret within a word hides no id
        (TOKEN, "***"),
    ],
)
def test_only_secrets_are_hidden_in_ids(identity: str, shown: str) -> None:
    echo = Redactor({"${LONG}": "ab/cd+ef-gh", "${SHORT}": "pass"}).echo([ASHA], (TOKEN,))
    assert echo.identity(identity) == shown
    assert echo.clean([identity, "m-1"]) == (identity == shown)


@pytest.mark.parametrize(
    ("identity", "shown"),
    [
        ("9812345678-17", "********78-17"),
        ("x91-98 12.345678x", "x**-** **.****78x"),
        ("17-1", "17-1"),
        ("", ""),
    ],
)
def test_a_number_in_an_id_is_hidden_where_results_hide_it(identity: str, shown: str) -> None:
    assert hide_number(identity, "+919812345678") == shown


ENCODINGS: dict[str, Callable[[str], str]] = {
    "percent": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "html": html.escape,
    "html numbers": lambda text: "".join(f"&#x{ord(it):x};" for it in text),
    "json": lambda text: json.dumps(text)[1:-1],
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of UTF-16": lambda text: base64.b64encode(text.encode("utf-16-le")).decode(),
    "base32": lambda text: base64.b32encode(text.encode()).decode(),
    "hex": lambda text: text.encode().hex(),
    "hex, separated": lambda text: text.encode().hex(":"),
    "hex of UTF-16": lambda text: text.encode("utf-16-be").hex(),
    "upper": str.upper,
}


def request_in_base64(credentials: str) -> str:
    basic = base64.b64encode(credentials.encode()).decode()
    return base64.b64encode(f"POST /send HTTP/1.1\nAuthorization: Basic {basic}\n\n{{}}".encode()).decode()


@pytest.mark.parametrize(
    "echo",
    [
        lambda secret: base64.b64encode(base64.b64encode(secret.encode())).decode(),
        lambda secret: base64.b64encode(secret.encode().hex().encode()).decode(),
        lambda secret: base64.b64encode(secret.encode()).hex(),
        lambda secret: base64.b64encode(quote(base64.b64encode(secret.encode()), safe="").encode()).decode(),
        lambda secret: request_in_base64(f"me:{secret}"),
        lambda secret: base64.encodebytes(f"{'x' * 50}{secret}{'y' * 60}".encode()).decode(),
        lambda secret: base64.encodebytes(f"{'x' * 50}{secret}{'y' * 60}".encode()).decode().replace("\n", " "),
        lambda secret: "\r\n".join(wrapped(base64.b64encode(f"{'x' * 40}{secret}{'y' * 60}".encode()).decode(), 64)),
        lambda secret: "".join(f"\\{ord(it):03o}" for it in secret),
        lambda secret: secret.encode().decode("latin-1"),
        lambda secret: "€ " + secret.encode().decode("cp1252", "ignore"),
    ],
    ids=[
        *("base64 twice", "base64 of hex", "hex of base64", "base64 of percent of base64", "a request in base64"),
        *("lines of 76", "lines of 76, as blanks", "lines of 64", "octal", "read as Latin-1", "read as Windows-1252"),
    ],
)  # fmt: skip
def test_a_secret_is_found_in_what_is_encoded_once_more_or_misread(echo: Callable[[str], str]) -> None:
    secret = "Gx7!éQz9ùLw2+vB"
    written = echo(secret)
    hidden_in = Redactor({"${KEY}": secret}).echo([ASHA]).text(f"error {written} end")
    assert "${KEY}" in hidden_in or "***" in hidden_in
    assert written not in hidden_in


def wrapped(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)]


@pytest.mark.parametrize(
    "identity",
    [
        "".join(f"%{ord(it):02x}" for it in "ab/cd+ef-gh"),
        "".join(f"\\u{ord(it):04x}" for it in "ab/cd+ef-gh"),
        "\u200b".join("ab/cd+ef-gh"),
        "".join(chr(ord(it) + 0xFEE0) for it in "ab/cd+ef-gh"),
    ],
    ids=["percent", "JSON", "invisible characters", "wide letters"],
)
def test_an_id_that_writes_a_secret_in_escapes_shows_none(identity: str) -> None:
    echo = Redactor({"${LONG}": "ab/cd+ef-gh"}).echo([ASHA])
    assert echo.identity(identity) == "${LONG}"
    assert not echo.clean([identity, "m-1"])


def test_an_id_with_escapes_keeps_its_number() -> None:
    assert Redactor({"${LONG}": "ab/cd+ef-gh"}).echo([ASHA]).identity("919812345678%2F17") == "919812345678%2F17"


@example("0123456ı8 ſς", [], "upper")
@given(
    st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=10, max_size=60),
    st.lists(st.sampled_from(["percent", "form", "html", "html numbers", "json"]), max_size=2),
    st.sampled_from(sorted(ENCODINGS)),
)
def test_a_text_is_found_under_nested_encodings(text: str, inner: list[str], outer: str) -> None:
    if len(folded(unescaped(text)).strip()) < 10 or unescaped(text) != text:
        return
    if len(text.upper()) != len(text):  # `ß` in capitals is another text
        return
    written = text
    for name in [*inner, outer]:
        written = ENCODINGS[name](written)
    echo = Redactor({}).echo([Message("m1", "+919812345678", body=text)])
    assert echo.text(f"error {written} end") != f"error {written} end"


@given(st.text(min_size=12, max_size=200), st.integers(0, 180), st.integers(12, 60))
def test_any_part_of_twelve_characters_is_found(text: str, start: int, size: int) -> None:
    mark = folded(text).strip()
    part = mark[start : start + size]
    if len(part) >= 12:
        spans = list(MarkedTexts({text: "***"}, shortest=6, common=12).spans(f"<{part}>"))
        assert any(span.start <= 1 and span.end >= len(part) + 1 for span in spans)


@given(st.text(max_size=400))
def test_any_words_of_a_provider_are_read_without_an_error(text: str) -> None:
    assert isinstance(hidden(text, secrets=SECRETS), str)


def test_words_are_withheld_when_a_reply_has_too_many_of_them() -> None:
    echo = Redactor({}).echo([ASHA])
    said = [echo.text(f"reason number {number} " + "x" * 4000) for number in range(REPLY_CHARACTERS // 4000 + 10)]
    assert WITHHELD not in said[:20]
    assert said[-1] == WITHHELD


def test_a_thousand_reasons_of_a_batch_take_a_bounded_time() -> None:
    messages = [Message(f"m{n}", f"+9198{n:08d}", body=f"Dear {n}, {BODY} {n}" * 10) for n in range(1000)]
    echo = Redactor(SECRETS).echo(messages)
    started = time.process_time()
    for number in range(1000):
        echo.text(f"destination 9198{number:08d} is on the do-not-disturb list of operator {number}")
    assert time.process_time() - started < 2.0, "0.2 s on an ordinary core"


def test_turkish_capitals_of_a_text_are_found() -> None:
    echo = Redactor({}).echo([Message("m1", "+919812345678", body="istanbul ılık ilkbahar")])
    assert "LKBAHAR" not in (echo.text("refused: İSTANBUL ILIK İLKBAHAR") or "")
