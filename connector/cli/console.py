"""`sms-connector console`: the pages; `console token`: let somebody in."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import click

from connector import logs
from connector.cli.options import config_option, load, set_option
from connector.errors import UsageError
from connector.settings.web import PERSON


@click.group(invoke_without_command=True)
@config_option
@set_option
@click.pass_context
def console(context: click.Context, config: Path | None, overrides: tuple[str, ...]) -> int:
    """Show pages: whether it works, what needs attention, and what can be done about it.

    A process of its own: it reads Kafka without a group and asks workers for /status; workers need none of it. On
    another address than this machine's it needs `web.auth`. SIGTERM ends it.

    Exit codes: 0 stopped, 1 crash, 2 usage, 78 configuration: do not restart on 78, a person has to mend it.

    \b
    Examples:
      sms-connector console --config connector.yaml
      sms-connector console --set web.port=8091
      sms-connector console token priya@shop.example --role operator
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if context.invoked_subcommand is not None:
        for name in ("config", "overrides"):
            if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
                raise UsageError(f"`{context.invoked_subcommand}` takes no --config and no --set")
        return 0
    from connector.stream.shutdown.stop_signals import StopSignals
    from connector.web.console_process import run_console
    from connector.web.serving import bind

    signals = StopSignals()
    signals.install()
    settings = load(config, overrides).settings
    logs.configure(settings.log)
    with bind(settings.web) as place:
        signals.run(run_console(settings, place))
    return 0


@console.command()
@click.argument("name")
@click.option("--role", type=click.Choice(["viewer", "operator", "editor"]), default="viewer", show_default=True)
@click.option("--reveal", is_flag=True, help="May see numbers and texts of single messages, with a reason.")
def token(name: str, role: str, *, reveal: bool) -> None:
    """Make a token for NAME: print what to add to the settings, and the token, which is kept nowhere.

    Exit codes: 0 made, 2 usage.

    \b
    Examples:
      sms-connector console token priya@shop.example
      sms-connector console token arun --role operator
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if PERSON.fullmatch(name) is None:
        raise UsageError(f"{name!r} is no name of a person: write letters, digits and . _ @ + - between them")
    made = secrets.token_urlsafe(32)
    digest = hashlib.sha256(made.encode()).hexdigest()
    click.echo(f"for {name}, who signs in with it; it is shown once:", err=True)
    click.echo(made)
    click.echo("for web.tokens in connector.yaml, with `web.auth: tokens`:", err=True)
    click.echo(f"- {{name: {name}, sha256: {digest}, role: {role}{', reveal: true' if reveal else ''}}}")
