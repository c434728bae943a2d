"""What is looked at before any endpoint: host, origin, who asks and what they may do."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request

from connector.clock import ManualClock
from connector.settings.web import Web
from connector.web.callers import Role
from connector.web.endpoints import ApiCall, Endpoint
from connector.web.sign_in import COOKIE, SESSION_SECONDS, TRIES, TokenSignIn
from tests.web.serving import BROWSER, TOKENS, Asker, digest, served, with_tokens

JSON = {"Content-Type": "application/json"}


class Wish(msgspec.Struct, forbid_unknown_fields=True):
    number: int


class Echo:
    """An endpoint for each role, that reads and that changes; and one for everybody."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def endpoints(self) -> list[Endpoint]:
        found = []
        for role in Role:
            path = f"/api/{role.label}"
            found.append(Endpoint(f"get{role.label}", "GET", path, self._read, "reads", role=role, gives=dict))
            found.append(
                Endpoint(f"put{role.label}", "PUT", path, self._change, "changes", role=role, takes=Wish, gives=dict)
            )
        found.append(Endpoint("broken", "GET", "/api/broken", self._broken, "breaks", role=None))
        return found

    async def _read(self, call: ApiCall) -> dict[str, str]:
        return {"name": call.who.name, "via": call.who.via}

    async def _change(self, call: ApiCall) -> dict[str, str]:
        self.done.append(call.who.name)
        return {"name": call.who.name}

    async def _broken(self, call: ApiCall) -> None:
        raise RuntimeError("hunter2")


def text_of(answer: Any) -> str:
    return str(json.loads(answer.text)["title"])


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("needed", ["viewer", "operator", "editor"])
@pytest.mark.parametrize("role", ["nobody", "viewer", "operator", "editor"])
async def test_an_endpoint_answers_those_whose_role_is_enough_and_nobody_else(
    method: str, needed: str, role: str
) -> None:
    order = ["nobody", "viewer", "operator", "editor"]
    echo = Echo()
    async with served(with_tokens(), [echo]) as ask:
        body = '{"number": 1}' if method == "PUT" else None
        if role == "nobody":
            answer = await ask(method, f"/api/{needed}", BROWSER | JSON, body)
        else:
            answer = await ask.as_role(role, method, f"/api/{needed}", body)
    expected = 401 if role == "nobody" else 200 if order.index(role) >= order.index(needed) else 403
    assert answer.status == expected
    assert bool(echo.done) is (method == "PUT" and expected == 200)
    if expected == 401:
        assert json.loads(answer.text)["sign_in"] == "tokens"
    if expected != 200:
        assert answer.headers["Content-Type"].startswith("application/problem+json")


CHANGES: list[tuple[str, dict[str, str], int]] = [
    ("as its own pages do", BROWSER, 200),
    ("by a browser that sends an origin only", {"X-Console": "1", "Origin": "{origin}"}, 200),
    ("without the header", {"Sec-Fetch-Site": "same-origin"}, 403),
    ("with another value of it", BROWSER | {"X-Console": "0"}, 403),
    ("by another site", {"X-Console": "1", "Sec-Fetch-Site": "cross-site"}, 403),
    ("by another host of the same site", {"X-Console": "1", "Sec-Fetch-Site": "same-site"}, 403),
    ("by an address that was typed", {"X-Console": "1", "Sec-Fetch-Site": "none"}, 403),
    ("by another origin", {"X-Console": "1", "Origin": "https://evil.example"}, 403),
    ("by an origin that says nothing", {"X-Console": "1", "Origin": "null"}, 403),
    ("by who says nothing of where it comes from", {"X-Console": "1"}, 403),
    ("as a form", BROWSER | {"Content-Type": "application/x-www-form-urlencoded"}, 415),
    ("as plain text", BROWSER | {"Content-Type": "text/plain"}, 415),
    ("as JSON with a charset", BROWSER | {"Content-Type": "application/json; charset=utf-8"}, 200),
]


