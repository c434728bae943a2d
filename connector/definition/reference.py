"""The tables of docs/definition.md, made from what loading uses: names and meanings cannot drift from the code.

`python -m connector.definition.reference docs/definition.md` writes them anew; a test fails when they are stale.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from connector.definition import keys, receipts, replies, signing
from connector.definition.arguments import Filter
from connector.definition.filters import FILTERS
from connector.definition.nesting import NestingShape
from connector.definition.receipt_verify import VERIFY
from connector.definition.shape import Kinds, MapKey, Record, Shape
from connector.definition.signing_filters import ON_PAIRS

_block = re.compile(r"(<!-- table: ([a-z ]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """`page` with the content of every `<!-- table: NAME -->` … `<!-- end -->` written anew."""
    return _block.sub(lambda match: f"{match[1]}\n{TABLES[match[2]]()}\n{match[3]}", page)


def _keys(shape: Shape) -> Callable[[], str]:
    def table() -> str:
        assert isinstance(shape, Record | Kinds)
        return _table(("key", "meaning", "example"), (_row(key) for key in shape.keys.values()))

    return table


def _row(key: MapKey) -> tuple[str, str, str]:
    about = f"**Required.** {key.about}" if key.required else key.about
    return f"`{key.name}`", about, "" if key.example is None else f"`{_flow(key.example)}`"


def _flow(value: Any) -> str:
    """An example as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_flow(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        plain = re.fullmatch(r"[A-Za-z0-9/^][\w ./:+-]*", value) and ": " not in value
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _filters(filters: Mapping[str, Filter]) -> str:
    return _table(("filter", "what it gives"), ((f"`{each.signature}`", each.about) for each in filters.values()))


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


TABLES: Final[dict[str, Callable[[], str]]] = {
    "definition": _keys(keys.DEFINITION),
    "operation": _keys(Record(*(key for key in keys.OPERATION.keys.values() if key.name in ("name", "when")))),
    "auth basic": _keys(keys.AUTH.keys["basic"].shape),
    "auth oauth": _keys(keys.AUTH.keys["oauth2"].shape),
    "auth aws": _keys(keys.AUTH.keys["sigv4"].shape),
    "auth sign": _keys(signing.SignShape().record),
    "auth login": _keys(signing.LoginShape().record),
    "login request": _keys(signing.LoginRequestShape().record),
    "parameters": _keys(keys.PARAMETERS),
    "nesting": _keys(NestingShape().record),
    "batching": _keys(keys.BATCHING),
    "response": _keys(replies.ResponseShape().record),
    "rule": _keys(replies.RuleShape(of_entry=False).record),
    "entries": _keys(replies.EntryShape().record),
    "range": _keys(replies.RangeShape().record),
    "receipts": _keys(receipts.RECEIPTS),
    "verify": _keys(VERIFY),
    "receipt replies": _keys(receipts.InboundShape(clicks=False).record),
    "receipt clicks": _keys(receipts.InboundShape(clicks=True).record),
    "limits": _keys(keys.LIMITS),
    "retry": _keys(keys.RETRY),
    "http": _keys(keys.HTTP),
    "filters": lambda: _filters(FILTERS),
    "signing filters": lambda: _filters(ON_PAIRS),
}


if __name__ == "__main__":
    for name in sys.argv[1:]:
        file = Path(name)
        file.write_text(filled(file.read_text(encoding="utf-8")), encoding="utf-8")
