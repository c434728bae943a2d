"""What a person means: by the provider's own word, else by a whole text that is a key word."""

from __future__ import annotations

from typing import Final

from connector.receipts.callback import Kind
from connector.settings.key_words import LONGEST, known, plain
from connector.settings.way_back import InboundSettings

SAID: Final = {
    **dict.fromkeys(("stop", "optout", "opt-out", "unsubscribe"), Kind.OPT_OUT),
    **dict.fromkeys(("start", "optin", "opt-in", "subscribe"), Kind.OPT_IN),
    "help": Kind.HELP,
}
"""What providers call it where they say so."""


class Intents:
    """Tells opt-outs, opt-ins and questions for help from other replies."""

    def __init__(self, settings: InboundSettings) -> None:
        words: dict[str, Kind] = {}
        # What lets texts go out again counts for less than what stops them, should two languages share a word.
        for kind, name in ((Kind.HELP, "help"), (Kind.OPT_IN, "start"), (Kind.OPT_OUT, "stop")):
            for each in known(settings.languages):
                words.update(dict.fromkeys(map(plain, getattr(each, name)), kind))
        for kind, own in ((Kind.HELP, settings.help), (Kind.OPT_IN, settings.start), (Kind.OPT_OUT, settings.stop)):
            words.update(dict.fromkeys(map(plain, own), kind))
        for word in map(plain, settings.plain):
            words.pop(word, None)
        self._words = words

    def of(self, text: str | None, said: str | None) -> Kind:
        """What a reply is.

        Args:
            text: all of it.
            said: the provider's word for what it means, or the part of it that is left without a keyword of ours.
        """
        told = None if said is None else SAID.get(said.strip().lower()) or self._word(said)
        read = None if text is None else self._word(text)
        if Kind.OPT_OUT in (told, read):
            return Kind.OPT_OUT
        return told or read or Kind.REPLY

    def _word(self, text: str) -> Kind | None:
        text = text.strip()
        return self._words.get(plain(text)) if len(text) <= LONGEST else None
