"""`sms-connector receive`: the providers' callbacks; `receive urls`: what to register with them."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import click
import orjson
import structlog

from connector import logs
from connector.cli.options import config_option, load, set_option, settings_options
from connector.errors import Problem, SettingsError, UsageError

if TYPE_CHECKING:
    from connector.definition.tree import Definition
    from connector.settings import Loaded, Settings

log = structlog.get_logger(__name__)

HIDDEN = "…"


@click.group(invoke_without_command=True)
@click.option(
    "--child", type=(int, click.Path(path_type=Path)), hidden=True, help="Number and socket, from the parent."
)
@config_option
@set_option
@click.pass_context
def receive(
    context: click.Context, config: Path | None, overrides: tuple[str, ...], child: tuple[int, Path] | None
) -> int:
    """Take the callbacks of providers, write them to Kafka, and answer when they are there.

    Start as many as wanted behind a balancer: they share nothing. What is answered 2xx is acknowledged by all replicas;
    while Kafka is away the answer is 503, after which providers repeat. SIGTERM takes no more callbacks, answers those
    that are under way, and ends. Definitions are loaded again when their files change, and on SIGHUP.

    Exit codes: 0 stopped, 1 crash, 2 usage, 78 configuration: do not restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector receive --config connector.yaml
      sms-connector receive --set receive.listen=0.0.0.0:8443
      sms-connector receive urls
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if context.invoked_subcommand is not None:
        for name in ("config", "overrides"):
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise UsageError(f"write --config and --set behind `{context.invoked_subcommand}`")
        return 0
    return _run(load(config, overrides), child)


@receive.command()
@click.option("--show-secrets", is_flag=True, help="Print the URLs whole: whoever has one can post receipts.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
@settings_options
def urls(*, show_secrets: bool, as_json: bool, loaded: Loaded) -> None:
    """Print what to register with each provider: the URL of its callbacks, and what proves them.

    The last part of a URL is a secret, made from `receive.url_keys`: it is shown with --show-secrets only.

    Exit codes: 0 shown, 2 usage, 78 configuration: settings or definitions are wrong.

    \b
    Examples:
      sms-connector receive urls
      sms-connector receive urls --show-secrets
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.receipts.readers import receipt_keys, receipt_readers

    settings = loaded.settings
    keys = receipt_keys(settings)
    definitions = _definitions(settings)
    for name, reader in sorted(receipt_readers(definitions, settings, keys).items()):
        receipts = definitions[name].receipts
        assert receipts is not None
        url = reader.url()
        told = {
            "provider": name,
            "url": url if show_secrets else url.rpartition("/")[0] + "/" + HIDDEN,
            "verify": [way.kind for way in receipts.verify],
            "per_message": receipts.match.token == "url",  # noqa: S105  it says where a token stands
        }
        click.echo(orjson.dumps(told).decode() if as_json else _line(told))
    if not show_secrets:
        click.echo("the secrets are left out: add --show-secrets to see them", err=True)


def _line(told: dict[str, object]) -> str:
    verify = told["verify"]
    assert isinstance(verify, list)
    proof = " or ".join("the URL itself" if kind == "url" else kind for kind in verify)
    note = "for replies; receipts come to the URL of each request" if told["per_message"] else "receipts and replies"
    return f"{told['provider']}  {told['url']}  ({note}; proved by: {proof})"


def _definitions(settings: Settings) -> dict[str, Definition]:
    """Those of the settings. Raises SettingsError, DefinitionError."""
    from connector.cli.definitions import ConfiguredDefinitions
    from connector.config_text.environment import Environment

    return ConfiguredDefinitions(_configured(settings), Environment(os.environ)).load()


def _configured(settings: Settings) -> Settings:
    if not settings.providers:
        remedy = "name definition files, a folder of them, or catalogue names: `providers: [definitions/]`"
        raise SettingsError([Problem("no provider is configured", remedy, path="providers")])
    return settings


def _run(loaded: Loaded, child: tuple[int, Path] | None) -> int:
    from connector.cli.definitions import ConfiguredDefinitions
    from connector.config_text.environment import Environment
    from connector.health.receiver_pages import ReceiverHealth
    from connector.health.server import listen, listen_unix
    from connector.receipts.readers import receipt_keys
    from connector.receive.attempts import Attempts
    from connector.receive.listening import bind
    from connector.receive.receiver import Receiver, run_receiver
    from connector.receive.tls import server_certificate
    from connector.stream.control.reload import Reload
    from connector.stream.shutdown.stop_signals import StopSignals

    signals = StopSignals()
    signals.install()
    settings = loaded.settings
    logs.configure(settings.log)
    for warning in loaded.warnings:
        log.warning("a setting has another name now", what=str(warning))
    if child is not None:
        structlog.contextvars.bind_contextvars(worker=child[0])
    source = ConfiguredDefinitions(settings, Environment(os.environ))
    with contextlib.ExitStack() as stack:
        pages: socket.socket | None = listen_unix(child[1]) if child is not None else listen(settings.health)
        if pages is not None:
            stack.enter_context(pages)
        attempt = Attempts()
        definitions = attempt(lambda: source.load() if _configured(settings) else None)
        place = attempt(lambda: stack.enter_context(bind(settings.receive)))
        if definitions is None or place is None:
            attempt(lambda: receipt_keys(settings))
            attempt(lambda: server_certificate(settings.receive))
        attempt.end()
        assert definitions is not None
        assert place is not None
        receiver = Receiver(settings, definitions, place=place)
        attendants = [] if pages is None else [ReceiverHealth(pages)]
        return run_receiver(receiver, signals=signals, attendants=attendants, reload=Reload(source, receiver))
