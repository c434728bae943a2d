"""Each rule the guarantees rest on, broken on purpose, with the fault that brings it to light.

A suite that finds nothing proves nothing unless it is known to find something: for every mutation the audit must report
what is named here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.crash.lookup_mutations import OF_LOOKUPS
from tests.crash.seams import replace
from tests.crash.suppression_mutations import OF_THE_LIST

PATIENCE_SECONDS = 45.0
"""A worker that cannot finish any more is not waited for as long as a sound one."""


@dataclass(frozen=True, slots=True)
class Check:
    """A mutation, the scenario that exposes it, and the finding (a field of `Findings`) that must be among those."""

    mutation: str
    scenario: str
    finding: str


CHECKS = (
    Check("commit-early", "sigkill", "lost"),
    Check("trust-unacknowledged", "sigkill-while-results-wait", "lost"),
    Check("drop-settles", "sigkill", "duplicated_results"),
    Check("skip-tail", "sigkill", "duplicated_results"),
    Check("forget-ids", "repeats-killed", "misjudged"),
    Check("send-at-once", "scheduled-killed", "early"),
    Check("count-anew", "capped-killed", "over_cap"),
    Check("skip-drain", "sigterm", "duplicated_sends"),
    Check("ignore-commit-answer", "refused-commits", "uncommitted"),
    Check("forget-acknowledgement", "calm", "uncommitted"),
    Check("forget-debts", "results-refused", "unreported"),
    Check("forget-the-unanswered", "results-unanswered", "unreported"),
    Check("ignore-the-refusal", "access-revoked", "lost"),
    Check("send-broken-again", "replies-broken", "duplicated_sends"),
    Check("go-on-unknowing", "replies-changed", "unknown"),
    Check("read-whatever-it-costs", "replies-costly", "reading"),
    Check("stop-for-a-token", "tokens-wrong", "uncommitted"),
    Check("show-echoes", "echo", "leaked"),
    Check("give-up-in-outages", "outage", "given_up"),
    Check("trust-the-clock", "sigstop", "duplicated_results"),
    Check("do-without-heartbeats", "cut-off", "duplicated_results"),
    Check("begin-at-once", "one-id-unheard", "duplicated_results"),
    Check("keep-the-queue", "cut-off", "duplicated_results"),
    Check("read-uncommitted", "transactions-aborted", "misplaced"),
    Check("forget-markers", "transactions-aborted", "uncommitted"),
    Check("drop-unreadable", "poison-records", "lost"),
    Check("settle-before-writing", "receipts-before-state", "receipts_lost"),
    Check("forget-states", "receipts-killed", "states_twice"),
    Check("forget-the-log", "receipts-disk-lost", "states_twice"),
    Check("ignore-the-rank", "receipts-killed", "states_fallen"),
    Check("join-without-heartbeats", "receipts-cut-off", "states_twice"),
    Check("settle-before-listing", "opt-outs-before-listing", "opt_outs_lost"),
    Check("forget-what-was-said", "opt-outs-killed", "opt_outs_lost"),
    Check("act-unrecorded", "deeds-refused", "unrecorded"),
    Check("ask-once-who-may-be-texted", "suppressions-killed", "texted"),
    Check("start-without-the-list", "suppressions-stopped", "texted"),
    Check("forget-who-was-lifted", "suppressions-stopped", "withheld"),
    Check("believe-any-snapshot", "suppressions-snapshot", "withheld"),
    Check("give-up-on-the-registry", "registry-away", "invalidated"),
    Check("forget-what-waits", "index-disk-lost", "lookups_lost"),
    Check("settle-before-found", "index-before-lookup", "lookups_lost"),
    Check("index-after-committing", "index-before-index", "lookups_lost"),
    Check("take-the-first", "index-killed", "lookups_wrong"),
    Check("give-up-by-the-clock", "index-behind", "lookups_given_up"),
    Check("forget-the-slowest", "index-behind", "lookups_given_up"),
    Check("forget-what-is-unmatched", "index-after-unmatched", "lookups_twice"),
    Check("believe-any-offset", "poison-everywhere", "needless"),
)


def commit_early() -> None:
    """Commits what was read instead of what is settled."""
    from connector.stream.partitions.ledger import Ledger

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
    from connector.stream.partitions.committer import Committer

    send = Committer._send

    async def believed(self: Committer, offsets: Any, **options: Any) -> Any:
        answer = await send(self, offsets, **options)
        for partition, offset in offsets.items():
            partition.committed = offset
        return answer

    replace(Committer, "_send", believed)


def forget_acknowledgement() -> None:
    """Does not hear of the last acknowledged result of every batch."""
    from connector.stream.pipeline import SettledEvents

    durable = SettledEvents.durable

    def forgetful(self: SettledEvents, partition: Any, offsets: Any, bytes_: int) -> None:
        durable(self, partition, offsets[:-1], bytes_)

    replace(SettledEvents, "durable", forgetful)


def trust_unacknowledged() -> None:
    """Takes results for durable before the broker has acknowledged them."""
    from connector.stream.output.writer import ResultWriter

    add = ResultWriter.add

    def impatient(self: ResultWriter, items: Any, results: Any) -> None:
        add(self, items, results)
        for item in items:
            self._durable.durable(item.origin, [item.offset], 0)

    replace(ResultWriter, "add", impatient)


def drop_settles() -> None:
    """Writes records without the header that says which event they finish."""
    from connector.stream.output import uniform_records, writer

    for module in (uniform_records, writer):
        replace(module, "SETTLES", "forgotten")


def show_echoes() -> None:
    """Takes a provider's words as they are."""
    from connector.response.redact import Echo

    replace(Echo, "_hidden", lambda _self, text: text)


