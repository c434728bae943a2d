"""`python -m bench`: the cost of each part, then whole pipelines on a real Kafka.

python -m bench [SECTION …] [--json FILE] [--plot FILE.svg]     sections: parts, job, matrix, load, growth, …
python -m bench compare COMMIT COMMIT
python -m bench peer --peer FILE [--peer-config FILE]           the connector and another program in turns
python -m bench soak [--seconds 1800] [--load 0.7]              steady load: flat memory, flat lag
python -m bench many [--workers 50]                             a group of so many: what each change of it takes
python -m bench receive                                         callbacks: CPU of the receiver per receipt
python -m bench console                                         what reads of the console take with fifty workers
python -m bench suppressions                                    ten million numbers: ready, memory, what asking costs
python -m bench index [--keys 10000000]                         receipts that are looked up: CPU, memory
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from bench import (
    console_reads,
    looking_up,
    machine,
    many,
    parts,
    priority,
    receiving,
    report,
    side_by_side,
    soak,
    suppressions,
)
from bench.cell import Figures
from bench.compare import compare
from bench.measuring import Bench
from bench.peer import Peer
from bench.plot import write_plot
from bench.sections import SECTIONS
from connector.cli.plot import ready
from connector.errors import UsageError
from tests.kafka import find
from tests.kafka.local import FULL_JVM

PEER_CONFIG = Path("bench/peers/bento.yaml")
DEFAULT = ("parts", "job", "load", "growth", "workers", "guarantees")
"""Without `matrix`, which takes a quarter of an hour."""
APART = ("priority", "many", "peer")
"""Measured in ways of their own."""


def main() -> int:
    """Run what is asked for; without a real Kafka, say why there are only parts."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        help=f"of {', '.join(['parts', *SECTIONS, *APART])}; or: compare COMMIT COMMIT; {'; '.join(ALONE)}; console",
    )
    parser.add_argument("--only", default="", help="cells whose name holds this")
    parser.add_argument("--seconds", type=float, default=1800.0, help="with soak: for how long")
    parser.add_argument("--load", type=float, default=0.7, help="with soak: part of the measured capacity")
    parser.add_argument("--peer", type=Path, help="with peer: its binary")
    parser.add_argument("--peer-config", type=Path, default=PEER_CONFIG, help="with peer: its configuration")
    parser.add_argument("--rounds", type=int, default=1, help="with peer: of which the median is taken")
    parser.add_argument(
        "--workers", type=int, default=many.WORKERS, help="with many: how many, with four partitions for each"
    )
    parser.add_argument("--numbers", type=int, default=suppressions.NUMBERS, help="with suppressions: how many")
    parser.add_argument("--keys", type=int, default=looking_up.KEYS, help="with index: how many there are")
    parser.add_argument("--json", type=Path, help="write the figures here, section by section")
    parser.add_argument("--plot", type=Path, help="write a picture here (SVG)")
    options = parser.parse_args()
    if "peer" in options.sections and (options.peer is None or not options.peer.exists()):
        parser.error(
            "peer needs --peer FILE, the binary of what to compare with: docs/performance.md says how to build one"
        )
    if options.plot:
        try:
            ready(options.plot)
        except UsageError as error:
            parser.error(str(error))
    console = Console(width=None if sys.stdout.isatty() else 140)
    about = machine.about()
    console.print(f"{about['cpu']}, {about['cores']} cores, load {about['load']}; Python {about['python']}")
    with tempfile.TemporaryDirectory(prefix="sms-bench-") as name:
        folder = Path(name)
        asked = options.sections or DEFAULT
        if "parts" in asked:
            cost = _parts(console, folder)
            if options.json:
                report.add_to_json(options.json, "parts", about, {"µs": cost})
        if asked == ["console"]:
            return _console(console, about, options.json)
        if asked == ["parts"]:
            return 0
        with find.find(folder / "kafka", jvm=FULL_JVM) as found:
            if not found.kafka.real:
                console.print("no real Kafka, so no pipelines: " + "; ".join(found.skipped))
                return 1
            console.print(f"Kafka: {found.kafka}")
            if asked[0] == "compare":
                compare(console, found.kafka, folder, *asked[1:3])
                return 0
            if (alone := ALONE.get(asked[0])) is not None:
                return alone(console, found.kafka, folder, options, about)
            rows = _sections(console, found.kafka, folder, asked, options)
    if options.plot:
        write_plot(options.plot, about, rows)
    return 0


def _sections(
    console: Console, kafka: find.Kafka, folder: Path, asked: Sequence[str], options: argparse.Namespace
) -> list[report.Row]:
    peer = Peer(options.peer, options.peer_config) if options.peer else None
    bench = Bench(kafka, folder, peer=peer)
    if peer and "peer" in asked:
        _peer(console, bench, peer, options)
    if "priority" in asked:
        _priority(console, kafka, folder, options)
    if "many" in asked:
        _many(console, kafka, folder, options)
    return _cells(console, bench, asked, options.only, options.json)


def _soak(console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace, about: dict[str, Any]) -> int:
    soaked = soak.soak(kafka, folder, seconds=options.seconds, load=options.load, console=console)
    if options.json:
        report.add_to_json(options.json, "soak", about, soak.figures(soaked))
    if options.plot:
        soak.write_plot(options.plot, about, soaked)
    console.print(soak.table(soaked))
    if remark := soak.remark(soaked.samples, int(about["cores"])):
        console.print(remark)
    for fault in soaked.faults:
        console.print(f"[red]FAULT[/] {fault}")
    console.print(f"{soaked.events:,} events: " + ("soak holds" if soaked.holds else "[red]soak FAILS[/]"))
    return 0 if soaked.holds else 1


