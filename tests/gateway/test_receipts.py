"""What became of a message, from a mobile network through a real gateway back into Kafka: dlr-url, to its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from connector.receipts.tokens import UrlSecrets
from tests import marked
from tests.gateway.kannel import OCTETS, SHOWN, Kannel
from tests.gateway.sending import PATIENCE, SENDER, define, event, phone, worker
from tests.gateway.smsc import Smsc
from tests.integration.pipeline import Pipeline
from tests.kafka.ports import free_ports
from tests.kafka.records import read_all
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

URL_KEY = f"{marked.SECRET}-url-key-000001"


class Back:
    """A receiver and the process of states beside a pipeline, and what they wrote."""

    def __init__(
        self, pipeline: Pipeline, start: StartConnector, gateway: Kannel, *, port: int = 0, listing: bool = False
    ) -> None:
        self._pipeline = pipeline
        self._start = start
        self._env = {"KANNEL_URL": gateway.url, "KANNEL_USER": "unused", "KANNEL_PASSWORD": marked.PASSWORD}
        port = port or free_ports(1)[0]
        self._inbound, self._suppressions = f"{pipeline.unique}.inbound", f"{pipeline.unique}.suppressions"
        self._receipts = f"{pipeline.unique}.receipts"
        names = {name: f"{pipeline.unique}.{name}" for name in ("control", "inbound", "suppressions")}
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "retry_prefix": f"{pipeline.unique}.retry",
                "receipts": self._receipts,
                "receipts_matched": f"{self._receipts}.matched",
                "receipts_unmatched": f"{self._receipts}.unmatched",
                "receipts_in": f"{self._receipts}.in",
                "receipts_index": f"{self._receipts}.index",
                **names,
            },
            receive={
                "url": f"http://127.0.0.1:{port}",
                "keys": [f"{marked.SECRET}-token-key-0001"],
                "url_keys": [URL_KEY],
                "listen": f"127.0.0.1:{port}",
            },
            suppressions={"enabled": listing},
            inbound={"languages": ["en", "fr", "hi"]},
        )
        pipeline.create_topics()

    def run(self) -> list[ConnectorProcess]:
        """Both processes."""
        receiver = self._begin("receive", "--set", "health.port=0")
        receiver.wait_for("callbacks are taken")
        return [receiver, self._begin("receipts", "run", "--set", "health.port=null")]

    def states(self) -> dict[str, list[str]]:
        """By message, in the order in which they were written."""
        found: dict[str, list[str]] = defaultdict(list)
        for record in read_all(self._pipeline.bootstrap, self._receipts):
            state = orjson.loads(record.value or b"")
            found[state["message_id"]].append(state["status"])
        return dict(found)

    def heard(self) -> list[dict[str, Any]]:
        """What people answered."""
        return [orjson.loads(it.value or b"") for it in read_all(self._pipeline.bootstrap, self._inbound)]

    def listed(self) -> dict[str, str]:
        """Phone → what the list says of it last."""
        found = read_all(self._pipeline.bootstrap, self._suppressions)
        return {
            (it.key or b"").decode(): orjson.loads(it.value or b"").get("state", "suppressed")
            for it in sorted(found, key=lambda it: it.offset)
        }

    def _begin(self, *words: str) -> ConnectorProcess:
        config = ("--config", str(self._pipeline.config))
        name = "-".join(word for word in words[:2] if word.isalpha())
        return self._start(*words, *config, name=name, env=self._env)


@pytest.mark.parametrize("user", [SHOWN, OCTETS])
def test_a_message_is_followed_from_send_to_the_phone_through_a_real_gateway(
    pipeline: Pipeline, gateway: tuple[Kannel, Smsc], start_connector: StartConnector, user: str
) -> None:
    """By Kannel's own fake SMSC, which delivers everything; and by a network that tells of each as SMPP 3.4 has it."""
    kannel, network = gateway
    kannel.connect_fakesmsc()
    fates = {0: ("DELIVRD", "delivered"), 1: ("EXPIRED", "expired"), 2: ("UNDELIV", "undelivered")}
    network.fates = {phone(number).removeprefix("+"): state for number, (state, _) in fates.items()}
    final = {f"kannel-{it}": means if user == OCTETS else "delivered" for it, (_, means) in fates.items()}
    define(pipeline, "kannel", user)
    back = Back(pipeline, start_connector, kannel)
    processes = back.run()
    pipeline.produce(event(number, "kannel") for number in fates)
    processes.append(worker(pipeline, kannel))

    def ended() -> bool:
        states = back.states()
        return {message: states.get(message, ["-"])[-1] for message in final} == final

    wait_until(ended, f"states {final}", within=PATIENCE)
    for process in processes:
        assert process.stop() == 0, process.output
    assert {result["status"] for result in pipeline.read_results()} == {"accepted"}
    for message, states in back.states().items():
        # what the SMSC took is told before, or came later and says nothing new
        assert states in (["sent", final[message]], [final[message]])


