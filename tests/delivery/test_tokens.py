"""What token endpoints answer: whatever it is, it ends no worker; what can be used is, and else the reason is told."""

import base64
import json
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.clock import ManualClock
from connector.definition.tree import OAuth2
from connector.delivery.http.login import LoginAuthenticator
from connector.delivery.http.oauth2 import as_login
from connector.delivery.http.token_reader import DEFAULT_SECONDS, LONGEST_SECONDS
from connector.errors import Phase, RequestError
from connector.model import Reply, Request

from .servers import post
from .test_oauth2 import SECRET, setup

TOKEN = b'"access_token":"t-1"'


USUAL = OAuth2("https://sms.example.com/token", "me", SECRET)


def answering(
    *bodies: bytes, status: int = 200, auth: OAuth2 = USUAL
) -> tuple[LoginAuthenticator, ManualClock, list[Request]]:
    asked: list[Request] = []

    async def endpoint(request: Request) -> Reply:
        asked.append(request)
        return Reply(status, {}, bodies[min(len(asked), len(bodies)) - 1])

    clock = ManualClock()
    return LoginAuthenticator(as_login(auth), endpoint, clock), clock, asked


async def token_of(login: LoginAuthenticator) -> str:
    """The token that a request would carry now."""
    return (await login._current()).values["token"]


@pytest.mark.parametrize(
    ("expires_in", "seconds"),
    [
        (b"3600", 3600),
        (b'"3600"', 3600),
        (b"9" * 401, LONGEST_SECONDS),
        (b"9" * 5000, LONGEST_SECONDS),
        (b'"' + b"9" * 401 + b'"', LONGEST_SECONDS),
        (b"1e400", LONGEST_SECONDS),
        (b"-1", DEFAULT_SECONDS),
        (b"0", DEFAULT_SECONDS),
        (b"NaN", DEFAULT_SECONDS),
        (b"-Infinity", DEFAULT_SECONDS),
        (b'"soon"', DEFAULT_SECONDS),
        (b"null", DEFAULT_SECONDS),
        (b"true", DEFAULT_SECONDS),
        (b"[3600]", DEFAULT_SECONDS),
        (b'{"seconds":3600}', DEFAULT_SECONDS),
    ],
)
async def test_a_token_lives_for_what_can_be_made_of_expires_in(expires_in: bytes, seconds: float) -> None:
    login, clock, asked = answering(b"{" + TOKEN + b',"expires_in":' + expires_in + b"}")
    assert await token_of(login) == "t-1"
    clock.advance(seconds - 61 if seconds > 610 else seconds * 0.89)
    await token_of(login)
    assert len(asked) == 1
    clock.advance(122)
    await token_of(login)
    assert len(asked) == 2


@pytest.mark.parametrize("status", [200, 201, 202, 203, 226])
async def test_any_2xx_with_a_token_is_taken(status: int) -> None:
    login, _, _ = answering(b"{" + TOKEN + b"}", status=status)
    assert await token_of(login) == "t-1"


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf{" + TOKEN + b"}",
        ("\ufeff{" + TOKEN.decode() + "}").encode("utf-16-le"),
        ("{" + TOKEN.decode() + "}").encode("utf-16"),
        ("{" + TOKEN.decode() + "}").encode("utf-16-be"),
        ("{" + TOKEN.decode() + "}").encode("utf-32"),
        b'{"owner":"M\xfcller",' + TOKEN + b"}",
        b"\r\n {" + TOKEN + b"}\n\n",
        b"{" + TOKEN + b',"token_type":"BEARER"}',
        b"{" + TOKEN + b',"token_type":null}',
        b"{" + TOKEN + b',"token_type":""}',
    ],
)
async def test_a_token_is_found_however_its_reply_is_written(body: bytes) -> None:
    login, _, _ = answering(body)
    assert await token_of(login) == "t-1"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b'{"access_token":"T\\n"}', 200, "a token that holds a line break, which no header may"),
        (b'{"access_token":"T\\r\\nX: y"}', 200, "a token that holds a line break"),
        (b'{"access_token":"T T"}', 200, "a token that holds a blank"),
        (b'{"access_token":"\\u0000"}', 200, "a token that holds a control character"),
        (b'{"access_token":"\\u20ac"}', 200, "a token that holds a character beyond ASCII"),
        (b'{"access_token":"' + b"t" * 20_000 + b'"}', 200, "a token of 20000 characters"),
        (b"{" + TOKEN + b',"token_type":"mac"}', 200, "of the type `mac`; only bearer tokens can be sent"),
        (b"{" + TOKEN + b',"token_type":"hunter2 of somebody"}', 200, "that is no bearer token; only bearer"),
        (b"{" + TOKEN + b',"token_type":7}', 200, "that is no bearer token; only bearer"),
        (b"<html>down for maintenance</html>", 200, "200 without a token (the reply is not JSON)"),
        (b"[" * 60_000, 200, "200 without a token (the reply is not JSON)"),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 200, "200 without a token (the reply is not JSON)"),
        (b"", 204, "204 without a token (the reply is not JSON)"),
        (b"{" + TOKEN + b"}", 302, "302 without a token (redirects are not followed"),
        (b"{" + TOKEN + b"}", 500, "500 without a token"),
        (b'{"access_token":["t"]}', 200, "200 without a token"),
        (b'{"access_token":""}', 200, "200 without a token"),
    ],
)
async def test_what_is_no_token_is_told_as_what_it_is(body: bytes, status: int, told: str) -> None:
    login, _, _ = answering(body, status=status)
    with pytest.raises(RequestError) as caught:
        await token_of(login)
    assert (caught.value.phase, caught.value.uncertain) == (Phase.AUTH, False)
    assert told in caught.value.reason
    assert "hunter2" not in caught.value.reason


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
replies = st.binary() | st.dictionaries(
    st.sampled_from(["access_token", "token_type", "expires_in", "error"]), json_values
).map(lambda it: json.dumps(it).encode())


