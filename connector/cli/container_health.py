"""What the image's health check runs: it asks the command that runs in the container, each on its own port."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

import click

from connector.cli.options import load
from connector.errors import ConnectorError

PROCESSES = Path("/proc")
SECONDS = 5.0
PROGRAM = "sms-connector"
EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  asked, not listened on
"""Address that is listened on → where it can be asked."""


def main(processes: Path = PROCESSES) -> int:
    """0 where the container's command answers, or is one that answers nobody and ends by itself; else 1, and why."""
    try:
        url = address(command_line(processes))
        if url is not None:
            # Not by way of a proxy, which containers may be given for their requests.
            build_opener(ProxyHandler({})).open(url, timeout=SECONDS).close()
    except (LookupError, OSError, click.ClickException, ConnectorError) as error:
        click.echo(f"{type(error).__name__}: {error}", err=True)
        return 1
    return 0


def command_line(processes: Path) -> list[str]:
    """The arguments of the connector that runs here; of several the first. Process 1 may be an init.

    Raises:
        LookupError: none runs.
    """
    for words in _running(processes):
        for place, word in enumerate(words):
            if Path(word).name == PROGRAM:
                return words[place + 1 :]
    raise LookupError(f"no {PROGRAM} runs in this container")


def address(arguments: list[str]) -> str | None:
    """Where the command of these arguments can be asked; None where it serves nothing, or on a port left to chance."""
    name, *rest = [*arguments, ""]
    find = _ADDRESSES.get(name)
    if find is None:
        return None
    host, port, page = find(rest[:-1])
    if not port:
        return None
    host = EVERYWHERE.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{page}"


def _running(processes: Path) -> Iterator[list[str]]:
    """The words of each process, oldest first; of those that can be looked at."""
    numbers = sorted(int(it.name) for it in processes.iterdir() if it.name.isdigit() and it.name != str(os.getpid()))
    for number in numbers:
        try:
            yield (processes / str(number) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
        except OSError:
            continue


def _run(arguments: list[str]) -> tuple[str, int | None, str]:
    from connector.cli.run import run

    return _pages(run, arguments)


def _receive(arguments: list[str]) -> tuple[str, int | None, str]:
    from connector.cli.receive import receive

    return _NOWHERE if set(arguments) & receive.commands.keys() else _pages(receive, arguments)


def _receipts(arguments: list[str]) -> tuple[str, int | None, str]:
    from connector.cli.receipt_commands import run

    return _pages(run, arguments[1:]) if arguments[:1] == ["run"] else _NOWHERE


def _pages(command: click.Command, arguments: list[str]) -> tuple[str, int | None, str]:
    """Where a command of these arguments serves its health, by its settings."""
    values = command.make_context(command.name, arguments).params
    health = load(values["config"], values["overrides"]).settings.health
    return health.host, health.port, "/health/live"


def _console(arguments: list[str]) -> tuple[str, int | None, str]:
    from connector.cli.console import console

    if set(arguments) & console.commands.keys():
        return _NOWHERE
    values = console.make_context(console.name, arguments).params
    web = load(values["config"], values["overrides"]).settings.web
    return web.host, web.port, "/health/live"


def _simulate(arguments: list[str]) -> tuple[str, int | None, str]:
    from connector.cli.simulate import simulate

    values = simulate.make_context("simulate", arguments).params
    return values["host"], values["port"], "/_stats"


_NOWHERE = ("", None, "")
"""Of a command that ends by itself."""

_ADDRESSES: dict[str, Callable[[list[str]], tuple[str, int | None, str]]] = {
    "run": _run,
    "receive": _receive,
    "receipts": _receipts,
    "console": _console,
    "simulate": _simulate,
}


if __name__ == "__main__":
    sys.exit(main())
