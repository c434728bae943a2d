"""Whether the catalogue has a definition of the provider that somebody is about to write one for."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from connector.config_text.environment import Environment
from connector.definition.load import CATALOGUE, definition_files, load
from connector.definition.tree import Constant

# Domains of providers whose definitions take the host from the environment, or that have others.
_ALSO: Final = {
    "infobip.com": "infobip",
    "exotel.com": "exotel",
    "exotel.in": "exotel",
    "vonage.com": "vonage",
}

# Domains that hold services of all kinds: only the host says which.
_SHARED: Final = frozenset({"amazonaws.com", "azure.com", "googleapis.com", "herokuapp.com"})
_SECOND_LEVEL: Final = frozenset(str.split("co com net org gov ac"))

_reference = re.compile(r"\$\{[^}]*\}")
_host_of = re.compile(r"(?:[a-z]+://)?(?:[^/?#@]*@)?([^/?#:]*)(?::[0-9]*)?([^?#]*)").match


def known_providers(url: str) -> list[str]:
    """The names of the shipped definitions for the provider at `url`; those of its very host first."""
    host, path = _parts(url)
    domain = _domain(host)
    exact = [name for name, written, _ in _addresses() if written and _pattern(written).fullmatch(host)]
    also = [_ALSO[domain]] if domain in _ALSO else []
    alike = [name for name, written, _ in _addresses() if domain == _domain(written)] if domain not in _SHARED else []
    # A gateway of one's own stands anywhere: it is known by its path, where that is not everybody's (`/send`).
    own = [name for name, written, of in _addresses() if not written and of == path and path.count("/") > 1]
    return list(dict.fromkeys([*exact, *also, *(alike if domain else []), *own]))


def shipped_names() -> frozenset[str]:
    """Every name of the catalogue."""
    return frozenset(file.stem for file in definition_files(CATALOGUE))


@cache
def _addresses() -> tuple[tuple[str, str, str], ...]:
    """Names, hosts and paths, as the definitions write them; no host where the environment brings all of it."""
    found: dict[tuple[str, str, str], None] = {}
    for file in definition_files(CATALOGUE):
        for operation in load(file, environment=Environment.placeholders()).operations:
            url = operation.url
            host, path = _parts(str(url.value if isinstance(url, Constant) else url.parts[0]))
            found[file.stem, "" if _reference.fullmatch(host) else host, path] = None
    return tuple(found)


def _pattern(written: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, _reference.split(written))))


def _parts(url: str) -> tuple[str, str]:
    """Host and path."""
    found = _host_of(url.lower())
    return (found[1], found[2]) if found is not None else ("", "")


def _domain(host: str) -> str:
    """`api.acme.co.in` is `acme.co.in`."""
    labels = host.split(".")
    keep = 3 if len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SECOND_LEVEL else 2
    return ".".join(labels[-keep:]) if len(labels) >= keep else ""
