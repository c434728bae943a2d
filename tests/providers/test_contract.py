"""One table of situations, run for every provider of the catalogue against its fake on a real socket.

What goes over the socket is rendered, sent and read by what workers run. `rows.py` says where providers differ.
"""

from __future__ import annotations

from typing import Any

import pytest

from connector.delivery.limits.circuit_breaker import BreakerState
from connector.errors import MessageError, Phase, RequestError
from connector.model import Batch, Reply
from connector.response.reply_reader import compile_response
from connector.tools.simulator.fake import Magic

from .rows import ROWS
from .shipped import NAMES, Provider, magic_message, message, provided, shipped

GOOD = 3  # good messages of a batch

every_provider = pytest.mark.parametrize("name", NAMES)
batching_providers = pytest.mark.parametrize("name", [name for name in NAMES if ROWS[name].batched])


def cases(kind: str) -> list[Any]:
    """(provider, magic, word) of one kind of the rows."""
    return [
        pytest.param(name, magic, word, id=f"{name}-{magic.name}")
        for name, row in ROWS.items()
        for magic, word in getattr(row, kind).items()
    ]


def test_every_provider_has_a_row() -> None:
    assert sorted(ROWS) == NAMES


def log_ids(provider: Provider) -> dict[str, str]:
    """The last ten digits of each number → the id the fake gave the message."""
    return {record["to"][-10:]: str(record["id"]) for record in provider.taken()}


# ---- accepted -------------------------------------------------------------------------------------------------------


@every_provider
async def test_accept_one(name: str) -> None:
    """One message is taken, as it was given, and its id is the one the provider gave it."""
    async with provided(name) as provider:
        exchange = await provider.exchange(message(1))
        (taken,) = provider.taken()
    assert exchange.words == ["accept"]
    assert taken["to"].endswith("9800000019")
    (outcome,) = exchange.outcomes
    given = (outcome.provider_message_id, outcome.provider_batch_id)
    assert taken["id"] in given if ROWS[name].named else given == (None, None)
    assert outcome.reason is None


@batching_providers
async def test_accept_many(name: str) -> None:
    """Messages of a batch are in one request, all taken, each with its own id where the provider gives one."""
    row = ROWS[name]
    async with provided(name) as provider:
        messages = [message(n, body="Hello" if row.one_text else f"Hello {n}") for n in range(20)]
        exchange = await provider.exchange(*messages)
        requests, ids = provider.log(), log_ids(provider)
    assert exchange.words == ["accept"] * 20
    assert len(requests) == 1
    assert len(ids) == 20
    for each, outcome in zip(exchange.messages, exchange.outcomes, strict=True):
        given = ids[each.to[-10:]]
        assert given == outcome.provider_message_id if row.ids else given != outcome.provider_message_id


@every_provider
async def test_a_full_batch_is_taken(name: str) -> None:
    """The largest batch the definition allows is not too large for the provider."""
    async with provided(name) as provider:
        operation = provider.definition.operations[0]
        records = operation.batching.max_records if operation.batching else 1
        exchange = await provider.exchange(*(message(n) for n in range(records)))
        assert len(provider.taken()) == records == len(exchange.words)
    assert set(exchange.words) == {"accept"}


TEXTS = [
    "नमस्ते, आपका ऑर्डर भेज दिया गया है",
    "Hi 👩‍👩‍👧‍👦 🇮🇳 €",
    "100% off & more? a=b;c + d/e\\f \"g\" 'h' <i> [j] #k\nl $$To ${HOME} $${'x'}",
    "Zoë ¿qué? £5 {ok} [a] ~",
]


@every_provider
async def test_unicode_and_marks_arrive_as_they_were_written(name: str) -> None:
    """Escaping, percent-encoding (Textlocal's second one too) and character sets lose and change nothing."""
    async with provided(name) as provider:
        for text in TEXTS:
            variables = {"name": text}
            messages = [message(n, body=text, template_variables=variables) for n in range(2)]
            exchange = await provider.exchange(*messages)
            assert set(exchange.words) == {"accept"}
            arrived = [record["text"] for record in provider.log()[-1]["taken"]]
            sent = exchange.messages[0].template_variables if ROWS[name].template else text
            assert arrived == [sent] * len(exchange.messages)