@pytest.mark.parametrize(("how", "headers", "status"), CHANGES, ids=[how for how, *_ in CHANGES])
@pytest.mark.parametrize("auth", ["none", "cookie"])
async def test_what_changes_something_is_asked_by_our_own_pages(
    how: str, headers: dict[str, str], status: int, auth: str
) -> None:
    echo = Echo()
    settings = Web(port=0) if auth == "none" else with_tokens()
    async with served(settings, [echo]) as ask:
        cookie = {} if auth == "none" else {"Cookie": f"{COOKIE}={await signed_in(ask, 'editor')}"}
        sent = JSON | headers | cookie
        sent = {name: value.replace("{origin}", ask.url.rstrip("/")) for name, value in sent.items()}
        answer = await ask("PUT", "/api/editor", sent, '{"number": 1}')
    assert answer.status == status
    assert bool(echo.done) is (status == 200)


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
async def test_other_pages_read_nothing(site: str, status: int) -> None:
    async with served(Web(port=0), [Echo()]) as ask:
        assert (await ask("GET", "/api/viewer", {"Sec-Fetch-Site": site})).status == status


HOSTS = [
    ("127.0.0.1", 200),
    ("127.0.0.1:1", 200),
    ("localhost:8090", 200),
    ("LOCALHOST.", 200),
    ("[::1]:8090", 200),
    ("console.example.com", 200),
    ("evil.example", 421),
    ("localhost.evil.example", 421),
    ("127.0.0.1.evil.example:8090", 421),
    ("127.0.0.1@evil.example", 421),
    ("", 421),
    ("[::1", 421),
    ("0.0.0.0:8090", 421),
]


@pytest.mark.parametrize("path", ["/api/viewer", "/", "/providers/acme", "/s/x/main.js", "/nothing", "/api/nothing"])
@pytest.mark.parametrize(("host", "status"), HOSTS)
async def test_no_other_name_leads_to_the_console(host: str, status: int, path: str) -> None:
    async with served(Web(port=0, hosts=("console.example.com",)), [Echo()]) as ask:
        answer = await ask("GET", path, {"Host": host})
    assert (answer.status == 421) is (status == 421)
    if status == 421:
        assert "web.hosts" in text_of(answer)


async def test_a_probe_of_the_platform_asks_by_address() -> None:
    async with served(Web(port=0)) as ask:
        assert (await ask("GET", "/health/live", {"Host": "10.1.2.3:8090"})).text == "alive\n"


BODIES = [
    ('{"number": 1}', 200),
    ('{"number": "1"}', 422),
    ('{"number": 1, "more": 2}', 422),
    ("{", 400),
    ("", 400),
    ("[" * 1000, 400),
    ('{"number": 1}' + " " * 2**20, 413),
    ('{"number": 1}' + " " * 2**22, 413),
]


@pytest.mark.parametrize(("body", "status"), BODIES, ids=[f"{body[:12]}-{len(body)}" for body, _ in BODIES])
async def test_a_body_is_what_the_endpoint_takes(body: str, status: int) -> None:
    async with served(with_tokens(), [Echo()]) as ask:
        answer = await ask.as_role("editor", "PUT", "/api/editor", body)
    assert answer.status == status


async def test_every_answer_has_the_strict_headers() -> None:
    async with served(with_tokens(), [Echo()]) as ask:
        found = [
            await ask("GET", path, headers)
            for path, headers in [
                ("/", {}),
                ("/api/viewer", {}),
                ("/api/nothing", {}),
                ("/api/broken", {}),
                ("/s/wrong/main.js", {}),
                ("/", {"Host": "evil.example"}),
            ]
        ]
    assert [it.status for it in found] == [200, 401, 404, 500, 404, 421]
    for it in found:
        assert it.headers["X-Content-Type-Options"] == "nosniff"
        assert it.headers["Referrer-Policy"] == "no-referrer"
        assert it.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert it.headers["Cache-Control"] == "no-store"
        assert "frame-ancestors 'none'" in it.headers["Content-Security-Policy"]
        assert len(it.headers["X-Request-Id"]) == 16
        assert "hunter2" not in it.text
    assert "require-trusted-types-for 'script'" in found[0].headers["Content-Security-Policy"]
    assert "unsafe" not in found[0].headers["Content-Security-Policy"]


