"""What a run with faults left behind, compared: events, results with their headers, the provider's log, offsets.

Pure. The connector's own counters are not asked. What a fault may cost is computed from the provider's log as well: at
a hard kill the messages of the requests that were at the provider, and the messages of every reply that got lost.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from connector.cli.demo.audit import Event, SeenMessage
from connector.cli.demo.audit import audit as compare
from connector.model import Result, Source, Status
from tests.crash.deeds import DeedAudit
from tests.crash.lookups import LookupAudit
from tests.crash.states import ListAudit, StateAudit
from tests.crash.suppressed import WordAudit

GRACE_SECONDS = 0.1
"""From the provider's answer to the acknowledged result: read, matched, written, acknowledged (10 ms when idle). On a
busy machine it is what the same worker took at most before its end."""

CLOCK_SECONDS = 0.02
"""Broker, simulator and connector share a clock; the broker's times are whole milliseconds."""

EXAMPLES = 5

MOST_READING_SECONDS = 0.5
"""What reading one reply may take of CPU: the bound of a quarter of a second, and one more step in C behind it."""

MOST_UNREPORTED = 1
"""Sends of a message while its result cannot be written."""


@dataclass(frozen=True, slots=True)
class Send:
    """One request as the provider logged it on arrival.

    Attributes:
        time: of arrival, seconds since the epoch.
        worker: which of ours sent it; empty where the provider read nothing of it.
        seen: its messages.
        ids: message id → the provider's id of it.
        answered: the provider's answer left; False where the connection was cut or a gateway answered for it.
        doubtful: the answer left, and nobody can tell from it what became of the messages.
    """

    time: float
    worker: str
    seen: tuple[SeenMessage, ...]
    ids: dict[str, str]
    answered: bool
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """One record of the results topic.

    Attributes:
        settles: its header, `topic/partition/offset`: the event, or the retry record that had inherited its duty; empty
            where it has none.
        appended: when the broker took it, seconds since the epoch.
        partition: where it stands.
    """

    result: Result
    settles: str
    appended: float
    partition: int


@dataclass(frozen=True, slots=True)
class Moment:
    """A worker stopped without a chance to finish: killed, or frozen for longer than its session."""

    worker: str
    time: float
    what: str


@dataclass(slots=True)
class Evidence:
    """Everything that is compared.

    Attributes:
        uncommitted: events behind which no offset was committed when all was done.
        answer_seconds: how long the provider takes to answer.
        request_messages: at most so many messages are at the provider for one worker: slots × records.
        inherited: place of a retry record → place of the record it settles.
        purged: beginnings of places whose records were deleted when they were finished.
        moments: hard stops.
        uncertain: messages of requests that were given up although the provider may have taken them.
        doubtful, doubtful_least: messages whose reply does not say what happened to them, at most and at least.
        report: the definition says `on_uncertain: report`.
        outage: the provider was away and nothing else: nobody may be given up.
        held: what events are read by was away: none of them may end `invalid` for it.
        unwritable: from when until when no result could be written.
        send_at: message id → wall seconds before which it is not to be sent, of those that say so.
        over_cap: messages of a campaign that were sent beyond its cap, while it held.
        readings: seconds of CPU that reading a reply took: the longest of each worker, where they were measured.
    """

    events: Sequence[Event]
    results: Sequence[Recorded]
    sends: Sequence[Send]
    uncommitted: int
    answer_seconds: float
    request_messages: int
    inherited: Mapping[str, str] = field(default_factory=dict)
    purged: tuple[str, ...] = ()
    moments: Sequence[Moment] = ()
    uncertain: int = 0
    doubtful: int = 0
    doubtful_least: int = 0
    report: bool = False
    outage: bool = False
    held: bool = False
    unwritable: Sequence[tuple[float, float]] = ()
    send_at: Mapping[str, float] = field(default_factory=dict)
    over_cap: int = 0
    readings: Sequence[float] = ()


