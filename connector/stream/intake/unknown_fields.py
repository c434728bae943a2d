"""Events read with an eye on fields that no message has: a mistyped `expires_at` must not make one that never expires.

Told once each, or refused, as `events.unknown_fields` says. A decoder that forbids what it does not know costs no more
than one that passes it over; a field that was told is known to it from then on. So a producer whose every event brings
a field of its own pays once, and the next new one is noticed all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
import structlog

from connector.clock import Clock
from connector.delivery.queue.item import Item
from connector.model import Message, Source
from connector.settings.names import did_you_mean
from connector.stream.control.table import WITHOUT_NUMBER, decode_message, decode_messages
from connector.stream.intake.unknown_names import NAME_CHARACTERS, shown
from connector.untrusted import READ_ERRORS, decoder

log = structlog.get_logger(__name__)

UnknownFieldsPolicy = Literal["ignore", "report", "invalid"]

FIELDS = frozenset(Message.__struct_fields__)
NAMES = 50
"""Fields that are told; beyond, somebody writes a new one into each event."""
AGAIN_SECONDS = 3600.0
"""After so long it is looked for them anew, so that those that a producer has mended are no longer shown."""

_keys = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class EventDecoder:
    """Reads events of source topics.

    Args:
        policy: what a field is to mean that no message has.

    Attributes:
        unknown: such fields of the last hour or two, as they are shown.
    """

    def __init__(self, policy: UnknownFieldsPolicy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._told: set[str] = set()
        self._overflow = False
        self._before: set[str] = set()
        self._now: set[str] = set()
        self._until = clock.monotonic() + AGAIN_SECONDS
        self._learn(())

    @property
    def unknown(self) -> list[str]:
        return sorted(shown(name) for name in self._before | self._now)

    def read(self, item: Item) -> Message:
        """The message of an event.

        Raises:
            msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is none.
        """
        try:
            return decode_message(item.raw, self._decode)
        except msgspec.ValidationError:
            if self._policy != "report" or not self._note(item):
                raise
        return decode_message(item.raw, self._decode)

    def read_all(self, items: Sequence[Item]) -> list[Message] | None:
        """The messages of events at once; None where one of them needs a look of its own."""
        if self._policy == "report" and self._clock.monotonic() >= self._until:
            self._begin_anew()
        return decode_messages(items, self._decode_many)

    def _begin_anew(self) -> None:
        self._until = self._clock.monotonic() + AGAIN_SECONDS
        self._before, self._now = self._now, set()
        self._learn(())

    def _note(self, item: Item) -> bool:
        """Tell the fields of an event that no message has, and know them from now on. False where there is no new one,
        or too much of it: then something else is wrong with the event, or nothing of it is looked at any more.
        """
        try:
            names = _keys(item.raw).keys() - FIELDS - self._now
        except READ_ERRORS:
            return False
        if not names:
            return False
        if len(self._now) + len(names) > NAMES:
            self._give_up()
            return True
        self._now |= {name[: NAME_CHARACTERS + 1] for name in names}
        if all(map(_can_be_known, names)):
            self._learn(sorted(filter(_can_be_known, self._now)))
        else:
            self._pass_over_all()
        place = Source(item.origin.topic, item.origin.partition, item.offset)
        for name in sorted(names - self._told):
            self._tell(name[: NAME_CHARACTERS + 1], place)
        return True

    def _tell(self, name: str, place: Source) -> None:
        if len(self._told) >= NAMES:
            return
        self._told.add(name)
        log.warning(
            "events bring a field that no message has: it is ignored (events.unknown_fields)",
            field=shown(name),
            did_you_mean=nearest(name) or None,
            topic=place.topic,
            partition=place.partition,
            offset=place.offset,
        )

    def _give_up(self) -> None:
        self._pass_over_all()
        if not self._overflow:
            self._overflow = True
            log.warning("events bring too many different fields that no message has: further ones are not told")

    def _pass_over_all(self) -> None:
        """Until it is begun anew, as with `ignore`."""
        self._decode, self._decode_many = decoder(Message).decode, decoder(WITHOUT_NUMBER).decode

    def _learn(self, names: Sequence[str]) -> None:
        """Make decoders that forbid what is neither a field of messages nor one of `names`."""
        kinds = (Message, WITHOUT_NUMBER)
        if self._policy != "ignore":
            kinds = (_forbidding(Message, names), _forbidding(WITHOUT_NUMBER, names))
        self._decode, self._decode_many = (decoder(kind).decode for kind in kinds)


def nearest(name: str) -> str:
    """The field that may have been meant, or ""."""
    return did_you_mean(name[:NAME_CHARACTERS], FIELDS).removeprefix("did you mean ").removesuffix("?")


def _can_be_known(name: str) -> bool:
    """Whether a decoder can be told of it. Nobody means a field that cannot."""
    return len(name) <= NAME_CHARACTERS and name.isprintable() and '"' not in name and "\\" not in name


def _forbidding(kind: type[Message], names: Sequence[str]) -> type[Message]:
    passed_over = [
        (f"unknown_{number}", msgspec.Raw, msgspec.field(default=msgspec.Raw(), name=name))
        for number, name in enumerate(names)
    ]
    made = msgspec.defstruct("Message", passed_over, bases=(kind,), forbid_unknown_fields=True, gc=False)
    assert issubclass(made, Message)
    return made