def send_broken_again() -> None:
    """Takes a reply that cannot be read for one that never came."""
    from connector.delivery.http import client
    from connector.errors import Phase, RequestError

    read = client._read

    async def strict(reply: Any, limit: int) -> Any:
        found = await read(reply, limit)
        if found.fault is not None:
            raise RequestError(Phase.READ, found.fault, uncertain=True)
        return found

    replace(client, "_read", strict)


def go_on_unknowing() -> None:
    """Goes on sending although no reply is understood."""
    from connector.delivery.limits.flow_control import FlowControl

    replace(FlowControl, "_note_unknown", lambda *_, **__: None)
    replace(FlowControl, "_is_failure", lambda *_: False)


def read_whatever_it_costs() -> None:
    """Has no bound for the work of reading a reply."""
    from connector.response.work import Work

    replace(Work, "spend", lambda *_: None)
    replace(Work, "look", lambda _: None)
    replace(Work, "late", property(lambda _: False))


def stop_for_a_token() -> None:
    """Lets a token endpoint's nonsense out of the provider's lane."""
    from connector.delivery.http.login import LoginAuthenticator
    from connector.errors import RequestError, StreamError

    renew = LoginAuthenticator._renew

    async def escaping(self: LoginAuthenticator) -> None:
        try:
            await renew(self)
        except RequestError as error:
            raise StreamError("no token") from error

    replace(LoginAuthenticator, "_renew", escaping)


def skip_tail() -> None:
    """Does not read back what is settled."""
    from connector.stream.partitions.cluster import Cluster

    async def nothing(*_: Any, **__: Any) -> int:
        return 0

    replace(Cluster, "read_tail", nothing)


def forget_ids() -> None:
    """Does not read back which ids were sent."""
    from connector.stream.intake.dedupe_restore import DedupeRestore

    async def nothing(self: DedupeRestore, opened: Any, **_: Any) -> None:
        self._duplicates.own({(it.topic, it.partition) for it in opened})

    replace(DedupeRestore, "read", nothing)


def send_at_once() -> None:
    """Does not hear of `send_at`."""
    from connector.stream.control.table import ControlTable

    replace(ControlTable, "sends_at", lambda _self, _message: 0.0)


def count_anew() -> None:
    """Does not hear how many events of a campaign an earlier owner has counted."""
    from connector.stream.epoch import opening

    replace(opening, "counts_of", lambda _metadata: {})


