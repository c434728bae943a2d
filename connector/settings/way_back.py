"""The sections `receive`, `receipts` and `inbound`: the way back. Without `receive.url` none of it is used."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from connector.config_text.units import ByteSize, Duration, UnitError
from connector.settings.key_words import LANGUAGES, LONGEST, Language, plain
from connector.settings.section import Section

KEY_CHARACTERS = 16
"""Of a key, at least: it is all that keeps others from making receipts."""

DAY_SECONDS = 86_400.0
KEPT_DAYS = 28
"""Short tokens begin to count anew after 32 days: by then nothing may be known of their messages any more."""
LISTEN = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]*):([0-9]{1,5})")
URL = re.compile(r"https?://[^/?#\s@]+(/[^?#\s]*)?")


def _listen(value: str) -> str:
    found = LISTEN.fullmatch(value)
    if found is None or int(found[2]) > 65535:
        raise UnitError("not an address with a port", "write 0.0.0.0:8443, or :8443 for every address of this host")
    return value


def _url(value: str) -> str:
    if URL.fullmatch(value) is None:
        raise UnitError("not a URL without query", "write https://sms.example.com, as the providers are to call it")
    return value.rstrip("/")


def _key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < KEY_CHARACTERS:
        raise UnitError(
            f"shorter than {KEY_CHARACTERS} characters",
            "make one with `openssl rand -hex 32`, and name it as ${NAME}",
        )
    return value


Key = Annotated[SecretStr, AfterValidator(_key)]


def _key_word(value: str) -> str:
    if not plain(value) or len(value) > LONGEST:
        message = f"no text of 1 to {LONGEST} characters with a letter or digit"
        raise UnitError(message, "write a whole text, as people send it: no more")
    return value


KeyWord = Annotated[str, AfterValidator(_key_word)]


class Receive(Section):
    """Callbacks of providers: what `receive` listens to, and how its URLs and tokens are signed."""

    url: Annotated[str, AfterValidator(_url)] | None = None
    """The public URL of the receiver, as providers call it (`https://sms.example.com`): part of what they are given and
    of what some of them sign. Null: no receipts are asked for."""

    keys: tuple[Key, ...] = ()
    """Keys of the tokens in callback URLs and references: the first one signs, all of them are accepted. Keep an old
    one for `receipts.keep`."""

    url_keys: tuple[Key, ...] = ()
    """Keys of the secrets in URLs that are typed into a provider's panel (`receive urls` prints them): the first one
    makes them, all of them are accepted. Not those of `keys`, which may change more often than a panel does."""

    index_keys: tuple[Key, ...] = ()
    """Keys of what providers' ids and numbers become in `topics.receipts_index`, for receipts that bring no reference.
    None: those of `url_keys` serve for it as well. The first one is used, and what was sent under another one of them
    is found `receipts.wait` later."""

    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8443"
    """Address and port."""

    certificate: str | None = None
    """PEM file of the certificate, for TLS without a balancer; null serves HTTP."""

    key: str | None = None
    """PEM file of its key; null: it stands in the same file."""

    timeout: Annotated[Duration, Field(gt=0, le=60)] = 1.5
    """How long Kafka may take to acknowledge a callback before it is answered 503, so that the provider repeats it. It
    may be in Kafka all the same: a repeat is recognised. The strictest provider waits for two seconds."""

    body: Annotated[ByteSize, Field(ge=1024, le=16 * 1024**2)] = 1024**2
    """The largest body of a callback, decompressed; a larger one is answered 413."""

    entries: Annotated[int, Field(ge=1, le=100_000)] = 1000
    """Receipts in one callback, at most; one with more is kept whole in `topics.receipts_unmatched`."""

    waiting: Annotated[int, Field(ge=1, le=100_000)] = 2000
    """Callbacks under way at once, at most; more are answered 503."""

    bytes: Annotated[ByteSize, Field(ge=1024**2)] = 64 * 1024**2
    """Bytes of callbacks that are read and of records that Kafka has not acknowledged, at most; more are answered 503.
    At least twice `body`."""

    unverified: Literal["refuse", "keep"] = "refuse"
    """A callback whose signature or secret is wrong is answered 403. `keep` also keeps some of them in
    `topics.receipts_unmatched`, ten in a second at most: for the first days with a provider."""

    @property
    def index_secrets(self) -> list[str]:
        """What the index is keyed with."""
        return [key.get_secret_value() for key in self.index_keys or self.url_keys]


class ReceiptSettings(Section):
    """States of messages: what `receipts run` keeps."""

    keep: Annotated[Duration, Field(ge=3600, le=KEPT_DAYS * DAY_SECONDS)] = 5 * DAY_SECONDS
    """How long a message may have receipts. Later ones end in `topics.receipts_unmatched`. The slowest providers take
    four days; `topics.receipts` must keep its records for longer, `topics.receipts_matched` for no longer."""

    wait: Annotated[Duration, Field(gt=0, le=DAY_SECONDS)] = 600.0
    """How long a receipt that has to be looked up waits for the result of its message, counted by what has been read
    of `topics.results`: a result that is written late, or read late, is waited for all the same."""

    folder: str | None = None
    """Where the states of messages are kept on disk. They are only a view of `topics.receipts`, and made anew from it
    where they are not there, old, or of other partitions. Null: in a folder that is gone with the process."""

    cache: Annotated[ByteSize, Field(ge=1024**2)] = 64 * 1024**2
    """Memory for reading them, whatever their number."""

    @property
    def countable(self) -> float:
        """Seconds after a message was sent in which its receipts may still count: tokens say a day, which counts until
        it ends. So long its states must be known.
        """
        return (-(-self.keep // DAY_SECONDS) + 1) * DAY_SECONDS


class InboundSettings(Section):
    """What people answer: which whole texts are an opt-out, an opt-in or a question for help. Case, accents and
    punctuation make no difference; whatever is a sentence is a reply, for people to read.
    """

    languages: tuple[Language, ...] = LANGUAGES
    """Whose words count; the English ones always do. docs/receipts.md lists them."""

    stop: tuple[KeyWord, ...] = ()
    """Further whole texts that are an opt-out."""

    start: tuple[KeyWord, ...] = ()
    """Further whole texts that are an opt-in."""

    help: tuple[KeyWord, ...] = ()
    """Further whole texts that ask for help."""

    plain: tuple[KeyWord, ...] = ()
    """Whole texts that are replies like any other, although a language has them: `[cancel]` where people cancel
    appointments with it. The provider's own word for an opt-out counts all the same."""
