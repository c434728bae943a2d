"""The child: reads questions from standard input and writes answers to standard output, within bounds it cannot change.

It has no secrets (its environment is empty), no Kafka and no network, writes no file, and reads the catalogue and at
most one folder. It ends when an answer takes too much computing; who reads its answers kills it when none comes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from connector.config_text.environment import Environment
from connector.definition.load import load_text
from connector.errors import ConfigurationError, ConnectorError, UsageError
from connector.tools.simulator.in_memory import InMemoryFake
from connector.workbench import asks
from connector.workbench.child.frames import read_frame, write_frame
from connector.workbench.simulation import DemoEnvironment, Simulated, simulate, simulated_events
from connector.workbench.studio_answers import Studio, problems_of

FILES = 64
ADDRESSES = 1024**3
"""Bytes of address space: libraries reserve more than they use."""


class ChildReply(msgspec.Struct, frozen=True):
    """One frame of an answer.

    Attributes:
        answer: what was asked for, as JSON; None where there is none yet.
        problems: what a person must mend, where it cannot be answered.
        done, of: how far a simulation is.
        last: nothing more comes for this question.
    """

    answer: Any = None
    problems: list[asks.Told] = []
    done: int = 0
    of: int = 0
    last: bool = True


def bound_process(memory: int) -> None:
    """Take no more than `memory` bytes, write no file, and open few: from here on, for good."""
    try:
        import resource
    except ImportError:  # not on this system: the deadline is what is left
        return
    for which, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_AS, ADDRESSES),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, FILES),
    ):
        _, hard = resource.getrlimit(which)
        least = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(which, (least, least))


class WorkTimer:
    """Ends this process when an answer takes more than so many seconds of computing, whatever it is busy with.

    Computing, not time: on a machine that has other things to do nobody's question is at fault.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def begin(self) -> None:
        """From now on."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, self._seconds)  # SIGPROF ends a process that does not take it

    @staticmethod
    def end() -> None:
        """The answer is there."""
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_PROF, 0.0)


def answered(studio: Studio, raw: bytes, folder: Path | None, out: BinaryIO) -> ChildReply:
    """The answer to one question."""
    try:
        ask = msgspec.json.decode(raw, type=asks.AnyAsk)
        if isinstance(ask, asks.SimulateAsk):
            return ChildReply(simulated(ask, folder, out))
        return ChildReply(studio.answer(ask))
    except (ConfigurationError, UsageError) as error:
        return ChildReply(problems=problems_of(error))
    except (ConnectorError, ValueError) as error:
        return ChildReply(problems=[asks.Told(str(error))])
    except RecursionError:
        return ChildReply(problems=[asks.Told("too much stands inside one another", "write less deeply")])


def simulated(ask: asks.SimulateAsk, folder: Path | None, out: BinaryIO) -> Simulated:
    """A run, with frames on the way that say how far it is. Raises what cannot be simulated."""
    load_text(ask.definition, ask.name, environment=Environment.placeholders(), folder=folder)  # says what is wrong
    definition = load_text(ask.definition, ask.name, environment=DemoEnvironment(), folder=folder)
    event = msgspec.json.decode(ask.event) or {}
    if not isinstance(event, dict):
        raise UsageError("the event is no JSON object")
    return simulate(
        definition,
        simulated_events(ask.count, event, ask.magic),
        InMemoryFake(ask.fake, ask.faults),
        now=time.time(),
        progress=lambda done, of: write_frame(out, msgspec.json.encode(ChildReply(done=done, of=of, last=False))),
    )


def serve(folder: Path | None, seconds: float, source: BinaryIO, out: BinaryIO) -> None:
    """Until nobody asks any more."""
    studio, timer = Studio(folder), WorkTimer(seconds)
    while (raw := read_frame(source)) is not None:
        timer.begin()
        answer = msgspec.json.encode(answered(studio, raw, folder, out))
        timer.end()
        write_frame(out, answer)


def main() -> None:
    """Started by `StudioChildren`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    bound_process(given.memory)
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # nothing that prints can be taken for an answer
    serve(given.folder, given.seconds, sys.stdin.buffer, out)


if __name__ == "__main__":
    main()