@every_provider
async def test_a_missing_template(name: str) -> None:
    """The template's id is left out where there is none; where nothing can be sent without, the message is invalid."""
    bare = message(1, template_id=None, template_variables=None)
    async with provided(name) as provider:
        if ROWS[name].template:
            with pytest.raises(MessageError, match="TemplateID"):
                await provider.exchange(bare)
            assert provider.log() == []
            return
        exchange = await provider.exchange(bare)
        assert exchange.words == ["accept"]
    assert b"1107160000000012345" not in (exchange.request.body or exchange.request.url.encode())
    assert b"null" not in (exchange.request.body or b"")


# ---- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "magic", "word"), cases("one"))
async def test_a_message_alone_gets_the_outcome_its_number_asks_for(name: str, magic: Magic, word: str) -> None:
    """Bad number, blocked, throttled, no credit, wrong hour, …: as this provider says it."""
    async with provided(name) as provider:
        exchange = await provider.exchange(magic_message(1, magic))
    assert exchange.words == [word]
    if word not in ("accept", "unknown"):
        assert exchange.outcomes[0].reason or exchange.outcomes[0].code


@pytest.mark.parametrize(("name", "magic", "word"), cases("each"))
async def test_partial_failure(name: str, magic: Magic, word: str) -> None:
    """One message of a batch has its own outcome; the others are accepted, and only those are called so."""
    async with provided(name) as provider:
        messages = [message(1), magic_message(2, magic), *(message(n) for n in range(3, GOOD + 2))]
        exchange = await provider.exchange(*messages)
        taken = log_ids(provider)
    assert exchange.words == ["accept", word, *["accept"] * (GOOD - 1)]
    assert all(each.to[-10:] in taken for each in messages if each is not messages[1])
    if ROWS[name].ids:
        assert exchange.outcomes[0].provider_message_id == taken[messages[0].to[-10:]]


@pytest.mark.parametrize(("name", "magic", "word"), cases("whole"))
async def test_a_request_refused_for_one_message(name: str, magic: Magic, word: str) -> None:
    """Where the provider answers for the whole request, the outcome is that of all its messages."""
    async with provided(name) as provider:
        exchange = await provider.exchange(message(1), magic_message(2, magic), message(3))
        taken = provider.taken()
    assert set(exchange.words) == {word}
    if word in ("split", "pause", "throttle", "retry", "reject", "defer"):
        assert taken == []


@pytest.mark.parametrize("operation", [0, -1])
@every_provider
async def test_bad_credentials(name: str, operation: int) -> None:
    """They pause the lane: nothing is lost, and nothing is hammered with requests that cannot succeed."""
    async with provided(name) as provider:
        provider.set(secret="another")
        way = provider.definition.operations[operation]
        count = way.batching.min_records if way.batching else 1
        messages = [message(n) for n in range(count)]
        if ROWS[name].login:
            with pytest.raises(RequestError, match="token endpoint answered 401") as caught:
                await provider.exchange(*messages, operation=way.name)
            assert caught.value.phase is Phase.AUTH
            assert not caught.value.uncertain
            assert provider.taken() == []
            return
        exchange = await provider.exchange(*messages, operation=way.name)
        assert set(exchange.words) == {"pause"}
        assert provider.taken() == []
    assert exchange.outcomes[0].reason


# ---- faults ---------------------------------------------------------------------------------------------------------


@every_provider
async def test_throttled(name: str) -> None:
    """429, with and without Retry-After: again, not counted, not before its time."""
    async with provided(name) as provider:
        for given, after in ((7, 7.0), (None, None)):
            provider.set(throttle=True, retry_after=given)
            exchange = await provider.exchange(message(1), message(2))
            assert set(exchange.words) == {"throttle"}
            assert exchange.outcomes[0].after == after
        assert provider.taken() == []


