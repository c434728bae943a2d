"""Files of numbers are looked at whole, and gone on with; the list is read backwards, and holds numbers alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from connector.cli import suppression_entries
from connector.cli.suppression_file import TOLD_LINES, FileKeys, look
from connector.errors import ConfigurationError
from connector.kafka.reader import Bounds
from connector.settings import Settings

TP = TopicPartition("sms.suppressions", 0)
FILE = [
    "# old system",
    "+919812345678",
    "",
    "00919812345679,ACME",
    "919812345678",
    "+91 98123 45679 , acme",
    "15550100",
]


def test_lines_that_say_what_another_says_are_counted() -> None:
    looked = look(FILE, None)
    assert (looked.numbers, looked.repeated) == (5, 2)


def test_all_wrong_lines_are_told_at_once_without_their_numbers() -> None:
    with pytest.raises(ConfigurationError) as wrong:
        look([*FILE, "12", "ACME", *["x"] * TOLD_LINES], None)
    told = [f"{it.path} {it.message}" for it in wrong.value.problems]
    assert len(told) == TOLD_LINES + 1
    assert told[0].startswith("line 8: ")
    assert told[-1].strip() == "2 further lines are wrong"


def test_an_import_that_was_stopped_knows_with_which_line_to_go_on() -> None:
    keys = FileKeys(FILE, "SHOP", 1)
    produced = iter(keys)
    assert [next(produced) for _ in range(3)] == [b"919812345678|shop", b"919812345679|acme", b"919812345678|shop"]
    keys.acknowledged(2)
    assert keys.done == 4
    assert list(FileKeys(FILE, "SHOP", keys.done + 1)) == [b"919812345678|shop", b"919812345679|acme", b"15550100|shop"]


class Reader:
    """One log."""

    def __init__(self, *said: tuple[str, bytes | None]) -> None:
        self.records = [
            SimpleNamespace(key=key.encode(), value=value, partition=0, offset=offset)
            for offset, (key, value) in enumerate(said)
        ]

    async def partitions(self, _: Any, *, optional: bool) -> list[TopicPartition]:
        return [TP]

    async def bounds(self, _: Any) -> dict[TopicPartition, Bounds]:
        return {TP: Bounds(0, len(self.records))}

    async def scan(self, starts: Any, ends: Any) -> AsyncIterator[Any]:
        for record in self.records[starts[TP] : ends[TP]]:
            yield record


@pytest.mark.parametrize("piece", [1, 2, 3, 100])
async def test_whoever_said_it_last_comes_first_and_the_newest_record_of_a_number_counts(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    lifted = b'{"state":"lifted"}'
    reader = Reader(
        ("15550100", b'{"by":"old"}'),
        ("15550101", b"{}"),
        ("15550102", b"{}"),
        ("ACME", b"{}"),
        ("15550101", lifted),
        ("+15550100", b'{"by":"new"}'),
        ("15550102|acme", b"{}"),
        ("15550103", None),
        ("15550104", b"{"),
    )

    @asynccontextmanager
    async def opened(*_: Any) -> AsyncIterator[Reader]:
        yield reader

    monkeypatch.setattr(suppression_entries, "open_reader", opened)
    monkeypatch.setattr(suppression_entries, "PIECE_OFFSETS", piece)
    found = [(phone.number, phone.sender, said.by) async for phone, said in suppression_entries.entries(Settings())]
    assert found == [
        (15550104, None, None),
        (15550102, "acme", None),
        (15550100, None, "new"),
        (15550102, None, None),
    ]
    one = [phone.sender async for phone, _ in suppression_entries.entries(Settings(), 15550102)]
    assert one == ["acme", None]
