"""Studio's children from outside: asked one question at a time, killed when an answer takes too long, and replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from connector.errors import ConnectorError
from connector.safe_path import CODE
from connector.workbench import asks
from connector.workbench.child.frames import framed, receive_frame

MEMORY: Final = 256 * 1024**2
SECONDS: Final = 2.0
"""Of computing, for an answer."""

SIMULATION_SECONDS: Final = 30.0
PATIENCE: Final = 5.0
LEAST_PATIENCE: Final = 10.0
"""So many times as long is waited on the clock, and so many seconds at least: a child that does not even get to compute
is given up as well.
"""

START_DEADLINE: Final = 30.0
CHILDREN: Final = 2
AGAIN_SECONDS: Final = 1.0
"""After a child that did not start another one is tried."""

WAITING: Final = 16
"""Questions that may wait; whoever asks beyond them is told to come later."""

SIMULATIONS: Final = 2
"""At once."""

KEPT: Final = ("PATH", "SYSTEMROOT", "LANG", "LC_ALL", "TZ", "TMPDIR")
"""Variables a child is given: none of ours, and nothing that could be a secret."""


class TooLongError(ConnectorError):
    """The answer took longer than it may, or more memory: the question is at fault. Another one is answered again."""


class BusyError(ConnectorError):
    """Too many questions wait."""


class UnanswerableError(ConnectorError):
    """What was asked about must be mended first.

    Attributes:
        problems: one by one.
    """

    def __init__(self, problems: list[asks.Told]) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


class _Frame(msgspec.Struct):
    """As `ChildReply`, whose answer is passed on as it is."""

    answer: msgspec.Raw = msgspec.Raw(b"null")
    problems: list[asks.Told] = []
    done: int = 0
    of: int = 0
    last: bool = True


class StudioChild:
    """One child."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, folder: Path | None, memory: int = MEMORY, seconds: float = SECONDS) -> StudioChild:
        """Start one, in an empty environment."""
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        bounds = ["--memory", str(memory), "--seconds", str(seconds)]
        arguments = [*bounds, *(["--folder", str(folder)] if folder is not None else [])]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-B", "-s", "-m", "connector.workbench.child.studio_process"),
            *arguments,
            stdin=PIPE,
            stdout=PIPE,
            stderr=DEVNULL,  # a traceback holds what somebody typed
            env={**environment, "PYTHONPATH": CODE},
            limit=2**20,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    async def ask(self, ask: asks.AnyAsk) -> AsyncIterator[_Frame]:
        """The frames of the answer. Raises EOFError where the child has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(framed(msgspec.json.encode(ask)))
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise EOFError from None
        while True:
            frame = msgspec.json.decode(await receive_frame(self._process.stdout), type=_Frame)
            yield frame
            if frame.last:
                return

    async def end(self) -> None:
        """Kill it, whatever it does."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def took_too_long(self) -> bool:
        """Of one that has ended: whether it was for an answer that took too much computing."""
        return await self._process.wait() == -getattr(signal, "SIGPROF", 0)


class StudioChildren:
    """Children that answer.

    Args:
        folder: of definitions that drafts may extend; None for the catalogue alone.
        seconds: of computing, for an answer.
        memory: bytes for one child.
    """

    def __init__(
        self, folder: Path | None = None, *, seconds: float = SECONDS, memory: int = MEMORY, count: int = CHILDREN
    ) -> None:
        self._folder = folder
        self._seconds = seconds
        self._memory = memory
        self._count = count
        self._idle: asyncio.Queue[StudioChild] = asyncio.Queue()
        self._alive: set[StudioChild] = set()
        self._starting: set[asyncio.Task[None]] = set()
        self._asked = 0
        self._simulations = asyncio.Semaphore(SIMULATIONS)
        self._stopped = False

    async def start(self) -> None:
        """Have children ready; one that takes long to start delays nobody but who asks first."""
        for _ in range(self._count):
            self._replace()

    async def stop(self) -> None:
        """End all of them."""
        self._stopped = True
        for task in list(self._starting):
            task.cancel()
        await asyncio.gather(*self._starting, return_exceptions=True)
        await asyncio.gather(*(child.end() for child in list(self._alive)))
        self._alive.clear()

    async def ask(self, ask: asks.AnyAsk) -> msgspec.Raw:
        """The answer, as JSON.

        Raises:
            UnanswerableError: with what has to be mended.
            TooLongError: it took too long, or too much memory.
            BusyError: too many wait.
        """
        if self._asked >= self._count + WAITING:
            raise BusyError("many people ask at once: try again in a moment")
        self._asked += 1
        try:
            child = await asyncio.wait_for(self._idle.get(), START_DEADLINE)
            async with self._within(child, self._seconds, keep=True):
                async for frame in child.ask(ask):
                    return _answer(frame)
        except TimeoutError:
            raise BusyError("Studio's process does not start: try again in a moment") from None
        finally:
            self._asked -= 1
        raise AssertionError("a child answers with one frame at least")

    async def simulate(self, ask: asks.SimulateAsk) -> AsyncGenerator[tuple[int, int] | msgspec.Raw]:
        """How far it is, again and again, then the answer. In a child of its own; raises as `ask` does."""
        if self._simulations.locked():
            raise BusyError("other simulations are running: try again in a moment")
        async with self._simulations:
            child = await StudioChild.start(self._folder, self._memory, SIMULATION_SECONDS)
            self._alive.add(child)
            async with self._within(child, SIMULATION_SECONDS, keep=False):
                async for frame in child.ask(ask):
                    yield _answer(frame) if frame.last else (frame.done, frame.of)

    @asynccontextmanager
    async def _within(self, child: StudioChild, seconds: float, *, keep: bool) -> AsyncIterator[None]:
        """Ends the child unless what is done inside comes to its end: in time, and with an answer."""
        kept, patience = False, max(seconds * PATIENCE, LEAST_PATIENCE)
        try:
            async with asyncio.timeout(patience):
                yield
            kept = keep
        except UnanswerableError:
            kept = keep
            raise
        except TimeoutError:
            raise TooLongError(f"no answer within {patience:g} s: the machine has too much to do") from None
        except EOFError:
            long = f"{seconds:g} s of computing: something in it takes very long"
            much = f"{self._memory // 1024**2} MiB of memory, or none at all"
            raise TooLongError(f"no answer within {long if await child.took_too_long() else much}") from None
        finally:
            if kept and not self._stopped:
                self._idle.put_nowait(child)
            else:
                self._alive.discard(child)
                await child.end()
                if keep:
                    self._replace()

    def _replace(self) -> None:
        if self._stopped:
            return
        task = asyncio.create_task(self._start_one())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _start_one(self) -> None:
        child = await StudioChild.start(self._folder, self._memory, self._seconds)
        self._alive.add(child)
        # Its imports take a second; whoever asks next should not wait for them.
        try:
            async with asyncio.timeout(START_DEADLINE):
                async for _ in child.ask(asks.CheckAsk(definition="")):
                    pass
        except (EOFError, TimeoutError):
            self._alive.discard(child)
            await child.end()
            asyncio.get_running_loop().call_later(AGAIN_SECONDS, self._replace)
            return
        self._idle.put_nowait(child)


def _answer(frame: _Frame) -> msgspec.Raw:
    """What it says. Raises UnanswerableError."""
    if frame.problems:
        raise UnanswerableError(frame.problems)
    return msgspec.Raw(bytes(frame.answer))
