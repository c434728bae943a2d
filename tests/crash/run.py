"""Plays scenarios: a stage each, the fault, the end, the comparison."""

from __future__ import annotations

import re
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from tests.crash.audit import EXAMPLES, Findings
from tests.crash.scenarios import Scenario
from tests.crash.scene import TAKE_OVER_SECONDS, Scene
from tests.kafka import find
from tests.kafka.certificates import make_certificates
from tests.kafka.local import LocalKafka
from tests.kafka.secure import Security

TROUBLE = re.compile(r"\"level\": ?\"(error|critical)\"|Traceback")

MISTAKE = re.compile(r"\b(TypeError|AttributeError|NameError|ImportError|UnboundLocalError)\b")
"""What a mutation that calls the code in another way brings about, and no rule that is broken on purpose."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One scenario, played.

    Attributes:
        folder: what every process has written.
        failures: what broke a promise; empty when it holds.
    """

    scenario: Scenario
    seed: int
    folder: Path
    seconds: float
    findings: Findings
    failures: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything but the folder, which is gone."""
        return {
            "name": self.scenario.name,
            "fault": self.scenario.about,
            "promise": self.scenario.promise,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "holds": not self.failures,
            "failures": list(self.failures),
            **asdict(self.findings),
        }

    @property
    def mistakes(self) -> list[str]:
        """What processes say of errors in code: where a mutation is played, the mutation's own."""
        return [
            f"{file.name}: {line[:300]}"
            for file in sorted(self.folder.glob("*.out"))
            for line in file.read_text(errors="replace").splitlines()
            if MISTAKE.search(line)
        ]

    def evidence(self, lines: int = 12) -> str:
        """The last complaints of every process, for whoever looks into a failure."""
        parts = []
        for file in sorted(self.folder.glob("*.out")):
            said = [line for line in file.read_text(errors="replace").splitlines() if TROUBLE.search(line)]
            if said:
                parts.append("\n".join([f"-- {file}", *said[-lines:]]))
        return "\n".join(parts)


def play(
    scenario: Scenario,
    kafka: find.Kafka,
    folder: Path,
    seed: int,
    *,
    faults: tuple[str, ...] = (),
    patience: float = TAKE_OVER_SECONDS,
) -> Outcome:
    """Play one scenario on these brokers. `faults` are given to every worker as well."""
    started = time.monotonic()
    name = f"crash-{scenario.name}-{uuid4().hex[:6]}"
    with Scene(kafka, folder, name, scenario.size, seed, patience=patience, faults=faults) as scene:
        try:
            scenario.play(scene)
            findings = scene.concluded or scene.finish()
        except AssertionError as failed:
            scene.failures.append(str(failed).splitlines()[0])
            findings = scene.audit()
    leaks = scene.leaks()
    findings.leaked = len(leaks)
    failures = (*scene.failures, *findings.complaints(), *leaks[:EXAMPLES])
    return Outcome(scenario, seed, folder, time.monotonic() - started, findings, failures)


class Stages:
    """Brokers for scenarios: the run's own for most, one cluster for each scenario that breaks it. A context manager.

    Attributes:
        folder: where processes write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @cached_property
    def _shared(self) -> find.Kafka:
        return self._stack.enter_context(find.find(self.folder)).kafka

    @property
    def about(self) -> str:
        """Which Kafka the run used."""
        return str(self._shared).split(",")[0]

    def play(
        self,
        scenario: Scenario,
        seed: int,
        *,
        faults: tuple[str, ...] = (),
        patience: float = TAKE_OVER_SECONDS,
    ) -> Outcome:
        """Play it on a stage of its own."""
        self._count += 1
        folder = self.folder / f"{self._count:02}-{scenario.name}"
        folder.mkdir(parents=True)
        if not scenario.brokers:
            return play(scenario, self._shared, folder, seed, faults=faults, patience=patience)
        cluster = LocalKafka(
            folder / "kafka",
            brokers=scenario.brokers,
            proxied=scenario.proxied,
            security=Security(make_certificates(folder / "certificates")) if scenario.secured else None,
        )
        try:
            cluster.start()
            return play(scenario, cluster, folder, seed, faults=faults, patience=patience)
        finally:
            cluster.stop()
