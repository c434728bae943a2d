"""The section `suppressions`: who must not be texted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from connector.settings.section import Section, TopicName

Pattern = Annotated[str, Field(min_length=1, max_length=256)]


class Suppressions(Section):
    """Phone numbers in `topics.suppressions` are not texted: their messages end `suppressed`."""

    enabled: bool = False
    """Workers read the list whole before their first message, and look at it before each request."""

    exempt_campaigns: tuple[Pattern, ...] = ()
    """Messages of these campaigns are sent all the same, as one-time passwords to people who have opted out of
    advertisements; `*` stands for any characters: `[otp-*]`. What the law of their country allows is yours to know."""

    exempt_sources: tuple[TopicName, ...] = ()
    """So are those from these topics of `topics.sources`."""

    exempt_custom: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - pydantic gives each its own
    """So are those with one of these texts as the value of a custom replacement: `{category: [otp, alarm]}`."""

    blocked: bool = False
    """A receipt that says `blocked` enters the phone too: it has opted out at the provider, or is barred, in India also
    by the register of who wants no advertisements. Some of it means one kind of message alone, so that codes and alarms
    may stop with the rest: look at what your providers call so first."""

    sender: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """The custom replacement that says who sends a message, where numbers are suppressed for one sender alone. Null:
    such a number is texted by nobody."""

    folder: str | None = None
    """Where the list is kept on disk, from which a worker starts within a second. It is only a view of the topic, and
    made anew from it where it is not there, old, damaged or of another topic; ten million numbers take a minute. Null:
    it is read whole at each start."""
