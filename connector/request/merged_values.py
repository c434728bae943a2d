"""What a batch has in one place: the values of its messages, merged.

Arrays are concatenated, objects merged at every depth, texts joined. Values that cannot stand together (two equal keys
of a map, a list beside a text) do not share a batch.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

from connector.definition.conversions import as_text
from connector.definition.expression import MISSING
from connector.definition.tree import Array, Node, Object, Replacement


class Merged:
    """The values of one key, taken in one by one.

    Attributes:
        values: one per message; MISSING where it has none.
        fits: whether a value can stand beside what is there; None where every value can.
        take: takes in a value that fits.
    """

    __slots__ = ("fits", "take", "values")

    def __init__(self, fits: Callable[[Any], bool] | None) -> None:
        self.values: list[Any] = []
        self.fits = fits
        self.take: Callable[[Any], None] = self.values.append  # no method of ours between: once per message

    def first(self, count: int) -> Any:
        """The first `count` values, merged; MISSING when none of them is there."""
        present = self.values if count == len(self.values) else self.values[:count]
        if MISSING in present:
            present = [value for value in present if value is not MISSING]
        return self.together(present) if present else MISSING

    def together(self, present: list[Any]) -> Any:
        """At least one value, merged."""
        raise NotImplementedError


def merging(node: Node, join: str) -> Callable[[], Merged]:
    """How the values of `node` merge. `join` is already escaped for where it lands."""
    if isinstance(node, Array):
        return lambda: Lists(None)
    if isinstance(node, Object):
        return Maps
    if isinstance(node, Replacement):
        return lambda: Whichever(join)
    return lambda: JoinedTexts(join, None)


class Lists(Merged):
    """Arrays, concatenated."""

    __slots__ = ()

    def together(self, present: list[Any]) -> Any:
        return list(chain.from_iterable(present))


class JoinedTexts(Merged):
    """Texts (in JSON also numbers and truth values, which become text), joined."""

    __slots__ = ("_join",)

    def __init__(self, join: str, fits: Callable[[Any], bool] | None) -> None:
        super().__init__(fits)
        self._join = join

    def together(self, present: list[Any]) -> Any:
        return self._join.join([as_text(value) for value in present])


class Maps(Merged):
    """Objects, merged at every depth; arrays in them are concatenated. Two other values under one key collide."""

    __slots__ = ("_total",)

    def __init__(self) -> None:
        super().__init__(self._fits)
        self.take = self._take
        self._total: dict[str, Any] = {}

    def together(self, present: list[Any]) -> Any:
        total: dict[str, Any] = {}
        for value in present:
            _merge(total, value)
        return total

    def _fits(self, value: Any) -> bool:
        return value is MISSING or (isinstance(value, dict) and not _collide(self._total, value))

    def _take(self, value: Any) -> None:
        self.values.append(value)
        if value is not MISSING:
            _merge(self._total, value)


class Whichever(Merged):
    """What a replacement alone gives: the first value decides."""

    __slots__ = ("_chosen", "_join")

    def __init__(self, join: str) -> None:
        super().__init__(self._fits)
        self.take = self._take
        self._join = join
        self._chosen: Merged | None = None

    def together(self, present: list[Any]) -> Any:
        assert self._chosen is not None
        return self._chosen.together(present)

    def _fits(self, value: Any) -> bool:
        if value is MISSING or self._chosen is None:
            return True
        assert self._chosen.fits is not None
        return self._chosen.fits(value)

    def _take(self, value: Any) -> None:
        self.values.append(value)
        if value is MISSING:
            return
        if self._chosen is None:
            self._chosen = self._kind_of(value)
        self._chosen.take(value)

    def _kind_of(self, value: Any) -> Merged:
        if isinstance(value, dict):
            return Maps()
        if isinstance(value, list):
            return Lists(lambda value: isinstance(value, list))
        return JoinedTexts(self._join, lambda value: not isinstance(value, dict | list))


class Several(Merged):
    """The values of several keys: each message's is a list of them, and so is what they merge to."""

    __slots__ = ("_each",)

    def __init__(self, each: list[Merged]) -> None:
        super().__init__(self._fits)
        self.take = self._take
        self._each = each

    def first(self, count: int) -> Any:
        return [merged.first(count) for merged in self._each]

    def _fits(self, value: Any) -> bool:
        return all(m.fits is None or m.fits(v) for m, v in zip(self._each, value, strict=True))

    def _take(self, value: Any) -> None:
        self.values.append(value)
        for merged, own in zip(self._each, value, strict=True):
            merged.take(own)


class _Owned(dict[str, Any]):
    """A dict made by a merge: it may be changed. All others belong to one message and are copied first."""

    __slots__ = ()


def _collide(total: dict[str, Any], more: dict[str, Any]) -> bool:
    for name, value in more.items():
        there = total.get(name, MISSING)
        if there is MISSING or (isinstance(there, list) and isinstance(value, list)):
            continue
        if not (isinstance(there, dict) and isinstance(value, dict)) or _collide(there, value):
            return True
    return False


def _merge(total: dict[str, Any], more: dict[str, Any]) -> None:
    for name, value in more.items():
        there = total.get(name, MISSING)
        if there is MISSING:
            total[name] = value
        elif isinstance(there, list):
            total[name] = there + value
        else:
            if type(there) is not _Owned:
                there = total[name] = _Owned(there)
            _merge(there, value)
