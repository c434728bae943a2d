"""The generic fakes, asked directly: what they take, refuse and answer."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from connector.clock import ManualClock
from connector.tools.simulator.call import Answer, Call
from connector.tools.simulator.fake import Fake, Magic, magic
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.providers.json_single import WRONG

PHONE = "+919810012345"


def call(method: str, path: str, body: Any = b"", headers: dict[str, str] | None = None) -> Call:
    path, _, query = path.partition("?")
    raw = body if isinstance(body, bytes) else orjson.dumps(body)
    return Call(method, path, query, headers or {}, raw)


def reply(answer: Answer) -> Any:
    return orjson.loads(answer.encode())


def fake(name: str, now: Any = None) -> Fake:
    return PROVIDERS[name](now) if now else PROVIDERS[name]()


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@pytest.mark.parametrize("kind", list(Magic))
def test_the_last_six_digits_ask_for_a_fixed_outcome(kind: Magic) -> None:
    assert magic(f"+91981{kind.value}") is kind
    assert magic(f"0{kind.value} 99") is None


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        ([], 400),
        ({"msgs": []}, 400),
        ({"msgs": [{"to": 12}]}, 400),
        ({"msgs": [{"to": PHONE}] * 1001}, 413),
        ({"msgs": [{"to": "+91981" + Magic.CREDIT}]}, 402),
    ],
)
def test_json_batch_refuses_a_wrong_body_as_a_whole(body: Any, status: int) -> None:
    answer = fake("json").answer(call("POST", "/send", body))
    assert answer.status == status
    assert answer.taken == []


def test_json_batch_refuses_and_hides_single_messages_by_number() -> None:
    phones = [PHONE, "+91981" + Magic.INVALID, "+91981" + Magic.SILENT]
    answer = fake("json").answer(call("POST", "/send", {"msgs": [{"to": to, "uid": to[-3:]} for to in phones]}))
    results = reply(answer)["results"]
    assert [(result["to"], result["status"]) for result in results] == [(phones[0], "queued"), (phones[1], "refused")]
    assert [record["to"] for record in answer.taken] == [phones[0], phones[2]]
    assert [record["code"] for record in answer.refused] == ["invalid-number"]


def test_json_batch_checks_basic_credentials_when_told_to() -> None:
    provider = fake("json")
    provider.set(provider.options(credentials="user:pass:word"))
    body = {"msgs": [{"to": PHONE}]}
    assert provider.answer(call("POST", "/send", body)).status == 401
    assert provider.answer(call("POST", "/send", body, basic("user", "wrong"))).status == 401
    assert provider.answer(call("POST", "/send", body, basic("user", "pass:word"))).status == 200


def token(provider: Fake, form: dict[str, str], headers: dict[str, str] | None = None) -> Answer:
    return provider.answer(call("POST", "/token", urlencode(form).encode(), headers))


CREDENTIALS = {"client_id": "demo-client", "client_secret": "demo-secret"}


def test_single_gives_a_token_for_credentials_in_the_body_or_as_basic() -> None:
    provider = fake("single")
    assert token(provider, {"grant_type": "client_credentials", **CREDENTIALS}).status == 200
    assert token(provider, {"grant_type": "client_credentials"}, basic("demo-client", "demo-secret")).status == 200
    assert token(provider, {"grant_type": "password", **CREDENTIALS}).status == 400
    wrong = token(provider, {"grant_type": "client_credentials", "client_id": "demo-client", "client_secret": "x"})
    assert (wrong.status, reply(wrong)) == (401, {"error": "invalid_client"})


def test_single_takes_a_message_only_with_a_token_that_is_alive() -> None:
    clock = ManualClock()
    provider = fake("single", clock.wall)
    granted = reply(token(provider, {"grant_type": "client_credentials", **CREDENTIALS}))
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    send = call("POST", "/send", {"to": PHONE, "uid": "u1"}, bearer)
    assert provider.answer(call("POST", "/send", {"to": PHONE})).status == 401
    taken = provider.answer(send)
    assert (taken.status, reply(taken)["uid"]) == (202, "u1")
    clock.advance(granted["expires_in"])
    assert provider.answer(send).status == 401


def test_single_may_answer_nonsense_and_a_token_in_turn() -> None:
    provider = fake("single")
    provider.set(provider.options(token_turns=True))
    answers = [token(provider, {"grant_type": "client_credentials", **CREDENTIALS}) for _ in range(2 * len(WRONG))]
    sound = [reply(answer)["token_type"] for answer in answers[1::2]]
    assert sound == ["Bearer"] * len(WRONG)
    assert len({(answer.status, answer.encode()[:20]) for answer in answers[::2]}) > len(WRONG) // 2


def test_single_tokens_can_be_revoked() -> None:
    provider = fake("single")
    granted = reply(token(provider, {"grant_type": "client_credentials", **CREDENTIALS}))
    assert provider.action("revoke")
    send = call("POST", "/send", {"to": PHONE}, {"Authorization": f"Bearer {granted['access_token']}"})
    refused = provider.answer(send)
    assert refused.status == 401
    assert "invalid_token" in refused.headers["WWW-Authenticate"]
    assert not provider.action("nonsense")


@pytest.mark.parametrize(("suffix", "status"), [(Magic.INVALID, 422), (Magic.THROTTLED, 429), (Magic.TEMPORARY, 503)])
def test_single_refuses_by_number(suffix: Magic, status: int) -> None:
    provider = fake("single")
    granted = reply(token(provider, {"grant_type": "client_credentials", **CREDENTIALS}))
    bearer = {"Authorization": f"Bearer {granted['access_token']}"}
    answer = provider.answer(call("POST", "/send", {"to": "+91981" + suffix}, bearer))
    assert (answer.status, len(answer.refused), answer.taken) == (status, 1, [])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pairs_reads_query_and_form_alike(method: str) -> None:
    query = urlencode({"to": "919810012345,91981" + Magic.BLOCKED, "text": "grüße 🎉", "ref": "m1"})
    request = call("GET", f"/send?{query}") if method == "GET" else call("POST", "/send", query.encode())
    answer = fake("pairs").answer(request)
    document = reply(answer)
    assert document["messages"][0]["id"] == answer.taken[0]["id"]
    assert document["messages"][1] == {"to": "91981" + Magic.BLOCKED, "code": 102}
    assert (answer.taken[0]["text"], answer.taken[0]["ref"]) == ("grüße 🎉", "m1")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/send?to=919810012345", 2),
        ("/send?to=" + ",".join(["919810012345"] * 101) + "&text=a", 3),
        ("/send?text=a&to=91981" + Magic.CREDIT, 7),
    ],
)
def test_pairs_says_its_errors_in_a_200(path: str, code: int) -> None:
    answer = fake("pairs").answer(call("GET", path))
    assert (answer.status, reply(answer)["code"], answer.taken) == (200, code, [])


def test_pairs_checks_its_key_when_told_to() -> None:
    provider = fake("pairs")
    provider.set(provider.options(key="k"))
    assert reply(provider.answer(call("GET", "/send?to=919810012345&text=a")))["code"] == 1
    assert reply(provider.answer(call("GET", "/send?to=919810012345&text=a&key=k")))["status"] == "ok"


def test_text_answers_a_line_per_number() -> None:
    answer = fake("text").answer(call("GET", f"/send?to=919810012345,91981{Magic.INVALID}&text=a"))
    lines = answer.encode().decode().split("\n")
    assert lines[0] == f"success | 919810012345 | {answer.taken[0]['id']}"
    assert lines[1].startswith("error | 105 |")
    assert fake("text").answer(call("GET", "/send?to=1")).encode() == b"error | 102 | missing parameter text"


PHONES_EVERYWHERE = [
    call("GET", "/v1/919810012345/send"),
    call("GET", "/send?numbers=919810012345&text=call%20me"),
    call("POST", "/send", {"Addresses": {"+919810012345": {"Body": "hi 123456"}}}),
    call("POST", "/send", {"messages": [{"mobile": 919810012345}]}),
    call("POST", "/send", b"data=%7B%22n%22%3A%22919810012345%22%7D&apikey=x"),
    call("POST", "/send", b"<sms><to n='919810012345'/></sms>"),
    call("POST", "/send", b"", {"X-To": "+919810012345", "Content-Length": "12345"}),
    call("POST", "/send", {"dst": "919810012345<919810012345"}),
]


@pytest.mark.parametrize("request_", PHONES_EVERYWHERE)
def test_generic_finds_the_recipient_wherever_it_stands(request_: Call) -> None:
    answer = fake("generic").answer(request_)
    assert answer.status == 200
    assert {record["to"].removeprefix("+") for record in answer.taken} == {"919810012345"}


@pytest.mark.parametrize("body", [b"{broken", b"<broken", b"\xff\xfe", b"[" * 10_000, b'{"a":' * 1000, b"=&=&;"])
def test_generic_survives_any_body(body: bytes) -> None:
    assert fake("generic").answer(call("POST", "/x", body)).status == 200


def test_generic_gives_a_token_to_anyone() -> None:
    answer = fake("generic").answer(call("POST", "/token", b"grant_type=client_credentials&client_id=12345678"))
    assert reply(answer)["access_token"]
    assert answer.taken == []


def test_generic_answers_what_it_is_told_to() -> None:
    provider = fake("generic")
    provider.set(provider.options(reply={"ok": True}, reply_status=201))
    answer = provider.answer(call("POST", "/x", b""))
    assert (answer.status, reply(answer)) == (201, {"ok": True})


@pytest.mark.parametrize("name", ["json", "single", "pairs", "text"])
def test_an_unknown_path_or_method_is_said(name: str) -> None:
    assert fake(name).answer(call("POST", "/nowhere")).status == 404
    assert fake(name).answer(call("PATCH", "/send")).status == 405


def test_ids_look_like_random_uuids_and_never_repeat() -> None:
    provider = fake("json")
    ids = [provider.uuid() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(len(text) == 36 and text[14] == "4" for text in ids)
