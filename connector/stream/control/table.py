"""What operators say while workers run: a table of campaigns and paused providers, kept in a compacted topic.

`campaign:ID` holds what a campaign supplies to its messages and whether they are sent, `provider:NAME` whether anything
is sent there. Every worker reads the whole topic before it admits its first event, and follows it from then on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, cast, get_type_hints

import msgspec
import structlog

from connector.clock import Clock
from connector.definition.system import MESSAGE_ID
from connector.definition.words import HoursText
from connector.delivery.limits.send_hours import SendHours
from connector.delivery.queue.item import Item
from connector.errors import ConfigurationError, Problem
from connector.kafka.skipped import Reason, Skipped
from connector.model import NUMBER, Campaign, CampaignState, Message, Priority, ProviderRoute, ProviderState
from connector.stream.control.provider_routes import provider_of
from connector.untrusted import DEPTH, READ_ERRORS, BoundedReader, UnreadableError, decoder, too_deep

log = structlog.get_logger(__name__)

CAMPAIGN, PROVIDER = "campaign:", "provider:"
NAME_CHARACTERS = 256
"""No message names a longer campaign, and no provider has a longer name."""
ENTRY_BYTES = 256
"""What an entry takes beside its record."""
# A campaign whose record cannot be read: nobody knows whether its messages may be sent.
UNREADABLE = Campaign(state=CampaignState.PAUSED)


def _loose(*names: str) -> type[Message]:
    """Message without the constraints of these fields."""
    kinds, plain = get_type_hints(Message, include_extras=True), get_type_hints(Message)
    fields = [
        (it.name, (plain if it.name in names else kinds)[it.name], msgspec.field(default=it.default))
        for it in msgspec.structs.fields(Message)
    ]
    return cast("type[Message]", msgspec.defstruct("Message", fields, bases=(Message,), gc=False))


_decode_message = decoder(Message).decode
# What was admitted was checked then: without that it takes two thirds of the time.
_decode_admitted = decoder(_loose(*Message.__struct_fields__)).decode
# A regular expression per number costs a fifth of the time: those of many messages are looked at together.
WITHOUT_NUMBER = _loose("to")
_decode_but_number = decoder(WITHOUT_NUMBER).decode
_are_numbers = re.compile(f"(?:{NUMBER}\n)+").fullmatch
_read_campaign = BoundedReader(Campaign)
_read_provider = BoundedReader(ProviderState)
_encode = msgspec.json.Encoder().encode


def decode_message(raw: bytes, decode: Callable[[bytes], Message] = _decode_message) -> Message:
    """The message of an event. Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError."""
    if too_deep(raw):
        raise RecursionError(f"nested deeper than {DEPTH}")
    return decode(raw)


def decode_messages(
    items: Sequence[Item], decode: Callable[[bytes], Message] = _decode_but_number
) -> list[Message] | None:
    """The messages of events at once; None where one cannot be read. `decode` need not look at numbers."""
    try:
        if [1 for item in items if len(item.raw) > 2 * DEPTH and too_deep(item.raw)]:
            return None
        messages = [decode(item.raw) for item in items]
    except READ_ERRORS:
        return None
    numbers = "\n".join([message.to for message in messages]) + "\n"
    return messages if _are_numbers(numbers) and numbers.count("\n") == len(items) else None


class Change(NamedTuple):
    """One of these is set: the campaign or the provider whose record has changed."""

    campaign: str | None = None
    provider: str | None = None


def campaign_record(name: str, campaign: Campaign | None) -> tuple[bytes, bytes | None]:
    """Key and value of a campaign's record; without a campaign, of the one that forgets it."""
    return f"{CAMPAIGN}{name}".encode(), None if campaign is None else _encode(campaign)


def provider_record(name: str, state: ProviderState) -> tuple[bytes, bytes]:
    """Key and value of a provider's record."""
    return f"{PROVIDER}{name}".encode(), _encode(state)


