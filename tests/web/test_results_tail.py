"""Results as they come: filtered and sampled at the server, masked, and counted honestly."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from connector.settings import Settings
from connector.web.results_tail import LOOKED_A_SECOND, POLLS_A_SECOND, ROWS_A_SECOND, ResultsTail, Watcher

MOST = LOOKED_A_SECOND // POLLS_A_SECOND


def result(number: int = 0, **fields: Any) -> Any:
    document = {
        "status": "accepted",
        "source": {"topic": "sms.messages", "partition": 3, "offset": number},
        "completed_at": "2026-11-27T14:08:00Z",
        "message_id": f"m{number}",
        "provider": "acme",
        "to": "+919812345678",
        **fields,
    }
    return SimpleNamespace(value=orjson.dumps(document))


def tail(watcher: Watcher) -> ResultsTail:
    made = ResultsTail(Settings())
    made._watchers.add(watcher)
    return made


async def test_a_row_shows_whose_result_it_is_and_no_number() -> None:
    watcher = Watcher([], None, None)
    tail(watcher).note([result(7, reason="no route to +919812345678\u202e", code="<b>4306</b>")])
    (row,) = await watcher.rows(1)
    assert (row.place.topic, row.place.partition, row.place.offset) == ("sms.messages", 3, 7)
    assert (row.to, row.reason, row.code) == ("+**********78", "no route to +**********78\\u202e", "<b>4306</b>")


@pytest.mark.parametrize(
    ("watcher", "passed"),
    [
        (Watcher([], None, None), 3),
        (Watcher(["rejected"], None, None), 1),
        (Watcher(["accepted"], "acme", None), 1),
        (Watcher([], None, "diwali"), 1),
        (Watcher(["rejected"], "acme", "diwali"), 0),
    ],
)
async def test_only_what_passes_the_filter_is_shown(watcher: Watcher, passed: int) -> None:
    found = [result(1), result(2, status="rejected", provider="other"), result(3, provider="x", campaign_id="diwali")]
    tail(watcher).note(found)
    count = watcher.count(away=False, begun=True)
    assert (count.came, count.passed, count.shown, count.estimated) == (3, passed, passed, False)


async def test_of_a_burst_rows_are_taken_evenly_and_the_count_says_how_many_passed() -> None:
    watcher = Watcher([], None, None)
    tail(watcher).note([result(number) for number in range(MOST)])
    rows = await watcher.rows(1)
    assert len(rows) <= ROWS_A_SECOND // POLLS_A_SECOND
    assert rows[-1].place.offset > MOST / 2
    count = watcher.count(away=False, begun=True)
    assert (count.came, count.passed, count.shown) == (MOST, MOST, len(rows))


async def test_of_more_than_can_be_looked_at_the_counts_are_estimates() -> None:
    watcher = Watcher(["rejected"], None, None)
    found = [result(number, status="rejected" if number % 2 else "accepted") for number in range(9 * MOST)]
    tail(watcher).note(found)
    count = watcher.count(away=False, begun=True)
    assert count.estimated
    assert count.came == 9 * MOST
    assert count.passed == pytest.approx(4.5 * MOST, rel=0.05)


@pytest.mark.parametrize("value", [None, b"", b"{", b'{"status": 1}', b"[" * 1000, b'{"status":"accepted"}'])
async def test_what_is_no_result_is_counted_and_not_shown(value: bytes | None) -> None:
    watcher = Watcher([], None, None)
    tail(watcher).note([SimpleNamespace(value=value)])
    count = watcher.count(away=False, begun=True)
    assert (count.came, count.shown) == (1, 0)


async def test_who_does_not_read_gets_no_more_than_memory_holds() -> None:
    watcher = Watcher([], None, None)
    made = tail(watcher)
    for _ in range(1000):
        made.note([result(number) for number in range(10)])
    assert len(await watcher.rows(1)) == 200
