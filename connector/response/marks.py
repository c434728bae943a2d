"""What must not be shown, indexed so that one look at a text finds every whole one and every long part of one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from connector.response.unescape import folded

# Digits with at most three separators of any kind between them: `98-12/34 56` is one group.
_GROUP: Final = re.compile(r"[0-9](?:[^0-9A-Za-z]{0,3}[0-9])*")
_DIGITS: Final = re.compile(r"[0-9]+")

PART_DIGITS: Final = 7
"""A group of digits with seven in a row of a recipient's number is that number, however it is written or cut off."""

CODE_DIGITS: Final = 4
"""Shorter runs of digits in texts are amounts and dates, longer ones may be one-time passwords."""

LONG_CODE_DIGITS: Final = 6
"""From so many digits on a run is found inside a longer one; shorter ones would be found in every id."""


class Span(NamedTuple):
    """Characters `start` to `end` - 1 are part of a mark; `label` is written in their place."""

    start: int
    end: int
    label: str


class MarkedTexts:
    """Texts to be found in other texts.

    Any common part of `common` characters is found, and a mark shorter than that where it stands whole. Every text is
    cut into grams of half that length, so that each common part holds one of them; looking costs the same for ten
    marks as for ten thousand.

    Args:
        labels: mark → what is written in its place.
        shortest: marks with fewer characters are left out.
        common: characters.
    """

    def __init__(self, labels: Mapping[str, str], *, shortest: int, common: int) -> None:
        self._common = common
        self._gram = gram = (common + 1) // 2
        self._short: dict[int, dict[str, str]] = {}
        self._grams: dict[str, tuple[str, int, str]] = {}
        for text, label in labels.items():
            mark = folded(text).strip()
            if shortest <= len(mark) < common:
                self._short.setdefault(len(mark), {}).setdefault(mark, label)
            elif len(mark) >= common:
                for at in range(0, len(mark) - gram + 1, gram):
                    self._grams.setdefault(mark[at : at + gram], (mark, at, label))

    def __bool__(self) -> bool:
        return bool(self._short or self._grams)

    def spans(self, text: str) -> Iterator[Span]:
        """Where marks stand in a folded text."""
        for length, marks in self._short.items():
            for start in range(len(text) - length + 1):
                label = marks.get(text[start : start + length])
                if label is not None:
                    yield Span(start, start + length, label)
        if not self._grams:
            return
        get, gram = self._grams.get, self._gram
        last, until = ("", 0), 0  # of one mark in one place every gram leads to the same span
        for at in range(len(text) - gram + 1):
            known = get(text[at : at + gram])
            if known is None:
                continue
            mark, place, label = known
            if at < until and last == (mark, place - at):
                continue
            start, end = _grown(text, at, mark, place, gram)
            if end - start >= self._common:
                yield Span(start, end, label)
                last, until = (mark, place - at), end


def _grown(text: str, at: int, mark: str, place: int, size: int) -> tuple[int, int]:
    """How far both agree around a gram they share."""
    start, end = at, at + size
    before = place - at
    while start > 0 and start + before > 0 and text[start - 1] == mark[start + before - 1]:
        start -= 1
    while end < len(text) and end + before < len(mark) and text[end] == mark[end + before]:
        end += 1
    return start, end


class Numbers:
    """Recipients and the digits of texts.

    Args:
        recipients: phone numbers.
        codes: runs of digits that stand in texts, such as one-time passwords.
        spared: runs of digits that are nobody's secret, as a definition names them.
    """

    def __init__(self, recipients: Iterable[str], codes: Iterable[str] = (), spared: frozenset[str] = frozenset()):
        self._spared = spared
        self._parts: set[str] = set()
        self._codes = {code for code in codes if len(code) >= CODE_DIGITS}
        for number in recipients:
            digits = number.lstrip("+")
            if len(digits) < PART_DIGITS:
                self._codes.add(digits)
            for at in range(len(digits) - PART_DIGITS + 1):  # also what is left of one that was cut off
                self._parts.add(digits[at : at + PART_DIGITS])
        self._long = sorted({len(code) for code in self._codes if len(code) >= LONG_CODE_DIGITS})

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where numbers stand in a folded text: whole runs of digits, and what separates them."""
        for group in _GROUP.finditer(text):
            digits = re.sub(r"[^0-9]", "", group.group())
            if digits in self._spared:
                continue
            if (last := self._last_digit(digits)) is not None:
                yield group.start(), _end_of_digit(text, group.span(), last)
                continue
            for run in _DIGITS.finditer(text, *group.span()):
                if run.group() not in self._spared and self._is_code(run.group()):
                    yield run.span()

    def _last_digit(self, digits: str) -> int | None:
        """The place of the last digit of the last recipient's number or code in `digits`; None where there is none."""
        for at in range(len(digits) - PART_DIGITS, -1, -1):
            if digits[at : at + PART_DIGITS] in self._parts:
                return at + PART_DIGITS - 1
        return len(digits) - 1 if self._is_code(digits) else None

    def _is_code(self, digits: str) -> bool:
        codes = self._codes
        return digits in codes or any(
            digits[at : at + size] in codes for size in self._long for at in range(len(digits) - size + 1)
        )


def _end_of_digit(text: str, group: tuple[int, int], number: int) -> int:
    """Where the run ends that holds the digit of this number, counted from 0, of a group of digits."""
    counted = 0
    for run in _DIGITS.finditer(text, *group):
        counted += len(run.group())
        if counted > number:
            return run.end()
    return group[1]


def digit_runs(text: str) -> list[str]:
    """The runs of digits in a text that may be one-time passwords."""
    return [run for run in _DIGITS.findall(folded(text)) if len(run) >= CODE_DIGITS]
