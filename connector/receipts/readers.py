"""Definitions, compiled into readers of their providers' callbacks; everything that is wrong with them at once."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING

from connector.definition.tree import Definition
from connector.errors import ConfigurationError, DefinitionError, Problem
from connector.settings.model import Settings

if TYPE_CHECKING:
    from connector.receipts.receipt_reader import ReceiptReader
    from connector.receipts.verification import ReceiptKeys

ENTRIES_OF_BODY = 8
"""Times its body that the entries of a callback may have: each repeats what stands around all of them."""


def receipt_keys(settings: Settings) -> ReceiptKeys:
    """What tokens and URLs are made with.

    Raises:
        ConfigurationError: receipts are not switched on, or the extra is missing.
    """
    problems = []
    if settings.receive.url is None:
        remedy = "set it to the public URL of the receiver, as providers call it: https://sms.example.com"
        problems.append(Problem("is needed to receive callbacks", remedy, path="receive.url"))
    if find_spec("cryptography") is None:
        remedy = "pip install 'kafka-sms-connector[receipts]'"
        problems.append(Problem("receipts need the package cryptography, which is not installed", remedy))
    if problems:
        raise ConfigurationError(problems)
    from connector.receipts.correlation import IndexKeys
    from connector.receipts.tokens import Tokens, UrlSecrets
    from connector.receipts.verification import ReceiptKeys

    receive = settings.receive
    return ReceiptKeys(
        Tokens([key.get_secret_value() for key in receive.keys], settings.topics.source_names),
        UrlSecrets([key.get_secret_value() for key in receive.url_keys]),
        IndexKeys(receive.index_secrets),
    )


def receipt_readers(
    definitions: Mapping[str, Definition], settings: Settings, keys: ReceiptKeys
) -> dict[str, ReceiptReader]:
    """A reader for each definition that says how its provider reports.

    Raises:
        DefinitionError: with everything that is wrong; also where none of them says it.
    """
    from connector.receipts.inbound_reader import InboundRules
    from connector.receipts.intents import Intents
    from connector.receipts.receipt_reader import ReceiptBounds, compile_receipts

    receive = settings.receive
    listing = settings.suppressions
    rules = InboundRules(Intents(settings.inbound), blocked=listing.enabled and listing.blocked)
    # All records of a callback wait for their acknowledgement together, with room for those of others.
    most = max(receive.body, min(ENTRIES_OF_BODY * receive.body, receive.bytes // 4))
    bounds = ReceiptBounds(receive.entries, settings.receipts.keep, most)
    readers: dict[str, ReceiptReader] = {}
    problems: list[Problem] = []
    for name, definition in definitions.items():
        if definition.receipts is None:
            continue
        try:
            readers[name] = compile_receipts(definition, keys, public_url=receive.url or "", bounds=bounds, rules=rules)
        except DefinitionError as error:
            problems += error.problems
    if not readers and not problems:
        remedy = "write the key `receipts` into a definition: docs/definition.md has its words"
        problems.append(Problem("no definition says how its provider reports", remedy, path="providers"))
    if problems:
        raise DefinitionError(problems)
    return readers
