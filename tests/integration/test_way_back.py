"""From an event to `delivered` and to what a person sees of it: worker, provider, receiver, states, commands."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest

from connector.receipts.tokens import UrlSecrets
from tests.integration.pipeline import BATCHED, Pipeline, event
from tests.kafka.ports import free_ports
from tests.kafka.records import read_all
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

KEY, URL_KEY = "k" * 32, "u" * 32
# As CleverTap's page has it, the identity of the message comes back as `meta`.
RECEIPTS = "receipts: {extends: clevertap}\n"
WRONG = "receipts: {extends: clevertap, state: nothing_of_that_name}\n"
NUMBERS = {
    # The last six digits say what becomes of a message: see the simulator.
    "delivered": "+919812100001",
    "undelivered": "+919812000201",
    "expired": "+919812000301",
    "blocked": "+919812000701",
    "contradicted": "+919812000401",
    "silent": "+919812000601",
}


class WholeWay:
    """Everything, on one broker."""

    def __init__(self, pipeline: Pipeline, *, blocked: bool = False) -> None:
        self.pipeline = pipeline
        unique = pipeline.unique
        (self.port,) = free_ports(1)
        self.topics = {
            "receipts_matched": f"{unique}.matched",
            "receipts_unmatched": f"{unique}.unmatched",
            "inbound": f"{unique}.inbound",
            "receipts_in": f"{unique}.in",
            "receipts_index": f"{unique}.index",
            "suppressions": f"{unique}.suppressions",
        }
        url = f"http://127.0.0.1:{self.port}/r/batched/{UrlSecrets([URL_KEY]).of('batched')}"
        again = "json.receipts.retry=[0.2,0.5,1,2,5]"
        pipeline.simulate(f"json.receipts.url={url}", "json.receipts.delay=[0.01,0.05]", again)
        self.define(RECEIPTS)
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "control": f"{unique}.control",
                "receipts": f"{unique}.receipts",
                "retry_prefix": f"{unique}.retry",
                **self.topics,
            },
            receive={
                "listen": f"127.0.0.1:{self.port}",
                "url": f"http://127.0.0.1:{self.port}",
                "keys": [KEY],
                "url_keys": [URL_KEY],
            },
            receipts={"folder": str(pipeline.folder / "states")},
            suppressions={"enabled": True, "blocked": blocked},
        )
        pipeline.create_topics()

    def define(self, receipts: str) -> None:
        self.pipeline.define(more=receipts)
        file = self.pipeline.folder / "definitions" / "batched.yaml"
        file.write_text(file.read_text().replace('"uid": "$$uid",', '"uid": "$$uid", "mid": "$$MessageID",'))

    def start(self) -> None:
        config = ["--config", str(self.pipeline.config)]
        self.receiver = self.pipeline._start("receive", *config, name="receiver")
        self.join = self.pipeline._start("receipts", "run", *config, name="join")
        self.receiver.wait_for("callbacks are taken", within=120)
        self.pipeline.worker()

    def send(self) -> None:
        self.pipeline.produce(event(n, to=to) for n, to in enumerate(NUMBERS.values()))
        self.pipeline.wait_for_results(len(NUMBERS))

    def states(self) -> list[str]:
        records = read_all(self.pipeline.bootstrap, f"{self.pipeline.unique}.receipts")
        return sorted(json.loads(record.value or b"")["status"] for record in records)

    def wait_for_states(self, *states: str) -> None:
        wait_until(lambda: len(self.states()) >= len(states), f"{len(states)} states", within=60)
        assert self.states() == sorted(states)


def lines(output: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in output.splitlines() if line.startswith("{")]


def test_what_a_person_sees_of_messages_on_their_way_to_the_phones(pipeline: Pipeline) -> None:
    assert "$$uid" in BATCHED
    way = WholeWay(pipeline)
    way.start()
    way.send()
    way.wait_for_states("delivered", "undelivered", "expired", "blocked", "undelivered", "delivered")

    shown = pipeline.command("results", "--receipts")
    by_id = {line.split()[2]: line for line in shown.splitlines() if "accepted" in line}
    assert len(by_id) == len(NUMBERS)
    for number, word in enumerate(("delivered", "undelivered", "expired", "blocked", "delivered", "no receipt")):
        assert word in by_id[f"m{number}"], by_id
    as_json = {it["message_id"]: it for it in lines(pipeline.command("results", "--receipts", "--json"))}
    # The second callback may overtake the first one: whichever is written later contradicts.
    assert sorted(it["status"] for it in as_json["m4"]["receipts"]) == ["delivered", "undelivered"]
    assert [it.get("contradicts") for it in as_json["m4"]["receipts"]] == [None, True]
    assert as_json["m5"]["receipts"] == []
    pipeline.command("results", "--receipts", "--follow", code=2)

    (traced,) = lines(pipeline.command("trace", "m1", "--json"))
    assert traced["state"] == "accepted, undelivered"
    assert [it["status"] for it in traced["receipts"]] == ["undelivered"]
    assert traced["receipts"][0]["code"] == "914"
    assert "accepted, delivered" in pipeline.command("trace", "m4")

    (counted,) = lines(pipeline.command("receipts", "summary", "--campaign", "c0", "--json"))
    seconds = counted.pop("seconds")
    assert 0 <= seconds["p50"] <= seconds["p95"] < 60
    codes = {(it["status"], it["code"]): it["receipts"] for it in counted.pop("codes")}
    assert codes == {("undelivered", "914"): 2, ("expired", "916"): 1, ("blocked", "903"): 1}
    assert counted == {
        "accepted": 6,
        "delivered": 2,
        "undelivered": 1,
        "expired": 1,
        "blocked": 1,
        "silent": 1,
        "contradicted": 1,
    }
    table = pipeline.command("receipts", "summary")
    assert "33.3 %" in table
    assert "silent" in table
    (none,) = lines(pipeline.command("receipts", "summary", "--campaign", "another", "--json"))
    assert (none["accepted"], none["silent"]) == (0, 0)
    assert pipeline.leaks() == []


def test_what_a_wrong_definition_could_not_read_is_read_once_it_is_mended_and_once_only(pipeline: Pipeline) -> None:
    way = WholeWay(pipeline)
    way.define(WRONG)
    way.start()
    way.send()
    unmatched = f"{pipeline.unique}.unmatched"
    # A state that no rule gives is unreadable; those that a rule names are read all the same.
    wait_until(lambda: pipeline.count(unmatched) + len(way.states()) >= 6, "all receipts", within=60)
    found = len(way.states())
    assert pipeline.count(unmatched) == 6 - found > 0

    assert "0 receipts and replies" in pipeline.command("receipts", "replay", "--yes")
    way.define(RECEIPTS)
    # Both read by the same definition: who replays before `receipts run` has loaded it finds it unmatched again.
    way.join.wait_for("definitions reloaded")
    said = pipeline.command("receipts", "replay")
    assert f"{6 - found} receipts and replies would be replayed" in said
    assert len(way.states()) == found
    (told,) = lines(pipeline.command("receipts", "replay", "--yes", "--json"))
    assert (told["replayed"], told["replayed_before"]) == (6 - found, 0)
    way.wait_for_states("delivered", "undelivered", "expired", "blocked", "undelivered", "delivered")

    (again,) = lines(pipeline.command("receipts", "replay", "--yes", "--json"))
    assert (again["replayed"], again["replayed_before"]) == (0, 6 - found)
    pipeline.command("receipts", "replay", "--why", "unverified", code=2)
    assert "0 receipts" in pipeline.command("receipts", "replay", "--provider", "nobody", "--since", "1h")


@pytest.mark.timeout(300)  # worker, receiver and `receipts run` start one after the other
def test_whoever_answers_stop_is_texted_no_more_until_somebody_lets_them(pipeline: Pipeline) -> None:
    """The provider's callback names the message that was answered, as CleverTap's page has it, and not the phone."""
    way = WholeWay(pipeline, blocked=True)
    way.start()
    stopped, barred, other = "+919812000801", "+919812000701", "+919812100001"
    sent = 0

    def send(*numbers: str) -> dict[str, str]:
        nonlocal sent
        pipeline.produce(event(sent + n, to=to) for n, to in enumerate(numbers))
        sent += len(numbers)
        pipeline.wait_for_results(sent)
        results = {it["message_id"]: it["status"] for it in pipeline.read_results()}
        return {to: results[f"m{sent - len(numbers) + n}"] for n, to in enumerate(numbers)}

    assert set(send(stopped, barred, other).values()) == {"accepted"}
    listed = f"{pipeline.unique}.suppressions"
    wait_until(lambda: len(read_all(pipeline.bootstrap, listed)) >= 2, "two records of the list", within=60)
    found = {(it.key or b"").decode(): orjson.loads(it.value or b"") for it in read_all(pipeline.bootstrap, listed)}
    assert {phone: it["by"] for phone, it in found.items()} == {stopped[1:]: "reply", barred[1:]: "blocked"}
    assert found[stopped[1:]]["message_id"] == "m0"
    wait_until(lambda: send(stopped)[stopped] == "suppressed", "the worker to know", within=30)
    assert send(stopped, barred, other) == {stopped: "suppressed", barred: "suppressed", other: "accepted"}
    pipeline.command("suppress", "remove", stopped, "--reason", "asked us to")
    wait_until(lambda: send(stopped)[stopped] == "accepted", "the worker to know", within=30)
