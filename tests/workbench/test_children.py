"""Studio's child from outside: bounded in time, memory and what it may read, killed and replaced."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.workbench import asks
from connector.workbench.child.studio_children import (
    BusyError,
    StudioChild,
    StudioChildren,
    TooLongError,
    UnanswerableError,
)

from .test_studio import DEFINITION, event

PATIENT = 60.0
"""Seconds: machines of tests are busy."""


@asynccontextmanager
async def children(folder: Path | None = None, **more: Any) -> AsyncIterator[StudioChildren]:
    made = StudioChildren(folder, **{"seconds": PATIENT, "count": 1, **more})
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def read(raw: msgspec.Raw, kind: Any) -> Any:
    return msgspec.json.decode(raw, type=kind)


async def test_a_child_answers_and_tells_what_must_be_mended() -> None:
    async with children() as studio:
        checked = read(await studio.ask(asks.CheckAsk(definition=DEFINITION, name="acme")), asks.CheckAnswer)
        assert checked.ok
        with pytest.raises(UnanswerableError) as caught:
            await studio.ask(asks.RenderAsk(definition="method: POST", events=[event(1)]))
        assert caught.value.problems[0].message
        assert read(await studio.ask(asks.CheckAsk(definition=DEFINITION)), asks.CheckAnswer).ok


async def test_a_child_that_takes_too_long_is_killed_and_the_next_question_answered() -> None:
    async with children(seconds=0.3) as studio:
        with pytest.raises(TooLongError, match=r"no answer within 0\.3 s of computing"):
            await studio.ask(asks.CheckAsk(definition="method: POST\n" * 18_000))
        assert read(await studio.ask(asks.CheckAsk(definition=DEFINITION)), asks.CheckAnswer).ok
        assert len(studio._alive) == 1


async def test_a_child_that_needs_more_memory_than_it_may_ends_and_the_next_question_is_answered() -> None:
    # A template that makes its own text larger and larger: 256 MiB are more than any definition needs.
    text = "method: POST\nurl: https://sms.example.com/$$To\nparameters: {json: {a: $$x}}\ncontent: x\n"
    async with children(memory=96 * 1024**2) as studio:
        huge = [event(number, x="y" * 900_000) for number in range(200)]
        with pytest.raises((TooLongError, UnanswerableError)):
            await studio.ask(asks.RenderAsk(definition=text, events=huge))
        assert read(await studio.ask(asks.CheckAsk(definition=DEFINITION)), asks.CheckAnswer).ok


def told_by_the_kernel(pid: int) -> tuple[bytes, str]:
    folder = Path(f"/proc/{pid}")
    return (folder / "environ").read_bytes(), (folder / "limits").read_text()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="the kernel does not tell here")
async def test_a_child_has_no_environment_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_AUTHKEY", "hunter2")
    child = await StudioChild.start(None)
    try:
        async for _ in child.ask(asks.CheckAsk(definition="")):
            pass
        held, limits = told_by_the_kernel(child.pid)
        assert b"hunter2" not in held
        assert str(256 * 1024**2) in limits
    finally:
        await child.end()


async def test_more_questions_than_may_wait_are_told_to_come_later() -> None:
    async with children() as studio:
        studio._asked = 1000
        with pytest.raises(BusyError):
            await studio.ask(asks.CheckAsk(definition=""))


async def test_a_child_that_somebody_kills_is_replaced() -> None:
    async with children() as studio:
        await studio.ask(asks.CheckAsk(definition=""))
        (child,) = studio._alive
        os.kill(child.pid, 9)
        with pytest.raises(TooLongError):
            await studio.ask(asks.CheckAsk(definition=DEFINITION))
        assert read(await studio.ask(asks.CheckAsk(definition=DEFINITION)), asks.CheckAnswer).ok


async def test_stopping_leaves_no_process_behind() -> None:
    async with children() as studio:
        await studio.ask(asks.CheckAsk(definition=""))
        (child,) = studio._alive
    with pytest.raises(ProcessLookupError):
        os.kill(child.pid, 0)


async def test_a_simulation_tells_how_far_it_is_and_then_what_became_of_the_events() -> None:
    ask = asks.SimulateAsk(
        definition=DEFINITION.partition("response:")[0],
        fake="generic",
        count=500,
        event=event(1),
        faults={"drop": "after", "times": 1},
    )
    async with children() as studio:
        told = [each async for each in studio.simulate(ask)]
        steps = [each for each in told if isinstance(each, tuple)]
        assert steps == sorted(steps)
        assert steps
        final = msgspec.json.decode(told[-1])
        assert final["results"] == {"accepted": 500}
        assert final["twice"] == 2, "the messages whose reply was lost were sent again"
        assert final["lost"] == 0
        with pytest.raises(UnanswerableError, match="there is no fake"):
            async for _ in studio.simulate(msgspec.structs.replace(ask, fake="nobody")):
                pass


async def test_whoever_leaves_a_simulation_ends_its_process() -> None:
    ask = asks.SimulateAsk(definition=DEFINITION, count=10_000, event=event(1), faults={"throttle": True})
    async with children() as studio:
        await studio.ask(asks.CheckAsk(definition=""))
        before = set(studio._alive)
        async for _ in (running := studio.simulate(ask)):
            break
        await running.aclose()
        assert studio._alive == before
        await asyncio.sleep(0)