@given(replies, st.integers(100, 599))
async def test_whatever_a_token_endpoint_answers_is_a_token_or_an_outage_of_its_provider(
    body: bytes, status: int
) -> None:
    login, _, _ = answering(body, status=status)
    try:
        token = await token_of(login)
    except RequestError as error:
        told = (error.phase, error.uncertain)
    else:
        told = (Phase.AUTH, not (token.isascii() and token.isprintable()))
    assert told == (Phase.AUTH, False)


async def test_a_fault_in_asking_is_the_providers_outage() -> None:
    async def broken(*_: Any) -> Reply:
        raise LookupError(SECRET)

    login = LoginAuthenticator(as_login(USUAL), broken, ManualClock())
    with pytest.raises(RequestError) as caught:
        await token_of(login)
    assert caught.value.phase is Phase.AUTH
    assert SECRET not in str(caught.value)


# ---- basic credentials ----------------------------------------------------------------------------------------------

ID, WORD = "s+e/c%r:t", "hunter2 & more=ü"
ENCODED = "Basic " + base64.b64encode(f"{quote_plus(ID)}:{quote_plus(WORD)}".encode()).decode()
PLAIN = "Basic " + base64.b64encode(f"{ID}:{WORD}".encode()).decode()


@pytest.mark.parametrize(("taken", "refusal"), [(ENCODED, 401), (PLAIN, 401), (PLAIN, 400), (PLAIN, 403)])
async def test_basic_credentials_are_form_encoded_and_else_as_they_are_and_what_worked_is_remembered(
    taken: str, refusal: int
) -> None:
    asked: list[str] = []

    async def endpoint(request: Request) -> Reply:
        asked.append(dict(request.headers)["Authorization"])
        return Reply(200, {}, b"{" + TOKEN + b"}") if asked[-1] == taken else Reply(refusal, {}, b"{}")

    clock = ManualClock()
    auth = OAuth2("https://sms.example.com/token", ID, WORD, send="basic")
    login = LoginAuthenticator(as_login(auth), endpoint, clock)
    await token_of(login)
    assert asked == ([ENCODED] if taken == ENCODED else [ENCODED, PLAIN])
    asked.clear()
    clock.advance(DEFAULT_SECONDS)
    await token_of(login)
    assert asked == [taken]


async def test_credentials_that_are_the_same_in_both_ways_are_tried_once() -> None:
    auth = OAuth2("https://sms.example.com/token", "me", SECRET, send="basic")
    login, _, asked = answering(b"{}", status=401, auth=auth)
    with pytest.raises(RequestError):
        await token_of(login)
    assert len(asked) == 1


# ---- renewing on a refusal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
async def test_a_token_that_is_refused_is_renewed_once_and_the_request_replayed(status: int) -> None:
    async with setup() as s:
        s.provider.refusal = status
        await s.client.send(post(s.provider.url), s.auth)
        s.provider.valid.clear()
        assert (await s.client.send(post(s.provider.url), s.auth)).status == 200
        assert len(s.provider.token_requests) == 2


async def test_a_403_that_stays_one_is_not_about_the_token() -> None:
    async with setup() as s:
        s.provider.refusal, s.provider.token_reply = 403, {"access_token": "hunter2-worthless"}
        for _ in range(20):
            assert (await s.client.send(post(s.provider.url), s.auth)).status == 403
            s.clock.advance(10)
        assert len(s.provider.token_requests) == 2
        assert len(s.provider.sends) == 21


async def test_a_401_that_stays_one_renews_the_token_once_per_probe() -> None:
    async with setup() as s:
        s.provider.token_reply = {"access_token": "hunter2-worthless"}
        for _ in range(10):
            for _ in range(4):
                assert (await s.client.send(post(s.provider.url), s.auth)).status == 401
            s.clock.advance(4)
        assert len(s.provider.token_requests) == 11


async def test_a_403_stays_the_reply_where_no_other_token_can_be_had() -> None:
    async with setup() as s:
        await s.client.send(post(s.provider.url), s.auth)
        s.provider.valid.clear()
        s.provider.refusal, s.provider.token_status, s.provider.token_reply = 403, 503, {}
        assert (await s.client.send(post(s.provider.url), s.auth)).status == 403
