"""What a reply is: the provider's own word, or a whole text that is a key word; sentences are for people."""

from __future__ import annotations

import pytest

from connector.receipts.callback import Kind
from connector.receipts.intents import Intents
from connector.settings.key_words import KEY_WORDS, LANGUAGES, LONGEST, plain
from connector.settings.way_back import InboundSettings

DEFAULT = Intents(InboundSettings())

TEXTS: dict[Kind, list[str]] = {
    Kind.OPT_OUT: [
        *("STOP", "stop", " Stop. ", "STOP!!!", "“Stop”", "S\u200bTOP", "STOP", "stop 🙏", "STOP\r\n", "\x00STOP\x00"),
        *("Stop  all", "STOPALL", "Quit", "END", "revoke", "opt out", "OPT-OUT", "OptOut", "cancel", "Unsubscribe"),
        *(
            "ARRÊT",
            "arret",
            "Désabonner",
            "Stopp",
            "ABMELDEN",
            "Abbestellen.",
            "BAJA",
            "Darme de baja",
            "parar",
            "SAIR",
        ),
        *(
            "cancellami",
            "afmelden",
            "बंद",
            "बंद करो",
            "UNSUB",
            "berhenti",
            "İPTAL",
            "iptal",
            "СТОП",
            "توقف",
            "退订",
            "TD",
        ),
    ],
    Kind.OPT_IN: ["START", "start!", "Unstop", "YES"],
    Kind.HELP: ["HELP", "info?", "Aide", "hilfe", "Ayuda"],
    Kind.REPLY: [
        *(
            "please stop",
            "STOP calling me Anna",
            "non-stop",
            "stopping",
            "don't stop",
            "Where is my parcel?",
            "",
            "…",
            "🙏",
        ),
        *("no", "bandages", "basta con 500", "the end", "cancel my appointment on Monday", "T", "stop" + "." * LONGEST),
        *("बंदर", "стоп-кран", "ST OP"),
    ],
}


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TEXTS.items() for text in texts])
def test_a_whole_text_that_is_a_key_word_says_what_is_meant_and_a_sentence_does_not(kind: Kind, text: str) -> None:
    assert DEFAULT.of(text, None) is kind


@pytest.mark.parametrize(
    ("text", "said", "kind"),
    [
        ("pls no more", "STOP", Kind.OPT_OUT),
        ("pls no more", "optout", Kind.OPT_OUT),
        (None, "'STOP'".strip("'"), Kind.OPT_OUT),
        ("STOP", "", Kind.OPT_OUT),
        ("STOP", "HELP", Kind.OPT_OUT),  # whoever says it: texting on would be worse
        ("hello", "START", Kind.OPT_IN),
        ("ACME STOP", "stop", Kind.OPT_OUT),  # what is left without the keyword of a shared number
        ("ACME end", "end", Kind.OPT_OUT),
        ("hello", "something new", Kind.REPLY),
        (None, None, Kind.REPLY),
    ],
)
def test_the_providers_word_counts_beside_the_text(text: str | None, said: str | None, kind: Kind) -> None:
    assert DEFAULT.of(text, said) is kind


def test_own_words_come_to_those_of_the_languages_and_some_of_these_may_mean_nothing() -> None:
    own = Intents(
        InboundSettings(languages=("de",), stop=("Nein danke",), start=("Doch!",), help=("?!a",), plain=("CANCEL",))
    )
    said = {text: own.of(text, None) for text in ("nein, danke", "doch", "A", "cancel", "baja", "abmelden", "quit")}
    assert said == {
        "nein, danke": Kind.OPT_OUT,
        "doch": Kind.OPT_IN,
        "A": Kind.HELP,
        "cancel": Kind.REPLY,
        "baja": Kind.REPLY,  # Spanish was not asked for
        "abmelden": Kind.OPT_OUT,
        "quit": Kind.OPT_OUT,  # English always counts
    }
    assert own.of("cancel", "STOP") is Kind.OPT_OUT


def test_no_word_means_two_things() -> None:
    meant: dict[str, str] = {}
    for language in LANGUAGES:
        for kind in ("stop", "start", "help"):
            for word in getattr(KEY_WORDS[language], kind):
                assert plain(word), word
                assert len(word) <= LONGEST
                assert meant.setdefault(plain(word), kind) == kind, word