def test_whoever_answers_stop_through_a_real_gateway_is_texted_no_more_until_they_answer_start(
    pipeline: Pipeline, make_gateway: Callable[..., tuple[Kannel, Smsc]], start_connector: StartConnector
) -> None:
    """The network hands the answer to Kannel, which calls get-url until a receiver is there to take it."""
    (port,) = free_ports(1)
    called = f"http://127.0.0.1:{port}/r/kannel/{UrlSecrets([URL_KEY]).of('kannel')}"
    kannel, network = make_gateway(replies=f"{called}?from=%p&to=%P&text=%a&id=%I&at=%T")
    define(pipeline, "kannel", OCTETS)
    back = Back(pipeline, start_connector, kannel, port=port, listing=True)
    stopped, other, french = phone(0), phone(1), phone(2)
    network.say(stopped, SENDER, "Stop ")
    network.say(other, SENDER, "क्या? 50% & +1")
    network.say(french, SENDER, "Arrêt")  # which is not in the GSM alphabet, and in Latin-1
    processes = [*back.run(), worker(pipeline, kannel)]
    whole = {stopped[1:]: "suppressed", french[1:]: "suppressed"}
    wait_until(lambda: back.listed() == whole, "the list to have both", within=PATIENCE)
    wait_until(lambda: len(back.heard()) == 3, "all answers", within=PATIENCE)
    said = {it["from"]: it for it in back.heard()}
    assert {phone: (it["kind"], it["text"].strip(), it["to"]) for phone, it in said.items()} == {
        stopped: ("opt-out", "Stop", SENDER),
        other: ("reply", "क्या? 50% & +1", SENDER),
        french: ("opt-out", "Arrêt", SENDER),
    }
    assert len({it["id"] for it in said.values()}) == 3
    assert all("at" in it for it in said.values())

    def send(number: int, name: str) -> str:
        pipeline.produce([{**event(number, "kannel"), "message_id": name}])
        found: dict[str, str] = {}

        def ended() -> bool:
            found.update({it["message_id"]: it["status"] for it in pipeline.read_results()})
            return name in found

        wait_until(ended, f"the result of {name}", within=PATIENCE)
        return found[name]

    assert send(0, "after-stop") == "suppressed"
    assert send(1, "to-another") == "accepted"
    network.say(stopped, SENDER, "START")
    wait_until(lambda: back.listed() == {**whole, stopped[1:]: "lifted"}, "the list to lift it", within=PATIENCE)
    wait_until(lambda: send(0, f"after-start-{len(pipeline.read_results())}") == "accepted", "the worker to know")
    for process in processes:
        assert process.stop() == 0, process.output
    assert {it.destination for it in network.submitted} <= {stopped.removeprefix("+"), other.removeprefix("+")}
    texts = {it.octets for it in network.submitted}
    assert len(texts) == 1, "Kannel itself answers nobody"
