"""What a worker does while nothing comes: wake-ups are counted, not time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.pipeline import Pipeline, event
from tests.kafka.ports import free_ports
from tests.waiting import wait_until

pytestmark = pytest.mark.kafka

WAKE_UPS_A_SECOND = 30
"""15 are its own; brokers and this machine may cause some."""
LOOK_SECONDS = 4.0


def wake_ups(pid: int) -> int:
    """How often threads of a process have gone to sleep so far."""
    return sum(
        int(line.split()[1])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if line.startswith("voluntary_ctxt_switches")
    )


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="counts what Linux counts")
@pytest.mark.timeout(120)
def test_an_idle_worker_sleeps(make_pipeline: Callable[..., Pipeline]) -> None:
    """With health on, twelve partitions and a message before: main loop, consumer's thread, watchdog."""
    pipeline = make_pipeline(partitions=12)
    pipeline.simulate()
    pipeline.define()
    pipeline.configure(health={"port": free_ports(1)[0]})
    pipeline.create_topics()
    pipeline.produce([event(1)])
    worker = pipeline.worker("w0")
    pipeline.wait_for_results(1)

    def calm() -> bool:
        """The machine may be busy with others: they make a worker wait, and each wait counts."""
        begin, before = time.monotonic(), wake_ups(worker.pid)
        wait_until(lambda: time.monotonic() - begin >= LOOK_SECONDS, "the time to pass")
        return (wake_ups(worker.pid) - before) / (time.monotonic() - begin) <= WAKE_UPS_A_SECOND

    wait_until(calm, f"at most {WAKE_UPS_A_SECOND} wake-ups a second", within=60)
    assert worker.stop() == 0, worker.output
