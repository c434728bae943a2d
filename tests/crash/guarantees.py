"""The measured part of docs/guarantees.md, made from the last run of the suite: `python -m tests.crash.guarantees`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from tests.crash.audit import MOST_UNREPORTED

HERE = Path(__file__).parent
LAST = HERE / "last.json"
PAGE = HERE.parents[1] / "docs" / "guarantees.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"

GROUPS = {
    "clean": "Clean ends and rebalances: nothing twice",
    "kill": "Hard kills",
    "zombie": "A process that stood still",
    "cut": "A worker that is cut off from the brokers, and not from the provider",
    "static": "Two workers with one `static_membership`",
    "broker": "Brokers",
    "provider": "Providers",
    "retry": "Retry topics",
    "repeat": "Events with the id of an earlier one (`duplicates.horizon`)",
    "offsets": "Offsets and topics",
    "receipts": "Receipts: states of messages",
    "lookups": "Receipts that bring no reference and are looked up",
    "opt-outs": "Opt-outs: who must not be texted",
    "deeds": "Deeds: what people do through the console",
    "suppressions": "Who must not be texted is not",
    "input": "What producers and others write: compression, transactions, poison records",
}
"""Scenario.promise → heading."""
WORD_FIGURES = ("texted", "withheld", "lost", "duplicated_results")
LIST_FIGURES = ("opt_outs_lost", "opt_ins_lost")
LOOKUP_FIGURES = ("lookups_lost", "lookups_wrong", "lookups_given_up", "lookups_twice", "states_twice")
STATE_FIGURES = ("receipts_lost", "states_twice", "states_fallen", "states_strange")


def measured(report: Mapping[str, Any]) -> str:
    """The tables, with when and of which commit."""
    return "\n".join(_lines(report))


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    held = sum(scenario["holds"] for scenario in report["scenarios"])
    events = sum(scenario["messages"] for scenario in report["scenarios"])
    yield f"Measured {report['date']} at commit `{report['commit']}` with {report['kafka']}, Python {report['python']}:"
    yield f"{len(report['scenarios'])} faults, {events:,} events, {held} hold."
    for promise, heading in GROUPS.items():
        chosen = [scenario for scenario in report["scenarios"] if scenario["promise"] == promise]
        if not chosen:
            continue
        if promise in SPECIAL:
            yield from SPECIAL[promise](heading, chosen)
            continue
        yield from ("", f"### {heading}", "")
        yield "| fault | events | lost | results twice | sent twice (at most) | unknown (at most) | |"
        yield "|---|--:|--:|--:|--:|--:|---|"
        for it in chosen:
            yield (
                f"| {it['fault']} | {it['messages']:,} | {it['lost']} | {it['duplicated_results']} "
                f"| {it['duplicated_sends']:,} ({it['allowed']:,}) | {it['unknown']:,} ({it['allowed_unknown']:,}) "
                f"| {'holds' if it['holds'] else '**fails**: ' + '; '.join(it['failures'])} |"
            )
    if owed := [it for it in report["scenarios"] if it.get("unreported") is not None]:
        yield from ("", "### While no result can be written", "")
        yield from ("| fault | sends per message, at most | promised |", "|---|--:|--:|")
        yield from (f"| {it['fault']} | {it['unreported']} | {MOST_UNREPORTED} |" for it in owed)
    yield from ("", "### Does the audit notice?", "")
    yield "| rule broken on purpose | fault that exposes it | expected finding | |"
    yield "|---|---|---|---|"
    for it in report["mutations"]:
        finding, verdict = it["expected"].replace("_", " "), "noticed" if it["noticed"] else "**not noticed**"
        yield f"| {it['mutation']} | {it['scenario']} | {finding} | {verdict} |"


def _states(heading: str, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", f"### {heading}", "")
    yield "| fault | states | receipts lost | states twice | after a later one | of another message | |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for it in chosen:
        counts = " | ".join(str(it[name]) for name in STATE_FIGURES)
        verdict = "holds" if it["holds"] else "**fails**: " + "; ".join(it["failures"])
        yield f"| {it['fault']} | {it['written']:,} | {counts} | {verdict} |"


def _lookups(heading: str, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", f"### {heading}", "")
    yield "| fault | found | lost | of another message | given up too early | kept twice | states twice | |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for it in chosen:
        counts = " | ".join(str(it[name]) for name in LOOKUP_FIGURES)
        verdict = "holds" if it["holds"] else "**fails**: " + "; ".join(it["failures"])
        yield f"| {it['fault']} | {it['looked_up']:,} | {counts} | {verdict} |"


def _people(heading: str, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", f"### {heading}", "")
    yield "| fault | people | said no and are not on the list | said yes and are on it | |"
    yield "|---|--:|--:|--:|---|"
    for it in chosen:
        counts = " | ".join(str(it[name]) for name in LIST_FIGURES)
        verdict = "holds" if it["holds"] else "**fails**: " + "; ".join(it["failures"])
        yield f"| {it['fault']} | {it['people']:,} | {counts} | {verdict} |"


def _deeds(heading: str, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", f"### {heading}", "")
    yield "| fault | deeds | without a record before | events | lost | sent twice (at most) | |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for it in chosen:
        verdict = "holds" if it["holds"] else "**fails**: " + "; ".join(it["failures"])
        yield (
            f"| {it['fault']} | {it['deeds']} | {it['unrecorded']} | {it['messages']:,} | {it['lost']} "
            f"| {it['duplicated_sends']:,} ({it['allowed']:,}) | {verdict} |"
        )


def _words(heading: str, chosen: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield from ("", f"### {heading}", "")
    yield "| fault | events | suppressed | sent all the same | suppressed although lifted | lost | results twice | |"
    yield "|---|--:|--:|--:|--:|--:|--:|---|"
    for it in chosen:
        counts = " | ".join(str(it[name]) for name in WORD_FIGURES)
        verdict = "holds" if it["holds"] else "**fails**: " + "; ".join(it["failures"])
        withheld = it["statuses"].get("suppressed", 0)
        yield f"| {it['fault']} | {it['messages']:,} | {withheld:,} | {counts} | {verdict} |"


SPECIAL: Mapping[str, Callable[[str, Sequence[Mapping[str, Any]]], Iterator[str]]] = {
    "receipts": _states,
    "lookups": _lookups,
    "opt-outs": _people,
    "deeds": _deeds,
    "suppressions": _words,
}
"""Promises whose figures are others than those of messages."""


def with_measured(page: str, report: Mapping[str, Any]) -> str:
    """The page with its tables made from this report."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{measured(report)}\n\n{END}{after}"


def update() -> None:
    """Write the page from the last run."""
    PAGE.write_text(with_measured(PAGE.read_text(), orjson.loads(LAST.read_bytes())))


if __name__ == "__main__":
    update()
