"""`python -m tests.crash`: every fault, then every mutation, against real brokers.

    python -m tests.crash [NAME…] [--seed N] [--json FILE] [--keep FOLDER]      NAME: a scenario or a mutation
    python -m tests.crash --soak SECONDS [--seed N]

Without NAME it writes tests/crash/last.json and the tables of docs/guarantees.md. Ends with 0 when every promise holds
and every mutation is noticed.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import orjson
from rich.console import Console

from tests.crash import guarantees
from tests.crash.mutations import CHECKS, PATIENCE_SECONDS, Check
from tests.crash.report import Mutated, document, show
from tests.crash.run import Outcome, Stages
from tests.crash.scenarios import SCENARIOS, Scenario
from tests.crash.soak import soak

WIDTH = 160
"""Columns where the output is no terminal."""


def main() -> int:
    """Run what the command line asks for."""
    mutations = {check.mutation: check for check in CHECKS}
    known = [*SCENARIOS, *mutations]
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these of {', '.join(known)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where to write the outcomes as JSON")
    parser.add_argument("--keep", type=Path, help="keep every process's output here")
    parser.add_argument("--soak", type=float, metavar="SECONDS", help="one long random schedule instead")
    options = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what the suite asks brokers that are away
    if unknown := set(options.names) - set(known):
        parser.error(f"no scenario and no mutation: {', '.join(sorted(unknown))}; there are {', '.join(known)}")

    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    everything = not options.names and options.soak is None
    names = known if everything else options.names
    chosen = [SCENARIOS[name] for name in names if name in SCENARIOS]
    if options.soak is not None:
        chosen = [soak(options.soak)]
    with ExitStack() as stack:
        stages = stack.enter_context(Stages(_folder(options.keep, stack)))
        outcomes = [_play(console, stages, scenario, options.seed) for scenario in chosen]
        mutated = [_check(console, stages, mutations[name], options.seed) for name in names if name in mutations]
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


def _check(console: Console, stages: Stages, check: Check, seed: int) -> Mutated:
    console.print(f"{check.mutation} …", end=" ")
    faults = ("--mutate", check.mutation)
    outcome = stages.play(SCENARIOS[check.scenario], seed, faults=faults, patience=PATIENCE_SECONDS)
    mutated = Mutated(check, outcome, outcome.mistakes)
    console.print("noticed" if mutated.noticed else "[red]NOT NOTICED[/]")
    for mistake in mutated.mistakes:
        console.print(f"error of the mutation itself: {mistake}", markup=False, highlight=False)
    return mutated


def _folder(keep: Path | None, stack: ExitStack) -> Path:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        return keep
    folder = Path(tempfile.mkdtemp(prefix="sms-crash-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    return folder


if __name__ == "__main__":
    sys.exit(main())