@dataclass(slots=True)
class Findings:
    """What was found. Numbers of messages.

    Attributes:
        lost: events without a result.
        duplicated_results: results beyond the first of an event.
        duplicated_sends: messages at the provider more often than once.
        allowed: how many of those the faults account for: at the provider at a hard stop, or without an answer.
        allowed_unknown: how many results may be `unknown`.
        needless: messages sent although their result was durable; never right.
        misplaced: results whose header, value, partition and provider's id do not belong together.
        guessed: results that should be `unknown` and are not.
        misjudged: events sent although an earlier one had their id, or `duplicate` of none.
        denied: results that say "not taken" of messages the provider took, or the other way round.
        uncommitted: events without a committed offset at the end.
        early: messages at the provider before their `send_at`.
        over_cap: messages at the provider beyond their campaign's cap.
        given_up: results `failed` although the provider was only away.
        invalidated: results `invalid` of events that only could not be read for a while.
        leaked: secrets, recipients and texts that a worker or a topic shows.
        unreported: how often one message was sent, at most, while its result could not be written; None where results
            could be written all the time.
        reading: seconds of CPU that reading one reply took, at most; None where that was not measured.
        receipts_lost: receipts that are neither a state nor unmatched; None where there were none.
        states_twice: records beyond the first of a message and state.
        states_fallen: states written after a later one of the same message.
        opt_outs_lost: people who said no last, and are not on the list.
        opt_ins_lost: people who said yes last, and are on it.
        people: who said anything.
        unrecorded: deeds that let messages go, or sent one, without a record before them of who wanted it; None where
            nobody did anything.
        deeds: how many of those there were.
        texted: messages that were sent although their number was to be texted no more; None where nobody asked.
        withheld: messages that ended `suppressed` although their number might be texted.
        lookups_lost: receipts to be looked up, neither found nor kept as unmatched; None where there were none.
        lookups_wrong: those that were found to be about another message, or about one of two that they may mean.
        lookups_given_up: those that were given up although the result of their message is there.
        lookups_twice: those that were kept as unmatched more often than once.
        looked_up: those that were found.
        states_strange: states of another message than their receipt is of, or in another partition.
        written: states of messages that were written.
        examples: of each, message ids or offsets.
    """

    messages: int = 0
    lost: int = 0
    duplicated_results: int = 0
    duplicated_sends: int = 0
    allowed: int = 0
    unknown: int = 0
    allowed_unknown: int = 0
    guessed: int = 0
    needless: int = 0
    misplaced: int = 0
    misjudged: int = 0
    denied: int = 0
    early: int = 0
    over_cap: int = 0
    uncommitted: int = 0
    given_up: int = 0
    invalidated: int = 0
    leaked: int = 0
    unreported: int | None = None
    reading: float | None = None
    receipts_lost: int | None = None
    states_twice: int = 0
    states_fallen: int = 0
    states_strange: int = 0
    opt_outs_lost: int = 0
    opt_ins_lost: int = 0
    people: int = 0
    unrecorded: int | None = None
    deeds: int = 0
    texted: int | None = None
    withheld: int = 0
    lookups_lost: int | None = None
    lookups_wrong: int = 0
    lookups_given_up: int = 0
    lookups_twice: int = 0
    looked_up: int = 0
    written: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def complaints(self) -> Iterator[str]:
        """What breaks a promise, one sentence each."""
        for name, limit in (
            ("lost", 0),
            ("duplicated_results", 0),
            ("duplicated_sends", self.allowed),
            ("unknown", self.allowed_unknown),
            ("guessed", 0),
            ("needless", 0),
            ("misplaced", 0),
            ("misjudged", 0),
            ("denied", 0),
            ("early", 0),
            ("over_cap", 0),
            ("uncommitted", 0),
            ("given_up", 0),
            ("invalidated", 0),
            ("leaked", 0),
            ("unreported", MOST_UNREPORTED),
            ("reading", MOST_READING_SECONDS),
            ("receipts_lost", 0),
            ("states_twice", 0),
            ("states_fallen", 0),
            ("states_strange", 0),
            ("opt_outs_lost", 0),
            ("opt_ins_lost", 0),
            ("unrecorded", 0),
            ("texted", 0),
            ("withheld", 0),
            ("lookups_lost", 0),
            ("lookups_wrong", 0),
            ("lookups_given_up", 0),
            ("lookups_twice", 0),
        ):
            count = getattr(self, name)
            if count is not None and count > limit:
                examples = ", ".join(self.examples.get(name, ()))
                yield f"{name.replace('_', ' ')}: {count}, at most {limit}" + (f" ({examples})" if examples else "")

    def note_states(self, states: StateAudit) -> None:
        """What became of receipts."""
        self.receipts_lost, self.states_twice = states.lost, states.twice
        self.states_fallen, self.states_strange = states.fallen, states.strange
        self.written = sum(states.states.values())

    def note_list(self, listed: ListAudit) -> None:
        """What became of what people said."""
        self.opt_outs_lost, self.opt_ins_lost, self.people = listed.opt_outs, listed.opt_ins, listed.people

    def note_deeds(self, deeds: DeedAudit) -> None:
        """What people did."""
        self.unrecorded, self.deeds = len(deeds.unrecorded), deeds.done
        self.note("unrecorded", deeds.unrecorded)

    def note_words(self, words: WordAudit) -> None:
        """Who was texted, and who was not, against what was said of them."""
        self.texted, self.withheld = len(words.texted), len(words.withheld)
        self.note("texted", words.texted)
        self.note("withheld", words.withheld)

    def note_lookups(self, lookups: LookupAudit) -> None:
        """What became of receipts that have to be looked up."""
        self.lookups_lost, self.lookups_wrong = lookups.lost, lookups.wrong
        self.lookups_given_up, self.lookups_twice = lookups.given_up, lookups.kept_twice
        self.looked_up = lookups.found

    def note(self, name: str, examples: Iterable[object]) -> None:
        place = self.examples.setdefault(name, [])
        for example in examples:
            if len(place) < EXAMPLES:
                place.append(str(example))


