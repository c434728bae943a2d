"""Canonical strings and what is added: order, encoding, the empty and the repeated, by another's reckoning."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.definition.expression_text import split
from connector.definition.signing import SIGNING, names_in
from connector.definition.tree import Additions, Constant, Object, ObjectMember, Replacement, Text
from connector.errors import Phase, RequestError
from connector.masking import MASK
from connector.model import Request
from connector.request.signer import Clockwork, Signer
from tests.thorough import examples

from .signing import DEFINITIONS, NONCE, NOW, operation_of, rendered, signed

CLOCKWORK = Clockwork(NOW, lambda: NONCE)


def template(text: str) -> Constant | Replacement | Text:
    parts = split(text, SIGNING)
    if len(parts) == 1 and not isinstance(parts[0], str):
        return Replacement(parts[0])
    return Text(parts) if any(not isinstance(part, str) for part in parts) else Constant("".join(map(str, parts)))


def adding(
    values: dict[str, str], *, secret: tuple[str, ...] = (), kind: str = "none", **places: dict[str, str]
) -> Signer:
    fields = {
        name: Object(tuple(ObjectMember(key, template(text)) for key, text in place.items()))
        for name, place in places.items()
    }
    made = {name: template(text) for name, text in values.items()}
    grown = set(secret)
    while more := {name for name, node in made.items() if name not in grown and names_in(node) & grown}:
        grown |= more
    return Signer(Additions(made, frozenset(grown), **fields, kind=kind))  # type: ignore[arg-type]


def computed(expression: str, request: Request, kind: str = "none") -> str:
    """What an expression gives for a request."""
    signer = adding({}, headers={"X": f"$${{{expression}|hex}}"}, kind=kind)
    return bytes.fromhex(signer.sign(request, CLOCKWORK).request.headers[-1][1]).decode("utf-8", "surrogateescape")


names = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
pairs = st.lists(st.tuples(st.one_of(st.sampled_from(["a", "b", "a[0]", "a[10]", "é", "~"]), names), names), max_size=6)


@settings(max_examples=examples(150))
@given(pairs)
def test_a_query_is_sorted_and_encoded_as_by_rfc_3986(query: list[tuple[str, str]]) -> None:
    """Repeated names, empty names and values, every character; a space is `+` or `%20` in what is sent."""
    sent = [pair for pair in query if pair != ("", "")]
    request = Request("GET", "https://sms.example.com/a?" + urlencode(sent))
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in sent)
    assert computed("query()|urlencode|sort|join('&')", request) == "&".join("=".join(pair) for pair in encoded)
    raw = sorted(sent)
    assert computed("query()|sort|join('&')", request) == "&".join("=".join(pair) for pair in raw)
    assert computed("query()|sort|names(';')", request) == ";".join(name for name, _ in raw)
    assert computed("query()|filled|values('')", request) == "".join(value for _, value in sent)
    assert computed("query()", request) == urlsplit(request.url).query


@settings(max_examples=examples(150))
@given(pairs, pairs)
def test_params_are_those_of_the_query_and_of_the_form(
    query: list[tuple[str, str]], form: list[tuple[str, str]]
) -> None:
    query, form = [p for p in query if p != ("", "")], [p for p in form if p != ("", "")]
    request = Request("POST", "https://sms.example.com/?" + urlencode(query), (), urlencode(form).encode())
    expected = "&".join(f"{name}={value}" for name, value in sorted([*query, *form]))
    assert computed("params()|sort|join('&')", request, "pairs") == expected


@settings(max_examples=examples(150))
@given(
    st.dictionaries(
        names,
        st.one_of(names, st.integers(), st.none(), st.booleans(), st.lists(st.integers(), max_size=2)),
        max_size=5,
    )
)
def test_fields_of_json_are_its_members_as_text(document: dict[str, object]) -> None:
    body = json.dumps(document, separators=(",", ":")).encode()
    expected = {
        name: value if isinstance(value, str) else "" if value is None else json.dumps(value, separators=(",", ":"))
        for name, value in document.items()
    }
    request = Request("POST", "https://sms.example.com/", (), body)
    assert computed("fields()|sort|lines", request, "json") == "\n".join(
        f"{k}:{v}" for k, v in sorted(expected.items())
    )


@settings(max_examples=examples(100))
@given(st.binary(max_size=40), st.sampled_from(["md5", "sha1", "sha256", "sha384", "sha512"]))
def test_a_body_is_digested_to_the_byte_whatever_it_holds(body: bytes, algorithm: str) -> None:
    request = Request("POST", "https://sms.example.com/", (), body)
    signer = adding(
        {"key": "hunter2", "text": "$${method()}\n$${body()}\n"},
        headers={"D": f"$${{body()|{algorithm}}}", "M": f"$${{text|hmac(key, '{algorithm}')|upper}}"},
    )
    headers = dict(signer.sign(request, CLOCKWORK).request.headers)
    assert headers["D"] == hashlib.new(algorithm, body).hexdigest()
    assert headers["M"] == hmac.digest(b"hunter2", b"POST\n" + body + b"\n", algorithm).hex().upper()


@pytest.mark.parametrize("charset", ["utf-8", "gb18030", "latin-1"])
def test_a_form_in_another_charset_is_signed_by_its_bytes(charset: str) -> None:
    text = "Grüße é"
    form = urlencode({"b": text, "a": "1"}, encoding=charset).encode()
    signer = adding(
        {"key": "hunter2", "text": "$${fields()|sort|join('&')}!"},
        headers={"A": "$${text|hmac(key)}", "B": "$${fields()|sort|urlencode|join('&')}"},
        query={"t": "$${fields()|get('b')}"},
        kind="pairs",
    )
    made = signer.sign(Request("POST", "https://a.example/", (), form), CLOCKWORK).request
    raw = text.encode(charset)
    assert dict(made.headers)["A"] == hmac.digest(b"hunter2", b"a=1&b=" + raw + b"!", "sha256").hex()
    assert dict(made.headers)["B"] == f"a=1&b={quote(raw)}"
    assert made.url == f"https://a.example/?t={quote(raw)}"


REQUEST = Request(
    "POST", "https://User.example.com:8443/a%2Fb/?x=1+2&y=%C3%A9", (("X-A", "  b  c "), ("Content-Type", "text/plain"))
)


@pytest.mark.parametrize(
    ("expression", "gives"),
    [
        ("method()", "POST"),
        ("url()", "https://User.example.com:8443/a%2Fb/?x=1+2&y=%C3%A9"),
        ("port()", "8443"),
        ("path()", "/a%2Fb/"),
        ("target()", "/a%2Fb/?x=1+2&y=%C3%A9"),
        ("query()|get('x')", "1 2"),
        ("query()|get('nobody')", ""),
        ("query()|only('y z')|join('&')", "y=é"),
        ("query()|without('y')|urlencode|join('&')", "x=1%202"),
        ("query()|add('z', now())|sort|names(',')", "x,y,z"),
        ("query()|upper|values(',')", "1 2,É"),
        ("headers()|only('x-*')|lines", "x-a:b  c"),
        ("headers()|only('x-*')|squeeze|lines", "x-a:b c"),
        ("headers()|without('host')|names(';')", "x-a;content-type"),
        ("headers()|get('content-type')", "text/plain"),
        ("path()|urlencode('/')", "/a%252Fb/"),
        ("path()|urlencode", "%2Fa%252Fb%2F"),
        ("fields()", ""),
        ("query()|get('y')|encode('latin-1')|urlencode", "%E9"),
        ("method()|md5|urlencode|truncate(8)", hashlib.md5(b"POST").hexdigest()[:8]),
        ("query()|md5|hex|truncate(8)", hashlib.md5(b"x=1+2&y=%C3%A9").hexdigest()[:8]),
        ("query()|sort|sha1|hex|truncate(8)", hashlib.sha1("x=1 2&y=é".encode()).hexdigest()[:8]),
        ("body()", ""),
        ("now()", "1767323045"),
        ("now()|date('unix_ms')", "1767323045000"),
        ("now()|date('utc')", "2026-01-02T03:04:05Z"),
        ("now()|date('utc_basic')", "20260102T030405Z"),
        ("now()|date('http')", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("now()|date('iso', 'Asia/Kolkata')", "2026-01-02T08:34:05+05:30"),
        ("now()|date('%m%d%H%M%S', 'Asia/Shanghai')", "0102110405"),
        ("nonce()", NONCE),
        ("nonce()|uuid", "01234567-89ab-cdef-0123-456789abcdef"),
        ("nonce()|truncate(8)", "01234567"),
        ("'a'|map(b=1)", ""),
        ("'it''s'|default('x')", "it's"),
    ],
)
def test_each_part_of_a_request(expression: str, gives: str) -> None:
    assert computed(expression, REQUEST) == gives


def test_milliseconds_are_those_of_the_attempt() -> None:
    signer = adding({}, headers={"T": "$${now()|date('unix_ms')}", "S": "$${now()}"})
    headers = dict(signer.sign(REQUEST, Clockwork(1767323045.678)).request.headers)
    assert (headers["T"], headers["S"]) == ("1767323045678", "1767323045")


# ---- what is added --------------------------------------------------------------------------------------------------


def test_what_is_added_is_signed_along_but_for_what_needs_it() -> None:
    signer = adding(
        {"text": "$${query()|sort|join('&')}|$${headers()|only('x-*')|sort|lines}"},
        query={"key": "me", "sig": "$${text|md5}"},
        headers={"X-Time": "$${now()}", "X-Digest": "$${body()|sha1}", "X-Sig": "$${text|sha1}"},
    )
    made = signer.sign(Request("POST", "https://a.example/?v=1"), CLOCKWORK).request
    empty = hashlib.sha1(b"").hexdigest()
    text = f"key=me&v=1|x-digest:{empty}\nx-time:1767323045".encode()
    assert dict(parse_qsl(urlsplit(made.url).query)) == {"v": "1", "key": "me", "sig": hashlib.md5(text).hexdigest()}
    assert dict(made.headers)["X-Sig"] == hashlib.sha1(text).hexdigest()


def test_two_that_need_one_another_are_both_left_out() -> None:
    """A header over the query and a parameter over the headers: neither can be in what the other signs."""
    signer = adding({}, query={"q": "$${headers()|lines|md5}"}, headers={"H": "$${query()|join('&')|md5}"})
    made = signer.sign(Request("GET", "https://a.example/?v=1"), CLOCKWORK).request
    assert dict(made.headers)["H"] == hashlib.md5(b"v=1").hexdigest()
    assert made.url == f"https://a.example/?v=1&q={hashlib.md5(b'host:a.example').hexdigest()}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example", "https://a.example?a=b%2F"),
        ("https://a.example/x?", "https://a.example/x?a=b%2F"),
        ("https://a.example/x?y=1", "https://a.example/x?y=1&a=b%2F"),
        ("https://a.example/x?y=1&", "https://a.example/x?y=1&a=b%2F"),
    ],
)
def test_parameters_go_to_the_end_of_the_query(url: str, expected: str) -> None:
    assert adding({}, query={"a": "b/"}).sign(Request("GET", url), CLOCKWORK).request.url == expected


@pytest.mark.parametrize(("body", "before"), [(None, b""), (b"", b""), (b"a=b", b"a=b&")])
def test_fields_go_to_the_end_of_a_form(body: bytes | None, before: bytes) -> None:
    signer = adding({}, pairs={"s": "&é"}, kind="pairs")
    made = signer.sign(Request("POST", "https://a.example/", (), body), CLOCKWORK).request
    assert made.body == before + b"s=%26%C3%A9"


@pytest.mark.parametrize("body", [b"", b"{}", b"{ }", b'{"a":1.10}', b'{"a":{"b":[]}}'])
def test_members_go_to_the_end_of_a_json_object_and_nothing_else_changes(body: bytes) -> None:
    signer = adding({}, json={"s": '"&é', "t": "$${now()}", "d": "$${'x'|md5}"}, kind="json")
    made = signer.sign(Request("POST", "https://a.example/", (), body), CLOCKWORK).request.body
    assert made is not None
    digest = hashlib.md5(b"x").hexdigest()
    assert json.loads(made) == {**json.loads(body or b"{}"), "s": '"&é', "t": 1767323045, "d": digest}
    assert made.startswith(body.rstrip(b"} ") if body.strip() in (b"", b"{}", b"{ }") else body[:-1])


@pytest.mark.parametrize("body", [b"[]", b"text"])
def test_what_has_no_room_is_an_outage_and_not_sent(body: bytes | None) -> None:
    with pytest.raises(RequestError) as caught:
        adding({}, json={"s": "1"}, kind="json").sign(Request("POST", "https://a.example/", (), body), CLOCKWORK)
    assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)


def test_an_optional_one_without_a_value_is_left_out(tmp_path: Path) -> None:
    operation = operation_of(
        """
