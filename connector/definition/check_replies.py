"""Checks of what replies mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from connector.config_text.source import Map
from connector.definition.findings import Findings
from connector.definition.patterns import compile_pattern
from connector.definition.tree import EntrySource, Operation, Rule
from connector.definition.walk import in_record, in_records, uses, where


def entries_and_sources(operation: Operation, source: Map, report: Findings) -> None:
    """`then: entries` needs entry sources, and entry sources need a rule that asks for them."""
    if operation.response is None:
        return
    asking = [index for index, rule in enumerate(operation.response.rules) if rule.then == "entries"]
    if asking and not operation.response.entries:
        place = where(source, ("response", "rules", str(asking[0]), "then"))
        report.error(place, "`then: entries` without `entries`", "say under `response.entries` where they stand")
    if operation.response.entries and not asking:
        place = where(source, ("response", "entries"))
        report.warn(
            place, "no rule says `then: entries`: these are never read", "add one, like {status: 2xx, then: entries}"
        )


def described(operation: Operation, source: Map, report: Findings) -> None:
    """Many providers answer 200 to what they refuse."""
    if operation.response is None:
        report.warn(
            source.place,
            "`response` is missing, so every 2xx counts as accepted, whatever it says",
            "write what a reply of success says: response: {rules: [{when: \"status == 'ok'\", then: accept}]}",
        )


def others(operation: Operation, source: Map, report: Findings) -> None:
    """`match: others` comes last, after entries that name messages, and where the reply says that it is a good one."""
    response = operation.response
    if response is None:
        return
    at = [index for index, entries in enumerate(response.entries) if entries.match.kind == "others"]
    if not at:
        return
    place = where(source, ("response", "entries", str(at[0]), "match"))
    if at[0] == 0:
        remedy = "write `then` into the rule, or say before it where the entries stand"
        report.error(place, "`match: others`, but no entry before it names a message", remedy)
    elif at[0] < len(response.entries) - 1:
        report.error(place, "`match: others` leaves no message for the entries after it", "put it last")
    for index, rule in enumerate(response.rules):
        if rule.then == "entries" and not (rule.when or rule.text or rule.header):
            report.warn(
                where(source, ("response", "rules", str(index))),
                "any reply with this status means that all others are " + f"`{response.entries[at[0]].then}`",
                "say what the reply says as well: when: \"status == 'ok'\"",
            )


def reachable(operation: Operation, source: Map, report: Findings) -> None:
    """A rule is never met where an earlier one of the same list always holds when it does."""
    if operation.response is None:
        return
    _reachable(operation.response.rules, ("response", "rules"), source, report)
    for index, entries in enumerate(operation.response.entries):
        _reachable(entries.rules, ("response", "entries", str(index), "rules"), source, report)


def _reachable(rules: Sequence[Rule], path: tuple[str, ...], source: Map, report: Findings) -> None:
    for later, rule in enumerate(rules):
        for earlier in rules[:later]:
            if _list_of(earlier) == _list_of(rule) and _covers(earlier, rule):
                place = where(source, (*path, str(later)))
                report.warn(
                    place, f"never met: {earlier.path} always holds first", "put it before that rule, or leave it out"
                )
                break


def _list_of(rule: Rule) -> str:
    """Where its list stands: nearer rules may hide inherited ones on purpose."""
    return rule.path.rpartition("[")[0]


def _covers(earlier: Rule, later: Rule) -> bool:
    """True when `earlier` holds wherever `later` does."""
    if earlier.status and not (later.status and all(_within(span, earlier.status) for span in later.status)):
        return False
    if not set(earlier.header) <= set(later.header):
        return False
    return earlier.text in (None, later.text) and earlier.when in (None, later.when)


def _within(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    return any(low <= span[0] and span[1] <= high for low, high in spans)


def decoded(operation: Operation, source: Map, report: Findings) -> None:
    """Where nothing is decoded, JMESPath has nothing to read."""
    response = operation.response
    if response is None or any(decoder != "none" for decoder in response.decode):
        return
    for index, rule in enumerate(response.rules):
        if rule.when is not None and rule.text is None:
            place = where(source, ("response", "rules", str(index), "when"))
            report.error(
                place, "`when` reads a document, but `decode: none` makes none", "use `text`, or decode the reply"
            )
        if rule.count is not None and rule.text is None and not rule.header:
            place = where(source, ("response", "rules", str(index), "count"))
            report.error(
                place, "`count` reads a document, but `decode: none` makes none", "use `text`, or decode the reply"
            )
    for index, entries in enumerate(response.entries):
        for key in ("each", "range", "count"):
            if getattr(entries, key) is not None and not (key == "range" and entries.text is not None):
                place = where(source, ("response", "entries", str(index), key))
                report.error(
                    place, f"`{key}` reads a document, but `decode: none` makes none", "use `text`, or decode the reply"
                )


def named_groups(operation: Operation, source: Map, report: Findings) -> None:
    """With named groups in `text` or `header`, fields are read from them."""
    if operation.response is None:
        return
    found: list[tuple[Rule | EntrySource, tuple[str, ...]]] = []
    for index, rule in enumerate(operation.response.rules):
        found.append((rule, ("response", "rules", str(index))))
    for index, entries in enumerate(operation.response.entries):
        found.append((entries, ("response", "entries", str(index))))
    for each, path in found:
        for key, name in _missing_groups(each):
            place = where(source, (*path, *key.split(".")))
            groups = ", ".join(_groups(each)) or "none"
            condition = "`text`" if each.text is not None else "`header`"
            report.error(
                place, f"{condition} has no group named `{name}`", f"write (?P<{name}>…) in it; it has: {groups}"
            )


def _missing_groups(each: Rule | EntrySource) -> Iterator[tuple[str, str]]:
    groups = _groups(each)
    if each.text is None and not groups:
        return
    read = {"id": each.id, "code": each.code, "reason": each.reason}
    if isinstance(each, Rule):
        read["count"] = each.count
    elif each.range is not None:
        read |= {f"range.{key}": getattr(each.range, key) for key in ("first", "last", "count")}
    for key, name in read.items():
        if name is not None and re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) and name not in groups:
            yield key, name


def _groups(each: Rule | EntrySource) -> list[str]:
    patterns = [pattern for _, pattern in each.header] if isinstance(each, Rule) else []
    return [name for pattern in [*patterns, each.text or ""] for name in compile_pattern(pattern).names]


def unique_matches(operation: Operation, source: Map, report: Findings) -> None:
    """With batching, a match must tell the messages of a batch apart, and the request must send what it compares."""
    if operation.response is None or operation.batching is None or not in_records(operation, "To"):
        return
    sent: set[str] = set()
    shared = {"CampaignID"}  # one campaign per batch
    for use in uses(operation):
        sent |= use.expression.names | use.expression.calls
        if not in_record(operation, use) and not use.expression.filters:
            shared |= use.expression.names
    for index, entries in enumerate(operation.response.entries):
        place = where(source, ("response", "entries", str(index), "match"))
        if entries.match.kind != "expressions" or not entries.match.pairs:
            continue
        read = {name for expression, _ in entries.match.pairs for name in expression.names | expression.calls}
        if not read - shared - {"batch_id", "count", "now"}:
            written = ", ".join(f"`{expression.source}`" for expression, _ in entries.match.pairs)
            report.error(
                place,
                f"{written} is the same for all messages of a batch",
                "match something of the message: To|digits, MessageID|ref(20)",
            )
        for name in sorted(read - sent - {"seq", "index"}):  # the order sends them
            report.warn(place, f"`{name}` is compared with replies, but no request sends it", "send it in the record")
