"""The replacements that have a meaning of their own: their names, and how each is read from a message."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from connector.definition.arguments import MISSING
from connector.model import Message

MESSAGE_ID: Final = "MessageID"


def overridden(message: Message) -> Any:
    """What an event's `custom.MessageID` says; MISSING where it says nothing.

    Before `$$MessageID` was one of ours it was a custom name. For one release such a value goes before the event's
    `message_id`, so that nothing changes on the wire unnoticed; then this can go.
    """
    value = None if message.custom is None else message.custom.get(MESSAGE_ID)
    return MISSING if value is None or value == "" else value


def sent_message_id(message: Message) -> Any:
    """The value of `$$MessageID`."""
    value = overridden(message)
    return message.message_id if value is MISSING else value


SYSTEM_NAMES: Final[dict[str, Callable[[Message], Any]]] = {
    "To": attrgetter("to"),
    "Body": attrgetter("body"),
    "TemplateID": attrgetter("template_id"),
    "TemplateVariables": attrgetter("template_variables"),
    "CampaignID": attrgetter("campaign_id"),
    MESSAGE_ID: sent_message_id,
}
"""The form's six. Every other name is custom: `message.custom[name]`."""
