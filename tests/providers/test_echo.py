"""Providers that quote what they were sent: no word shows a secret, a number or a text, however it is written.

The fakes echo the whole request in every word and code of their replies, whatever they answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from connector.errors import RequestError
from connector.model import Message, Outcome
from connector.tools.simulator.echo import ENCODINGS
from connector.tools.simulator.fake import Magic
from tests.marked import TEXT, readings
from tests.thorough import THOROUGH

from .rows import ROWS
from .shipped import DEMO, NAMES, Exchange, Provider, magic_message, message, provided

CODE = "483920"
BODY = f"{CODE} is your one-time password, {TEXT}"
VARIABLE = "Krishnamurthy"
SECRET = "demo-secret"

EACH = 1 if THOROUGH else 3
TRIED = [
    (name, encoding)
    for shift, name in enumerate(NAMES)
    for encoding in list(ENCODINGS)[shift % EACH :: EACH]  # every encoding comes back from some of the providers
]


def marked(number: int, magic: str | None = None, **fields: object) -> Message:
    fields = {"body": BODY, "template_variables": {"name": VARIABLE, "otp": CODE}, **fields}
    return message(number, **fields) if magic is None else magic_message(number, magic, **fields)


def shown(texts: Iterable[str], numbers: Iterable[str]) -> list[str]:
    """What these texts show that they must not."""
    marks = [SECRET, CODE, TEXT, VARIABLE.lower(), "one-time password"]
    found = []
    for text in dict.fromkeys(texts):
        for reading in readings(text):
            lower = reading.lower()
            digits = re.sub(r"(?<=\d)[^0-9A-Za-z\d]{1,3}(?=\d)", "", lower)
            digits = "".join(str(int(it)) if it.isdecimal() else it for it in digits)
            found += [f"{mark} in {text[:200]}" for mark in marks if mark in lower or mark in digits]
            found += [f"a number in {text[:200]}" for number in numbers if number.lstrip("+")[-8:] in digits]
    return found


def words(outcomes: Iterable[Outcome]) -> list[str]:
    return [it for each in outcomes for it in (each.code, each.reason) if it is not None]


def ids(outcomes: Iterable[Outcome]) -> list[str]:
    return [it for each in outcomes for it in (each.provider_message_id, each.provider_batch_id) if it is not None]


async def exchanges(provider: Provider, name: str) -> list[Exchange]:
    """One request for every outcome the provider's fake knows, and one that is accepted."""
    found = []
    for number, magic in enumerate([None, *Magic]):
        try:
            found.append(await provider.exchange(marked(number, magic)))
        except RequestError:
            continue
    if ROWS[name].batched:
        batch = [marked(40 + n) for n in range(2)] + [marked(50 + n, magic) for n, magic in enumerate(Magic)]
        found.append(await provider.exchange(*batch))
    return found


@pytest.mark.parametrize(("name", "encoding"), TRIED)
async def test_no_word_of_a_reply_shows_what_the_request_held(name: str, encoding: str) -> None:
    async with provided(name) as provider:
        provider.set(echo=encoding)
        found = await exchanges(provider, name)
        provider.set(echo=encoding, error=502)
        found.append(await provider.exchange(marked(1)))
    numbers = [each.to for exchange in found for each in exchange.messages]
    outcomes = [outcome for exchange in found for outcome in exchange.outcomes]
    assert shown(words(outcomes), numbers) == []
    assert [it for it in ids(outcomes) if SECRET in it] == []


async def test_the_fakes_do_echo() -> None:
    """Or the test above proves nothing. Where an echo leaves no rule of a definition to fit, no word of it is used."""
    hidden = []
    for name in NAMES:
        async with provided(name) as provider:
            provider.set(echo="plain")
            found = await exchanges(provider, name)
        echoed = [each for exchange in found for each in readings(exchange.reply.body.decode())]  # Jasmin's are in hex
        assert ROWS[name].template or any(TEXT in each for each in echoed), name
        said = words(outcome for exchange in found for outcome in exchange.outcomes)
        if any("***" in each for each in said):
            hidden.append(name)
    assert len(hidden) >= 10, hidden


def test_the_secret_is_the_one_every_fake_asks_for() -> None:
    assert SECRET in DEMO.values()
