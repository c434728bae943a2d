"""`sms-connector` with a fault in it: dies at a chosen point, has its commits refused, or breaks a rule on purpose.

    python -m tests.crash.launch [--die-at POINT:N] [--refuse-commits] [--refuse-reads] [--hold-results N]
                                 [--mutate NAME] [--marks FILE] run --config …

The product has no fail points. They are put into the seams between its parts from here, before it starts: a *point*
ends the process with SIGKILL when it is reached for the N-th time and writes the moment to FILE; a *mutation* breaks
one rule the guarantees rest on, to show that the audit notices.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson

Reached = Callable[[], None]


def mark(file: Path | None, **fields: Any) -> None:
    """Append a line; written at once, because the process may end in the next instruction."""
    if file is not None:
        line = orjson.dumps({**fields, "pid": os.getpid(), "time": time.time()}, option=orjson.OPT_APPEND_NEWLINE)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.write(descriptor, line)
        os.close(descriptor)


class Fuse:
    """Ends the process when it is reached for the `count`-th time."""

    def __init__(self, point: str, count: int, marks: Path | None) -> None:
        self._point = point
        self._left = count
        self._marks = marks

    def __call__(self) -> None:
        self._left -= 1
        if self._left == 0:
            mark(self._marks, point=self._point)
            os.kill(os.getpid(), signal.SIGKILL)


# ---- the seams ------------------------------------------------------------------------------------------------------


def replace(owner: Any, name: str, value: Any) -> None:
    """Put `value` in place of a member that must be there: a seam that has moved is an error, not a fault less."""
    assert hasattr(owner, name), f"{owner.__name__} has no {name} any more: correct tests/crash/launch.py"
    setattr(owner, name, value)


def around(
    owner: type,
    name: str,
    *,
    before: Callable[..., None] = lambda *_, **__: None,
    after: Callable[..., None] = lambda *_, **__: None,
) -> None:
    """Call `before` and `after` around an async method, with its arguments."""
    original: Callable[..., Awaitable[Any]] = getattr(owner, name)

    @functools.wraps(original)
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        before(*args, **kwargs)
        result = await original(*args, **kwargs)
        after(*args, **kwargs)
        return result

    replace(owner, name, wrapped)


def before_send(reached: Reached) -> None:
    """A request is rendered and about to leave."""
    from connector.delivery.http import HttpTransport

    around(HttpTransport, "send", before=lambda *_: reached())


def after_send(reached: Reached) -> None:
    """The provider has answered; nothing of it is written."""
    from connector.delivery.http import HttpTransport

    around(HttpTransport, "send", after=lambda *_: reached())


def before_result(reached: Reached) -> None:
    """Results are about to be handed to the producer."""
    from connector.stream.writer import ResultWriter

    around(ResultWriter, "_write", before=lambda *_: reached())


def after_result(reached: Reached) -> None:
    """Results are acknowledged; the ledger does not know yet."""
    from connector.stream.writer import ResultWriter

    around(ResultWriter, "_write", after=lambda *_: reached())


def before_commit(reached: Reached) -> None:
    """Offsets are about to be committed."""
    from connector.stream.group import Group

    around(Group, "commit", before=lambda *_: reached())


def after_commit(reached: Reached) -> None:
    """Offsets are committed; the worker does not know yet."""
    from connector.stream.group import Group

    around(Group, "commit", after=lambda *_: reached())


def before_move(reached: Reached) -> None:
    """Messages that have to wait are about to be written to a retry topic."""
    from connector.stream.writer import ResultWriter

    around(ResultWriter, "_write_moved", before=lambda *_: reached())


def after_move(reached: Reached) -> None:
    """Retry records are acknowledged; the events they come from are not committed."""
    from connector.stream.writer import ResultWriter

    around(ResultWriter, "_write_moved", after=lambda *_: reached())


def before_retry_commit(reached: Reached) -> None:
    """Offsets of retry topics are about to be committed."""
    from connector.stream.retry_reader import RetryReader

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
    from connector.stream.worker import Worker
    from connector.stream.writer import ResultWriter

    reasons: list[str] = []
    around(Worker, "close", before=lambda _self, why, _seconds: reasons.append(why))
    around(ResultWriter, "flush", after=lambda *_: reached() if reasons[-1:] == ["revoked"] else None)


def in_tail_read(reached: Reached) -> None:
    """A new owner reads back which events are settled; N counts records."""
    from connector.stream.cluster import Cluster

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
    from connector.stream.journal import Journal

    around(Journal, "sending", after=lambda *_: reached())


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
}
"""Name → puts a fuse there."""


def refuse_commits() -> None:
    """The broker refuses every offset the first time it is committed, and takes it when it is repeated."""
    from aiokafka.errors import CommitFailedError

    from connector.stream.group import Group

    commit = Group.commit
    refused: set[frozenset[Any]] = set()

    async def reluctant(self: Group, offsets: Any) -> None:
        place = frozenset((tp, at.offset) for tp, at in offsets.items())
        if place not in refused:
            refused.add(place)
            raise CommitFailedError("refused by the fault suite")
        await commit(self, offsets)

    replace(Group, "commit", reluctant)


def refuse_reads() -> None:
    """Whatever a worker asks the brokers when it opens its partitions is not answered the first time."""
    from aiokafka.errors import NodeNotReadyError

    from connector.stream.cluster import Cluster

    refused: set[str] = set()

    def once(name: str) -> Callable[..., None]:
        def refuse(*_: Any, **__: Any) -> None:
            if name not in refused:
                refused.add(name)
                raise NodeNotReadyError("refused by the fault suite")

        return refuse

    for name in ("committed", "bounds", "read_tail"):
        around(Cluster, name, before=once(name))


def hold_results(batches: int) -> None:
    """After so many batches of results the broker acknowledges none any more; everything else it still answers."""
    from connector.stream.writer import ResultWriter

    enqueue = ResultWriter._enqueue
    left = batches

    async def held(self: ResultWriter, builder: Any, topic: str, partition: int) -> Any:
        nonlocal left
        left -= topic == self._results
        if left < 0 and topic == self._results:
            return asyncio.get_running_loop().create_future()
        return await enqueue(self, builder, topic, partition)

    replace(ResultWriter, "_enqueue", held)


# ---- mutations: rules broken on purpose -----------------------------------------------------------------------------


def commit_early() -> None:
    """Commits what was read instead of what is settled."""
    from connector.stream.ledger import Ledger

    replace(Ledger, "position", property(lambda self: self.high))


def skip_drain() -> None:
    """Gives partitions back without waiting for the requests in flight."""
    from connector.delivery.lane import Lane

    drain = Lane.drain

    async def at_once(self: Lane, _deadline: float) -> Any:
        return await drain(self, 0.0)

    replace(Lane, "drain", at_once)


def ignore_commit_answer() -> None:
    """Takes a refused commit for a good one."""
    from connector.stream.committer import Committer

    send = Committer._send

    async def believed(self: Committer, offsets: Any) -> Any:
        answer = await send(self, offsets)
        for partition, offset in offsets.items():
            partition.committed = offset
        return answer

    replace(Committer, "_send", believed)


def forget_acknowledgement() -> None:
    """Does not hear of the last acknowledged result of every batch."""
    from connector.stream.parts import Parts

    durable = Parts._durable

    def forgetful(self: Parts, partition: Any, items: Any) -> None:
        durable(self, partition, items[:-1])

    replace(Parts, "_durable", forgetful)


def trust_unacknowledged() -> None:
    """Takes results for durable before the broker has acknowledged them."""
    from connector.stream.writer import ResultWriter

    add = ResultWriter.add

    def impatient(self: ResultWriter, items: Any, results: Any) -> None:
        add(self, items, results)
        for item in items:
            self._durable(item.origin, [item])

    replace(ResultWriter, "add", impatient)


def drop_settles() -> None:
    """Writes records without the header that says which event they finish."""
    from connector.stream import writer

    replace(writer, "SETTLES", "forgotten")


def skip_tail() -> None:
    """Does not read back what is settled."""
    from connector.stream.cluster import Cluster

    async def nothing(*_: Any, **__: Any) -> int:
        return 0

    replace(Cluster, "read_tail", nothing)


def trust_the_clock() -> None:
    """Never doubts its membership, however long it stood still."""
    from connector.stream.pulse import Pulse

    replace(Pulse, "certain", property(lambda _self: True))


MUTATIONS: dict[str, Callable[[], None]] = {
    "commit-early": commit_early,
    "skip-drain": skip_drain,
    "ignore-commit-answer": ignore_commit_answer,
    "forget-acknowledgement": forget_acknowledgement,
    "trust-unacknowledged": trust_unacknowledged,
    "drop-settles": drop_settles,
    "skip-tail": skip_tail,
    "trust-the-clock": trust_the_clock,
}
"""Name → breaks that rule."""


def parse_fuse(text: str) -> tuple[str, int]:
    """`after-send:3` as a point and a count; without a count, 1."""
    point, _, count = text.partition(":")
    if point not in POINTS:
        raise argparse.ArgumentTypeError(f"no point {point!r}; there are {', '.join(POINTS)}")
    if count and not (count.isdecimal() and int(count) > 0):
        raise argparse.ArgumentTypeError(f"{count!r} is no count; write {point}:1 or more")
    return point, int(count or 1)


def main(argv: list[str]) -> None:
    """Put the faults in, then run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.launch")
    parser.add_argument("--die-at", type=parse_fuse, action="append", default=[], metavar="POINT:N")
    parser.add_argument("--refuse-commits", action="store_true")
    parser.add_argument("--refuse-reads", action="store_true")
    parser.add_argument("--hold-results", type=int, metavar="N")
    parser.add_argument("--mutate", choices=MUTATIONS, action="append", default=[])
    parser.add_argument("--marks", type=Path)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(argv)
    for name in options.mutate:
        MUTATIONS[name]()
    if options.refuse_commits:
        refuse_commits()
    if options.refuse_reads:
        refuse_reads()
    if options.hold_results is not None:
        hold_results(options.hold_results)
    for point, count in options.die_at:
        POINTS[point](Fuse(point, count, options.marks))
    from connector.cli.main import main as run

    run(options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
