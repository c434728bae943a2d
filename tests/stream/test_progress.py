"""What the watchdog counts as getting something done."""

from __future__ import annotations

from connector.stream.shutdown.deadline import WorkerProgress


def test_what_counts_is_settled_events_and_reading_back_further_than_before() -> None:
    """A worker that is thrown out again and again reads the same back each time, and gets nothing done."""
    state = {"settled": 0, "read": 0}
    progress = WorkerProgress()

    def after(**changes: int) -> bool:
        before = progress.at(settled=state["settled"], read_back=state["read"])
        state.update(changes)
        return progress.at(settled=state["settled"], read_back=state["read"]) != before

    assert after(read=100)
    assert not after(read=0)
    assert not after(read=100)
    assert after(read=101)
    assert after(settled=1, read=0)
    assert after(read=50), "since an event was settled, any opening is the first"
    assert not after(read=40)
