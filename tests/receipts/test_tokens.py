"""What comes back by itself: read as it was made, and by nobody else's hand."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.errors import MessageError
from connector.model import Source
from connector.receipts.callback import BatchToken, MessageToken
from connector.receipts.tokens import (
    BATCH_LENGTH,
    DAY,
    SHORT_LENGTH,
    TOKEN_LENGTH,
    ForeignTokenError,
    Tokens,
    UrlSecrets,
    age_days,
    too_late,
)

NOW = 20_000 * DAY + 1000
KEYS = ["hunter2-first-key-0001", "hunter2-older-key-0002"]
TOPICS = ["sms.messages", "sms.messages.priority"]
TOKENS = Tokens(KEYS, TOPICS)
SOURCE = Source("sms.messages", 11, 123_456_789)
UUID_TEXT = "123e4567-e89b-12d3-a456-426614174000"

sources = st.builds(Source, st.sampled_from(TOPICS), st.integers(0, 4095), st.integers(0, 2**36 - 1))


@given(
    source=sources,
    message_id=st.one_of(st.uuids().map(str), st.text(min_size=1, max_size=128)),
    campaign=st.none() | st.text(max_size=256),
)
def test_a_token_is_read_as_it_was_made(source: Source, message_id: str, campaign: str | None) -> None:
    token = TOKENS.message("acme", source, message_id, campaign, NOW)
    assert TOKENS.read("acme", token) == MessageToken(source, 20_000, message_id, campaign)
    assert len(token) <= TOKEN_LENGTH * 2


@pytest.mark.parametrize("text", [UUID_TEXT.upper(), "{" + UUID_TEXT + "}", UUID(UUID_TEXT).hex, UUID_TEXT + " "])
def test_only_a_canonical_uuid_is_packed(text: str) -> None:
    token = TOKENS.read("acme", TOKENS.message("acme", SOURCE, text, None, NOW))
    assert isinstance(token, MessageToken)
    assert token.message_id == text


def test_a_token_of_a_uuid_and_a_campaign_is_short() -> None:
    assert len(TOKENS.message("acme", SOURCE, UUID_TEXT, "campaign-11", NOW)) <= 66


@given(source=sources)
def test_a_short_token_has_eighteen_characters_and_says_the_source(source: Source) -> None:
    token = TOKENS.short("acme", source, NOW)
    read = TOKENS.read("acme", token)
    assert len(token) == SHORT_LENGTH
    assert isinstance(read, MessageToken)
    assert (read.source, read.message_id, age_days(read, NOW)) == (source, None, 0)


@pytest.mark.parametrize("source", [Source("sms.messages", 4096, 1), Source("sms.messages", 0, 2**36)])
def test_what_has_no_room_in_a_short_token_is_an_invalid_message(source: Source) -> None:
    with pytest.raises(MessageError, match="too large"):
        TOKENS.short("acme", source, NOW)


def test_a_batch_token_says_the_request() -> None:
    token = TOKENS.batch("acme", "ab" * 16, NOW)
    assert len(token) == BATCH_LENGTH
    assert TOKENS.read("acme", token) == BatchToken("ab" * 16, 20_000)


MADE = {
    "long": TOKENS.message("acme", SOURCE, UUID_TEXT, "c1", NOW),
    "text": TOKENS.message("acme", SOURCE, "m-1", None, NOW),
    "short": TOKENS.short("acme", SOURCE, NOW),
    "batch": TOKENS.batch("acme", "ab" * 16, NOW),
}


@pytest.mark.parametrize("kind", MADE)
def test_any_character_that_is_changed_makes_it_foreign(kind: str) -> None:
    token = MADE[kind]
    for position, character in enumerate(token):
        altered = token[:position] + ("A" if character != "A" else "B") + token[position + 1 :]
        with pytest.raises(ForeignTokenError):
            TOKENS.read("acme", altered)
    for other in (token + "A", token[:-1], token + "=", " " + token, "", token * 30):
        with pytest.raises(ForeignTokenError):
            TOKENS.read("acme", other)


@pytest.mark.parametrize("kind", MADE)
def test_a_token_is_of_one_definition_key_and_topic(kind: str) -> None:
    with pytest.raises(ForeignTokenError):
        TOKENS.read("other", MADE[kind])
    with pytest.raises(ForeignTokenError):
        Tokens(["hunter2-somebody-else"], TOPICS).read("acme", MADE[kind])
    if kind != "batch":
        with pytest.raises(ForeignTokenError):
            Tokens(KEYS, ["another.topic"]).read("acme", MADE[kind])
    with pytest.raises(ForeignTokenError):
        Tokens([], TOPICS).read("acme", MADE[kind])


@pytest.mark.parametrize("kind", MADE)
def test_keys_rotate_and_topics_change_their_order(kind: str) -> None:
    expected = TOKENS.read("acme", MADE[kind])
    later = Tokens(["hunter2-newest-key", *KEYS], ["first", *reversed(TOPICS)])
    assert later.read("acme", MADE[kind]) == expected


@given(st.text(max_size=80))
def test_whatever_comes_is_a_token_or_foreign(text: str) -> None:
    with pytest.raises(ForeignTokenError):
        TOKENS.read("acme", text)


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize(("days", "late"), [(0, False), (5, False), (6, True), (29, True), (-1, False)])
def test_a_token_counts_for_as_long_as_receipts_are_kept(kind: str, days: int, late: bool) -> None:
    token = TOKENS.read("acme", MADE[kind])
    assert too_late(token, NOW + days * DAY, 5 * DAY) is late


def test_a_long_token_of_tomorrows_tomorrow_is_no_proof() -> None:
    assert too_late(TOKENS.read("acme", MADE["long"]), NOW - 2 * DAY, 5 * DAY)


def test_a_url_secret_is_of_one_definition_and_keys_rotate() -> None:
    secret = UrlSecrets(KEYS[1:]).of("acme")
    both = UrlSecrets(KEYS)
    assert both.right("acme", secret)
    assert both.right("acme", both.of("acme"))
    assert not both.right("other", secret)
    assert not both.right("acme", secret[:-1])
    assert not both.right("acme", "é")
    assert not UrlSecrets([]).right("acme", secret)
