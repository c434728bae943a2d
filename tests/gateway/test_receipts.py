"""What became of a message, from a mobile network through a real gateway back into Kafka: dlr-url, to its end."""

from __future__ import annotations

from collections import defaultdict

import orjson
import pytest

from tests import marked
from tests.gateway.kannel import OCTETS, SHOWN, Kannel
from tests.gateway.sending import PATIENCE, define, event, phone, worker
from tests.gateway.smsc import Smsc
from tests.integration.pipeline import Pipeline
from tests.kafka.ports import free_ports
from tests.kafka.records import read_all
from tests.processes import ConnectorProcess, StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]


class Back:
    """A receiver and the process of states beside a pipeline, and what they wrote."""

    def __init__(self, pipeline: Pipeline, start: StartConnector, gateway: Kannel) -> None:
        self._pipeline = pipeline
        self._start = start
        self._env = {"KANNEL_URL": gateway.url, "KANNEL_USER": "unused", "KANNEL_PASSWORD": marked.PASSWORD}
        (port,) = free_ports(1)
        self._receipts = f"{pipeline.unique}.receipts"
        names = {name: f"{pipeline.unique}.{name}" for name in ("control", "inbound")}
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
                "url_keys": [f"{marked.SECRET}-url-key-000001"],
                "listen": f"127.0.0.1:{port}",
            },
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
