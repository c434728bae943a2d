"""A lane with a fake provider instead of a network: what would become of events, and what the provider took.

The lane is the real one, with its windows, limits, retries and breaker; its time is virtual. Requests reach nothing but
a fake in this process, whatever address the definition names: there is no transport here that could open a connection.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from multidict import CIMultiDict

from connector.config_text.environment import Environment, Resolved
from connector.definition.check_receipts import needed_references
from connector.definition.signing import login_names
from connector.definition.tree import Auth, Definition, Login, OAuth2, Operation, Sign, SigV4
from connector.delivery.http.transport import MayLeave, Transport, always
from connector.delivery.lane import Lane
from connector.delivery.lane_host import LaneHost
from connector.delivery.limits.lane_settings import LaneSettings
from connector.delivery.queue.item import Item
from connector.errors import MessageError, Phase, RequestError, UsageError
from connector.masking import MASK
from connector.model import Message, ReferenceMaker, Reply, Request, Result
from connector.receipts.sent_references import ReferenceSigner
from connector.receipts.tokens import Tokens
from connector.request.signer import Clockwork, Signer
from connector.tools.simulator.call import Call
from connector.tools.simulator.in_memory import InMemoryFake, ToldReply, magic_numbers
from connector.workbench.planning import RECEIVER, TOPIC
from connector.workbench.virtual_time import LoopClock, NothingLeftError, run_virtually

HOUR: Final = 3600.0
"""Virtual seconds after which what still waits is said to wait."""

TOTAL: Final = 30.0
"""Seconds that a request may take where the definition does not say."""

REASONS: Final = 20
STEP: Final = 20
"""Progress is told in so many steps."""

FIRST_NUMBER: Final = 100_000
"""The last six digits of the first recipient: beyond every number that asks for an outcome."""

_decode = msgspec.json.Decoder(Message).decode


class DemoEnvironment(Environment):
    """What every fake takes: account and key id `demo`, secrets `demo-secret`; a host where one is asked for.

    What a definition can do without stays out.
    """

    _DEMO = frozenset({"EXOTEL_KEY", "VONAGE_API_KEY", "OVH_APPLICATION_KEY", "OVH_CONSUMER_KEY"})
    _secret = re.compile(r"SECRET(?!_ID)|PASSWORD|PASS\b|TOKEN(?!_ID)|KEY(?!_ID)")

    def __init__(self) -> None:
        super().__init__({})

    def _look_up(self, match: re.Match[str], resolved: Resolved) -> str | None:
        found = re.fullmatch(r"([\w:/.-]+?)(\?|:-.*)?", match[1], re.DOTALL) if match[2] else None
        if found is None or found[2] is not None:
            return super()._look_up(match, resolved)
        value = resolved.secrets[match.group()] = self._value(found[1])
        return value

    def _value(self, name: str) -> str:
        if name.endswith(("_URL", "_HOST")):
            return "https://fake.invalid" if name.endswith("_URL") else "fake.invalid"
        if name.endswith("_REGION"):
            return "ap-guangzhou" if name.startswith("TENCENT") else "ap-south-1"
        if name.endswith("_APP_ID"):
            return "1400006666"
        return "demo-secret" if self._secret.search(name) and name not in self._DEMO else "demo"


class ReasonCount(msgspec.Struct, frozen=True):
    """Results that say the same."""

    status: str
    code: str | None
    reason: str | None
    messages: int


class Simulated(msgspec.Struct, frozen=True):
    """What became of the events.

    Attributes:
        events, requests: how many.
        seconds: virtual.
        results: status → messages.
        reasons: the most frequent first.
        waiting: still without a result after an hour.
        invalid: that no operation takes.
        taken: messages that the provider took, each counted once.
        twice: messages that it took more than once: people would get them again.
        lost: `accepted`, and the provider did not take them.
        unsaid: taken, and the result says that they were not.
        unknown: taken, and the result says that nobody knows.
        largest: messages of the largest request.
        faults: what the fake did wrong, how often.
    """

    events: int
    requests: int
    seconds: float
    results: dict[str, int]
    reasons: list[ReasonCount]
    waiting: int
    invalid: int
    taken: int
    twice: int
    lost: int
    unsaid: int
    unknown: int
    largest: int
    replies: dict[str, int]


Progress = Callable[[int, int], None]
"""Told how many of how many have their result."""


def simulate(
    definition: Definition,
    events: Sequence[Message],
    fake: InMemoryFake,
    *,
    now: float,
    progress: Progress = lambda done, of: None,
) -> Simulated:
    """Send `events`, each to a number of its own, to `fake`. `definition` is loaded with `DemoEnvironment`.

    Raises UsageError where a fake cannot be asked in the way that the definition signs requests.
    """
    for operation in definition.operations:
        if isinstance(operation.auth, SigV4):
            raise UsageError(
                "requests that AWS signs are not simulated here: run `sms-connector simulate` beside a worker"
            )
    run = _Run(definition, events, fake, now, progress)
    with suppress(NothingLeftError):
        run_virtually(run.run())
    return run.report()


def simulated_events(count: int, event: Mapping[str, Any], outcomes: Sequence[str]) -> list[Message]:
    """So many events like `event`, to numbers of their own; one in fifty asks for one of `outcomes`.

    Raises UsageError for an event that is no message, or an outcome there is none of.
    """
    known = magic_numbers()
    for outcome in outcomes:
        if outcome not in known:
            raise UsageError(f"no number asks for {outcome!r}: there are {', '.join(known)}")
    events: list[Message] = []
    for number in range(count):
        asked = number // 50 if outcomes and number % 50 == 49 else None
        to = (
            f"+9198{number // 800_000:02d}{FIRST_NUMBER + number % 800_000:06d}"
            if asked is None
            else f"+91{7000 + asked // len(outcomes)}{known[outcomes[asked % len(outcomes)]]}"
        )
        document = {**event, "message_id": f"simulated-{number + 1}", "to": to}
        document.pop("expires_at", None)
        try:
            events.append(msgspec.convert(document, type=Message))
        except msgspec.ValidationError as error:
            raise UsageError(f"the event is no message: {error}") from None
    return events


class _Origin:
    """Stands for the partition of events that stand in none."""

    topic = TOPIC
    partition = 0
    live = True


@dataclass(slots=True)
class _Run:
    definition: Definition
    events: Sequence[Message]
    fake: InMemoryFake
    now: float
    progress: Progress
    results: dict[int, Result] = field(default_factory=dict)
    seconds: float = 0.0
    invalid: int = 0
    transport: FakeTransport = field(init=False)

    async def run(self) -> None:
        clock = LoopClock(self.now)
        done = asyncio.Event()
        self.transport = FakeTransport(self.fake, self.definition, clock)
        host = SimulatedHost(self._finished(done))
        lane = Lane(
            self.definition,
            host=host,
            transport=self.transport,
            clock=clock,
            settings=LaneSettings(park_after=HOUR * 10),
            signer=_signer(self.definition),
        )
        for offset, message in enumerate(self.events):
            received = datetime.fromtimestamp(self.now, UTC)
            item = Item(msgspec.json.encode(message), _Origin(), offset, None, received)
            try:
                lane.offer(item, message)
            except MessageError:
                self.invalid += 1
        running = asyncio.create_task(lane.run())
        if len(self.results) + self.invalid < len(self.events):
            with suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), HOUR)
        self.seconds = asyncio.get_running_loop().time()
        lane.close()
        running.cancel()
        await asyncio.wait([running])

    def _finished(self, done: asyncio.Event) -> Callable[[Sequence[Item], Sequence[Result]], None]:
        every = max(1, len(self.events) // STEP)

        def finish(items: Sequence[Item], results: Sequence[Result]) -> None:
            before = len(self.results)
            for result in results:
                self.results[result.source.offset] = result
            count = len(self.results)
            if count // every > before // every:
                self.progress(count, len(self.events))
            if count + self.invalid >= len(self.events):
                done.set()

        return finish

    def report(self) -> Simulated:
        """What is known once it has ended."""
        taken = self.transport.taken
        counted = Counter(str(result.status) for result in self.results.values())
        said = Counter((str(it.status), it.code, it.reason) for it in self.results.values() if it.status != "accepted")
        by_number = {_digits(self.events[offset].to): str(it.status) for offset, it in self.results.items()}
        times = {number: taken[number] for number in (_digits(event.to) for event in self.events)}
        return Simulated(
            events=len(self.events),
            requests=self.transport.requests,
            seconds=round(self.seconds, 3),
            results=dict(counted),
            reasons=[ReasonCount(*about, count) for about, count in said.most_common(REASONS)],
            waiting=len(self.events) - len(self.results) - self.invalid,
            invalid=self.invalid,
            taken=sum(1 for count in times.values() if count),
            twice=sum(1 for count in times.values() if count > 1),
            lost=sum(1 for number, status in by_number.items() if status == "accepted" and not times[number]),
            unsaid=sum(
                1 for number, status in by_number.items() if status not in ("accepted", "unknown") and times[number]
            ),
            unknown=sum(1 for number, status in by_number.items() if status == "unknown" and times[number]),
            largest=self.transport.largest,
            replies=dict(self.transport.replies),
        )


class SimulatedHost(LaneHost):
    """Nothing else is read meanwhile, everything may leave, nobody is suppressed, and nothing is parked."""

    caught_up = True
    memory_full = False
    suppression_changes = 0

    def __init__(self, finish: Callable[[Sequence[Item], Sequence[Result]], None]) -> None:
        self._finish = finish

    def decode(self, items: Sequence[Item]) -> list[Message]:
        return [_decode(item.raw) for item in items]

    def suppressed(self, items: Sequence[Item], messages: Sequence[Message]) -> Sequence[bool]:
        return ()

    async def await_permission(self, operation: Operation, batch_id: str, items: Sequence[Item]) -> bool:
        return True

    async def withdraw_permission(self, operation: Operation, items: Sequence[Item]) -> None:
        """Nothing was noted."""

    def finish(self, items: Sequence[Item], results: Sequence[Result]) -> None:
        self._finish(items, results)

    def park(self, items: Sequence[Item], due: float) -> bool:
        return False


class FakeTransport(Transport):
    """Asks a fake of this process.

    Attributes:
        requests: so far.
        largest: messages that one of them had taken.
        taken: digits of a number → how often the provider took a message to it.
        replies: what came back, how often.
    """

    def __init__(self, fake: InMemoryFake, definition: Definition, clock: LoopClock) -> None:
        self.requests = self.largest = 0
        self.taken: Counter[str] = Counter()
        self.replies: Counter[str] = Counter()
        self._fake = fake
        self._clock = clock
        self._total = definition.http.total or TOTAL
        self._bytes = definition.http.reply_bytes

    @property
    def token_refreshes(self) -> int:
        return 0

    async def send(self, request: Request, auth: Auth, may_leave: MayLeave = always) -> Reply:
        """What the fake answers, after as long as it takes. A simulation knows nobody who must not be texted."""
        self.requests += 1
        self._fake.begin()
        try:
            told = self._fake.ask(_call(_signed(request, auth, self._clock.wall(), self.requests)))
            self.taken.update(_digits(entry.get("to")) for entry in told.taken)
            self.largest = max(self.largest, len(told.taken))
            await asyncio.sleep(min(told.seconds, self._total))
            return self._reply(told)
        finally:
            self._fake.end()

    def _reply(self, told: ToldReply) -> Reply:
        if told.seconds > self._total:
            self.replies["none in time"] += 1
            raise RequestError(Phase.READ, "the reply did not come in time", uncertain=True, timed_out=True)
        if told.status is None:
            self.replies["connection closed"] += 1
            raise RequestError(Phase.READ, "the connection was closed without a reply", uncertain=True)
        self.replies[f"{told.status}{', broken off' if told.broken else ''}"] += 1
        body = told.body[: self._bytes]
        cut = len(told.body) > len(body)
        return Reply(told.status, told.headers, body, cut, told.broken or None)

    async def close(self) -> None:
        """Nothing is open."""


def _signer(definition: Definition) -> ReferenceMaker | None:
    if not any(True for operation in definition.operations for _ in needed_references(operation)):
        return None
    return ReferenceSigner(Tokens([MASK], [TOPIC]), definition.name, RECEIVER)


def _signed(request: Request, auth: Auth, now: float, number: int) -> Request:
    """With what is added when it is sent."""
    clockwork = Clockwork(now, lambda: f"{number:032x}")
    match auth:
        case Sign(additions):
            return Signer(additions).sign(request, clockwork).request
        case Login():
            names = login_names(auth)
            signer = Signer(auth.use, names=names, place="auth.login.use")
            return signer.sign(request, clockwork, dict.fromkeys(names, "simulated")).request
        case OAuth2():
            return msgspec.structs.replace(request, headers=(*request.headers, ("Authorization", "Bearer simulated")))
    return request


def _call(request: Request) -> Call:
    parts = urlsplit(request.url)
    headers = CIMultiDict([("Host", parts.netloc), *request.headers])
    return Call(request.method, parts.path or "/", parts.query, headers, request.body or b"", request.url)


def _digits(number: object) -> str:
    """The last ten digits: fakes see a number as each provider wants it written."""
    return re.sub("[^0-9]", "", str(number))[-10:]
