"""The embedded broker: takes records, gives them back, and never outlives its parent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from connector.tools.simulator import Broker


def test_it_takes_records_and_gives_them_back() -> None:
    with Broker() as broker:
        producer = Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
        for n in range(100):
            producer.produce("sms.messages", f"{n}".encode())
        assert producer.flush(10) == 0
        topic = producer.list_topics("sms.messages", timeout=5).topics["sms.messages"]
        assert len(topic.partitions) == 4
        consumer = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "g", "auto.offset.reset": "earliest", "log_level": 0}
        )
        consumer.assign([TopicPartition("sms.messages", number, OFFSET_BEGINNING) for number in topic.partitions])
        seen: set[bytes] = set()
        while len(seen) < 100:
            for record in consumer.consume(100, timeout=10):
                value = record.value()
                assert value is not None
                seen.add(value)
        consumer.close()
    assert broker.pid is None


@pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX")
def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "from connector.tools.simulator import Broker\n"
        "b = Broker(); b.start(); print(b.pid, flush=True)\n"
        "import signal; signal.pause()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ})
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=10)


def test_stop_can_be_called_twice() -> None:
    broker = Broker()
    broker.start()
    broker.stop()
    broker.stop()
