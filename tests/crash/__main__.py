"""`python -m tests.crash`: every fault, then every mutation, against real brokers.

    python -m tests.crash [NAME…] [--seed N] [--mutations | --no-mutations] [--json FILE] [--keep FOLDER]
    python -m tests.crash --soak SECONDS [--seed N]

Without NAME it writes tests/crash/last.json and the tables of docs/guarantees.md. Ends with 0 when every promise holds
and every mutation is noticed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import orjson
from rich.console import Console

from tests.crash import guarantees
from tests.crash.mutations import CHECKS, PATIENCE_SECONDS
from tests.crash.report import Mutated, document, show
from tests.crash.run import Outcome, Stages
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.soak import soak

WIDTH = 160
"""Columns where the output is no terminal."""


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(SCENARIOS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mutations", action=argparse.BooleanOptionalAction, help="default: where no NAME is given")
    parser.add_argument("--json", type=Path, help="where to write the outcomes as JSON")
    parser.add_argument("--keep", type=Path, help="keep every process's output here")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="one long random schedule instead")
    options = parser.parse_args()
    if unknown := set(options.names) - set(SCENARIOS):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")

    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    chosen = [soak(options.soak)] if options.soak else [SCENARIOS[name] for name in options.names or SCENARIOS]
    everything = not options.names and not options.soak
    with ExitStack() as stack:
        folder = _folder(options.keep, stack)
        stages = stack.enter_context(Stages(folder))
        outcomes = [_play(console, stages, scenario, options.seed) for scenario in chosen]
        mutated = []
        if options.mutations or (options.mutations is None and everything):
            for check in CHECKS:
                console.print(f"mutation {check.mutation} …", end=" ")
                faults = ("--mutate", check.mutation)
                outcome = stages.play(SCENARIOS[check.scenario], options.seed, faults=faults, patience=PATIENCE_SECONDS)
                mutated.append(Mutated(check, outcome))
                console.print("noticed" if mutated[-1].noticed else "[red]NOT NOTICED[/]")
        show(console, outcomes, mutated)
        report = document(outcomes, mutated, kafka=stages.about)
    encoded = orjson.dumps(report, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if options.json is not None:
        options.json.write_bytes(encoded)
    if everything:
        guarantees.LAST.write_bytes(encoded)
        guarantees.update()
        console.print(f"written to {guarantees.LAST} and {guarantees.PAGE}")
    return 0 if report["holds"] else 1


def _play(console: Console, stages: Stages, scenario: Scenario, seed: int) -> Outcome:
    console.print(f"{scenario.name} …", end=" ")
    outcome = stages.play(scenario, seed)
    console.print(f"[red]FAILS[/] {'; '.join(outcome.failures)}" if outcome.failures else "holds", highlight=False)
    if outcome.failures:
        console.print(outcome.evidence(), markup=False, highlight=False)
    return outcome


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return keep
    folder = Path(tempfile.mkdtemp(prefix="sms-crash-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
