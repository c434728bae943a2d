"""Each rule the guarantees rest on, broken on purpose, with the fault that brings it to light.

A suite that finds nothing proves nothing unless it is known to find something: for every mutation the audit must report
what is named here. See `launch.MUTATIONS` for what they do.
"""

from __future__ import annotations

from dataclasses import dataclass

PATIENCE_SECONDS = 30.0
"""A worker that cannot finish any more is not waited for as long as a sound one."""


@dataclass(frozen=True, slots=True)
class Check:
    """A mutation, the scenario that exposes it, and the finding (a field of `Findings`) that must be among those."""

    mutation: str
    scenario: str
    finding: str


CHECKS = (
    Check("commit-early", "sigkill", "lost"),
    Check("trust-unacknowledged", "sigkill-while-results-wait", "lost"),
    Check("drop-settles", "sigkill", "duplicated_results"),
    Check("skip-tail", "sigkill", "duplicated_results"),
    Check("skip-drain", "sigterm", "duplicated_sends"),
    Check("ignore-commit-answer", "refused-commits", "uncommitted"),
    Check("forget-acknowledgement", "calm", "uncommitted"),
    Check("trust-the-clock", "sigstop", "duplicated_results"),
)
