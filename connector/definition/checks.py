"""What a definition must hold beyond its shape: small functions over the tree, each for one mistake people make.

A check runs only where the keys it looks at are sound, so that one fault is not named twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from connector.config_text.source import Map
from connector.definition import (
    check_acceptance,
    check_encoding,
    check_receipts,
    check_replies,
    check_request,
    check_signing,
    parallel,
)
from connector.definition.findings import Findings
from connector.definition.tree import Definition, Operation
from connector.definition.walk import where

Check = Callable[[Operation, Map, Findings], None]

# What must be sound → the check.
OPERATION_CHECKS: Final[tuple[tuple[frozenset[str], Check], ...]] = (
    (frozenset({"method"}), check_request.has_method),
    (frozenset({"url"}), check_request.has_url),
    (frozenset({"method", "parameters"}), check_request.method_takes_parameters),
    (frozenset({"url"}), check_request.url),
    (frozenset({"auth"}), check_request.token_url),
    (frozenset({"headers", "auth"}), check_request.headers),
    (frozenset({"url", "query", "headers", "parameters", "auth"}), check_signing.additions),
    (frozenset({"url", "query", "headers", "parameters"}), check_request.recipient),
    (frozenset({"url", "query", "headers", "parameters"}), check_request.whole_number),
    (frozenset({"url", "query", "headers", "parameters", "content"}), check_request.content),
    (frozenset({"url", "query", "headers", "parameters"}), check_encoding.octets),
    (frozenset({"url", "query", "headers", "parameters"}), check_encoding.one_coding),
    (frozenset({"method", "headers", "parameters"}), check_encoding.content_type),
    (frozenset({"method", "url", "query", "headers", "parameters"}), check_encoding.charset_of_query),
    (frozenset({"parameters", "batching"}), check_encoding.lines),
    (frozenset({"parameters", "batching"}), check_request.batching_keys),
    (frozenset({"query", "parameters", "batching"}), parallel.parallel_lists),
    (frozenset({"url", "query", "headers", "parameters", "batching"}), check_request.outside_records),
    (frozenset(), check_request.inline_secrets),
    (frozenset({"response"}), check_replies.entries_and_sources),
    (frozenset({"response"}), check_replies.described),
    (frozenset({"response"}), check_replies.others),
    (frozenset({"response"}), check_replies.reachable),
    (frozenset({"response"}), check_acceptance.weak_conditions),
    (frozenset({"response"}), check_acceptance.overtaken),
    (frozenset({"response"}), check_acceptance.others_taken),
    (frozenset({"response", "batching"}), check_acceptance.first_of_a_list),
    (frozenset({"response"}), check_replies.decoded),
    (frozenset({"response"}), check_replies.named_groups),
    (frozenset({"url", "query", "headers", "parameters", "batching", "response"}), check_replies.unique_matches),
)


@dataclass(frozen=True, slots=True)
class CheckedOperation:
    """An operation, its merged source, and the keys that hold something wrong."""

    operation: Operation
    source: Map
    broken: AbstractSet[str]


def check_operation(checked: CheckedOperation, report: Findings) -> None:
    """Check one operation against its source."""
    for needs, check in OPERATION_CHECKS:
        if not needs & checked.broken:
            check(checked.operation, checked.source, report)


def check_definition(
    definition: Definition, source: Map, operations: Sequence[CheckedOperation], report: Findings
) -> None:
    """Check what holds for all operations together, and the keys of the whole."""
    seen: set[str] = set()
    for index, each in enumerate(operations):
        operation = each.operation
        if "batching" not in each.broken:
            _way_on(each, report, last=index == len(operations) - 1)
        if not definition.http.private_hosts and not {"url", "auth"} & each.broken:
            check_request.public_hosts(operation, each.source, report)
        if operation.name in seen:
            report.error(where(each.source, ("name",)), f"two operations are called `{operation.name}`", "rename one")
        seen.add(operation.name)
        if "receipts" not in each.broken:
            check_receipts.references_are_read(operation, definition.receipts, each.source, report)
    if not any("receipts" in each.broken for each in operations):
        check_receipts.receipts_come_back(definition.operations, definition.receipts, source, report)
    if definition.retry.cap < definition.retry.base:
        report.error(where(source, ("retry", "cap")), "`cap` is below `base`", "make it at least as long")
    if definition.http.key and not definition.http.certificate:
        report.error(where(source, ("http", "key")), "a key without `certificate`", "name the file of the certificate")
    if definition.name in definition.failover:
        report.error(where(source, ("failover",)), "it fails over to itself", "name other definitions")


def _way_on(each: CheckedOperation, report: Findings, *, last: bool) -> None:
    """What an operation leaves goes to the next one: there must be one, and something must be left."""
    operation = each.operation
    least = operation.batching.min_records if operation.batching is not None else 1
    if least > 1 and last:
        report.error(
            where(each.source, ("batching", "records")),
            f"a window that closes below {least} records has no operation to go to",
            "add one that takes single messages after this one, or leave out `min`",
        )
    if operation.when is None and least == 1 and not last:
        report.warn(
            each.source.place,
            f"`{operation.name}` takes every message: the operations after it are never chosen",
            "give it a `when`, or put it last",
        )
