"""Processes of the connector that a measurement starts, and that end with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.processes import ConnectorProcess, StartConnector


def starter(folder: Path, stack: ExitStack) -> StartConnector:
    """Starts them: what each says stands in `folder`, and it is killed when `stack` ends."""

    def start(
        *arguments: str, name: str = "", env: Mapping[str, str] | None = None, module: str = "connector"
    ) -> ConnectorProcess:
        process = ConnectorProcess(folder / f"{name}.out", *arguments, env=env, module=module)
        stack.callback(process.kill)
        return process

    return start
