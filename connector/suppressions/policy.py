"""Whether a message may be sent to its number."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate

from connector.model import Message
from connector.suppressions.phone_list import PhoneList
from connector.suppressions.record import normal_sender


@dataclass(frozen=True, slots=True)
class Exemptions:
    """Whose messages are sent all the same.

    Attributes:
        campaigns: patterns with `*`.
        sources: topics of events.
        custom: values of custom replacements.
    """

    campaigns: Collection[str] = ()
    sources: Collection[str] = ()
    custom: Mapping[str, Collection[str]] = field(default_factory=dict)


class SuppressionPolicy:
    """Asked for every message, before it waits and before each request it is in.

    Args:
        phones: the list, which changes.
        exempt: whose messages are sent all the same.
        sender: the custom replacement that names the sender; None: it is not known.
    """

    def __init__(self, phones: PhoneList, exempt: Exemptions, sender: str | None) -> None:
        self._phones = phones
        self._sender = sender
        self._sources = frozenset(exempt.sources)
        self._custom = {name: frozenset(values) for name, values in exempt.custom.items()}
        patterns = "|".join(translate(re.sub(r"([\[\]?])", r"[\1]", it)) for it in exempt.campaigns)
        self._campaigns = re.compile(patterns).match if patterns else None

    @property
    def changes(self) -> int:
        """See PhoneList."""
        return self._phones.changes

    def some(self, messages: Sequence[Message]) -> bool:
        """Whether one of them may be suppressed: its number is in the list. The hot path: 0.55 µs a message with ten
        million numbers.
        """
        return self._phones.some(map(int, [message.to for message in messages]))

    def suppresses(self, topic: str, message: Message) -> bool:
        """Whether a message must not be sent, whose event came from `topic`."""
        return self._phones.holds(int(message.to), self._sender_of(message)) and not self._exempts(topic, message)

    def _sender_of(self, message: Message) -> str | None:
        value = None if self._sender is None or message.custom is None else message.custom.get(self._sender)
        return normal_sender(str(value)) if isinstance(value, str | int) and value != "" else None

    def _exempts(self, topic: str, message: Message) -> bool:
        if self._campaigns is not None and message.campaign_id is not None and self._campaigns(message.campaign_id):
            return True
        if topic in self._sources:
            return True
        custom = message.custom or {}
        return any(str(custom.get(name)) in values for name, values in self._custom.items() if name in custom)
