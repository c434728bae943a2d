"""How one definition changes another (`extends`), and how an operation inherits the top level: the same rules for both.

JSON Merge Patch (RFC 7386), with three additions. Where exactly one of several kinds stands (parameters, auth) another
kind replaces the whole. Of `response.rules` the nearer ones come first and the inherited ones follow. Operations of one
name are merged where they stand; others of the patch come first.
"""

from __future__ import annotations

from typing import Final

from connector.config_text.source import List, Map, PlacedValue, Value

KINDS: Final[dict[tuple[str, ...], tuple[str, ...]]] = {
    ("parameters",): ("pairs", "multipart", "json", "xml", "text"),
    ("auth",): ("basic", "oauth2", "sigv4", "sign", "login"),
}
JOINED: Final = ("response", "rules")
NAMED: Final = ("operations",)
FREE: Final = ("parameters",)
"""Names below it are the provider's. Elsewhere a null that removes nothing stays, so that a misspelt key is found."""


def merge(base: PlacedValue | None, patch: PlacedValue, path: tuple[str, ...] = ()) -> PlacedValue:
    """`patch` applied to `base`; places stay those of the file each value came from."""
    if path == JOINED and isinstance(base, List) and isinstance(patch, List):
        return List((*patch.items, *base.items), patch.place)
    if path == NAMED and isinstance(base, List) and isinstance(patch, List):
        return _by_name(base, patch)
    if not isinstance(patch, Map) or not isinstance(base, Map) or _other_kind(base, patch, path):
        return patch
    members = dict(base.members)
    keys = dict(base.keys)
    for key, value in patch.members.items():
        if isinstance(value, Value) and value.data is None and (key in members or path[:1] == FREE):
            members.pop(key, None)
            keys.pop(key, None)
        else:
            members[key] = merge(members.get(key), value, (*path, key))
            keys[key] = patch.keys[key]
    return Map(members, patch.place, keys)


def _by_name(base: List, patch: List) -> List:
    """Two lists of operations. One without a name, or with that of an earlier one in its list, stands for itself."""
    nearer: dict[str, PlacedValue] = {}
    own: list[PlacedValue] = []
    known = {_name(item) for item in base.items} - {""}
    for item in patch.items:
        name = _name(item)
        if name in known and name not in nearer:
            nearer[name] = item
        else:
            own.append(item)
    kept = [merge(item, nearer.pop(_name(item))) if _name(item) in nearer else item for item in base.items]
    return List((*own, *kept), patch.place)


def _name(item: PlacedValue) -> str:
    named = item.members.get("name") if isinstance(item, Map) else None
    return named.text if isinstance(named, Value) else ""


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