def audit(evidence: Evidence) -> Findings:
    """Compare everything."""
    seen = [message for send in evidence.sends for message in send.seen]
    report = compare(evidence.events, ((it.result.source, it.result.status) for it in evidence.results), seen)
    found = Findings(messages=len(evidence.events), uncommitted=evidence.uncommitted)
    found.statuses = dict(Counter(it.result.status.value for it in evidence.results))
    found.unknown = found.statuses.get(Status.UNKNOWN.value, 0)
    for name, names in {
        "lost": ("lost",),
        "duplicated_results": ("doubled",),
        "duplicated_sends": ("repeated",),
        "denied": ("denied", "unsent", "untaken", "unasked"),
        "misplaced": ("strangers",),
    }.items():
        setattr(found, name, sum(report.findings[each] for each in names))
        for each in names:
            found.note(name, report.examples.get(each, ()))
    if evidence.outage:
        found.given_up = found.statuses.get(Status.FAILED.value, 0)
    if evidence.held:
        found.invalidated = found.statuses.get(Status.INVALID.value, 0)
    doubtful = sum(len(send.seen) for send in evidence.sends if send.doubtful)
    # Where somebody was killed, some of them may have been sent again before they ended `unknown`.
    least = evidence.doubtful_least + (0 if evidence.moments else doubtful)
    found.guessed = max(0, least - found.unknown)
    found.reading = round(max(evidence.readings), 3) if evidence.readings else None
    strays = list(_misplaced(evidence))
    found.misplaced += len(strays)
    found.note("misplaced", strays)
    wrong = list(_misjudged(evidence))
    found.misjudged = len(wrong)
    found.note("misjudged", wrong)
    needless = list(_needless(evidence))
    found.needless = len(needless)
    found.note("needless", needless)
    early = list(_early(evidence))
    found.early = len(early)
    found.note("early", early)
    found.over_cap = evidence.over_cap
    if evidence.unwritable:
        unreported = _unreported(evidence)
        found.unreported = max(unreported.values(), default=0)
        found.note("unreported", (ref for ref, count in unreported.items() if count > MOST_UNREPORTED))
    found.allowed, found.allowed_unknown = _allowed(evidence)
    return found


def _allowed(evidence: Evidence) -> tuple[int, int]:
    """What the faults account for: messages sent twice, and results `unknown`."""
    cut = sum(len(send.seen) for send in evidence.sends if not send.answered)
    durable = _durable(evidence)
    stopped = sum(at_provider(evidence.sends, it, _slowest(evidence, durable, it)) for it in evidence.moments)
    fated = evidence.uncertain + cut + stopped
    doubtful = evidence.doubtful + sum(len(send.seen) for send in evidence.sends if send.doubtful)
    if not evidence.report:
        return fated, doubtful
    # What stands in the journal and had not left yet is not known to have stayed either.
    return 0, fated + doubtful + evidence.request_messages * len(evidence.moments)


def at_provider(sends: Iterable[Send], moment: Moment, seconds: float) -> int:
    """Messages whose request was with the provider at that moment, or too late for a result that takes `seconds`."""
    first, last = moment.time - seconds, moment.time + GRACE_SECONDS
    return sum(len(send.seen) for send in sends if send.worker == moment.worker and first <= send.time <= last)


def _slowest(evidence: Evidence, durable: Mapping[str, float], moment: Moment) -> float:
    """Seconds from a request's arrival to its last durable result, at most, of that worker until that moment."""
    taken = [
        durable[message.ref] - send.time
        for send in evidence.sends
        if send.worker == moment.worker and send.answered
        for message in send.seen
        if message.ref is not None and send.time <= durable.get(message.ref, 0.0) < moment.time
    ]
    return max([evidence.answer_seconds + GRACE_SECONDS, *taken])


