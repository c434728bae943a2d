"""What reading one reply may cost: a count of steps, and CPU time where steps cannot be counted beforehand.

Replies are read on the event loop, between other providers' messages, and what they hold is up to the provider. Every
stage pays before it works: decoding by the marks in the body, expressions by what they walk through, regular
expressions by the text. What is not paid is not done, and the reply is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from connector.clock import cpu_seconds

STEPS: Final = 2_000_000  # about 0.1 µs each, on a core of 2020: a fifth of a second
SECONDS: Final = 0.2
"""Looked at after what cannot be counted beforehand, which takes 50 ms at most: all in all a reply holds the loop for a
quarter of a second.
"""
UNSEEN: Final = 0.05
"""Taken as used at the first look at the clock, which comes after the first such work or tranche. Nearly all replies
are read without one: asking the system for a thread's CPU time takes several µs, a twentieth of what a request does.
"""

# What things cost, in steps; measured, and rounded up.
JSON_VALUE: Final = 3
JSON_CONTAINER: Final = 12  # a list or an object: the collector looks at them while they are made
JSON_VALUE_LENIENT: Final = 6  # a second pass, by the standard library
XML_MARK: Final = 25  # an element, an attribute, an entity: half of a name and its end
XML_BYTES_A_STEP: Final = 6  # line breaks: each is told apart
CHARSET_BYTES_A_STEP: Final = 8  # another charset than UTF-8, read and written again
BYTES_A_STEP: Final = 32  # what C code does to a byte
VISIT: Final = 25  # the library's walk over one node of an expression
CALL: Final = 20  # a function of JMESPath
ITEM: Final = 8  # an element that a function looks at: to check its type, to sort it
WEIGHED: Final = 4  # a value that is written or compared with all that stands inside it
ENTRY: Final = 20  # an outcome
ALIKE: Final = 3  # an entry that is read column by column

# Of a regular expression: bytes that RE2's automaton reads in a step, and instructions times bytes of one search at
# most, which is a tenth of a second where it has to simulate every way there is.
AUTOMATON_BYTES: Final = 64
SEARCH: Final = 10_000_000


TRANCHE: Final = 200_000
"""Steps between two looks at the clock: what a step takes is known for one core, and was measured on a quiet one."""


class TooMuchWorkError(Exception):
    """A reply asks for more than SECONDS of work."""

    def __init__(self) -> None:
        super().__init__("reading the reply takes more work than a reply is given")


class Work:
    """The account of one reply at a time. `begin` opens it anew."""

    __slots__ = ("_cpu", "_left", "_stock", "_until")

    def __init__(self, cpu: Callable[[], float] = cpu_seconds) -> None:
        self._cpu = cpu
        self._until: float | None = None
        self.begin()

    def begin(self) -> None:
        """A new reply."""
        self._left, self._stock = TRANCHE, STEPS - TRANCHE
        self._until = None

    def spend(self, steps: int) -> None:
        """Pay for what comes next. Raises TooMuchWorkError where it cannot be afforded."""
        self._left -= steps
        if self._left < 0:
            self._draw()

    def _draw(self) -> None:
        """The next of the steps that are left, if there is time for them."""
        drawn = min(max(TRANCHE, -self._left), self._stock)
        self._left += drawn
        self._stock -= drawn
        if self._left < 0:
            raise TooMuchWorkError
        self.look()

    def look(self) -> None:
        """After work that nobody could count: raises TooMuchWorkError when the time is up."""
        if self.late:
            raise TooMuchWorkError

    @property
    def late(self) -> bool:
        """True when the time is up, for work that is left undone then and is no reason to give up the rest."""
        now = self._cpu()
        if self._until is None:
            self._until = now + SECONDS - UNSEEN
        return now > self._until

    def weigh(self, value: Any) -> None:
        """Pay for all of a value, whatever stands inside it."""
        open_ = [value]
        while open_:
            self.spend(WEIGHED)
            each = open_.pop()
            if isinstance(each, str):
                self.spend(len(each) // BYTES_A_STEP)
            elif isinstance(each, list):
                open_.extend(each)
            elif isinstance(each, dict):
                open_.extend(each)
                open_.extend(each.values())
