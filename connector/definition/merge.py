"""How one definition changes another (`extends`), and how an operation inherits the top level: the same rules for both.

JSON Merge Patch (RFC 7386), with two additions. Where exactly one of several kinds stands (parameters, auth) another
kind replaces the whole. Of `response.rules` the nearer ones come first and the inherited ones follow.
"""

from __future__ import annotations

from typing import Final

from connector.definition.source import List, Map, Source, Value

KINDS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("parameters",): ("pairs", "json", "xml", "text"),
    ("auth",): ("basic", "oauth2", "sigv4"),
}
JOINED: Final = ("response", "rules")


def merge(base: Source | None, patch: Source, path: tuple[str, ...] = ()) -> Source:
    """`patch` applied to `base`; places stay those of the file each value came from."""
    if path == JOINED and isinstance(base, List) and isinstance(patch, List):
        return List((*patch.items, *base.items), patch.place)
    if not isinstance(patch, Map) or not isinstance(base, Map) or _other_kind(base, patch, path):
        return patch
    members = dict(base.members)
    keys = dict(base.keys)
    for key, value in patch.members.items():
        if isinstance(value, Value) and value.data is None:
            members.pop(key, None)
            keys.pop(key, None)
        else:
            members[key] = merge(members.get(key), value, (*path, key))
            keys[key] = patch.keys[key]
    return Map(members, patch.place, keys)


def _other_kind(base: Map, patch: Map, path: tuple[str, ...]) -> bool:
    kinds = KINDS.get(path, ())
    return {key for key in base.members if key in kinds} != {key for key in patch.members if key in kinds}


def only(source: Map, *names: str) -> Map:
    """The same map with no other keys than these."""
    return Map({key: value for key, value in source.members.items() if key in names}, source.place, source.keys)


def without(source: Map, *names: str) -> Map:
    """The same map without some keys."""
    members = {key: value for key, value in source.members.items() if key not in names}
    return Map(members, source.place, source.keys)
