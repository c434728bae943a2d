"""Every provider that reports, at once, on a real Kafka: worker → fake → receiver → `receipts run`, to the end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.request import urlopen

import aiokafka.errors
import orjson
import pytest

from connector.receipts.tokens import UrlSecrets
from connector.tools.simulator.receipts.fate import Fate, course
from tests import marked
from tests.crash.states import FINAL, rank
from tests.integration.pipeline import ASK_SECONDS, Pipeline
from tests.integration.test_providers import define_all, variables
from tests.kafka.ports import free_ports
from tests.kafka.records import committed, end_offsets, read_all
from tests.providers.shipped import DEMO
from tests.providers.way_back import MEANS, TOPIC
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

PUBLIC = "https://sms.example.com"
URL_KEY = f"{marked.SECRET}-url-key-000001"
REPORTING = sorted(MEANS)
EACH = 24
FATES = (None, Fate.UNDELIVERED, Fate.EXPIRED, Fate.BLOCKED, Fate.CONTRADICTION, Fate.FIVE)
HARD = {"delay": [0, 0.3], "duplicate": 0.2, "disorder": 1, "before_reply": 0.1, "retry": [0.2, 0.5, 1, 2, 5]}
"""One receipt in five comes twice, all of a message come in reverse order, the first of one in ten before the reply."""


@dataclass(frozen=True, slots=True)
class Sent:
    """One message.

    Attributes:
        told: what its provider says of it, in our words.
    """

    provider: str
    to: str
    told: frozenset[str]

    @property
    def finals(self) -> frozenset[str]:
        return frozenset(state for state in self.told if rank(state) == FINAL)


def messages() -> Iterator[tuple[dict[str, Any], Sent]]:
    """Numbers whose last digits say what becomes of them: no two messages have one."""
    for place, name in enumerate(REPORTING):
        for number in range(EACH):
            fate = FATES[number % len(FATES)]
            to = f"+9198{place:02d}{'5500' if fate is None else fate.value}{number:02d}"
            steps = [MEANS[name][it.state] for it in course(to) if it.state in MEANS[name] and it.state is not None]
            event = {
                "message_id": f"{name}-{number}",
                "provider": name,
                "campaign_id": f"c{number % 2}",
                "to": to,
                "body": "Hello",
                "template_id": "t1",
                "template_variables": variables(name, "Asha"),
                "custom": {"sender": "ACMEIN", "entity": "1101"},
            }
            yield event, Sent(name, to, frozenset(steps))


class Back:
    """Everything, on one broker."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        unique = pipeline.unique
        (self.port,) = free_ports(1)
        self.matched, self.receipts = f"{unique}.matched", f"{unique}.receipts"
        self.unmatched = f"{unique}.unmatched"
        pipeline.simulate()
        define_all(pipeline)
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "control": f"{unique}.control",
                "retry_prefix": f"{unique}.retry",
                "receipts": self.receipts,
                "receipts_matched": self.matched,
                "receipts_unmatched": self.unmatched,
                "inbound": f"{unique}.inbound",
                "receipts_in": f"{unique}.in",
                "receipts_index": f"{unique}.index",
            },
            receive={
                "listen": f"127.0.0.1:{self.port}",
                "url": PUBLIC,
                "keys": [f"{marked.SECRET}-token-key-0001"],
                "url_keys": [URL_KEY],
            },
            receipts={"folder": str(pipeline.folder / "states")},
        )
        pipeline.create_topics()
        self._env = {**DEMO, "AWS_EUM_TOPIC": TOPIC, "AWS_EUM_CONFIGURATION_SET": "receipts"}
        for name in REPORTING:
            own: dict[str, Any] = {"confirmed": True, "topic": TOPIC} if name == "aws-eum" else {}
            registered = f"{PUBLIC}/r/{name}/{UrlSecrets([URL_KEY]).of(name)}"
            knobs = {"url": registered, "via": f"http://127.0.0.1:{self.port}", **HARD, **own}
            pipeline.turn(name, account="demo", receipts=knobs)

    def start(self) -> None:
        config = ("--config", str(self.pipeline.config))
        env = {**self._env, "SNS_AT": f"{self.pipeline.address}/aws-eum"}
        at_home = "tests.integration.sns_at_home"
        receiver = self.pipeline._start("receive", *config, name="receiver", module=at_home, env=env)
        self.join = self.pipeline._start("receipts", "run", *config, name="join", env=self._env)
        receiver.wait_for("callbacks are taken", within=120)
        self.pipeline.worker(**self._env)

    def written(self) -> dict[str, list[dict[str, Any]]]:
        """States by message, in the order in which they were written."""
        found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for record in read_all(self.pipeline.bootstrap, self.receipts):
            state = orjson.loads(record.value or b"")
            found[self.events[state["source"]["partition"], state["source"]["offset"]]].append(state)
        return found

    def read_events(self) -> None:
        """Which message stands where."""
        self.events = {
            (it.partition, it.offset): str(orjson.loads(it.value or b"")["message_id"])
            for it in read_all(self.pipeline.bootstrap, self.pipeline.source)
        }

    def settled(self) -> bool:
        """Every callback that was taken is read."""
        with suppress(aiokafka.errors.KafkaError):
            unique = self.pipeline.unique
            return not self._behind(f"{unique}-receipts-index", f"{unique}.in") and not self._behind(
                f"{unique}-receipts", self.matched
            )
        return False

    def _behind(self, group: str, topic: str) -> bool:
        done = committed(self.pipeline.bootstrap, group, topic)
        ends = end_offsets(self.pipeline.bootstrap, topic)
        return any(end != (done[number].offset if number in done else 0) for number, end in ends.items())


