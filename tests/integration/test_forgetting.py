"""What docs/personal-data.md says of erasing one number, on a real Kafka: down to the bytes of the broker's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.cli.suppress import EXIT_SUPPRESSED
from connector.suppressions.record import key_of
from tests.integration.pipeline import Pipeline
from tests.integration.small import LIMIT_SECONDS, configure
from tests.kafka.fixtures import MakeKafka
from tests.kafka.records import Event, alter, produce
from tests.processes import StartConnector
from tests.waiting import wait_until

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(LIMIT_SECONDS)]

NUMBER, OTHER = "+919812345671", "+919812345672"
# As the page says, only sooner. Uncompressed, so that the number can be looked for.
AT_ONCE = {
    "segment.ms": "100",
    "max.compaction.lag.ms": "1",
    "min.cleanable.dirty.ratio": "0",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "0",
    "compression.type": "uncompressed",
}


def files_with(folder: Path, text: bytes) -> list[Path]:
    """Files of the broker's logs of topics that hold it."""
    return [path for path in folder.rglob("*.log") if path.name[0].isdigit() and text in path.read_bytes()]


def test_a_forgotten_number_is_in_no_record_and_in_no_file_of_the_broker(
    make_kafka: MakeKafka, tmp_path: Path, unique: str, start_connector: StartConnector
) -> None:
    kafka = make_kafka(settings={"log.cleaner.backoff.ms": "100", "log.retention.check.interval.ms": "100"})
    pipeline = Pipeline(tmp_path, kafka.bootstrap, unique, start_connector)
    configure(pipeline, suppressions={"enabled": True})
    topic = f"{unique}.suppressions"
    alter(kafka.bootstrap, topic, AT_ONCE)
    digits = NUMBER.removeprefix("+")
    pipeline.invoke("suppress", "add", NUMBER, OTHER, "--reason", "STOP")
    pipeline.invoke("suppress", "add", NUMBER, "--sender", "ACME")
    # Another system's spelling is another key, which would come to count again.
    produce(kafka.bootstrap, topic, [Event(b"{}", f'"+{digits}"'.encode(), partition=0)])
    assert files_with(tmp_path, digits.encode())

    said = pipeline.invoke("suppress", "forget", NUMBER)
    assert "3 keys of this number would be forgotten" in said.output
    pipeline.invoke("suppress", "check", NUMBER, code=EXIT_SUPPRESSED)
    pipeline.invoke("suppress", "forget", NUMBER, "--yes")
    pipeline.invoke("suppress", "check", NUMBER)
    pipeline.invoke("suppress", "check", OTHER, code=EXIT_SUPPRESSED)
    assert "the list has no record of this number" in pipeline.invoke("suppress", "forget", NUMBER, "--yes").output

    def gone() -> bool:
        produce(kafka.bootstrap, topic, [Event(b"{}", key_of("+4670123456"), partition=0)])  # closes the segment
        return not files_with(tmp_path, digits.encode())

    wait_until(gone, "the number to leave the broker's files", within=60)
    pipeline.invoke("suppress", "check", OTHER, code=EXIT_SUPPRESSED)
