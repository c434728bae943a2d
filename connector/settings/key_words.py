"""Whole texts by which people say that they want no more messages, want them again, or want help.

A text counts where all of it is one of these, whatever its case, accents, punctuation and emoji. What is a sentence
goes to people: guessing at it would stop somebody's one-time codes, or go on texting somebody who said no.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple, get_args

Language = Literal["en", "ar", "de", "es", "fr", "hi", "id", "it", "nb", "nl", "pt", "ru", "sv", "tr", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
ALWAYS: Final[Language] = "en"
"""Its words are understood, and often named in the text itself, everywhere."""

LONGEST: Final = 100
"""Characters of a text that can be one of these."""

_ACCENTS: Final = range(0x300, 0x370)  # not the vowel signs of other scripts, which are letters to those who write them
_INVISIBLE: Final = frozenset({"Cf"})  # joiners, marks of direction
_VARIANTS: Final = range(0xFE00, 0xFE10)  # what makes a sign an emoji


class KeyWords(NamedTuple):
    """Of one language."""

    stop: tuple[str, ...]
    start: tuple[str, ...] = ()
    help: tuple[str, ...] = ()


KEY_WORDS: Final[Mapping[Language, KeyWords]] = {
    # 47 CFR 64.1200(a)(10): "stop, quit, end, revoke, opt out, cancel, or unsubscribe" is always an opt-out; the others
    # are those of Twilio, AWS and the CTIA's handbook.
    "en": KeyWords(
        (
            "stop",
            "stopall",
            "stop all",
            "quit",
            "end",
            "revoke",
            "optout",
            "opt out",
            "cancel",
            "unsubscribe",
            "remove",
        ),
        ("start", "unstop", "yes"),
        ("help", "info"),
    ),
    # Canada asks for `arret` and `aide` beside the English words.
    "fr": KeyWords(
        ("arret", "arrete", "arretez", "desabonner", "me desabonner", "desinscrire", "me desinscrire"), (), ("aide",)
    ),
    "ar": KeyWords(("توقف", "الغاء الاشتراك", "إلغاء الاشتراك")),
    "de": KeyWords(("stopp", "abmelden", "abmeldung", "abbestellen"), (), ("hilfe",)),
    "es": KeyWords(("baja", "dar de baja", "darme de baja", "parar", "cancelar"), (), ("ayuda",)),
    "hi": KeyWords(("बंद", "बंद करो", "रोको", "band karo")),
    "id": KeyWords(("berhenti",)),
    "it": KeyWords(("cancellami", "disiscrivimi", "cancella iscrizione", "annulla iscrizione")),
    "nb": KeyWords(("stopp", "unsub")),
    "nl": KeyWords(("afmelden", "uitschrijven")),
    "pt": KeyWords(("sair", "parar", "pare", "cancelar", "descadastrar"), (), ("ajuda",)),
    "ru": KeyWords(("стоп",)),
    "sv": KeyWords(("stopp",)),
    "tr": KeyWords(("iptal",)),
    # Chinese texts end with "TD to unsubscribe"; AWS takes it in every country.
    "zh": KeyWords(("td", "退订", "退訂")),
}


def plain(text: str) -> str:
    """A text as it is compared: folded, without accents and signs, its words one space apart."""
    kept = (_plain(character) for character in unicodedata.normalize("NFKD", text.strip().casefold()))
    return " ".join("".join(kept).split())


def _plain(character: str) -> str:
    if character.isascii():
        return character if character.isalnum() else " "
    code = ord(character)
    if code in _ACCENTS or code in _VARIANTS or unicodedata.category(character) in _INVISIBLE:
        return ""
    return character if unicodedata.category(character)[0] in "LMN" else " "


def known(languages: Iterable[Language]) -> Iterator[KeyWords]:
    """Those of these languages, and those that always count."""
    return (KEY_WORDS[language] for language in dict.fromkeys((ALWAYS, *languages)))
