"""`sms-connector simulate`: fake providers in the foreground."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson

from connector.errors import UsageError
from connector.tools.simulator import PROVIDERS, Simulator


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--log", type=click.Path(dir_okay=False, path_type=Path), help="Append every request to this file (JSON lines)."
)
@click.option(
    "--receipt-log",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Append every attempt at a receipt to this file (JSON lines).",
)
@click.option(
    "--provider",
    "providers",
    multiple=True,
    metavar="NAME",
    type=click.Choice(list(PROVIDERS)),
    help=f"Only these; repeatable. One of {', '.join(PROVIDERS)}.",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PROVIDER.KNOB=VALUE",
    help="A fault or option, e.g. json.latency=0.2. Repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one JSON line.")
def simulate(
    *,
    host: str,
    port: int,
    log: Path | None,
    receipt_log: Path | None,
    providers: tuple[str, ...],
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Serve fake SMS providers on one port until SIGINT or SIGTERM.

    In a definition, write the printed address in place of the provider's scheme and host; the path stays as it is.
    Faults while it runs: PUT /_control/PROVIDER {"error": 503}. What arrived: /_log, /_stats. Receipts are sent to the
    URL that a request names or that PROVIDER.receipts.url registers; what was sent, and answered: /_receipts.

    Exit codes: 0 stopped, 2 usage.

    \b
    Examples:
      sms-connector simulate
      sms-connector simulate --provider json --set json.latency=0.2 --log provider.jsonl
      sms-connector simulate --set twilio.receipts.via=http://127.0.0.1:8443 --receipt-log receipts.jsonl
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    try:
        simulator = Simulator(providers or None, host=host, port=port, log=log, receipt_log=receipt_log)
    except OSError as error:
        text = f"{error.filename}: {error.strerror}; choose a file in a folder that can be written"
        raise UsageError(f"--log, --receipt-log: {text}") from error
    for setting in settings:
        _set(simulator, setting)
    try:
        asyncio.run(_serve(simulator, as_json=as_json))
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port (0: a free one)"
        ) from error


async def _serve(simulator: Simulator, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        addresses = {name: f"{simulator.url}/{name}" for name in simulator.fakes}
        if as_json:
            click.echo(orjson.dumps({"url": simulator.url, "providers": addresses}).decode())
        else:
            click.echo(f"simulator on {simulator.url}   control /_control/PROVIDER   log /_log   counters /_stats")
            click.echo("receipts /_receipts")
            for name, fake in simulator.fakes.items():
                click.echo(f"  {name:12} {fake.about}")
                for path in fake.paths:
                    click.echo(f"  {'':12} {addresses[name]}{path}")
        await stop.wait()


def _set(simulator: Simulator, setting: str) -> None:
    """Apply one `PROVIDER.KNOB=VALUE`; the value is JSON, or text where it is no JSON."""
    place, equals, text = setting.partition("=")
    name, dot, knob = place.partition(".")
    fake = simulator.fakes.get(name)
    if not equals or not dot or fake is None:
        known = ", ".join(simulator.fakes)
        raise UsageError(f"--set {setting}: expected PROVIDER.KNOB=VALUE with one of the served providers: {known}")
    try:
        value: Any = orjson.loads(text)
    except ValueError:
        value = text
    document = msgspec.to_builtins(fake.knobs)
    section, _, inner = knob.partition(".")
    if inner:
        within = document.get(section, {})
        value = {**within, inner: value} if isinstance(within, dict) else value
    document[section] = value
    try:
        fake.set(msgspec.convert(document, type=fake.options))
    except ValueError as error:
        knobs = ", ".join(field.name for field in msgspec.structs.fields(fake.options))
        raise UsageError(f"--set {setting}: {error}; {name} has {knobs}") from error