def _peer(console: Console, bench: Bench, peer: Peer, options: argparse.Namespace) -> None:
    about = machine.about()
    cells = side_by_side.as_cells(side_by_side.measure(bench, console, rounds=options.rounds, only=options.only))
    console.print(side_by_side.table(cells))
    if options.json:
        report.add_to_json(
            options.json, "peer", about, {"peer": peer.about(), "rounds": options.rounds, "cells": cells}
        )


def _priority(console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace) -> None:
    about, measured = machine.about(), []
    for cell in priority.CELLS:
        if options.only in cell.name:
            console.print(f"running: priority, {cell.name} …")
            measured.append((cell.name, priority.measure(kafka, folder, cell)))
    console.print(report.table("priority", measured))
    if options.json:
        report.add_to_json(options.json, "priority", about, report.cells(measured))


def _console(console: Console, about: dict[str, Any], json: Path | None) -> int:
    found = console_reads.measure()
    console.print(console_reads.table(found))
    if json:
        report.add_to_json(json, "console", about, asdict(found))
    return 0 if found.quick else 1


def _many(console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace) -> None:
    about = machine.about()
    changes = many.measure(
        kafka, folder / "many", console.print, workers=options.workers, partitions=4 * options.workers
    )
    console.print(many.table(changes))
    if options.json:
        report.add_to_json(options.json, "many", about, many.as_json(changes))


def _receive(
    console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace, about: dict[str, Any]
) -> int:
    measured = []
    for cell, figures in receiving.measure(kafka, folder, options.only):
        measured.append((cell, figures))
    table = Table("callbacks", "µs per receipt", "at most", "per second", "p50 ms", "p99 ms", "MB", "answers")
    for cell, it in measured:
        over = cell.most is not None and it.microseconds > cell.most
        most = "" if cell.most is None else f"{cell.most:g}{' exceeded' if over else ''}"
        answers = ", ".join(f"{status}: {number}" for status, number in it.statuses.items())
        spread = (f"{it.p50 * 1000:.1f}", f"{it.p99 * 1000:.1f}", f"{it.megabytes:.0f}")
        table.add_row(cell.name, f"{it.microseconds:.0f}", most, f"{it.per_second:,.0f}", *spread, answers)
    console.print(table)
    if options.json:
        report.add_to_json(options.json, "receive", about, {cell.name: asdict(it) for cell, it in measured})
    return int(any(cell.most is not None and it.microseconds > cell.most for cell, it in measured))


def _suppressions(
    console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace, about: dict[str, Any]
) -> int:
    stage = folder / "list"
    stage.mkdir()
    found = suppressions.measure(kafka, stage, console.print, numbers=options.numbers)
    console.print(suppressions.table(found))
    if options.json:
        report.add_to_json(options.json, "suppressions", about, suppressions.as_json(options.numbers, found))
    return int(any(it.exceeded for it in found))


def _index(
    console: Console, kafka: find.Kafka, folder: Path, options: argparse.Namespace, about: dict[str, Any]
) -> int:
    keys = options.keys
    found = looking_up.measure(kafka, folder, keys)
    table = Table(
        "receipts that are looked up", "seen", "asked", "", title=f"{keys:,} keys in {looking_up.PARTITIONS} partitions"
    )
    rows = (
        ("looked up, a second of one core", found.looked_up, looking_up.LEAST_LOOKED_UP, found.looked_up),
        ("index made anew: records a second of one core", found.restored, looking_up.LEAST_RESTORED, found.restored),
        ("memory of the process, MB", found.megabytes, looking_up.MOST_MEGABYTES, -found.megabytes),
    )
    missed = False
    for name, seen, asked, good in rows:
        short = good < (asked if good > 0 else -asked)
        missed = missed or short
        table.add_row(name, f"{seen:,.0f}", f"{asked:,.0f}", "missed" if short else "")
    table.add_row("µs of CPU per receipt, looked up and made a state", f"{found.whole:.1f}", "", "")
    table.add_row("µs of CPU per receipt with a reference", f"{found.states:.1f}", "", "")
    table.add_row("bytes on disk per key", f"{found.disk:.0f}", "", "")
    console.print(table)
    if options.json:
        report.add_to_json(options.json, "index", about, {"index": asdict(found)})
    return int(missed)


ALONE = {"receive": _receive, "soak": _soak, "suppressions": _suppressions, "index": _index}
"""Sections that have figures of their own, one at a time."""


def _parts(console: Console, folder: Path) -> dict[str, float]:
    table = Table("part", "µs per message", "at most", title="parts: CPU without I/O, warm", title_justify="left")
    cost = {}
    for figure in parts.measure(folder):
        over = figure.most is not None and figure.microseconds > figure.most
        most = "" if figure.most is None else f"{figure.most:g}{' exceeded' if over else ''}"
        table.add_row(figure.part, f"{figure.microseconds:.2f}", most)
        cost[figure.part] = round(figure.microseconds, 3)
    console.print(table)
    print(orjson.dumps({"µs": cost}).decode())  # plain, so that it stays on one line
    return cost


def _cells(console: Console, bench: Bench, asked: Sequence[str], only: str, json: Path | None) -> list[report.Row]:
    rows: list[report.Row] = []
    for section, cells in SECTIONS.items():
        if section not in asked:
            continue
        measured: list[tuple[str, Figures]] = []
        about = machine.about()
        for cell in cells:
            if only not in cell.name:
                continue
            console.print(f"running: {section}, {cell.name} …")
            measured.append((cell.name, bench.measure(cell)))
        rows += [(section, name, figures) for name, figures in measured]
        console.print(report.table(section, measured))
        if json:  # at once: a long run that is stopped has not been for nothing
            report.add_to_json(json, section, about, report.cells(measured))
    return rows


if __name__ == "__main__":
    sys.exit(main())