@every_provider
async def test_a_gateways_page(name: str) -> None:
    """5xx with HTML does not say whether the provider behind it took the request."""
    async with provided(name) as provider:
        for status in (500, 502, 503, 504):
            for taken in (False, True):
                provider.set(error=status, error_taken=taken)
                exchange = await provider.exchange(message(1), message(2))
                assert set(exchange.words) == {"uncertain"}, status


@every_provider
async def test_a_time_out(name: str) -> None:
    """No answer in time: uncertain, for the request was taken."""
    async with provided(name, total=0.05) as provider:
        provider.set(latency=0.15)
        with pytest.raises(RequestError) as caught:
            await provider.exchange(message(1))
        assert provider.taken()
    assert caught.value.uncertain
    assert caught.value.timed_out
    assert caught.value.phase is Phase.READ


@every_provider
async def test_a_connection_lost_after_sending(name: str) -> None:
    """Nobody can tell whether the provider had taken the request: uncertain both times, and sent no second time."""
    async with provided(name) as provider:
        for number, when in enumerate(("before", "after"), 1):
            provider.set(drop=when)
            with pytest.raises(RequestError) as caught:
                await provider.exchange(message(1))
            assert caught.value.uncertain
            assert len(provider.log()) == number
            assert bool(provider.taken()) is (when == "after")


@every_provider
async def test_a_malformed_reply(name: str) -> None:
    """A body that breaks off says nothing: unknown, never accepted and never sent again."""
    async with provided(name) as provider:
        provider.set(malformed=True)
        exchange = await provider.exchange(message(1), message(2))
        assert provider.taken()
    assert set(exchange.words) == {"unknown"}


@every_provider
async def test_a_wrong_content_type_changes_nothing(name: str) -> None:
    """Providers send JSON as text/html; how a reply is read is declared."""
    async with provided(name) as provider:
        provider.set(content_type="text/html; charset=utf-8", drip=0.05)
        exchange = await provider.exchange(message(1), message(2))
    assert set(exchange.words) == {"accept"}


@batching_providers
async def test_a_reply_out_of_order(name: str) -> None:
    """Every message gets the id and the outcome that are its own."""
    row = ROWS[name]
    refused = next((magic for magic, word in row.each.items() if word == "reject"), None)
    async with provided(name) as provider:
        provider.set(shuffle=True)
        messages = [message(n) for n in range(10)]
        if refused is not None:
            messages[3] = magic_message(3, refused)
        exchange = await provider.exchange(*messages)
        ids = log_ids(provider)
    for index, (each, outcome) in enumerate(zip(exchange.messages, exchange.outcomes, strict=True)):
        if refused is not None and index == 3:
            assert outcome.then == "reject"
        else:
            assert outcome.then == "accept"
            assert not row.ids or outcome.provider_message_id == ids[each.to[-10:]]


@pytest.mark.parametrize("name", [name for name in NAMES if ROWS[name].short])
async def test_a_reply_that_says_less_than_it_should(name: str) -> None:
    """A result that is missing makes exactly the messages in doubt unknown; the list is never shifted."""
    async with provided(name) as provider:
        provider.set(truncate=1, shuffle=True)
        exchange = await provider.exchange(*(message(n) for n in range(6)))
        ids = log_ids(provider)
    unknown = exchange.words.count("unknown")
    assert unknown == (1 if ROWS[name].short == "one" else 6)
    for each, outcome in zip(exchange.messages, exchange.outcomes, strict=True):
        if outcome.then == "accept" and ROWS[name].ids:
            assert outcome.provider_message_id == ids[each.to[-10:]]


NOTHING = [b"", b"{}", b"[]", b"null", b"true", b"[{}]", b"<html>ok</html>", b"OK"]