def believe_any_offset() -> None:
    """Takes an offset beyond the log for the newest event, and forgets what is far behind it."""
    from connector.stream.partitions.offset_set import OffsetSet

    add = OffsetSet.add

    def believing(self: OffsetSet, offset: int) -> bool:
        if self._end is not None and offset >= self._end:
            self._blocks.clear()
        return add(self, offset)

    replace(OffsetSet, "add", believing)


def trust_the_clock() -> None:
    """Never doubts its membership, however long it has not heard from its group."""
    from connector.stream.membership.lease import Lease

    replace(Lease, "certain", property(lambda _self: True))


def do_without_heartbeats() -> None:
    """Takes it that the group goes on knowing it, from the first join on."""
    from connector.stream.membership.lease import Lease

    replace(Lease, "certain", property(lambda self: self._proven > 0))


def begin_at_once() -> None:
    """Does not wait until an earlier bearer of its instance id must have stopped."""
    from connector.stream.epoch.instance_takeover import InstanceTakeover

    async def nobody(*_: Any, **__: Any) -> None:
        pass

    replace(InstanceTakeover, "wait", nobody)


def keep_the_queue() -> None:
    """Lets what an epoch has queued leave after the epoch has ended without us."""
    from connector.stream.output.replaceable_producer import ReplaceableProducer

    async def kept(_self: ReplaceableProducer) -> None:
        pass

    replace(ReplaceableProducer, "discard", kept)


def read_uncommitted() -> None:
    """Takes what was aborted for events."""
    from connector.kafka.fetched import BatchSteps

    replace(BatchSteps, "_is_left_out", lambda _self, header: header.control)


def forget_markers() -> None:
    """Moves on by events only, not by what holds none."""
    from connector.stream.partitions.ledger import Ledger

    replace(Ledger, "pass_to", lambda _self, _end: None)


def drop_unreadable() -> None:
    """Steps over what cannot be read, and says nothing."""
    from connector.kafka.fetched import BatchSteps
    from connector.kafka.record_batch import Unreadable

    finished = BatchSteps._finished

    def readable(self: BatchSteps, run: Any) -> Any:
        return finished(self, [record for record in run if not isinstance(record, Unreadable)])

    replace(BatchSteps, "_finished", readable)


def give_up_in_outages() -> None:
    """Counts failures over the last half minute only, and gives up who has had all requests whatever has failed."""
    from connector.delivery.limits.circuit_breaker import CircuitBreaker
    from connector.delivery.limits.flow_control import FlowControl, Verdict

    replace(CircuitBreaker, "outage", lambda *_: False)
    replace(CircuitBreaker, "doubtful", lambda *_: False)
    replace(CircuitBreaker, "_row_is_outage", lambda *_: False)
    replace(FlowControl, "verdict", lambda *_: Verdict.OWN)


def forget_debts() -> None:
    """Does not write down which results are owed."""
    from connector.stream.output.debts import Debts

    async def nothing(*_: Any) -> None:
        pass

    replace(Debts, "owe", nothing)


def forget_the_unanswered() -> None:
    """Does not write down what is not acknowledged for long."""
    from connector.stream.output.overdue import Overdue

    async def nothing(_: Any) -> None:
        pass

    replace(Overdue, "note", nothing)


def ignore_the_refusal() -> None:
    """Takes what Kafka does not let it write for written, and goes on."""
    from connector.stream.output.dispatch import Dispatch
    from connector.stream.output.writability import ACCESS

    answer = Dispatch._answer

    async def deaf(self: Dispatch, place: Any, batch: Any, future: Any) -> Any:
        error = await answer(self, place, batch, future)
        return None if isinstance(error, ACCESS) else error

    replace(Dispatch, "_answer", deaf)


def settle_before_writing() -> None:
    """Takes states for written that are on the way."""
    from connector.stream.receipts.join_stage import JoinStage

    send = JoinStage._send

    async def early(self: JoinStage, partition: Any, topic: str, records: Any, forms: Any) -> None:
        partition.ledger.settle(range(partition.ledger.position, partition.ledger.high))
        await asyncio.sleep(1)  # the commit is faster than the write
        await send(self, partition, topic, records, forms)

    replace(JoinStage, "_send", early)


