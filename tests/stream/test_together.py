"""Questions asked at once: all are answered, or the first failure is raised and nothing goes on behind it."""

from __future__ import annotations

import asyncio

import pytest

from connector.stream.epoch.together import together


async def test_all_are_under_way_before_one_is_done() -> None:
    begun, go = [], asyncio.Event()

    async def ask(number: int) -> None:
        begun.append(number)
        if len(begun) == 3:
            go.set()
        await go.wait()

    await together(ask(0), ask(1), ask(2))
    assert begun == [0, 1, 2]


async def test_where_one_fails_the_others_are_given_up_first() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("given up")

    async def fail() -> None:
        raise KeyError("no")

    with pytest.raises(KeyError, match="no"):
        await together(wait(), fail(), wait())
    assert ended == ["given up"] * 2