async def test_an_error_of_ours_tells_nothing_of_itself() -> None:
    async with served(Web(port=0), [Echo()]) as ask:
        answer = await ask("GET", "/api/broken")
    assert answer.status == 500
    assert "its log says what" in text_of(answer)


# ---- tokens and sessions ---------------------------------------------------------------------------------------------


async def signed_in(ask: Asker, role: str) -> str:
    answer = await ask("POST", "/api/session", BROWSER | JSON, json.dumps({"token": TOKENS[role]}))
    assert answer.status == 200, answer.text
    return answer.cookies[COOKIE]


async def name_of(ask: Asker, cookie: str) -> str | None:
    answer = await ask("GET", "/api/viewer", {"Cookie": f"{COOKIE}={cookie}"})
    return json.loads(answer.text)["name"] if answer.status == 200 else None


async def test_a_token_opens_a_session_that_ends_after_eight_hours() -> None:
    clock = ManualClock()
    async with served(with_tokens(), [Echo()], clock=clock) as ask:
        answer = await ask("POST", "/api/session", BROWSER | JSON, json.dumps({"token": TOKENS["operator"]}))
        assert json.loads(answer.text)["role"] == "operator"
        set_cookie = answer.headers["Set-Cookie"]
        for part in ("__Host-console=", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"):
            assert part in set_cookie
        assert "Domain" not in set_cookie
        cookie = answer.cookies[COOKIE]
        assert await name_of(ask, cookie) == "operator"
        clock.advance(SESSION_SECONDS - 1)
        assert await name_of(ask, cookie) == "operator"
        clock.advance(1)
        assert await name_of(ask, cookie) is None


async def test_signing_out_takes_the_cookie_away() -> None:
    async with served(with_tokens(), [Echo()]) as ask:
        answer = await ask("DELETE", "/api/session", BROWSER)
    assert answer.status == 204
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


KEY = {"session_key": "k" * 32}


def one_token(**token: Any) -> Web:
    made = {"name": "viewer", "role": "viewer", "sha256": digest(TOKENS["viewer"])} | token
    return Web.model_validate({"port": 0, "auth": "tokens", "tokens": [made], **KEY})


CHANGED: list[tuple[str, Web, str | None]] = [
    ("nothing", one_token(), "viewer"),
    ("its role", one_token(role="editor"), "viewer"),
    ("its name", one_token(name="other"), None),
    ("the token", one_token(sha256=digest("another")), None),
    ("that it has expired", one_token(expires="2020-01-01T00:00:00Z"), None),
    ("the key", Web.model_validate(one_token().model_dump() | {"session_key": "l" * 32}), None),
]


@pytest.mark.parametrize(("what", "settings", "name"), CHANGED, ids=[what for what, *_ in CHANGED])
async def test_a_session_ends_when_its_token_is_gone_changed_or_expired(
    what: str, settings: Web, name: str | None
) -> None:
    async with served(one_token(), [Echo()]) as ask:
        cookie = await signed_in(ask, "viewer")
    async with served(settings, [Echo()]) as ask:
        assert await name_of(ask, cookie) == name


async def test_a_session_cannot_be_made_or_changed_without_the_key() -> None:

    async with served(one_token(), [Echo()]) as ask:
        cookie = await signed_in(ask, "viewer")
        said = base64.urlsafe_b64decode(cookie).decode().split("\n")
        later = base64.urlsafe_b64encode("\n".join([said[0], str(int(said[1]) + 9), said[2]]).encode()).decode()
        for wrong in (later, "", "x", cookie[:-8], cookie + "AAAA", "é", base64.urlsafe_b64encode(b"\n\n\n").decode()):
            assert await name_of(ask, wrong) is None


@pytest.mark.parametrize("name", ["editor", "nobody", "é"])
@pytest.mark.parametrize("until", ["9999999999", "-1", "٩٩٩٩٩٩٩٩٩٩", "9" * 5000, "1e9"])
@pytest.mark.parametrize("signature", ["é", "\U0001f600", "", "0" * 64])
async def test_a_cookie_of_any_characters_is_nobody(name: str, until: str, signature: str) -> None:
    cookie = base64.urlsafe_b64encode(f"{name}\n{until}\n{signature}".encode()).decode()
    signing = TokenSignIn(with_tokens(), ManualClock())
    request = make_mocked_request("GET", "/api/me", {"Cookie": f"{COOKIE}={cookie}"})
    assert signing.who(request) is None


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://]", "[", "http://[x]:y", "null", "\x80", ""])
async def test_an_origin_that_is_none_is_another_page(origin: str) -> None:
    async with served(with_tokens(), [Echo()]) as ask:
        answer = await ask("POST", "/api/session", {"X-Console": "1", "Origin": origin} | JSON, '{"token": "x"}')
    assert answer.status == 403


async def test_after_five_wrong_tokens_further_wrong_ones_wait_a_minute_and_right_ones_do_not() -> None:
    """Behind a proxy everybody has its address: five junk tokens must not lock all of them out."""
    clock = ManualClock()
    async with served(with_tokens(), [Echo()], clock=clock) as ask:
        wrong = BROWSER | JSON, '{"token": "wrong"}'
        for _ in range(TRIES):
            assert (await ask("POST", "/api/session", *wrong)).status == 401
        answer = await ask("POST", "/api/session", *wrong)
        assert (answer.status, answer.headers["Retry-After"]) == (429, "61")
        assert (await ask("GET", "/api/viewer", {"Authorization": "Bearer wrong"})).status == 429
        right = json.dumps({"token": TOKENS["viewer"]})
        assert (await ask("POST", "/api/session", BROWSER | JSON, right)).status == 200
        assert (await ask.as_role("viewer", "GET", "/api/viewer")).status == 200
        clock.advance(60)
        assert (await ask("POST", "/api/session", *wrong)).status == 401


# ---- a proxy ---------------------------------------------------------------------------------------------------------

SECRET = "hunter2-of-the-proxy-0123456789abcdef"
PROVED = {"X-Console-Secret": SECRET, "X-Forwarded-User": "priya@shop.example", "X-Forwarded-Groups": "sms-ops"}
PROXIED: list[tuple[str, Mapping[str, str], int]] = [
    ("with its secret", PROVED, 200),
    ("without its secret", {**PROVED, "X-Console-Secret": ""}, 401),
    ("with another secret", {**PROVED, "X-Console-Secret": SECRET + "x"}, 401),
    ("with no name", {**PROVED, "X-Forwarded-User": ""}, 403),
    ("with a name that is none", {**PROVED, "X-Forwarded-User": "<b>priya</b>"}, 403),
    ("with no group of ours", {**PROVED, "X-Forwarded-Groups": "sms-opsy, other"}, 403),
    ("with one of several groups", {**PROVED, "X-Forwarded-Groups": "all , sms-ops"}, 200),
    ("with a token", {"Authorization": f"Bearer {TOKENS['viewer']}"}, 401),
]


def proxied() -> Web:
    groups = [{"group": "all", "role": "viewer"}, {"group": "sms-ops", "role": "operator", "reveal": True}]
    return Web.model_validate({"port": 0, "auth": "proxy", "proxy": {"secret": SECRET, "groups": groups}})


@pytest.mark.parametrize(("how", "headers", "status"), PROXIED, ids=[how for how, *_ in PROXIED])
async def test_who_a_proxy_has_let_in_is_who_it_says(how: str, headers: Mapping[str, str], status: int) -> None:
    async with served(proxied(), [Echo()]) as ask:
        answer = await ask("GET", "/api/operator", headers)
    assert answer.status == status
    if status == 200:
        assert json.loads(answer.text) == {"name": "priya@shop.example", "via": "console"}


async def test_behind_a_proxy_a_browser_still_has_to_be_on_our_own_page() -> None:
    echo = Echo()
    async with served(proxied(), [echo]) as ask:
        answer = await ask("PUT", "/api/operator", {**PROVED, **JSON}, '{"number": 1}')
        assert answer.status == 403
        bearer = {**PROVED, **JSON, "Authorization": "Bearer x"}
        assert (await ask("PUT", "/api/operator", bearer, '{"number": 1}')).status == 403
        assert (await ask("PUT", "/api/operator", {**PROVED, **JSON, **BROWSER}, '{"number": 1}')).status == 200
    assert echo.done == ["priya@shop.example"]
