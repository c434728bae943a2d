"""Texts from an event to the mobile network, through a worker and a real gateway: octet by octet what was written."""

from __future__ import annotations

import random
from urllib.parse import unquote_to_bytes

import pytest

from connector.definition.gsm import segments
from tests.gateway.kannel import OCTETS, SHOWN, Kannel
from tests.gateway.sending import PATIENCE, SENDER, define, event, phone, worker
from tests.gateway.smsc import Smsc, Submitted, encode, is_gsm, together
from tests.integration.pipeline import Pipeline
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

# 3GPP TS 23.038, 6.2.1 and 6.2.1.1: written by hand, and not what the connector has.
GSM = (
    "@£$¥èéùìòÇ\nØøÅå_ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
TEXTS = {
    "ASCII": "Hello Asha, your parcel is on its way.",
    "the GSM alphabet": GSM,
    "the GSM extension": "^{}\\[~]|€",
    "accents that GSM has": "è é ù ì ò Ç Ñ ñ à Å å",
    "accents that GSM lacks": "Zoë, ça va? Ángel, Łukasz, Žižek",
    "Greek capitals": "ΔΦΓΛΩΠΨΣΘΞ",
    "Greek": "Καλημέρα ΑΒΓ",
    "Devanagari": "नमस्ते, आपका ऑर्डर भेज दिया गया है",
    "emoji": "Hi 👩‍👩‍👧‍👦 🇮🇳",
    "surrogate pairs": "😀" * 35,
    "line breaks": "one\ntwo\n\nfour\n",
    "carriage returns": "one\r\ntwo\rthree",
    "quotes": "\"double\" 'single' `grave` “curly” ‹angle›",
    "marks of URLs": "100% off & more? a=b;c + d/e %41 %zz #f @g",
    "marks of ours": "$$To ${HOME} $${'x'} {F0} {{x}} <b>&amp;</b>",
    "blanks around it": "  two before, two after  ",
    "line breaks around it": "\n before and after \n",
    "one blank": " ",
    "160 septets": "a" * 160,
    "161 septets": "b" * 161,
    "306 septets": "c" * 306,
    "459 septets": "d" * 459,
    "an extension at a cut": "e" * 152 + "€" + "f" * 100,
    "80 extensions": "€" * 80,
    "70 units": "न" * 70,
    "71 units": "ब" * 71,
    "201 units": "क" * 201,
    "a pair at a cut": "x" * 66 + "😀" + "ы" * 80,
    "no-break space": "10\u00a0000\u202f₹",
    "zero width": "a\u200bb\u200cc\u200dd\u2060e\ufefff",
    "a mark of byte order first": "\ufeffhello",
    "right to left": "שלום \u202eabc\u202c مرحبا",
    "combining": "e\u0301 n\u0303 क\u094d\u200dष",
    "control characters": "a\x01b\x1bc\x7fd\x85e\u2028f",
    "NUL": "a\x00b",
    "tab and form feed": "a\tb\fc",
    "no characters": "\ufffe\uffff\U0001fffe",
}
RANDOM = 200
TOO_LONG = "g" * 460


def at_random(dice: random.Random) -> str:
    """From all over Unicode, of up to three SMS."""
    planes = (range(32, 127), range(160, 0x250), range(0x370, 0xD800), range(0xE000, 0x10000), range(0x10000, 0x10FFFF))
    while True:
        chosen = dice.sample(planes, dice.randint(1, 3))
        text = "".join(chr(dice.choice(dice.choice(chosen))) for _ in range(dice.randint(1, 160)))
        if segments(text) <= 3:
            return text


def sent(pipeline: Pipeline, gateway: Kannel, user: str, texts: list[str]) -> None:
    """All of them, and one that is too long for this gateway, come to their end."""
    define(pipeline, "kannel", user)
    pipeline.configure()
    pipeline.create_topics()
    pipeline.produce(event(number, "kannel", text) for number, text in enumerate([*texts, TOO_LONG]))
    running = worker(pipeline, gateway)
    pipeline.wait_for_results(len(texts) + 1)
    assert running.stop() == 0, running.output
    results = {result["to"]: result for result in pipeline.read_results()}
    refused = results.pop(phone(len(texts)))
    assert refused["status"] == "invalid"
    assert "takes 4 SMS parts; at most 3 are allowed" in refused["reason"]
    assert {result["status"] for result in results.values()} == {"accepted"}
    assert gateway.requests() == {phone(number): 1 for number in range(len(texts))}


def test_every_text_reaches_the_network_octet_by_octet(pipeline: Pipeline, gateway: tuple[Kannel, Smsc]) -> None:
    """GSM where it has every character, else UTF-16; long ones in parts, as many as the result says."""
    kannel, network = gateway
    dice = random.Random(1)
    texts = [*TEXTS.values(), *(at_random(dice) for _ in range(RANDOM))]
    sent(pipeline, kannel, OCTETS, texts)
    parts: dict[str, list[Submitted]] = {}
    for submitted in network.submitted:
        assert submitted.source == SENDER
        parts.setdefault(f"+{submitted.destination}", []).append(submitted)
    counts = {result["to"]: result.get("segments") for result in pipeline.read_results()}
    named = [*TEXTS, *(f"at random {number}" for number in range(RANDOM))]
    for number, (name, text) in enumerate(zip(named, texts, strict=True)):
        came = sorted(parts[phone(number)], key=lambda part: part.number)
        assert b"".join(part.octets for part in came) == encode(text), name
        assert together(came) == {phone(number)[1:]: [text]}, name
        assert len(came) <= counts[phone(number)], name
    assert sum(map(len, parts.values())) == len(network.submitted)


def test_kannels_own_fake_smsc_shows_every_text(pipeline: Pipeline, gateway: tuple[Kannel, Smsc]) -> None:
    """Another witness, which shows texts as they left Kannel's queue."""
    kannel, _ = gateway
    kannel.connect_fakesmsc()
    texts = [text for text in TEXTS.values() if "\r" not in text and "\0" not in text]  # its lines know neither
    sent(pipeline, kannel, SHOWN, texts)
    wait_until(lambda: len(shown(kannel.shown())) == len(texts), "fakesmsc to show all", within=PATIENCE)
    written = {
        phone(number): text.encode("utf-8" if is_gsm(text) else "utf-16-be") for number, text in enumerate(texts)
    }
    assert shown(kannel.shown()) == written


def shown(lines: list[str]) -> dict[str, bytes]:
    """Number → text: UTF-8, over several lines where the text has them; what is no GSM, and parts, percent-encoded."""
    joined: list[str] = []
    for line in lines:
        if line.startswith(f"{SENDER} +"):
            joined.append(line)
        elif joined:
            joined[-1] += f"\n{line}"
    found: dict[str, bytes] = {}
    for line in joined:
        _, number, kind, text = line.split(" ", 3)
        encoded = text.rpartition(" ")[2].replace("+", " ")  # after the header of a part, and its kind
        found[number] = found.get(number, b"") + (text.encode() if kind == "text" else unquote_to_bytes(encoded))
    return found
