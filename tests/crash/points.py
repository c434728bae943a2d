"""Points at which a worker can be made to die, each between two steps the guarantees tell apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.crash.seams import Reached, around, replace


def before_send(reached: Reached) -> None:
    """A request is rendered and about to leave."""
    from connector.delivery.http.client import HttpTransport

    around(HttpTransport, "send", before=lambda *_: reached())


def after_send(reached: Reached) -> None:
    """The provider has answered; nothing of it is written."""
    from connector.delivery.http.client import HttpTransport

    around(HttpTransport, "send", after=lambda *_: reached())


def before_result(reached: Reached) -> None:
    """Results are about to be handed to the producer."""
    from connector.stream.output.writer import ResultWriter

    around(ResultWriter, "_write", before=lambda *_: reached())


def after_result(reached: Reached) -> None:
    """Results are acknowledged; the ledger does not know yet."""
    from connector.stream.output.writer import ResultWriter

    around(ResultWriter, "_write", after=lambda *_: reached())


def before_commit(reached: Reached) -> None:
    """Offsets are about to be committed."""
    from connector.stream.faust.group import Group

    around(Group, "commit", before=lambda *_: reached())


def after_commit(reached: Reached) -> None:
    """Offsets are committed; the worker does not know yet."""
    from connector.stream.faust.group import Group

    around(Group, "commit", after=lambda *_: reached())


def before_move(reached: Reached) -> None:
    """Messages that have to wait are about to be written to a retry topic."""
    from connector.stream.output.writer import ResultWriter

    around(ResultWriter, "_write_moved", before=lambda *_: reached())


def after_move(reached: Reached) -> None:
    """Retry records are acknowledged; the events they come from are not committed."""
    from connector.stream.output.writer import ResultWriter

    around(ResultWriter, "_write_moved", after=lambda *_: reached())


def before_retry_commit(reached: Reached) -> None:
    """Offsets of retry topics are about to be committed."""
    from connector.stream.retry.retry_reader import RetryReader

    around(RetryReader, "commit", before=lambda *_: reached())


def in_revoke(reached: Reached) -> None:
    """Partitions are being taken away; requests are in flight."""
    from connector.stream.worker import Worker

    def closing(worker: Worker, why: str, _seconds: float) -> None:
        if why == "revoked" and worker._parts.owned.partitions:  # Faust reports an empty revocation at the start
            reached()

    around(Worker, "close", before=closing)


def in_revoke_drained(reached: Reached) -> None:
    """Partitions are being taken away; what was in flight is written, nothing of it is committed."""
    from connector.stream.output.writer import ResultWriter
    from connector.stream.worker import Worker

    reasons: list[str] = []
    around(Worker, "close", before=lambda _self, why, _seconds: reasons.append(why))
    around(ResultWriter, "flush", after=lambda *_: reached() if reasons[-1:] == ["revoked"] else None)


def in_tail_read(reached: Reached) -> None:
    """A new owner reads back which events are settled; N counts records."""
    from connector.stream.partitions.cluster import Cluster

    read_tail = Cluster.read_tail

    async def counted(self: Cluster, starts: Any, ends: Any, seen: Callable[..., None], **options: Any) -> int:
        def each(*record: Any) -> None:
            reached()
            seen(*record)

        return await read_tail(self, starts, ends, each, **options)

    replace(Cluster, "read_tail", counted)


def after_open(reached: Reached) -> None:
    """Partitions are open; no event of the epoch was admitted yet."""
    from connector.stream.worker import Worker

    around(Worker, "open", after=lambda *_: reached())


def after_journal(reached: Reached) -> None:
    """A batch is in the journal and has not left (`on_uncertain: report`)."""
    from connector.stream.output.journal import Journal

    around(Journal, "sending", after=lambda *_: reached())


def before_state(reached: Reached) -> None:
    """States are about to be handed to the producer (`receipts run`)."""
    from connector.stream.receipts.join_stage import JoinStage

    around(JoinStage, "_send", before=lambda *_: reached())


def after_state(reached: Reached) -> None:
    """States are acknowledged; neither the disk nor the ledger know yet."""
    from connector.stream.receipts.join_stage import JoinStage

    around(JoinStage, "_send", after=lambda *_: reached())


def before_listing(reached: Reached) -> None:
    """Opt-outs were heard, and are about to be handed to the producer (`receipts run`)."""
    from connector.stream.receipts.opt_out_stage import OptOutStage

    around(OptOutStage, "_send", before=lambda *_: reached())


def after_listing(reached: Reached) -> None:
    """Opt-outs are on the list; the ledger does not know yet."""
    from connector.stream.receipts.opt_out_stage import OptOutStage

    around(OptOutStage, "_send", after=lambda *_: reached())


def after_disk(reached: Reached) -> None:
    """States are on the disk as well; their offset is not committed."""
    from connector.stream.receipts.join_stage import JoinStage

    note = JoinStage._note

    def noted(self: JoinStage, partition: Any, joined: Any, states: Any) -> None:
        note(self, partition, joined, states)
        reached()

    replace(JoinStage, "_note", noted)


def after_asking(reached: Reached) -> None:
    """It is recorded who wants something done; it is not done (`console`)."""
    from connector.operating.kafka_writer import KafkaWriter

    def written(_writer: KafkaWriter, _topic: str, _key: bytes, value: bytes | None, *_: Any) -> None:
        if b'"state":"asked"' in (value or b""):
            reached()

    around(KafkaWriter, "write", after=written)


def after_steering(reached: Reached) -> None:
    """A provider is paused or resumed; that it was done is not recorded (`console`)."""
    from connector.operating.kafka_writer import KafkaWriter

    def written(_writer: KafkaWriter, _topic: str, key: bytes, *_: Any) -> None:
        if key.startswith(b"provider:"):
            reached()

    around(KafkaWriter, "write", after=written)


def before_index(reached: Reached) -> None:
    """Results are about to be written to the index; nothing of them is committed."""
    from connector.stream.receipts.indexer import Indexer

    around(Indexer, "_index_all", before=lambda *_: reached())


def after_index(reached: Reached) -> None:
    """Results are in the index; their offsets are not committed."""
    from connector.stream.receipts.indexer import Indexer

    around(Indexer, "_index_all", after=lambda *_: reached())


def before_lookup(reached: Reached) -> None:
    """Receipts were looked up; what became of them is about to be written."""
    from connector.stream.receipts.index_join import IndexJoin

    around(IndexJoin, "_write", before=lambda _self, turns: reached() if _writes(turns) else None)


def after_lookup(reached: Reached) -> None:
    """What became of receipts that were looked up is acknowledged; the disk does not know yet."""
    from connector.stream.receipts.index_join import IndexJoin

    around(IndexJoin, "_write", after=lambda _self, turns: reached() if _writes(turns) else None)


def _writes(turns: Any) -> bool:
    return any(changes.writes for changes in turns.values())


def after_unmatched(reached: Reached) -> None:
    """Receipts that nothing is known of are kept as unmatched; the disk does not know yet."""
    from connector.stream.receipts.index_join import IndexJoin

    def unmatched(_self: IndexJoin, turns: Any) -> None:
        if any(changes.unmatched for changes in turns.values()):
            reached()

    around(IndexJoin, "_write", after=unmatched)


def after_lookup_disk(reached: Reached) -> None:
    """What became of receipts that were looked up, and which ones wait, is on disk; nothing of it is committed."""
    from connector.stream.receipts.index_join import IndexJoin

    note = IndexJoin._note

    def noted(self: IndexJoin, number: Any, changes: Any) -> None:
        note(self, number, changes)
        if changes.changed:
            reached()

    replace(IndexJoin, "_note", noted)


def before_lookup_commit(reached: Reached) -> None:
    """Receipts that were looked up, and the first that waits, are about to be committed."""
    from connector.stream.receipts.index_join import IndexJoin

    around(IndexJoin, "_commit", before=lambda self: reached() if self._opened else None)


def in_index_read(reached: Reached) -> None:
    """The index is read into a store; N counts records."""
    from connector.stream.receipts.lookup import Lookup

    index = Lookup.index

    def counted(self: Lookup, records: Any, changes: Any) -> int:
        for _ in records:
            reached()
        return index(self, records, changes)

    replace(Lookup, "index", counted)


POINTS: dict[str, Callable[[Reached], None]] = {
    "before-send": before_send,
    "after-send": after_send,
    "before-result": before_result,
    "after-result": after_result,
    "before-commit": before_commit,
    "after-commit": after_commit,
    "before-move": before_move,
    "after-move": after_move,
    "before-retry-commit": before_retry_commit,
    "in-revoke": in_revoke,
    "in-revoke-drained": in_revoke_drained,
    "in-tail-read": in_tail_read,
    "after-open": after_open,
    "after-journal": after_journal,
    "before-state": before_state,
    "after-state": after_state,
    "after-disk": after_disk,
    "before-listing": before_listing,
    "after-listing": after_listing,
    "after-asking": after_asking,
    "after-steering": after_steering,
    "before-index": before_index,
    "after-index": after_index,
    "before-lookup": before_lookup,
    "after-lookup": after_lookup,
    "after-unmatched": after_unmatched,
    "after-lookup-disk": after_lookup_disk,
    "before-lookup-commit": before_lookup_commit,
    "in-index-read": in_index_read,
}
"""Name → puts a fuse there."""
