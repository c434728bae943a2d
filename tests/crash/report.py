"""What a run of the suite says: a table for people, a document for everything else."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.crash.mutations import Check
from tests.crash.run import Outcome
from tests.crash.scene import NOBODY_LEFT

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Mutated:
    """A mutation check, played.

    Attributes:
        mistakes: errors of the mutation itself, which prove nothing.
        noticed: the audit reported what it had to, and for no other reason.

    On a slow machine a scenario may not come to its end in time. Then events have no result, or no offset, that would
    have had one: `lost` counts where everything else was done, `uncommitted` where nothing was lost, or nobody is left
    who could have done it.
    """

    check: Check
    outcome: Outcome
    mistakes: Sequence[str] = ()

    @property
    def noticed(self) -> bool:
        if self.mistakes:
            return False
        found = self.outcome.findings
        unfinished = found.uncommitted if self.check.finding == "lost" else found.lost
        if self.check.finding in {"lost", "uncommitted"} and unfinished and not self._nobody_left:
            return False
        words = self.check.finding.replace("_", " ")
        return any(failure.startswith(words) for failure in self.outcome.failures)

    @property
    def _nobody_left(self) -> bool:
        return any(failure.startswith(NOBODY_LEFT) for failure in self.outcome.failures)

    def as_json(self) -> dict[str, Any]:
        return {
            "mutation": self.check.mutation,
            "scenario": self.check.scenario,
            "expected": self.check.finding,
            "noticed": self.noticed,
            "failures": [*self.outcome.failures, *self.mistakes],
        }


def document(outcomes: Sequence[Outcome], mutated: Sequence[Mutated], *, kafka: str) -> dict[str, Any]:
    """Everything, with when, where and of which commit."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "python": platform.python_version(),
        "kafka": kafka,
        "holds": all(not outcome.failures for outcome in outcomes) and all(it.noticed for it in mutated),
        "scenarios": [outcome.as_json() for outcome in outcomes],
        "mutations": [it.as_json() for it in mutated],
    }


def commit() -> str:
    """The commit in the work tree; with a plus sign where the product differs from it."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "connector") else "")


def table(outcomes: Sequence[Outcome]) -> Table:
    """One line per fault."""
    result = Table("fault", box=None, padding=(0, 1), title="Faults", title_justify="left")
    for column in (
        "events",
        "lost",
        "results twice",
        "sent twice",
        "at most",
        "unknown",
        "at most",
        "needless",
        "unreported",
        "s",
    ):
        result.add_column(column, justify="right")
    result.add_column("")
    for it in outcomes:
        found = it.findings
        numbers = (found.messages, found.lost, found.duplicated_results, found.duplicated_sends, found.allowed,
            found.unknown, found.allowed_unknown, found.needless, round(it.seconds))  # fmt: skip
        owed = "–" if found.unreported is None else f"{found.unreported}"
        verdict = "[red]FAILS[/]" if it.failures else "[green]holds[/]"
        *counts, seconds = (f"{number:,}" for number in numbers)
        result.add_row(it.scenario.name, *counts, owed, seconds, verdict)
    return result


def mutation_table(mutated: Sequence[Mutated]) -> Table:
    """One line per mutation."""
    result = Table("rule broken on purpose", "exposed by", "the audit says", "", box=None, padding=(0, 1))
    result.title, result.title_justify = "Mutations", "left"
    for it in mutated:
        verdict = "[green]noticed[/]" if it.noticed else "[red]NOT NOTICED[/]"
        said = "; ".join([failure.split(" (")[0] for failure in it.outcome.failures] + list(it.mistakes[:1]))
        result.add_row(it.check.mutation, it.check.scenario, said, verdict)
    return result


def show(console: Console, outcomes: Sequence[Outcome], mutated: Sequence[Mutated]) -> None:
    """Print the tables and, for each scenario that fails, why."""
    console.print(table(outcomes))
    if mutated:
        console.print(mutation_table(mutated))
    for outcome in outcomes:
        for failure in outcome.failures:
            console.print(f"[red]{outcome.scenario.name}[/] (seed {outcome.seed}): {failure}", highlight=False)
