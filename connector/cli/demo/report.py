"""What the demo says at the end: for people, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson
from rich.console import Console
from rich.table import Table

from connector.cli.demo.audit import SENTENCES, Audit, SeenMessage
from connector.cli.demo.flow import SAMPLES, Tally
from connector.masking import mask_number
from connector.model import Result

UNSURE = "generic"  # the fake that accepts anything cannot know which value is the recipient


@dataclass(slots=True)
class Witness:
    """The simulator's log, read from its file.

    Attributes:
        seen: every message in every request.
        requests: per fake, those that carried messages.
        messages: per fake, how many they carried.
        delivered: per fake, how many of them it has reported as delivered; None where it was not asked.
    """

    seen: list[SeenMessage] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)
    messages: Counter[str] = field(default_factory=Counter)
    delivered: Counter[str] | None = None


def read_log(file: Path) -> Witness:
    witness = Witness()
    for line in file.read_bytes().splitlines():
        entry = orjson.loads(line)
        provider = entry["provider"]
        if entry["count"]:
            witness.requests[provider] += 1
            witness.messages[provider] += entry["count"]
        for taken in (True, False):
            for record in entry["taken" if taken else "refused"]:
                witness.seen.append(SeenMessage(str(record["to"]), record.get("ref"), taken, sure=provider != UNSURE))
    return witness


def document(tally: Tally, report: Audit | None, witness: Witness | None) -> dict[str, Any]:
    """The report as JSON-able data. Phone numbers are masked."""
    statuses = Counter(status.value for _, status in tally.results)
    answer: dict[str, Any] = {
        "results": dict(statuses.most_common()),
        "seconds": round(tally.seconds, 3),
        "messages_per_second": round(len(tally.results) / tally.seconds) if tally.seconds else None,
        "samples": [_sample(result) for result in _samples(tally.samples.values())],
    }
    if witness is not None:
        answer["providers"] = {
            name: {
                "requests": requests,
                "messages": witness.messages[name],
                "mean_fill": round(witness.messages[name] / requests, 1),
                **({} if witness.delivered is None else {"delivered": witness.delivered[name]}),
            }
            for name, requests in witness.requests.most_common()
        }
    if report is not None:
        answer["audit"] = {
            "holds": report.holds,
            "events": report.events,
            "results": report.results,
            "seen_by_simulator": report.seen,
            **({"receipts": report.reported} if report.reported else {}),
            "findings": {
                name: {"count": count, "meaning": SENTENCES[name], "examples": report.examples[name]}
                for name, count in report.findings.items()
            },
        }
    return answer


def show(console: Console, report: dict[str, Any]) -> None:
    """Print it for people."""
    table = _table("status", "messages")
    for status, count in report["results"].items():
        table.add_row(status, f"{count:,}")
    console.print(table)
    if providers := report.get("providers"):
        console.print()
        console.print(_requests(providers))
    if report["messages_per_second"]:
        console.print(f"\nSpeed: {report['messages_per_second']:,} messages/s ({report['seconds']} s, read to result)")
    if report["samples"]:
        console.print("\nSome of the results:")
    for sample in report["samples"]:
        console.print_json(data=sample, indent=None)
    for line in _audit_lines(report.get("audit")):
        console.print(line, soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(*columns, box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _requests(providers: dict[str, Any]) -> Table:
    columns = {"requests": "requests", "messages": "messages", "mean_fill": "messages per request"}
    if any("delivered" in counts for counts in providers.values()):
        columns["delivered"] = "delivered"
    table = _table("provider", *columns.values())
    for name, counts in providers.items():
        row = [f"{counts[column]:,}" for column in columns]
        table.add_row(name, *row)
    return table


def _audit_lines(audit: dict[str, Any] | None) -> Iterator[str]:
    if audit is None:
        yield "\nNo audit: only the provider knows what reached it."
        return
    counts = f"{audit['events']:,} events, {audit['results']:,} results, {audit['seen_by_simulator']:,} at the provider"
    if audit["holds"]:
        yield f"\n[bold green]AUDIT holds[/]: {counts}; each event has one result, none was sent twice."
        if "receipts" in audit:
            yield f"All {audit['receipts']:,} receipts of the providers are written, each once."
        return
    yield f"\n[bold red]AUDIT fails[/]: {counts}."
    for finding in audit["findings"].values():
        yield f"  {finding['count']:,} {finding['meaning']}, such as {', '.join(finding['examples'][:3])}"


def _samples(results: Iterable[Result]) -> list[Result]:
    """A few that differ: other providers first, then other statuses."""
    found: list[Result] = []
    providers: set[str | None] = set()
    for result in results:
        if result.provider not in providers:
            providers.add(result.provider)
            found.append(result)
    found += [result for result in results if result not in found]
    return found[:SAMPLES]


def _sample(result: Result) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(result)
    if result.to is not None:
        fields["to"] = mask_number(result.to)
    return fields
