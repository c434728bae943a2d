"""Providers that return nothing of ours, from an event to the final state: worker, fake, receiver, index, states.

The fakes are at their worst: a fifth of the receipts twice, those of each message the other way round, a tenth before
the request is answered.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import orjson
import pytest

from connector.receipts.tokens import UrlSecrets
from tests.integration.pipeline import Pipeline
from tests.integration.test_providers import define_all, variables
from tests.kafka.ports import free_ports
from tests.kafka.records import read_all
from tests.providers.rows import ROWS
from tests.providers.shipped import DEMO
from tests.providers.test_whole_way import FATES, finals
from tests.providers.way_back import fated, told
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(180)]

KEY, URL_KEY = "k" * 32, "u" * 32
NAMES = ("exotel", "msg91", "nimbus-biz", "plivo", "smsindiahub", "smsindiahub-legacy", "tencent", "textlocal")
MESSAGES = 40
AT_ITS_WORST = {
    "duplicate": "0.2",
    "disorder": "1",
    "before_reply": "0.1",
    "delay": "[0.05,0.5]",
    "retry": "[0.2,0.5,1,2,5,10]",
}


class LookedUp:
    """Everything, on one broker."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        unique = pipeline.unique
        (port,) = free_ports(1)
        url, knobs = f"http://127.0.0.1:{port}", []
        for name in NAMES:
            registered = f"{url}/r/{name}/{UrlSecrets([URL_KEY]).of(name)}"
            knobs += [f"{name}.receipts.{key}={value}" for key, value in (AT_ITS_WORST | {"url": registered}).items()]
        pipeline.simulate(*knobs)
        define_all(pipeline)
        way_back = ("receipts", "receipts_matched", "receipts_unmatched", "inbound", "receipts_in", "receipts_index")
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "control": f"{unique}.control",
                "retry_prefix": f"{unique}.retry",
                **{name: f"{unique}.{name.replace('_', '-')}" for name in way_back},
            },
            receive={"listen": f"127.0.0.1:{port}", "url": url, "keys": [KEY], "url_keys": [URL_KEY]},
            receipts={"folder": str(pipeline.folder / "states")},
        )
        pipeline.create_topics()

    def start(self) -> None:
        config = ["--config", str(self.pipeline.config)]
        self.receiver = self.pipeline._start("receive", *config, name="receiver", env=DEMO)
        self.join = self.pipeline._start("receipts", "run", *config, name="join", env=DEMO)
        self.receiver.wait_for("callbacks are taken")
        self.pipeline.worker(**DEMO)

    def events(self) -> list[dict[str, Any]]:
        return [event(name, number) for name in NAMES for number in range(1, MESSAGES + 1)]

    def states(self) -> dict[str, list[str]]:
        """By message, in the order in which they were written."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        records = read_all(self.pipeline.bootstrap, f"{self.pipeline.unique}.receipts")
        for record in sorted(records, key=lambda it: (it.partition, it.offset)):
            it = orjson.loads(record.value or b"")
            found[it["message_id"]].append(it["status"])
        return dict(found)


def event(name: str, number: int) -> dict[str, Any]:
    of_number = "" if ROWS[name].one_text else str(number)
    return {
        "message_id": f"{name}-{number}",
        "provider": name,
        "campaign_id": "c0",
        "to": fated(number, FATES[number % len(FATES)]).to,
        "body": f"Hello {of_number}",
        "template_id": "t1",
        "template_variables": variables(name, f"N{of_number}"),
        "custom": {"sender": "ACMEIN", "entity": "1101"},
    }


def test_every_message_of_a_provider_that_names_none_of_ours_ends_with_its_final_state(pipeline: Pipeline) -> None:
    way = LookedUp(pipeline)
    way.start()
    events = way.events()
    pipeline.produce(events)
    pipeline.wait_for_results(len(events))
    results = {it["message_id"]: it for it in pipeline.read_results()}
    assert {it["status"] for it in results.values()} == {"accepted"}, results
    expected = {
        f"{name}-{number}": finals(told(name, FATES[number % len(FATES)]))
        for name in NAMES
        for number in range(1, MESSAGES + 1)
    }

    def missing() -> list[str]:
        states = way.states()
        return [it for it, ends in expected.items() if finals(states.get(it, [])) != ends]

    wait_until(lambda: not missing(), "every final state", within=60, every=1.0)
    states = way.states()
    for name in NAMES:
        delivered = [it for it, said in states.items() if it.rpartition("-")[0] == name and "delivered" in said]
        assert len(delivered) >= MESSAGES / 2, name
        for number in range(1, MESSAGES + 1):
            said = states.get(f"{name}-{number}", [])
            assert len(said) == len(set(said)), "a state is written once"
            assert set(said) <= set(told(name, FATES[number % len(FATES)])), "none is of another message"
    batched = {it["batch_id"] for it in results.values() if it["batch_size"] > 1}
    assert batched
    unmatched = read_all(pipeline.bootstrap, f"{pipeline.unique}.receipts-unmatched")
    assert [it.headers["unmatched"] for it in unmatched] == []
    looked_up = read_all(pipeline.bootstrap, f"{pipeline.unique}.receipts-in")
    assert {orjson.loads(it.headers["lookup"])["provider"] for it in looked_up} == set(NAMES)
    assert pipeline.leaks() == []
    assert way.join.stop() == 0
