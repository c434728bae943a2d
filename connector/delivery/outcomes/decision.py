"""What the outcomes of one request mean for its messages: final results, and what is to be sent again and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from connector.clock import Clock
from connector.definition.gsm import segments
from connector.definition.tree import Definition
from connector.delivery.limits.backoff import Backoff
from connector.delivery.limits.flow_control import CLEAR, Judgement
from connector.delivery.outcomes.unsent import PartialIdentity, unsent
from connector.delivery.queue.attempt import Attempt, Bisection, Last, Part, Replay
from connector.delivery.queue.item import Item
from connector.delivery.uniform_results import MIN_UNIFORM_RESULTS, UniformResults
from connector.errors import Phase, RequestError
from connector.model import Message, Outcome, Result, Source, Status, Then, UniformOutcomes
from connector.response.redact import Redactor

FINAL = {"accept": Status.ACCEPTED, "reject": Status.REJECTED, "unknown": Status.UNKNOWN}

OUTAGE_CHECK_SECONDS = 1.0
"""After its last request failed, a message is looked at again: was it an outage? A second is what most need to show."""

DEFER_SECONDS = 60.0
"""For a `defer` whose reply does not say until when."""


@dataclass(slots=True)
class Decision:
    """What becomes of the messages of one request, or of one part that was looked at before it became one.

    Attributes:
        items, results: final; in step.
        uniform_results: further ones.
        untouched: not sent after all: back to where they stood.
        again: to be sent again as soon as the lane may.
        later: to be sent again after so many seconds.
    """

    items: list[Item] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    uniform_results: UniformResults | None = None
    untouched: list[Part] = field(default_factory=list)
    again: list[Part] = field(default_factory=list)
    later: list[tuple[float, Part]] = field(default_factory=list)

    def add(self, item: Item, result: Result) -> None:
        self.items.append(item)
        self.results.append(result)


@dataclass(slots=True)
class _Reply:
    """One reply being decided on."""

    attempt: Attempt
    outcomes: Sequence[Outcome]
    http_status: int | None
    completed_at: datetime
    decision: Decision
    judgement: Judgement


class OutcomeHandler:
    """Decides for one provider.

    Args:
        dry_run: results say that nothing was sent.
    """

    def __init__(self, definition: Definition, *, backoff: Backoff, clock: Clock, dry_run: bool) -> None:
        self._provider = definition.name
        self._digest = definition.digest or None
        self._redact = Redactor(definition.secrets)
        self._backoff = backoff
        self._clock = clock
        self._dry_run = dry_run

    def redact(self, text: str) -> str:
        """Words of our own, without secrets and phone numbers. A provider's words come out of a Reader clean."""
        return self._redact(text)

    def unsent(self, item: Item, message: Message | None, status: Status, reason: str) -> Result:
        """The result of a message that ends without another request; `message` is None when it cannot be read again."""
        known = PartialIdentity() if message is None else message
        reason = self.redact(reason)
        result = unsent(item, known, status, reason or None, completed_at=self._now(), dry_run=self._dry_run)
        result.provider = self._provider
        return result

    def spent(self, item: Item, message: Message, split: Bisection) -> Result:
        """The result of a message whose refused batch could not be bisected further."""
        result = self.unsent(item, message, Status.REJECTED, split.outcome.reason or "")
        result.code, result.provider_batch_id = split.outcome.code, split.outcome.provider_batch_id
        result.http_status, result.batch_id, result.batch_size = split.http_status, split.batch_id, split.batch_size
        result.attempts += 1  # the request that was refused
        return result

    def replied(
        self,
        attempt: Attempt,
        http_status: int | None,
        outcomes: Sequence[Outcome],
        whole: Outcome | None,
        judgement: Judgement = CLEAR,
    ) -> Decision:
        """The outcomes of a request, one per message in order; `whole` where one stands for all.

        `judgement` says whose fault it is when they are not final.
        """
        # A refusal of the account while others get through is the fault of some of these messages: of which?
        halves = whole is not None and (whole.then == "split" or (whole.then == "pause" and judgement.own))
        if whole is not None and halves and len(attempt.items) > 1:
            return self._bisected(attempt, http_status, whole)
        reply = _Reply(attempt, outcomes, http_status, self._now(), Decision(), judgement)
        if len(outcomes) >= MIN_UNIFORM_RESULTS and self._finish_alike(reply, whole):
            return reply.decision
        final = [index for index, outcome in enumerate(outcomes) if outcome.then in FINAL]
        self._finish(reply, final)
        if len(final) < len(outcomes):
            waiting: dict[tuple[Then, float | None, float | None], list[int]] = {}
            for index, outcome in enumerate(outcomes):
                if outcome.then not in FINAL:
                    waiting.setdefault((outcome.then, outcome.after, outcome.until), []).append(index)
            for indexes in waiting.values():
                self._wait(reply, indexes)
        return reply.decision

    def failed(self, attempt: Attempt, error: RequestError, judgement: Judgement = CLEAR) -> Decision:
        """There was no usable reply.

        What never left is not counted as an attempt: an outage must not use attempts up. The breaker sees to the pause.
        """
        if error.uncertain:
            then: Then = "unknown" if error.answered else "uncertain"
            rule = "no status" if error.answered else "no reply"
            outcome = Outcome(then, reason=self.redact(str(error)), rule=rule)
            return self.replied(attempt, None, [outcome] * len(attempt.items), outcome, judgement)
        _refund(attempt)
        return Decision(again=[self._rest(attempt, attempt.items, attempt.part.sealed, behind=attempt.probe)])

    def broken(self, attempt: Attempt, judgement: Judgement, reason: str) -> Decision:
        """Something of ours went wrong: before the request left, as if nothing had been; afterwards, as if no reply
        had come.
        """
        if not attempt.at_transport:
            _refund(attempt)
            return Decision(again=[self._rest(attempt, attempt.items, attempt.part.sealed, behind=True)])
        return self.failed(attempt, RequestError(Phase.PROTOCOL, reason, uncertain=True), judgement)

    def own_fault(self, part: Part) -> Decision:
        """What has waited to hear whether its last failure was an outage's: it was not."""
        assert part.last is not None
        results = part.last.results
        return Decision(part.items, [results[id(item)] for item in part.items])

    def abandoned(self, attempt: Attempt, reason: str) -> Decision:
        """A request was given up while the provider may have had it: final under `report`, else to be sent again."""
        if not attempt.at_transport:
            return Decision(untouched=[attempt.part])
        if attempt.route.operation.on_uncertain == "report":
            outcome = Outcome("uncertain", reason=reason)
            return self.replied(attempt, None, [outcome] * len(attempt.items), None)
        for item in attempt.items:
            item.attempts += 1
            item.uncertain = True
        return Decision(again=[Part(attempt.part.key, attempt.items)])

    # ---- one outcome ------------------------------------------------------------------------------------------------

    def _wait(self, reply: _Reply, indexes: list[int]) -> None:
        """Messages whose outcomes are not final and alike but for their words."""
        attempt = reply.attempt
        outcome = reply.outcomes[indexes[0]]
        items = [attempt.items[index] for index in indexes]
        whole = len(items) == len(attempt.items)
        if whole and outcome.then != "split":
            _refund(attempt)
        match outcome.then:
            case "pause" if reply.judgement.own:
                self._retry(reply, indexes, uncertain=False)
            case "throttle" | "pause":
                behind = attempt.probe or outcome.then == "pause"
                sealed = attempt.part.sealed if whole else None
                reply.decision.again.append(self._rest(attempt, items, sealed, behind=behind))
            case "defer":
                reply.decision.later.append((self._deferred(outcome), self._rest(attempt, items)))
            case "split":  # of a single message
                self._finish(reply, indexes, Status.REJECTED)
            case "uncertain" if attempt.route.operation.on_uncertain == "report":
                self._finish(reply, indexes, Status.UNKNOWN, _in_doubt)
            case _:
                self._retry(reply, indexes, uncertain=outcome.then == "uncertain")

    def _retry(self, reply: _Reply, indexes: list[int], *, uncertain: bool) -> None:
        """Counted: refused with `retry`, uncertain under `resend`, or refused with `pause` while others get through.

        An outage costs no message: one that has had all its requests waits for the end of it, for a last one; and so
        does one of which it is not known yet whether its failure was the first of an outage.
        """
        attempt, judgement = reply.attempt, reply.judgement
        spent: list[int] = []
        undecided: list[int] = []
        rest: list[Item] = []
        for index in indexes:
            item = attempt.items[index]
            if not self._backoff.exhausted(item.attempts + 1):
                rest.append(item)
            elif self._backoff.exhausted(item.attempts):
                spent.append(index)
            elif judgement.outage:
                rest.append(item)
            else:
                (undecided if judgement.doubt else spent).append(index)
        self._give_up(reply, spent)
        if undecided:
            self._decide_later(reply, undecided, uncertain=uncertain)
        if not rest:
            return
        for item in rest:
            item.attempts += 1
            item.uncertain = item.uncertain or uncertain
        sealed = self._seal(attempt) if uncertain and len(rest) == len(attempt.items) else None
        delay = self._backoff.delay(max(item.attempts for item in rest), reply.outcomes[indexes[0]].after)
        reply.decision.later.append((delay, self._rest(attempt, rest, sealed)))

    def _give_up(self, reply: _Reply, indexes: list[int]) -> None:
        if indexes and reply.outcomes[indexes[0]].then == "pause":
            self._finish(reply, indexes, Status.REJECTED)
        else:
            self._finish(reply, indexes, Status.FAILED, _gave_up)

    def _decide_later(self, reply: _Reply, indexes: list[int], *, uncertain: bool) -> None:
        """They end with what was said of them, unless it turns out that an outage had begun."""
        attempt, outcome = reply.attempt, reply.outcomes[indexes[0]]
        held = replace(reply, decision=Decision())
        self._give_up(held, indexes)
        items = held.decision.items
        for item in items:
            item.uncertain = item.uncertain or uncertain
        said = f"{outcome.rule}: {'no reply' if reply.http_status is None else f'HTTP {reply.http_status}'}"
        results = {id(item): result for item, result in zip(items, held.decision.results, strict=True)}
        sealed = self._seal(attempt) if uncertain and len(items) == len(attempt.items) else None
        part = self._rest(attempt, items, sealed)
        part.last = Last(self._clock.monotonic(), said, results)
        reply.decision.later.append((OUTAGE_CHECK_SECONDS, part))

    def _rest(self, attempt: Attempt, items: list[Item], sealed: Replay | None = None, *, behind: bool = False) -> Part:
        """What of a request is to be sent again."""
        part = attempt.part
        return Part(part.key, items, sealed, part.split, part.alone, behind)

    def _finish(
        self,
        reply: _Reply,
        indexes: Sequence[int],
        status: Status | None = None,
        reason: Callable[[Outcome], str] | None = None,
    ) -> None:
        """The results of these messages, one by one."""
        attempt = reply.attempt
        items, messages, outcomes = attempt.items, attempt.messages, reply.outcomes
        provider, dry_run, digest = self._provider, self._dry_run, self._digest
        completed_at, http_status = reply.completed_at, reply.http_status
        batch_id, batch_size = attempt.batch.id, len(items)
        ended, results = reply.decision.items.append, reply.decision.results.append
        for index in indexes:
            item, message, outcome = items[index], messages[index], outcomes[index]
            origin, body = item.origin, message.body
            text = outcome.reason if reason is None else reason(outcome)
            item.attempts += 1
            ended(item)
            results(
                Result(  # by position: half the time
                    status or FINAL[outcome.then],
                    item.source or Source(origin.topic, origin.partition, item.offset),
                    completed_at,
                    message.message_id,
                    provider,
                    message.campaign_id,
                    message.to,
                    outcome.provider_message_id,
                    outcome.provider_batch_id,
                    outcome.code,
                    text,
                    http_status,
                    batch_id,
                    batch_size,
                    item.attempts,
                    None if body is None else segments(body),
                    item.received_at,
                    dry_run,
                    None,
                    outcome.rule or None,
                    digest,
                )
            )

    def _finish_alike(self, reply: _Reply, whole: Outcome | None) -> bool:
        """The results of all messages at once, where their outcomes are final and alike. The hot path."""
        attempt, outcomes = reply.attempt, reply.outcomes
        if type(outcomes) is UniformOutcomes:
            outcome, ids = outcomes.shared, outcomes.ids
        elif whole is not None and whole.provider_message_id is None:
            outcome, ids = whole, None
        else:
            return False
        items = attempt.items
        if outcome.then not in FINAL or any(item.source for item in items):
            return False
        shared = Result(
            FINAL[outcome.then],
            items[0].event(),
            reply.completed_at,
            provider=self._provider,
            campaign_id=attempt.messages[0].campaign_id,
            provider_batch_id=outcome.provider_batch_id,
            code=outcome.code,
            reason=outcome.reason,
            http_status=reply.http_status,
            batch_id=attempt.batch.id,
            batch_size=len(items),
            dry_run=self._dry_run,
            rule=outcome.rule or None,
            definition=self._digest,
        )
        reply.decision.uniform_results = UniformResults(shared, items, attempt.messages, ids)
        return True

    def _bisected(self, attempt: Attempt, http_status: int | None, outcome: Outcome) -> Decision:
        split = attempt.part.split
        size = len(attempt.items)
        if split is None:
            split = Bisection(outcome, http_status, attempt.batch.id, size, Bisection.requests(size))
        half = size // 2
        key = attempt.part.key
        return Decision(
            again=[Part(key, attempt.items[:half], None, split), Part(key, attempt.items[half:], None, split)]
        )

    def _seal(self, attempt: Attempt) -> Replay | None:
        """The request as it was, while the provider still recognises it; None where it never does."""
        period = attempt.route.operation.idempotent
        if attempt.part.sealed is not None or period is None:
            return attempt.part.sealed
        return Replay(attempt.request, attempt.batch, attempt.started + period)

    def _deferred(self, outcome: Outcome) -> float:
        until = 0.0 if outcome.until is None else outcome.until - self._clock.wall()
        delay = max(until, outcome.after or 0.0)
        return delay if delay > 0 else DEFER_SECONDS

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.wall(), UTC)


def _refund(attempt: Attempt) -> None:
    """A request that was not judged cost nothing of what may be spent on finding the message at fault."""
    if attempt.part.split is not None:
        attempt.part.split.budget += 1


def _in_doubt(outcome: Outcome) -> str:
    return outcome.reason or "the provider may have taken it"


def _gave_up(outcome: Outcome) -> str:
    doubt = "; the provider may have taken it" if outcome.then == "uncertain" else ""
    return f"gave up after too many attempts{doubt}: {outcome.reason or outcome.code or outcome.rule}"
