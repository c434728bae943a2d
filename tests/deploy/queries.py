"""What a PromQL query asks for: read by a parser of the language, then its metric names and labels against a page."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

NAME = re.compile(r"\bsms_connector_[a-z0-9_]+")
SELECTOR = re.compile(r"(\bsms_connector_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'\s*([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"\s*')
GROUPED = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
RECORDED = re.compile(r"\bsms_connector:[a-z0-9_:]+")
FROM_PROMETHEUS = {"instance", "job", "cluster", "namespace", "pod", "worker"}
"""Labels a scrape adds; `worker` stands on the parent's page."""


def samples(page: str) -> dict[str, set[str]]:
    """Sample name → its labels, for every family of the page."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def faults(query: str, page: dict[str, set[str]], recorded: Collection[str]) -> Iterator[str]:
    """What the query names that neither the page has nor a rule records."""
    asked: set[str] = set()
    for name in RECORDED.findall(query):
        asked |= set().union(*page.values())
        if name not in recorded:
            yield f"nothing records {name}"
    for name, matchers in SELECTOR.findall(query):
        if name not in page:
            yield f"no sample {name}"
            continue
        asked |= page[name]
        for matcher in filter(None, matchers.split(",")):
            found = MATCHER.fullmatch(matcher)
            if found is None or found[1] not in page[name] | FROM_PROMETHEUS:
                yield f"{name} has no label for {matcher}"
    for labels in GROUPED.findall(query):
        for label in labels.split(","):
            if label.strip() not in asked | FROM_PROMETHEUS:
                yield f"nothing to group by {label.strip()}"
    try:
        promql_parser.parse(query)
    except ValueError as error:
        yield str(error)


def all_faults(queries: Iterable[str], page: str, recorded: Collection[str]) -> list[str]:
    """Of all queries."""
    there = samples(page)
    return [f"{fault}: {query}" for query in queries for fault in faults(query, there, recorded)]
