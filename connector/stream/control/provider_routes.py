"""Which provider takes a message that names none: by its number's prefix, or by weight.

The choice depends on the message's id and the routes, and on nothing else: a message that is sent again, read again
after a kill or looked at by another worker goes to the provider it went to before. Where weights change, or a provider
comes or goes, only those messages move that have to (weighted rendezvous hashing).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import blake2b

from connector.model import Message, ProviderRoute


def provider_of(routes: Sequence[ProviderRoute], message: Message) -> str | None:
    """The provider of a message; None where no route takes it.

    The first route that fits decides. Has it a weight, those of its prefix that have one share out its messages.
    """
    digits = message.to.lstrip("+")
    first = next((it for it in routes if it.weight != 0 and _fits(it, digits)), None)
    if first is None or first.weight is None:
        return None if first is None else first.use
    sharing = [it for it in routes if it.weight and it.prefix == first.prefix]
    return max(sharing, key=lambda it: _score(it, message.message_id)).use


def _fits(route: ProviderRoute, digits: str) -> bool:
    return route.prefix is None or digits.startswith(route.prefix.lstrip("+"))


def _score(route: ProviderRoute, message_id: str) -> float:
    """The higher its weight, the likelier it is the highest."""
    assert route.weight
    digest = blake2b(f"{route.use}\0{message_id}".encode("utf-8", "surrogatepass"), digest_size=7).digest()
    share = (int.from_bytes(digest) + 0.5) / 2**56  # between 0 and 1, and neither
    return -route.weight / math.log(share)
