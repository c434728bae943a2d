"""Who delivers a message whose provider refuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from connector.definition.tree import Definition
from connector.delivery.queue.item import Item
from connector.model import Message
from connector.stream.control.failover import Failover

MESSAGE = Message(message_id="m", to="+919812345678")


def item(**changes) -> Item:
    return Item(b"{}", None, 0, None, datetime.now(UTC), **changes)


def lane(name: str, *, refusing: bool = False, accepts: bool = True, open_count: int = 1) -> SimpleNamespace:
    return SimpleNamespace(name=name, refusing=refusing, accepts=lambda message: accepts, open_count=open_count)


def failover(*lanes: SimpleNamespace, **others: tuple[str, ...]) -> Failover:
    made = Failover({it.name: it for it in lanes})
    base = Definition("", "", ())
    made.set({it.name: replace(base, name=it.name, failover=others.get(it.name, ())) for it in lanes})
    return made


@pytest.mark.parametrize(
    ("a", "b", "c", "changes", "chosen"),
    [
        ({}, {}, {}, {}, "a"),
        ({"refusing": True}, {}, {}, {}, "b"),
        ({"refusing": True}, {"refusing": True}, {}, {}, "c"),
        ({"refusing": True}, {"accepts": False}, {}, {}, "c"),
        ({"refusing": True}, {"refusing": True}, {"refusing": True}, {}, "a"),
        ({"refusing": True}, {}, {}, {"attempts": 2}, "b"),
        ({"refusing": True}, {}, {}, {"uncertain": True}, "a"),
    ],
)
def test_the_first_that_works_and_can_take_it(a, b, c, changes, chosen):
    """Never after an attempt that the provider may have taken; where nobody works it waits at its own."""
    lanes = lane("a", **a), lane("b", **b), lane("c", **c)
    assert failover(*lanes, a=("b", "c", "unknown")).choose(lanes[0], item(**changes), MESSAGE).name == chosen


def test_only_its_own_provider_says_who_takes_over():
    """a names b, b names c and a: a message for a goes to b or waits, it never goes on to c, nor round."""
    lanes = lane("a", refusing=True), lane("b", refusing=True), lane("c")
    made = failover(*lanes, a=("b",), b=("c", "a"))
    assert made.choose(lanes[0], item(), MESSAGE).name == "a"
    assert made.choose(lanes[1], item(), MESSAGE).name == "c"


def test_what_waits_is_filed_anew_while_another_works():
    """A provider that refuses and has someone; one that took over, once, when it begins to refuse; nobody else."""
    a, b = lane("a", refusing=True), lane("b")
    made = failover(a, b, a=("b",))
    assert list(made.stranded()) == [a]
    assert list(made.stranded()) == [a]  # messages come back from its last requests
    b.refusing = True
    assert list(made.stranded()) == [b]
    assert list(made.stranded()) == []
    a.refusing = False
    assert list(made.stranded()) == []