class ControlTable:
    """The table.

    Args:
        most: bytes of all records together; it is held in memory by every worker.
        topic: its name, for errors.
        skipped: where records that cannot be used are counted.
        routes: of messages for which neither they nor their campaigns name a provider.

    Attributes:
        campaigns: by id.
        paused: providers that are paused.
        capped: campaigns with a cap.
        bytes: of all records.
        applied: per partition of the topic, the offset of the newest record taken in.
        overfull: it had no room for some campaign: one that it does not know may be the one that says stop.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        most: int,
        topic: str,
        skipped: Skipped | None = None,
        routes: Sequence[ProviderRoute] = (),
    ) -> None:
        self._clock = clock
        self._routes = routes
        self._most = most
        self._topic = topic
        self._skipped = skipped or Skipped()
        self._place = (0, -1)
        self.overfull = False
        self.applied: dict[int, int] = {}
        self.campaigns: dict[str, Campaign] = {}
        self.paused: set[str] = set()
        self.capped: set[str] = set()
        self.bytes = 0
        self._sizes: dict[bytes, int] = {}
        self._schedules: dict[str, SendHours] = {}

    # ---- records in -------------------------------------------------------------------------------------------------

    def apply(self, key: bytes | None, value: bytes | None, place: tuple[int, int] = (0, -1)) -> Change | None:
        """Take in one record, which stands at this partition and offset. None where nothing has changed.

        What cannot be read, or is too much, says stop: nobody knows whether it did.
        """
        self._place = place
        self.applied[place[0]] = place[1]
        name = (key or b"").decode("utf-8", "replace")
        kind, _, named = name.partition(":")
        if f"{kind}:" not in (CAMPAIGN, PROVIDER) or not 0 < len(named) <= NAME_CHARACTERS:
            self._pass_over(Reason.MALFORMED, "its key is neither campaign:ID nor provider:NAME")
            return None
        if not self._count(key or b"", value):
            self._pass_over(Reason.TOO_LARGE, "more than memory.control: the campaign is paused")
            return self._too_much(kind, key or b"", named)
        if f"{kind}:" == PROVIDER:
            return self._apply_provider(named, value)
        return self._apply_campaign(named, value)

    def check_room(self, key: bytes, value: bytes | None) -> None:
        """Raises ConfigurationError where the table has no room for this record."""
        known = self._sizes.get(key, 0)
        if value is not None and self.bytes - known + len(key) + len(value) + ENTRY_BYTES > self._most:
            raise ConfigurationError(
                [
                    Problem(
                        f"{self._topic} would hold more than {self._most} bytes of campaigns",
                        "delete finished ones with `sms-connector campaign delete`, or raise memory.control",
                        file="settings",
                        path="memory.control",
                    )
                ]
            )

    def _pass_over(self, reason: Reason, what: str) -> None:
        self._skipped.note(self._topic, *self._place, reason, what=what)

    def _count(self, key: bytes, value: bytes | None) -> bool:
        """Whether there is room."""
        self.bytes -= self._sizes.pop(key, 0)
        size = 0 if value is None else len(key) + len(value) + ENTRY_BYTES
        if self.bytes + size > self._most:
            return False
        if size:
            self._sizes[key] = size
            self.bytes += size
        return True

    def _too_much(self, kind: str, key: bytes, name: str) -> Change | None:
        """There is no room for a record: its campaign or provider is paused, which needs none of its values."""
        if not self._count(key, b""):
            self.overfull = True
            return None
        if f"{kind}:" == PROVIDER:
            return self._set_paused(name, paused=True)
        return self._set_campaign(name, UNREADABLE)

    def _apply_provider(self, name: str, value: bytes | None) -> Change | None:
        try:
            paused = value is not None and _read_provider(value).paused
        except UnreadableError as error:
            self._pass_over(Reason.MALFORMED, f"the provider is paused: {error}")
            paused = True
        return self._set_paused(name, paused=paused)

    def _set_paused(self, name: str, *, paused: bool) -> Change | None:
        if paused is (name in self.paused):
            return None
        if paused:
            self.paused.add(name)
        else:
            self.paused.discard(name)
        return Change(provider=name)

    def _apply_campaign(self, name: str, value: bytes | None) -> Change | None:
        self._schedules.pop(name, None)
        if value is None:
            self._note_cap(name, None)
            return None if self.campaigns.pop(name, None) is None else Change(campaign=name)
        try:
            campaign = read_campaign(value)
            if campaign.hours is not None:
                self._schedules[name] = schedule(campaign.hours)
        except UnreadableError as error:
            self._pass_over(Reason.MALFORMED, f"the campaign is paused: {error}")
            campaign = UNREADABLE
        except Exception as error:  # a zone's name reaches the file system, which knows more errors than we do
            self._pass_over(Reason.MALFORMED, f"the campaign is paused: no send window ({type(error).__name__})")
            campaign = UNREADABLE
        if campaign.custom is not None and MESSAGE_ID in campaign.custom:
            log.warning("a campaign cannot set MessageID, which is each event's message_id: left out", campaign=name)
            campaign = msgspec.structs.replace(
                campaign, custom={key: value for key, value in campaign.custom.items() if key != MESSAGE_ID}
            )
        return self._set_campaign(name, campaign)

    def _set_campaign(self, name: str, campaign: Campaign) -> Change | None:
        before = self.campaigns.get(name)
        self.campaigns[name] = campaign
        self._note_cap(name, campaign)
        return None if campaign == before else Change(campaign=name)

    def _note_cap(self, name: str, campaign: Campaign | None) -> None:
        if campaign is not None and campaign.cap is not None:
            self.capped.add(name)
        else:
            self.capped.discard(name)

    # ---- what it means for messages ---------------------------------------------------------------------------------

    def message_of(self, item: Item) -> Message:
        """The message of an event, with what its campaign supplies. Raises msgspec.DecodeError, UnicodeDecodeError."""
        return self.supplied(decode_message(item.raw))

    def waiting(self, items: Sequence[Item]) -> list[Message]:
        """The messages of items that were read before."""
        messages = [_decode_admitted(item.raw) for item in items]
        return list(map(self.supplied, messages)) if self.campaigns or self._routes else messages

    def supplied(self, message: Message) -> Message:
        """The message, with what its campaign and routes supply."""
        if message.campaign_id is not None and (campaign := self.campaigns.get(message.campaign_id)) is not None:
            supply(message, campaign)
        if message.provider is None and self._routes:
            message.provider = provider_of(self._routes, message)
        return message

    def state(self, campaign: str | None) -> CampaignState:
        """Whether its messages are sent; unknown campaigns run, unless the table had no room for some."""
        if campaign is None:
            return CampaignState.RUNNING
        found = self.campaigns.get(campaign, UNREADABLE if self.overfull else None)
        return CampaignState.RUNNING if found is None else found.state

    def steers(self, campaign: str | None) -> bool:
        """Whether it has anything to say of this campaign."""
        return campaign is not None and (self.overfull or campaign in self.campaigns)

    def opens_at(self, campaign: str | None) -> float:
        """Wall seconds from which its messages may be sent: 0.0 now, infinite while it is paused."""
        if self.state(campaign) is CampaignState.PAUSED:
            return math.inf
        schedule = self._schedules.get(campaign) if campaign is not None else None
        if schedule is None:
            return 0.0
        wall = self._clock.wall()
        opens_at = schedule.opens_at(wall)
        return opens_at if opens_at > wall else 0.0

    def sends_at(self, message: Message) -> float:
        """Wall seconds before which a message is not to be sent, as it or its campaign says; 0.0 where neither does."""
        send_at = message.send_at
        if send_at is None and message.campaign_id is not None:
            campaign = self.campaigns.get(message.campaign_id)
            send_at = None if campaign is None else campaign.send_at
        return 0.0 if send_at is None else send_at.timestamp()

    def cap(self, campaign: str | None) -> int | None:
        """How many of its events may be sent."""
        found = None if campaign is None else self.campaigns.get(campaign)
        return None if found is None else found.cap

    def timed(self) -> Iterable[str]:
        """Campaigns with hours."""
        return list(self._schedules)


def read_campaign(value: bytes) -> Campaign:
    """A campaign as its record says. Raises UnreadableError."""
    return _read_campaign(value)


def schedule(hours: str) -> SendHours:
    """The send window of a campaign. Raises ValueError."""
    parsed = HoursText.parse(hours)
    if parsed is None:
        raise ValueError(f"hours: {hours[:64]!r} is no send window; write 09:00-21:00 Asia/Kolkata")
    return SendHours(parsed)


def supply(message: Message, campaign: Campaign) -> None:
    """Fill in what the event leaves out. It may bring the text and its campaign the template."""
    if message.provider is None:
        message.provider = campaign.provider or provider_of(campaign.providers, message)
    if message.template_id is None:
        message.template_id = campaign.template_id
    if message.body is None:
        message.body = campaign.body
    if campaign.custom is not None:
        message.custom = campaign.custom if message.custom is None else campaign.custom | message.custom
    if message.expires_at is None:
        message.expires_at = campaign.expires_at
    if campaign.priority is Priority.HIGH:
        message.priority = Priority.HIGH