def _misplaced(evidence: Evidence) -> Iterator[str]:
    """Promise: a result stands in its event's partition, says in its header what it settles, and guesses no id."""
    ids: defaultdict[str, set[str]] = defaultdict(set)
    for send in evidence.sends:
        for message_id, given in send.ids.items():
            ids[message_id].add(given)
    for it in evidence.results:
        result = it.result
        place = f"{result.source.topic}/{result.source.partition}/{result.source.offset}"
        settles = it.settles
        while settles in evidence.inherited:
            settles = evidence.inherited[settles]
        if settles != place and not settles.startswith(evidence.purged):
            yield f"header {it.settles!r} on the result of {place}"
        elif it.partition != result.source.partition:
            yield f"result of {place} in partition {it.partition}"
        elif result.provider_message_id is not None and result.provider_message_id not in ids[result.message_id or ""]:
            yield f"{result.message_id} has the provider's id {result.provider_message_id} of another message"


def _misjudged(evidence: Evidence) -> Iterator[str]:
    """Promise: of the events of a partition that have one id one was sent, and the others say which."""
    results: defaultdict[tuple[str, int, str], dict[int, Result]] = defaultdict(dict)
    for it in evidence.results:
        source, message_id = it.result.source, it.result.message_id
        if message_id is not None:
            results[source.topic, source.partition, message_id][source.offset] = it.result
    for (_, _, message_id), by_offset in results.items():
        repeated = {offset for offset, result in by_offset.items() if result.status is Status.DUPLICATE}
        sent = sum(result.status in {Status.ACCEPTED, Status.UNKNOWN} for result in by_offset.values())
        yield from [f"{message_id} was sent"] * (sent - 1)
        for offset in repeated:
            earlier = by_offset[offset].duplicate_of
            if earlier is None or earlier.offset not in by_offset.keys() - repeated:
                yield f"{message_id} repeats nothing"


def _needless(evidence: Evidence) -> Iterator[str]:
    """Messages that arrived at the provider after their result was durable."""
    durable = _durable(evidence)
    for send in evidence.sends:
        for message in send.seen:
            if message.ref is not None and send.time > durable.get(message.ref, float("inf")) + CLOCK_SECONDS:
                yield message.ref


def _early(evidence: Evidence) -> Iterator[str]:
    """Messages that arrived at the provider before their time. The suite and its workers share a clock."""
    for send in evidence.sends:
        for message in send.seen:
            if message.ref is not None and send.time < evidence.send_at.get(message.ref, 0.0):
                yield message.ref


def _unreported(evidence: Evidence) -> Counter[str]:
    """How often each message was sent whose result was owed while none could be written: until it was durable."""
    durable = _durable(evidence)
    sent: Counter[str] = Counter()
    first: dict[str, float] = {}
    for send in sorted(evidence.sends, key=lambda it: it.time):
        for message in send.seen:
            if message.ref is not None and send.time <= durable.get(message.ref, float("inf")):
                sent[message.ref] += 1
                first.setdefault(message.ref, send.time)
    owed = {
        ref
        for ref, time in first.items()
        if any(time <= end and durable.get(ref, end) >= begin for begin, end in evidence.unwritable)
    }
    return Counter({ref: count for ref, count in sent.items() if ref in owed})


def _durable(evidence: Evidence) -> dict[str, float]:
    """Message id → since when it has a durable result, of the event that was to be sent."""
    durable: dict[str, float] = {}
    for it in evidence.results:
        if it.result.message_id is not None and it.result.status is not Status.DUPLICATE:
            durable[it.result.message_id] = min(it.appended, durable.get(it.result.message_id, it.appended))
    return durable


# ---- readings -------------------------------------------------------------------------------------------------------

decode_result = msgspec.json.Decoder(Result).decode


NOT_NOW = "temporary"
"""The provider's code for "not now": it has not taken the message, and is to be asked again."""


DOUBTFUL = {"broken", "costly"}
"""The provider's faults behind which no reply can say what became of a message."""


def read_send(line: bytes) -> Send:
    """A line of the simulator's log. Messages it refused for now do not count: sending them again is right."""
    entry: dict[str, Any] = orjson.loads(line)
    seen = tuple(
        SeenMessage(record["to"], record.get("ref"), taken == "taken")
        for taken in ("taken", "refused")
        for record in entry[taken]
        if record.get("code") != NOT_NOW
    )
    ids = {record["ref"]: record["id"] for record in entry["taken"] if record.get("ref")}
    answered = entry["status"] is not None and entry["fault"] != "error"
    doubtful = (entry["fault"] or "").partition(" ")[0] in DOUBTFUL
    return Send(entry["time"], entry["values"].get("worker", ""), seen, ids, answered, doubtful)


def read_event(source: Source, value: bytes) -> Event:
    """An event as it was produced by the suite."""
    document = orjson.loads(value)
    return Event(source, document["message_id"], document["to"])
