"""Rules made of a reply that no rule knows yet: what tells it from others, and what it brings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from connector.definition.tree import Operation, Response
from connector.model import Outcome, Reply
from connector.response.document import decode, decode_text
from connector.response.work import TooMuchWorkError, Work

DEPTH: Final = 3
WORD: Final = 40
"""Characters of a value that may tell replies apart; longer ones are sentences and ids."""

_TELLS: Final = ("type", "status", "state", "result", "success", "error", "code", "errorcode", "statuscode", "message")
_ID: Final = re.compile(
    r"(message|msg|sms|request|job|batch|transaction)?_?-?(id|ids|sid|uuid|uid)|message", re.IGNORECASE
)
_CODE: Final = re.compile(r"(error|status|response|reason)?_?-?code|errno|error", re.IGNORECASE)
_REASON: Final = re.compile(
    r"(error|status)?_?-?(message|description|reason|detail|details|text|msg|info|title)|error", re.IGNORECASE
)
_WAIT: Final = re.compile(r"eta|retry_?-?after|wait|wait_?seconds|after|backoff", re.IGNORECASE)
_identifier = re.compile(r"[A-Za-z_][A-Za-z0-9_]*").fullmatch
_word = re.compile(r"[A-Za-z]{2,}[A-Za-z0-9_-]*").match

AGAIN: Final = {"retry": "15m", "throttle": "30s", "pause": None}
"""What is offered for a reply that may say `later`, and how long is waited where the reply does not say."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A rule that would hold for the reply.

    Attributes:
        about: in words, for a button.
        then: the outcome.
        rule: keys of the language.
    """

    about: str
    then: str
    rule: dict[str, Any] = field(default_factory=dict)


def proposals(operation: Operation, reply: Reply, decided: Outcome | None) -> list[Proposal]:
    """Rules that would decide this reply, the likeliest first; none where nothing tells it from others.

    Args:
        operation: that was asked.
        reply: as it came.
        decided: what it means so far.
    """
    document = _document(operation.response or Response(), reply)
    condition = _condition(document, reply)
    if condition is None:
        return []
    fields = dict(_leaves(document, (), 0)) if isinstance(document, dict) else {}
    good = 200 <= reply.status <= 299
    words = ("accept", "reject", "retry", "unknown") if good else ("reject", "retry", "throttle", "pause")
    told = decided.then if decided is not None and not decided.rule.startswith("built-in") else ""
    return [_proposal(then, condition, fields, reply) for then in words if then != told]


def _document(response: Response, reply: Reply) -> Any:
    try:
        return (
            decode(reply.body, response.decode, Work(), keep_repeated=False) if response.decode != ("none",) else None
        )
    except (ValueError, TooMuchWorkError):
        return None


def _proposal(then: str, condition: dict[str, Any], fields: dict[tuple[str, ...], Any], reply: Reply) -> Proposal:
    rule = {**condition, "then": then}
    told = str(condition.get("when") or condition.get("text") or condition.get("status"))
    used = set(re.findall(r"[A-Za-z_]\w*", str(condition.get("when", "")).partition("==")[0]))
    if then in ("accept", "unknown") and (path := _named(fields, _ID, used, _is_id)):
        rule["id"] = path
    if then in ("reject", "retry", "throttle", "pause"):
        if path := _named(fields, _CODE, set(), _is_code):
            rule["code"] = path
        if path := _named(fields, _REASON, used, _is_sentence):
            rule["reason"] = path
    about = f"{told} → {then}"
    if then in AGAIN and then != "pause":
        waits = _named(fields, _WAIT, set(), lambda value: type(value) in (int, float))
        if waits is None and "retry-after" in reply.headers:
            return Proposal(f"{about} after what Retry-After says", then, rule)
        rule["after"] = waits or AGAIN[then]
        about += f" after {'what `' + waits + '` says' if waits else AGAIN[then]}"
    return Proposal(about, then, rule)


def _condition(document: Any, reply: Reply) -> dict[str, Any] | None:
    """What tells this reply from others."""
    status = {} if 200 <= reply.status <= 299 else {"status": reply.status}
    if isinstance(document, dict):
        fields = [(path, value) for path, value in _leaves(document, (), 0) if _tells(path[-1], value)]
        if fields:
            path, value = min(fields, key=lambda each: (len(each[0]), _rank(each[0][-1])))
            return {**status, "when": f"{_path(path)} == {_literal(value)}"}
    text = decode_text(reply.body)[0].strip()
    if document is None and text and (first := _word(text)):
        return {**status, "text": f"^\\s*{re.escape(first.group())}"}
    return status or None


def _leaves(node: Any, path: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(node, dict) and depth < DEPTH:
        for name, value in node.items():
            yield from _leaves(value, (*path, str(name)), depth + 1)
    elif path and not isinstance(node, dict | list):
        yield path, node


def _plain(name: str) -> str:
    return re.sub("[^a-z]", "", name.lower())


def _tells(name: str, value: Any) -> bool:
    if isinstance(value, str) and not (0 < len(value) <= WORD and value.isprintable() and len(value.split()) <= 4):
        return False
    if isinstance(value, str) and _plain(name) == "message" and _is_id(value):
        return False
    return value is not None and _plain(name) in _TELLS


def _rank(name: str) -> int:
    return _TELLS.index(_plain(name))


def _named(fields: dict[tuple[str, ...], Any], names: re.Pattern[str], used: set[str], fits: Any) -> str | None:
    found = [
        path for path, value in fields.items() if names.fullmatch(path[-1]) and path[-1] not in used and fits(value)
    ]
    return _path(min(found, key=len)) if found else None


def _is_id(value: Any) -> bool:
    if isinstance(value, int) and not isinstance(value, bool):
        return value > 9999
    return isinstance(value, str) and len(value) >= 6 and " " not in value and any(c.isdigit() for c in value)


def _is_code(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (
        isinstance(value, str) and 0 < len(value) <= WORD and " " not in value
    )


def _is_sentence(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not _is_id(value)


def _path(path: tuple[str, ...]) -> str:
    return ".".join(
        name if _identifier(name) else '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"' for name in path
    )


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return f"`{'true' if value is True else 'false' if value is False else value}`"
