"""Lanes that are replaced because their definition has changed."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from connector.clock import SystemClock
from connector.definition.tree import Definition, Limits
from connector.errors import DefinitionError, Problem
from connector.settings import Settings
from connector.stream.lanes import Lanes, LaneSet
from tests.delivery.world import operation


def definition(name: str, **changes) -> Definition:
    return replace(Definition(name, f"{name}.yaml", (operation(),)), **changes)


class FakeLane:
    """Holds items, and one request that is under way until `landed`."""

    def __init__(self, made: Definition, account: object, counts: object) -> None:
        self.definition, self.account = made, account
        self.name = made.name
        self.counts = counts or object()
        self.items: list[str] = []
        self.pulling = True
        self.landed = asyncio.Event()
        self.ended = asyncio.Event()

    def rest(self) -> None:
        self.pulling = False

    def reopen(self) -> None:
        self.pulling = True

    def evict(self, wanted, *, sealed=False, only_delayed=False) -> list[str]:
        items, self.items = self.items, []
        return items

    async def drain(self, deadline: float) -> list[str]:
        await self.landed.wait()
        return self.evict(None)

    def close(self) -> None:
        self.ended.set()

    async def run(self) -> None:
        await self.ended.wait()


class Bench:
    """Lanes of a dry run: no transports to be closed."""

    def __init__(self) -> None:
        self.filed: list[str] = []
        self.errors: list[BaseException] = []
        self.refuse: str | None = None
        self.lane_set = LaneSet()
        self.lanes = Lanes(
            Settings(delivery="dry-run"),
            self.lane_set,
            maker=SimpleNamespace(make=self._make),
            refile=SimpleNamespace(add=self.filed.extend),
            failures=SimpleNamespace(failed=self.errors.append),
            guard=None,
            clock=SystemClock(),
        )

    def _make(self, made, transport, settings, account, counts) -> FakeLane:
        if made.name == self.refuse:
            raise DefinitionError([Problem("cannot be compiled")])
        return FakeLane(made, account, counts)

    def set(self, *definitions: Definition) -> None:
        self.lanes.set({it.name: it for it in definitions})


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_only_the_lane_whose_definition_has_changed_is_replaced():
    """Its waiting messages are filed anew at once; the new one begins when the old one's last request has ended."""
    bench = Bench()
    bench.set(definition("a"), definition("b"))
    bench.lanes.start()
    old, other = bench.lanes.current["a"], bench.lanes.current["b"]
    old.items = ["m1", "m2"]
    bench.set(definition("a", limits=Limits(concurrency=2)), definition("b"))
    new = bench.lanes.current["a"]
    assert bench.lanes.current["b"] is other
    assert bench.filed == ["m1", "m2"]
    assert (old.pulling, new.pulling) == (False, False)
    assert bench.lanes.retiring == {old}
    assert new.counts is old.counts
    old.items = ["m3"]  # its request was refused
    old.landed.set()
    await settle()
    assert bench.filed == ["m1", "m2", "m3"]
    assert new.pulling
    assert bench.lanes.retiring == set()
    assert old.ended.is_set()
    await bench.lanes.stop()
    assert bench.errors == []


async def test_definitions_come_and_go():
    """A new one has a lane; one that is gone ends its requests, and its messages are filed anew."""
    bench = Bench()
    bench.set(definition("a"))
    bench.lanes.start()
    old = bench.lanes.current["a"]
    old.items = ["m1"]
    bench.set(definition("b"))
    assert set(bench.lanes.current) == {"b"}
    assert bench.filed == ["m1"]
    old.landed.set()
    await settle()
    assert bench.lane_set.all() == [bench.lanes.current["b"]]
    await bench.lanes.stop()


async def test_definitions_of_one_account_are_replaced_together():
    """They share limits: half of them would go by the old ones."""
    bench = Bench()
    bench.set(definition("a", account="x"), definition("b", account="x"), definition("c"))
    before = dict(bench.lanes.current)
    assert before["a"].account is before["b"].account is not None
    bench.set(definition("a", account="x", limits=Limits(concurrency=2)), definition("b", account="x"), definition("c"))
    after = bench.lanes.current
    assert after["a"].account is after["b"].account is not before["a"].account
    assert after["b"] is not before["b"]
    assert after["c"] is before["c"]
    await bench.lanes.stop()


async def test_a_definition_that_cannot_be_compiled_changes_nothing():
    """Not half of an edit."""
    bench = Bench()
    bench.set(definition("a"), definition("b"))
    before, definitions = dict(bench.lanes.current), bench.lanes.definitions
    bench.refuse = "b"
    changed = Limits(concurrency=2)
    with pytest.raises(DefinitionError):
        bench.set(definition("a", limits=changed), definition("b", limits=changed))
    assert bench.lanes.current == before
    assert bench.lanes.definitions is definitions
    assert bench.filed == []
    await bench.lanes.stop()
