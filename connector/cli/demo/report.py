"""What the demo says at the end: for people, or as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
from rich.console import Console
from rich.table import Table

from connector.cli.demo.audit import SENTENCES, Audit, Seen
from connector.cli.demo.flow import SAMPLES, Tally
from connector.masking import mask_number
from connector.model import Result

UNSURE = "generic"  # the fake that accepts anything cannot know which value is the recipient


@dataclass(slots=True)
class Witness:
    """The simulator's log, read from its file.

    Attributes:
        seen: every message in every request.
        requests: per provider, those that carried messages.
    """

    seen: list[Seen]
    requests: Counter[str]


def read_log(file: Path) -> Witness:
    witness = Witness([], Counter())
    for line in file.read_bytes().splitlines():
        entry = orjson.loads(line)
        provider = entry["provider"]
        witness.requests[provider] += bool(entry["count"])
        for taken in (True, False):
            for record in entry["taken" if taken else "refused"]:
                witness.seen.append(Seen(str(record["to"]), record.get("ref"), taken, sure=provider != UNSURE))
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
        messages = Counter[str]()
        requests = sum(witness.requests.values())
        messages["all"] = report.seen if report else len(witness.seen)
        answer["requests"] = dict(witness.requests)
        answer["mean_fill"] = round(messages["all"] / requests, 1) if requests else None
    if report is not None:
        answer["audit"] = {
            "holds": report.holds,
            "events": report.events,
            "results": report.results,
            "seen_by_simulator": report.seen,
            "findings": {
                name: {"count": count, "meaning": SENTENCES[name], "examples": report.examples[name]}
                for name, count in report.findings.items()
            },
        }
    return answer


def show(console: Console, report: dict[str, Any]) -> None:
    """Print it for people."""
    table = Table("status", "messages", title="Results", title_justify="left", box=None, padding=(0, 2))
    table.columns[1].justify = "right"
    for status, count in report["results"].items():
        table.add_row(status, f"{count:,}")
    console.print(table)
    if report.get("requests"):
        per = ", ".join(f"{name} {count:,}" for name, count in report["requests"].items())
        console.print(f"\nRequests: {per}; {report['mean_fill']:,} messages per request on average")
    if report["messages_per_second"]:
        console.print(f"Speed: {report['messages_per_second']:,} messages/s ({report['seconds']} s, read to result)")
    console.print("\nThree of the results:")
    for sample in report["samples"]:
        console.print_json(data=sample, indent=None)
    for line in _audit_lines(report.get("audit")):
        console.print(line, highlight=False)


def _audit_lines(audit: dict[str, Any] | None) -> Iterator[str]:
    if audit is None:
        yield "\nNo audit: only the provider knows what reached it."
        return
    counts = f"{audit['events']:,} events, {audit['results']:,} results, {audit['seen_by_simulator']:,} at the provider"
    if audit["holds"]:
        yield f"\n[bold green]AUDIT holds[/]: {counts}; each event has one result, none was sent twice."
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
