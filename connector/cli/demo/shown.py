"""`demo --web`: the console beside the demo, and events slowly enough to be watched."""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from connector.cli.demo.children import Child, Children
    from connector.cli.demo.stage import Stage

PORT = 8090
EVENTS_A_SECOND = 200.0
"""As many as a person can follow, and enough for a curve."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Ports of one demo that is shown.

    Attributes:
        worker: where the worker answers.
        console: where the pages are.
    """

    worker: int
    console: int

    @classmethod
    def make(cls) -> Shown:
        """Ports that are free: the usual one for the pages, where it is."""
        return cls(_free(0), _free(PORT) or _free(0))

    def worker_options(self) -> list[str]:
        """Of `run`."""
        return ["--set", f"health.port={self.worker}"]

    def start(self, children: Children, stage: Stage) -> Child:
        """Start the console; says where it is."""
        command = ["console", "--config", str(stage.config), "--set", f"web.port={self.console}"]
        command += ["--set", f"web.workers=http://127.0.0.1:{self.worker}", "--set", "web.environment=demo"]
        started = children.start("console", command, environ=stage.environ)
        click.echo(f"console: http://127.0.0.1:{self.console}/ (Ctrl-C ends the demo)", err=True)
        return started


def hold() -> None:
    """Until Ctrl-C."""
    click.echo("all events have a result; the console stays until Ctrl-C", err=True)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        click.echo("", err=True)


def _free(port: int) -> int:
    """A port of this machine; 0 where that one is taken."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return 0
        taken: int = probe.getsockname()[1]
        return taken