@pytest.mark.timeout(400)
def test_each_state_of_every_providers_messages_is_written_once_and_of_no_other_message(pipeline: Pipeline) -> None:
    back = Back(pipeline)
    back.start()
    sent = {}
    events = []
    for event, it in messages():
        sent[event["message_id"]] = it
        events.append(event)
    pipeline.produce(events)
    back.read_events()
    pipeline.wait_for_results(len(sent))
    assert {it["status"] for it in pipeline.read_results()} == {"accepted"}

    def all_final() -> bool:
        written = back.written()
        return all(it.finals <= {state["status"] for state in written.get(name, ())} for name, it in sent.items())

    def missing() -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        written = back.written()
        for name, it in sent.items():
            if lacks := it.finals - {state["status"] for state in written.get(name, ())}:
                found[it.provider].append(f"{name}: {sorted(lacks)}")
        return found

    try:
        wait_until(all_final, "every final state", within=120, every=ASK_SECONDS)
    except AssertionError:
        pytest.fail(f"final states that are missing: {dict(missing())}")
    wait_until(back.settled, "every callback to be read", within=60, every=ASK_SECONDS)
    owners: dict[str, set[str]] = defaultdict(set)
    for record in _callbacks(back):
        for news in record["news"]:
            owners[str(news["id"])].add(news["to"][-10:])
    compared = 0
    for name, states in back.written().items():
        said = [state["status"] for state in states]
        assert len(said) == len(set(said)), (name, said)
        assert set(said) <= sent[name].told, (name, said)
        ranks = [rank(state) for state in said]
        assert ranks == sorted(ranks), (name, said)
        for state in states:
            assert state["provider"] == sent[name].provider
            given = state.get("provider_message_id")
            if given in owners and len(owners[given]) == 1:  # an id of its own, and not one that a batch has
                compared += 1
                assert owners[given] == {sent[name].to[-10:]}, state
    assert compared > len(sent) / 3, "hardly any id was compared"
    assert len(back.written()) == len(sent)
    assert read_all(pipeline.bootstrap, back.unmatched) == []
    assert pipeline.leaks() == []


def _callbacks(back: Back) -> list[dict[str, Any]]:
    """What the fakes have called, and of which message."""
    with urlopen(f"{back.pipeline.address}/_receipts", timeout=30) as response:
        return [orjson.loads(line) for line in response.read().splitlines() if line]
