"""What became of a message, from a mobile network through a real gateway back into Kafka: dlr-url, to its end."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.receipts.callback import Meaning
from connector.receipts.receipt_reader import ReceiptKeys, compile_receipts
from connector.receipts.tokens import Tokens, UrlSecrets
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

KEY, URL_KEY = f"{marked.SECRET}-token-key-0001", f"{marked.SECRET}-url-key-000001"


class WayBack:
    """A receiver beside a pipeline, and what it wrote."""

    def __init__(self, pipeline: Pipeline, start: StartConnector) -> None:
        self._pipeline = pipeline
        self._start = start
        (self._port,) = free_ports(1)
        self.url = f"http://127.0.0.1:{self._port}"
        self._matched = f"{pipeline.unique}.receipts.matched"
        pipeline.configure(
            topics={
                "sources": [pipeline.source],
                "results": pipeline.results,
                "dead_letters": pipeline.dead_letters,
                "journal": pipeline.journal,
                "control": f"{pipeline.unique}.control",
                "retry_prefix": f"{pipeline.unique}.retry",
                "receipts": f"{pipeline.unique}.receipts",
                "receipts_matched": self._matched,
                "receipts_unmatched": f"{pipeline.unique}.receipts.unmatched",
                "inbound": f"{pipeline.unique}.inbound",
            },
            receive={
                "url": self.url,
                "keys": [KEY],
                "url_keys": [URL_KEY],
                "listen": f"127.0.0.1:{self._port}",
            },
        )
        pipeline.create_topics()

    def receiver(self, gateway: Kannel) -> ConnectorProcess:
        env = {"KANNEL_URL": gateway.url, "KANNEL_USER": "unused", "KANNEL_PASSWORD": marked.PASSWORD}
        arguments = ("receive", "--config", str(self._pipeline.config), "--set", "health.port=0")
        process = self._start(*arguments, name="r0", env=env)
        process.wait_for("callbacks are taken")
        return process

    def states(self, folder: Path) -> dict[str, list[str]]:
        """By message: what its receipts mean, in whatever order they came."""
        environment = Environment({"KANNEL_URL": self.url, "KANNEL_PASSWORD": "-"})
        keys = ReceiptKeys(Tokens([KEY], [self._pipeline.source]), UrlSecrets([URL_KEY]))
        reader = compile_receipts(load(folder / "kannel.yaml", environment=environment), keys, public_url=self.url)
        found: dict[str, list[str]] = defaultdict(list)
        for record in read_all(self._pipeline.bootstrap, self._matched):
            meaning = reader.meaning(record.value or b"")
            assert isinstance(meaning, Meaning), meaning
            found[_message(record.headers)].append(meaning.state.value)
        return {message: sorted(states) for message, states in found.items()}


def _message(headers: dict[str, Any]) -> str:
    return str(orjson.loads(headers["entry"])["message_id"])


@pytest.mark.parametrize("user", [SHOWN, OCTETS])
def test_what_became_of_messages_is_read_from_a_real_gateways_callbacks(
    pipeline: Pipeline, gateway: tuple[Kannel, Smsc], start_connector: StartConnector, user: str
) -> None:
    """By Kannel's own fake SMSC, which delivers everything; and by a network that tells of each as SMPP 3.4 has it."""
    kannel, network = gateway
    kannel.connect_fakesmsc()
    fates = {0: ("DELIVRD", "delivered"), 1: ("EXPIRED", "expired"), 2: ("UNDELIV", "undelivered")}
    network.fates = {phone(number).removeprefix("+"): state for number, (state, _) in fates.items()}
    define(pipeline, "kannel", user)
    way = WayBack(pipeline, start_connector)
    receiver = way.receiver(kannel)
    pipeline.produce(event(number, "kannel") for number in fates)
    running = worker(pipeline, kannel)
    pipeline.wait_for_results(len(fates))
    folder = pipeline.folder / "definitions"
    wait_until(lambda: sum(map(len, way.states(folder).values())) >= 2 * len(fates), "receipts", within=PATIENCE)
    assert running.stop() == 0, running.output
    assert receiver.stop() == 0, receiver.output
    assert {result["status"] for result in pipeline.read_results()} == {"accepted"}
    final = {number: means if user == OCTETS else "delivered" for number, (_, means) in fates.items()}
    assert way.states(folder) == {f"kannel-{number}": sorted(["sent", state]) for number, state in final.items()}
