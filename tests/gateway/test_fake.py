"""The simulator's fake of Kannel against the real one: asked the same, they answer the same and cut the same."""

from __future__ import annotations

from functools import partial
from urllib.parse import urlencode

import pytest

from connector.tools.simulator.call import Call
from connector.tools.simulator.providers.kannel import Kannel as Fake
from connector.tools.simulator.providers.kannel import KannelOptions
from tests import marked
from tests.gateway.kannel import APART, NOWHERE, OCTETS, PLAIN, Kannel, ask
from tests.gateway.smsc import Smsc, decode
from tests.waiting import wait_until

GOOD = {"username": PLAIN, "password": marked.PASSWORD, "from": "ACME", "to": "+919812345678", "text": "Hello"}

# What is changed in a good request; None takes the field away.
REQUESTS: dict[str, dict[str, str | None]] = {
    "good": {},
    "a number without plus": {"to": "919812345678"},
    "another password": {"password": "hunter2-but-another"},
    "no password": {"password": None},
    "another user": {"username": "nobody"},
    "no number": {"to": None},
    "an empty number": {"to": ""},
    "a number of letters": {"to": "+9198x"},
    "two numbers": {"to": "+919812345678 +919812345679"},
    "two numbers, one of letters": {"to": "+919812345678 +9198x"},
    "two numbers of letters": {"to": "9198x +9198y"},
    "no sender": {"from": None},
    "an empty sender": {"from": ""},
    "no text": {"text": None},
    "coding 0": {"coding": "0"},
    "coding 2": {"coding": "2"},
    "a coding that is none": {"coding": "3"},
    "a coding of letters": {"coding": "unicode"},
    "a dlr-url that is none": {"dlr-url": "ftp://example.com/dlr"},
    "a short dlr-url": {"dlr-url": "http://"},
    "a dlr-url": {"dlr-url": "http://example.com/dlr"},
    "no sender and a wrong coding": {"from": None, "coding": "9"},
    "nothing at all": dict.fromkeys(GOOD),
}


def faked(fake: Fake, method: str, fields: dict[str, str], path: str = "/cgi-bin/sendsms") -> tuple[int, str]:
    """What the fake answers to the same request."""
    if method == "GET":
        call = Call("GET", path, urlencode(fields), {}, b"")
    else:
        headers = {f"X-Kannel-{name}": value for name, value in fields.items() if name != "text"}
        text = fields.get("text", "").encode()
        call = Call("POST", path, "", {**headers, "Content-Type": "text/plain; charset=utf-8"}, text)
    answer = fake.answer(call)
    return answer.status, answer.encode().decode()


def fake(**options: object) -> Fake:
    made = Fake()
    made.set(KannelOptions(account=PLAIN, secret=marked.PASSWORD, **options))  # type: ignore[arg-type]
    return made


def test_they_answer_alike(gateway: tuple[Kannel, Smsc]) -> None:
    kannel, _ = gateway
    for method in ("GET", "POST"):
        for name, changed in REQUESTS.items():
            fields = {key: value for key, value in {**GOOD, **changed}.items() if value is not None}
            assert faked(fake(), method, fields) == kannel.ask(method, **fields), (method, name)
    for method in ("GET", "POST"):
        assert faked(fake(), method, GOOD, "/elsewhere") == ask(f"{kannel.url}/elsewhere", method, GOOD)


def test_they_answer_alike_where_there_is_no_way_to_the_number(gateway: tuple[Kannel, Smsc]) -> None:
    """By magic numbers of the fake: the real one has a user whose messages no SMSC takes."""
    kannel, _ = gateway
    assert faked(fake(), "POST", {**GOOD, "to": "919812000005"}) == kannel.ask("POST", **{**GOOD, "username": NOWHERE})


def test_they_answer_alike_without_a_network_and_with_a_full_queue(make_gateway) -> None:
    kannel, network = make_gateway(queue=2)
    network.go()
    wait_until(lambda: not kannel.connected(), "the gateway to notice")
    made = fake(away=True, queue=2)
    answers = [(faked(made, "POST", GOOD), kannel.ask("POST", **GOOD)) for _ in range(4)]
    assert [ours for ours, _ in answers] == [theirs for _, theirs in answers]
    assert {status for (status, _), _ in answers} == {202, 503}


CUT = {
    **{f"{count} letters": "a" * count for count in (160, 161, 200, 306, 320, 321, 459, 460, 500)},
    **{f"{count} of two septets": "€" * count for count in (80, 81, 152, 153, 229, 240)},
    **{f"{count} Devanagari": "न" * count for count in (70, 71, 134, 140, 141, 201, 202)},
    "an extension at a cut": "a" * 159 + "€" * 80 + "b" * 300,
    "an extension at a cut of joined parts": "a" * 152 + "€" + "b" * 152 + "€" * 100,
    "what GSM lacks, called GSM": "ab漢字",
}


@pytest.mark.parametrize("user", [PLAIN, APART, OCTETS])
def test_they_cut_long_texts_alike_and_say_nothing_of_it(gateway: tuple[Kannel, Smsc], user: str) -> None:
    """By default to one SMS."""
    kannel, network = gateway
    options = {PLAIN: {}, APART: {"max_messages": 2}, OCTETS: {"max_messages": 3, "concatenation": True}}[user]
    made = fake(**options)
    for name, text in CUT.items():
        network.submitted.clear()
        coding = "2" if "न" in text else "0"
        fields = {**GOOD, "text": text, "coding": coding}
        assert kannel.ask("POST", **{**fields, "username": user}) == (202, "0: Accepted for delivery")
        headers = {f"X-Kannel-{key}": value for key, value in fields.items() if key != "text"}
        answer = made.answer(
            Call("POST", "/cgi-bin/sendsms", "", {**headers, "Content-Type": "text/plain"}, text.encode())
        )
        assert (answer.status, answer.encode()) == (202, b"0: Accepted for delivery")
        (left,) = [record["text"] for record in answer.taken]
        wait_until(partial(came, network, len(left)), f"all of it to leave the gateway: {name}")
        assert came(network, len(left)) == left, name


def came(network: Smsc, length: int) -> str:
    """What has left the gateway, once it is so long."""
    parts = list(network.submitted)
    text = "".join(decode(part.coding, part.octets) for part in sorted(parts, key=lambda part: part.number))
    return text if len(text) >= length else ""
