"""A mutation counts as noticed for what it breaks, and not because it fails by itself or the machine is slow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.audit import Findings
from tests.crash.mutations import CHECKS, Check
from tests.crash.report import Mutated
from tests.crash.run import Outcome
from tests.crash.scenarios import SCENARIOS


def mutated(finding: str, *before: str, mistakes: tuple[str, ...] = (), **numbers: int) -> Mutated:
    findings = Findings(**numbers)
    outcome = Outcome(SCENARIOS["calm"], 1, Path(), 1.0, findings, (*before, *findings.complaints()))
    return Mutated(Check("any", "calm", finding), outcome, mistakes)


def test_every_finding_that_a_mutation_is_to_bring_about_is_one_that_is_complained_of() -> None:
    for check in CHECKS:
        assert mutated(check.finding, **{check.finding: 1_000}).noticed, check


@pytest.mark.parametrize(
    ("check", "noticed"),
    [
        (mutated("lost", lost=5), True),
        (mutated("lost", lost=5, uncommitted=5), False),  # it was not done in time
        (mutated("uncommitted", uncommitted=5), True),
        (mutated("uncommitted", lost=5, uncommitted=5), False),
        (mutated("uncommitted", "no worker is left; waited for offsets", lost=5, uncommitted=5), True),
        (mutated("duplicated_results", duplicated_results=5, lost=5, uncommitted=5), True),
        (mutated("duplicated_results", lost=5), False),
        (mutated("leaked", leaked=1), True),
        (mutated("unreported", unreported=2), True),
        (mutated("unreported", unreported=1), False),
        (mutated("lost", lost=5, mistakes=("w0.out: TypeError",)), False),
    ],
)
def test_a_mutation_is_noticed_for_what_it_breaks(check: Mutated, noticed: bool) -> None:
    assert check.noticed == noticed


def test_an_error_of_the_mutation_itself_is_found_in_what_processes_say(tmp_path: Path) -> None:
    (tmp_path / "w0.out").write_text('{"error": "TypeError: at_once() takes 1 argument"}\nfine\n')
    outcome = Outcome(SCENARIOS["calm"], 1, tmp_path, 1.0, Findings(), ())
    assert [line[:7] for line in outcome.mistakes] == ["w0.out:"]
