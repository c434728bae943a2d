"""Drafts of definitions, of what providers show: a curl command."""

from __future__ import annotations

import msgspec

from connector.definition.keys import is_name
from connector.tools.importing.curl import read_command
from connector.tools.importing.draft import Draft, from_call
from connector.tools.importing.literal import provider_name
from connector.tools.importing.recognise import Hints, recognise


class Imported(msgspec.Struct, frozen=True):
    """A draft as text.

    Attributes:
        name: of the definition.
        text: YAML.
        guessed, open, kept: notes, a line each: what was decided, what could not be, what every message is sent with.
        known: shipped definitions of the same provider.
        secrets: names of variables that hold what the command held.
    """

    name: str
    text: str
    guessed: list[str]
    open: list[str]
    kept: list[str]
    known: list[str]
    secrets: list[str]


def from_curl(command: str, name: str | None = None) -> Imported:
    """The draft of a curl command. Raises UsageError where it is none."""
    call = read_command(command.replace("\r\n", "\n"))
    called = name if name and is_name(name) else provider_name(call.url)
    return told(from_call(recognise(call, called, Hints()), called))


def told(draft: Draft) -> Imported:
    """A draft, and what is to be said of it. What a secret was is not said."""
    keys = {"name": draft.name, **draft.keys}
    draft.keys = keys
    return Imported(draft.name, draft.yaml(), draft.guessed, draft.open, draft.kept, draft.known, list(draft.secrets))
