"""How many elements a message brings to each list of its request.

Whoever reads two lists side by side pairs them by position: the second number with the second text. A message that
brings an element to one of them and none to the other would shift all texts behind it, to the wrong people. So messages
share a request only where each brings as many elements to every list as all others do, and no more to one than another.

The same holds inside one list where nothing but the order tells its elements apart: joined strings, and names of pairs
that are repeated. There an empty element counts as one that may be dropped by whoever reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from connector.definition.conversions import as_text
from connector.definition.expression import MISSING, Head
from connector.definition.parallel import may_be_absent, may_be_empty
from connector.definition.tree import Array, Constant, Node, Object, ObjectMember, Replacement, Spread, Text
from connector.request.encoders import FormEncoder, JsonEncoder
from connector.request.multipart import MultipartEncoder
from connector.request.values import Encoder, KeyPath, MergePoint

Elements = dict[KeyPath, int]
"""Place → how many elements; below zero where all are empty and may be dropped, UNEVEN where only some are."""

UNEVEN = 0

CountElements = Callable[[Any], Elements]


def counting(keys: Sequence[MergePoint], join: str) -> CountElements | None:
    """Counts what the values of a message, one per key, bring; None where that is the same for every message."""
    lists = [found for number, key in enumerate(keys) for found in _lists_of(key, str(number), join)]
    if not lists or (all(each.steady for each in lists) and len({each.written for each in lists}) == 1):
        return None
    several = len(keys) > 1

    def count(value: Any) -> Elements:
        found: Elements = {}
        for each in lists:
            each.count(value[each.key] if several else value, found)
        return found

    return count


def stands_alone(elements: Elements) -> bool:
    """Whether no other message may stand beside these: they are not paired one by one."""
    counts = set(map(abs, elements.values()))
    return len(counts) > 1 or UNEVEN in counts


# ---- the lists of a key ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _List:
    """A place where elements of messages meet.

    Attributes:
        key: which key it stands in.
        path: the names that lead to it in the key's value.
        place: the same for all of the request.
        join: what separates its elements, where it is a text.
        ordered: nothing but the order tells its elements apart.
        steady: every message brings as many elements as are written.
        written: how many.
        known: names beside a spread that are not of the message.
    """

    key: int
    path: KeyPath
    place: KeyPath
    join: str
    ordered: bool
    steady: bool
    written: int
    known: frozenset[str] = frozenset()

    def count(self, value: Any, found: Elements) -> None:
        """Put what `value`, the key's, brings into `found`."""
        for name in self.path:
            if not isinstance(value, dict):
                return
            value = value.get(name, MISSING)
        if value is MISSING:
            return
        if isinstance(value, dict):
            for name, item in value.items():
                if name not in self.known:
                    _own(item, (*self.place, name), found, ordered=self.ordered)
        elif isinstance(value, list):
            _of_list(value, self.place, found, ordered=self.ordered)
        else:
            text = as_text(value)
            found[self.place] = _filled([each != "" for each in text.split(self.join)] if self.join else [text != ""])


def _lists_of(key: MergePoint, number: str, join: str) -> list[_List]:
    assert key.node is not None
    assert key.encoder is not None
    name = key.path[-1] if key.path else ""
    return _lists(key.node, key.encoder, (number,), str(key.encoder.constant(Constant(join))), name)


def _lists(node: Node, encoder: Encoder, place: KeyPath, join: str, name: str) -> list[_List]:
    """Where messages meet at `node`, which `name` names."""
    key, path = int(place[0]), place[1:]
    if isinstance(node, Object):
        return _members(node, encoder, place, join)
    if isinstance(node, Array):
        ordered = _by_order(encoder, name)
        steady = not any(may_be_absent(item) or (ordered and may_be_empty(item)) for item in node.items)
        return [_List(key, path, place, join, ordered, steady, len(node.items))]
    if isinstance(node, Replacement):
        if path or _by_recipient(node):
            return []  # two values under one name collide, and do not meet; or everybody has names of their own
        one = not isinstance(encoder, JsonEncoder) or node.expression.head == Head("name", "To")
        return [_List(key, path, place, join, True, one and not (may_be_absent(node) or may_be_empty(node)), 1)]
    if path or not isinstance(node, Text):
        return []
    written = 1 + sum(str(encoder.constant(Constant(part))).count(join) for part in node.parts if isinstance(part, str))
    return [_List(key, path, place, join, True, written == 1 and not may_be_empty(node), written)]


def _members(node: Object, encoder: Encoder, place: KeyPath, join: str) -> list[_List]:
    found: list[_List] = []
    known: set[str] = set()
    spreads = False
    for member in node.members:
        if isinstance(member, Spread):
            spreads = True
        elif isinstance(member.key, str):
            name = encoder.written_name(member.key)
            known.add(name)
            below = encoder.member(member.key)
            found += _lists(member.value, below, (*place, name), join, member.key)
    named = any(isinstance(member, ObjectMember) and not isinstance(member.key, str) for member in node.members)
    if spreads and not named:
        found.append(_List(int(place[0]), place[1:], place, join, False, False, 1, frozenset(known)))
    return found


def _by_recipient(node: Replacement) -> bool:
    """Whether it gives a map of maps in which every recipient has a name of his own: `Variables|under(To)`."""
    filters = node.expression.filters
    return bool(filters) and filters[-1].filter.name == "under"


def _by_order(encoder: Encoder, name: str) -> bool:
    """Whether a list called `name` is a name of pairs that is repeated, without a number."""
    return isinstance(encoder, FormEncoder | MultipartEncoder) and (not encoder.numbers or name.endswith("[]"))


# ---- counting -------------------------------------------------------------------------------------------------------


def _own(value: Any, place: KeyPath, found: Elements, *, ordered: bool) -> None:
    """What a map of the message itself brings: lists under equal names meet, at every depth."""
    if isinstance(value, dict):
        for name, item in value.items():
            _own(item, (*place, name), found, ordered=ordered)
    elif isinstance(value, list):
        _of_list(value, place, found, ordered=ordered)


def _of_list(value: list[Any], place: KeyPath, found: Elements, *, ordered: bool) -> None:
    if not ordered:
        if value:
            found[place] = len(value)
        return
    leaves: dict[KeyPath, list[bool]] = {}
    _leaves(value, place, leaves)
    for each, filled in leaves.items():
        found[each] = _filled(filled)


def _filled(elements: Sequence[bool]) -> int:
    if len(set(elements)) > 1:
        return UNEVEN
    return len(elements) if elements[0] else -len(elements)


def _leaves(value: Any, place: KeyPath, leaves: dict[KeyPath, list[bool]]) -> None:
    """Every leaf under its name, without the numbers of lists: whether something stands in it."""
    if isinstance(value, dict):
        for name, item in value.items():
            _leaves(item, (*place, name), leaves)
    elif isinstance(value, list):
        for item in value:
            _leaves(item, place, leaves)
    else:
        leaves.setdefault(place, []).append(value not in ("", None))