method: POST
url: https://sms.example.com/
auth:
  sign:
    values: {token: "${TOKEN?}", none: ""}
    headers: {X-Token: "${TOKEN?}", X-Also: "$${token?}", X-Kept: "$$none"}
parameters: {pairs: {to: $$To, text: $$Body}}
""",
        {},
        tmp_path,
    )
    made = signed(operation, rendered(operation)).request
    assert [name for name, _ in made.headers] == ["Content-Type", "X-Kept"]


def test_a_line_break_in_what_is_added_to_headers_is_an_outage_and_not_sent() -> None:
    with pytest.raises(RequestError, match="control character"):
        adding({"text": "a\nb"}, headers={"X": "$$text"}).sign(REQUEST, CLOCKWORK)


# ---- each attempt, and what nobody may see --------------------------------------------------------------------------


def test_each_attempt_has_a_nonce_of_its_own_and_one_only() -> None:
    signer = adding({}, headers={"A": "$${nonce()}", "B": "$${nonce()}", "C": "$${batch_id()}"})
    request = Request("POST", "https://a.example/", (), None, "ab" * 16)
    first, second = (dict(signer.sign(request, Clockwork(NOW)).request.headers) for _ in range(2))
    assert first["A"] == first["B"] != second["A"]
    assert len(first["A"]) == 32
    assert first["C"] == second["C"] == "ab" * 16
    assert signer.stable


def test_a_request_knows_its_batch_where_it_is_asked_for_only(tmp_path: Path) -> None:
    text = DEFINITIONS["pair"]
    asked = text.replace("timestamp: $$time", "timestamp: $$time, id: '$${batch_id()}'")
    environment = {"SMS_USER": "u", "SMS_PASSWORD": "p"}
    assert rendered(operation_of(text, environment, tmp_path)).batch_id == ""
    assert rendered(operation_of(asked, environment, tmp_path)).batch_id == "b" * 32


def test_what_is_made_of_secrets_is_hidden_and_nothing_else() -> None:
    signer = adding(
        {"secret": "hunter2-key", "plain": "known", "key": "$${'day'|hmac(secret)}", "text": "$${body()|md5}$$plain"},
        secret=("secret",),
        headers={"S": "$${text|hmac(key)|base64}", "D": "$${body()|sha256}", "P": "$${plain|sha1}", "N": "$${nonce()}"},
    )
    made = signer.sign(REQUEST, CLOCKWORK)
    headers = dict(made.request.headers)
    key = hmac.digest(b"hunter2-key", b"day", "sha256")
    assert set(made.hidden) == {headers["S"], key.hex()}


def test_a_mask_stands_for_what_is_made_of_secrets() -> None:
    signer = adding(
        {"secret": "${KEY}", "key": "$${'day'|hmac(secret)}", "text": "$${secret}:$${method()}"},
        secret=("secret",),
        headers={
            "A": "k=$$secret, s=$${text|hmac(key)|base64|upper}",
            "B": "$${text|md5}",
            "C": "$${method()|md5|hex}",
        },
        query={"s": "$${text|sha1}"},
    )
    made = signer.sign(Request("GET", "https://a.example/"), CLOCKWORK, masked=True)
    digest = hashlib.md5(b"GET").hexdigest()
    assert dict(made.request.headers) == {"A": f"k=${{KEY}}, s={MASK}", "B": MASK, "C": digest}
    assert made.request.url == f"https://a.example/?s={MASK}"
    assert made.hidden == ()


@pytest.mark.parametrize("name", [name for name in DEFINITIONS if name not in ("login", "session")])
def test_no_signature_is_part_of_what_separates_requests(name: str, tmp_path: Path) -> None:
    environment = dict.fromkeys(__import__("re").findall(r"\$\{([A-Z0-9_]+)\??\}", DEFINITIONS[name]), "hunter2")
    operation = operation_of(DEFINITIONS[name], environment | {"AZURE_ACCESS_KEY": "aHVudGVyMg=="}, tmp_path)
    request = rendered(operation)
    one, two = signed(operation, request, now=NOW), signed(operation, request, now=NOW + 61, nonce="f" * 32)
    assert one.request != two.request
    assert rendered(operation) == request
