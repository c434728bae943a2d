"""Sample events, and a user's."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from connector.cli.demo.sample_events import CAMPAIGNS, generate, read
from connector.errors import UsageError
from connector.model import Message
from connector.tools.simulator.fake import Magic, magic


def test_sample_events_are_messages_with_ids_and_numbers_of_their_own() -> None:
    made = list(generate(5000))
    messages = [msgspec.json.decode(event.value, type=Message) for event in made]
    assert len({message.message_id for message in messages}) == 5000
    assert len({message.to for message in messages}) == 5000
    assert {message.campaign_id for message in messages} == {campaign.id for campaign in CAMPAIGNS}
    assert [(message.message_id, message.to) for message in messages] == [(m.message_id, m.to) for m in made]


def test_one_of_a_thousand_goes_to_a_number_that_is_refused() -> None:
    kinds = [magic(event.to) for event in generate(5000)]
    assert kinds.count(Magic.INVALID) == 5
    assert set(kinds) == {None, Magic.INVALID}


def test_the_same_events_come_every_time() -> None:
    assert list(generate(100)) == list(generate(100))


def test_a_users_lines_are_taken_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"message_id": "a", "to": "+919812345678"}\n\nnot json\n[1]\n{"message_id": 7}\n')
    made = read(file)
    assert [(event.message_id, event.to) for event in made] == [
        ("a", "+919812345678"),
        (None, None),
        (None, None),
        (None, None),
    ]
    assert made[1].value == b"not json"
    assert len(read(file, 2)) == 2


def test_no_file_and_no_events_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(UsageError, match="no events"):
        read(tmp_path / "empty.jsonl")
