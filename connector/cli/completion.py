"""`sms-connector completion`: the script a shell reads to complete commands, options and choices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "sms-connector"
VARIABLE = "_SMS_CONNECTOR_COMPLETE"
"""What the script sets to ask for completions; click's own name for this program."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script for a shell.

    Exit codes: 0 printed, 2 usage.

    \b
    Examples:
      sms-connector completion bash > ~/.local/share/bash-completion/completions/sms-connector
      eval "$(sms-connector completion zsh)"
      sms-connector completion fish > ~/.config/fish/completions/sms-connector.fish
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.cli.main import group

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(group, {}, PROGRAM, VARIABLE).source())