def settle_before_listing() -> None:
    """Takes opt-outs for listed that are on the way."""
    from connector.stream.receipts.opt_out_stage import OptOutStage

    send = OptOutStage._send

    async def early(self: OptOutStage, partition: Any, changes: Any) -> None:
        partition.ledger.settle(range(partition.ledger.position, partition.ledger.high))
        await asyncio.sleep(1)  # the commit is faster than the write
        await send(self, partition, changes)

    replace(OptOutStage, "_send", early)


def forget_what_was_said() -> None:
    """Takes each opt-out and opt-in for the last word, whatever comes again or late."""
    from connector.receipts.opt_outs import STOPS, Sayings

    replace(Sayings, "hear", lambda _self, record, _now: record.kind in STOPS)


def forget_states() -> None:
    """Does not keep what it has written of messages."""
    from connector.store.state_store import States

    replace(States, "get", lambda *_: None)


def forget_the_log() -> None:
    """Does not read back what the disk does not know."""
    from connector.stream.receipts.state_opening import ViewedPartition

    replace(ViewedPartition, "take", lambda *_: True)


def ignore_the_rank() -> None:
    """Writes every state that was not written, also those before it."""
    from connector.receipts.states import BIT, Step
    from connector.stream.receipts import joining

    def step(seen: int, state: Any) -> Step:
        bit = BIT[state]
        return Step(seen, "duplicate", contradicts=False) if seen & bit else Step(seen | bit, None, contradicts=False)

    replace(joining, "step", step)


def act_unrecorded() -> None:
    """Does what nobody can look up: takes a record that was refused for written."""
    from connector.operating import steering

    recorded = steering._recorded

    async def careless(record: Any, writer: Any, topic: str) -> bool:
        await recorded(record, writer, topic)
        return True

    replace(steering, "_recorded", careless)


def give_up_on_the_registry() -> None:
    """Takes a registry that cannot be asked for one that does not have the schema."""
    from connector.errors import MessageError
    from connector.formats.schemas import SchemaRegistry
    from connector.json_service import ServiceError

    schema = SchemaRegistry.schema

    async def hasty(self: SchemaRegistry, schema_id: int, form: str) -> Any:
        try:
            return await schema(self, schema_id, form)
        except ServiceError as error:
            raise MessageError(error.why) from error

    replace(SchemaRegistry, "schema", hasty)


MUTATIONS: dict[str, Callable[[], None]] = {
    "join-without-heartbeats": do_without_heartbeats,
    "settle-before-writing": settle_before_writing,
    "settle-before-listing": settle_before_listing,
    "forget-what-was-said": forget_what_was_said,
    "forget-states": forget_states,
    "forget-the-log": forget_the_log,
    "ignore-the-rank": ignore_the_rank,
    "act-unrecorded": act_unrecorded,
    **OF_THE_LIST,
    **OF_LOOKUPS,
    "give-up-on-the-registry": give_up_on_the_registry,
    "believe-any-offset": believe_any_offset,
    "commit-early": commit_early,
    "show-echoes": show_echoes,
    "send-broken-again": send_broken_again,
    "go-on-unknowing": go_on_unknowing,
    "read-whatever-it-costs": read_whatever_it_costs,
    "stop-for-a-token": stop_for_a_token,
    "skip-drain": skip_drain,
    "ignore-commit-answer": ignore_commit_answer,
    "forget-acknowledgement": forget_acknowledgement,
    "trust-unacknowledged": trust_unacknowledged,
    "drop-settles": drop_settles,
    "skip-tail": skip_tail,
    "forget-ids": forget_ids,
    "send-at-once": send_at_once,
    "count-anew": count_anew,
    "forget-debts": forget_debts,
    "forget-the-unanswered": forget_the_unanswered,
    "ignore-the-refusal": ignore_the_refusal,
    "trust-the-clock": trust_the_clock,
    "begin-at-once": begin_at_once,
    "keep-the-queue": keep_the_queue,
    "do-without-heartbeats": do_without_heartbeats,
    "read-uncommitted": read_uncommitted,
    "forget-markers": forget_markers,
    "drop-unreadable": drop_unreadable,
    "give-up-in-outages": give_up_in_outages,
}
"""Name → breaks that rule."""