@every_provider
def test_a_success_status_alone_is_no_acceptance(name: str) -> None:
    """The catalogue never relies on the built-in rule for 2xx: what a reply does not say is unknown."""
    for operation in shipped(name).operations:
        assert operation.response is not None
        reader = compile_response(operation)
        messages = [message(n) for n in range(2 if operation.batching else 1)]
        for status in (200, 201, 202, 204):
            for body in NOTHING:
                reading = reader.read(Reply(status, {}, body), messages, Batch("0" * 32, 0.0), 0.0)
                assert {outcome.then for outcome in reading.outcomes} == {"unknown"}, (status, body)


# ---- a whole lane ---------------------------------------------------------------------------------------------------


@every_provider
async def test_duplicate_recipients_in_one_batch(name: str) -> None:
    """Two messages to one number are never in one request, and each gets its own result."""
    first, second, third = message(1), message(2, to=message(1).to), message(3)
    async with provided(name) as provider:
        delivery = await provider.deliver(first, second, third)
        requests = provider.log()
    assert delivery.statuses == {"m1": "accepted", "m2": "accepted", "m3": "accepted"}
    for request in requests:
        numbers = [record["to"] for record in request["taken"]]
        assert len(numbers) == len(set(numbers))
    ids = [result.provider_message_id or result.provider_batch_id for result in delivery.results.values()]
    assert ids[0] != ids[1] or ids[1] != ids[2] or not ROWS[name].named


@every_provider
async def test_one_bad_number_costs_nobody_else(name: str) -> None:
    """Whatever a provider does to a request with a bad number in it, the others are accepted once."""
    row = ROWS[name]
    messages = [message(n) for n in range(8)]
    messages[5] = magic_message(5, Magic.INVALID)
    async with provided(name) as provider:
        delivery = await provider.deliver(*messages)
        taken = [record["to"][-10:] for record in provider.taken()]
    statuses = delivery.statuses
    untold = {"accept": "accepted", "unknown": "unknown"}
    assert statuses.pop("m5") == untold.get(row.each.get(Magic.INVALID, "reject"), "rejected")
    assert set(statuses.values()) == {"accepted"}
    good = [each.to[-10:] for each in messages if each.message_id != "m5"]
    assert sorted(number for number in taken if number in good) == sorted(good)


@every_provider
async def test_the_lane_goes_on_after_throttling(name: str) -> None:
    """Throttled twice, then taken: accepted, and only the request that was taken counts as an attempt."""
    async with provided(name) as provider:
        provider.set(throttle=True, times=2)
        delivery = await provider.deliver(message(1))
        assert len(provider.taken()) == 1
    assert [(str(result.status), result.attempts) for result in delivery.results.values()] == [("accepted", 1)]


@every_provider
async def test_the_lane_repeats_what_was_lost(name: str) -> None:
    """Connection lost after the request was taken: sent again (`resend`), or suppressed where the provider can."""
    async with provided(name) as provider:
        provider.set(drop="after", times=1)
        delivery = await provider.deliver(message(1))
        taken = provider.taken()
    (result,) = delivery.results.values()
    assert (str(result.status), result.attempts) == ("accepted", 2)
    assert len(taken) == (1 if ROWS[name].repeats else 2)


@every_provider
async def test_the_lane_stops_at_bad_credentials_and_goes_on_with_good_ones(name: str) -> None:
    """The breaker opens and says why; nothing is finished; with the right credentials everything is sent once."""
    messages = [message(1), message(2)]
    async with provided(name) as provider:
        provider.set(secret="another")
        stopped = await provider.deliver(*messages)
        assert stopped.results == {}
        assert stopped.status is not None
        assert stopped.status.breaker is BreakerState.OPEN
        assert ("token endpoint" if ROWS[name].login else "response.rules") in stopped.status.reason
        provider.set()
        delivery = await provider.deliver(*messages)
        assert len(provider.taken()) == 2
    assert delivery.statuses == {"m1": "accepted", "m2": "accepted"}
