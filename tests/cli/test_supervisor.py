"""`run --workers`: what is started again, what ends all, and how they stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal

import pytest

from connector.cli.workers import supervisor as module
from connector.cli.workers.supervisor import Supervisor
from connector.clock import ManualClock


class Worker:
    """A process that ends when told, or as the test says."""

    def __init__(self, *, obeys: bool = True) -> None:
        self.code: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.obeys = obeys
        self.told: list[str] = []

    async def wait(self) -> int:
        return await self.code

    def end(self, code: int) -> None:
        if not self.code.done():
            self.code.set_result(code)

    def send_signal(self, number: int) -> None:
        self.told.append(signal.Signals(number).name)
        if self.obeys and number == signal.SIGTERM:
            self.end(0)

    def kill(self) -> None:
        self.end(-9)


class Bench:
    """A supervisor and every worker it has started, by number."""

    def __init__(self, number: int, *, patience: float = 60.0, obeys: bool = True) -> None:
        self.clock = ManualClock()
        self.started: dict[int, list[Worker]] = {it: [] for it in range(number)}
        self.obeys = obeys
        self.supervisor = Supervisor(number, self._start, clock=self.clock, patience=patience)
        self.running = asyncio.ensure_future(self.supervisor.run())

    async def _start(self, number: int) -> Worker:
        worker = Worker(obeys=self.obeys)
        self.started[number].append(worker)
        return worker

    async def turn(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses asked for; they pass at once."""
    asked: list[float] = []
    wait_for = asyncio.wait_for

    async def no_wait(awaitable: object, seconds: float) -> None:
        asked.append(seconds)
        with contextlib.suppress(TimeoutError):
            await wait_for(awaitable, 0)  # type: ignore[arg-type]
            return
        raise TimeoutError

    monkeypatch.setattr(module.asyncio, "wait_for", no_wait)
    return asked


async def test_one_that_ends_is_started_again_and_the_others_go_on(pauses: list[float]) -> None:
    bench = Bench(2)
    await bench.turn()
    bench.started[1][0].end(-9)
    await bench.turn()
    assert [len(it) for it in bench.started.values()] == [1, 2]
    assert bench.supervisor.restarts == {0: 0, 1: 1}
    bench.supervisor.stop()
    assert await bench.running == 0


async def test_pauses_grow_to_a_bound_and_begin_anew_after_a_steady_run(pauses: list[float]) -> None:
    bench = Bench(1)
    for _ in range(7):
        await bench.turn()
        bench.started[0][-1].end(1)
    await bench.turn()
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    bench.clock.advance(61)
    bench.started[0][-1].end(71)
    await bench.turn()
    assert pauses[-1] == 1
    bench.supervisor.stop()
    await bench.running


@pytest.mark.parametrize("code", [2, 78])
async def test_a_wrong_configuration_stops_all_and_is_the_exit_code(code: int) -> None:
    bench = Bench(3)
    await bench.turn()
    bench.started[1][0].end(code)
    assert await bench.running == code
    assert all(len(it) == 1 for it in bench.started.values())
    assert bench.started[0][0].told == ["SIGTERM"]


async def test_one_that_does_not_stop_is_killed_and_shows_in_the_exit_code() -> None:
    bench = Bench(1, patience=0.01, obeys=False)
    await bench.turn()
    bench.supervisor.stop()
    assert await bench.running == 128 + 9


async def test_a_stop_during_a_pause_starts_nothing_more() -> None:
    bench = Bench(1)
    await bench.turn()
    bench.started[0][0].end(1)
    await bench.turn()
    bench.supervisor.stop()
    assert await bench.running == 0
    assert len(bench.started[0]) == 1


async def test_a_hangup_reaches_every_worker_and_ends_none() -> None:
    bench = Bench(2)
    await bench.turn()
    bench.supervisor.tell(signal.SIGHUP)
    assert [it[0].told for it in bench.started.values()] == [["SIGHUP"], ["SIGHUP"]]
    bench.supervisor.stop()
    assert await bench.running == 0


async def test_one_that_is_told_before_it_has_joined_ends_cleanly() -> None:
    bench = Bench(1, obeys=False)
    await bench.turn()
    bench.supervisor.stop()
    bench.started[0][0].end(-signal.SIGTERM)
    assert await bench.running == 0
