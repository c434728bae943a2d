"""`sms-connector completion`: the script a shell reads to complete commands, options and choices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from connector.cli.completing import ASK_KAFKA

PROGRAM = "sms-connector"
VARIABLE = "_SMS_CONNECTOR_COMPLETE"
"""What the script sets to ask for completions; click's own name for this program."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.option("--ask-kafka", is_flag=True, help="Let Tab ask the control topic for campaigns, for three seconds.")
def completion(shell: str, *, ask_kafka: bool) -> None:
    """Print the script for a shell: it completes commands, options, files, catalogue names, providers and settings.

    Providers are those of connector.yaml here, or of --config where that was typed already.

    Exit codes: 0 printed, 2 usage.

    \b
    Examples:
      echo 'eval "$(sms-connector completion bash)"' >> ~/.bashrc
      echo 'eval "$(sms-connector completion zsh --ask-kafka)"' >> ~/.zshrc
      sms-connector completion fish > ~/.config/fish/completions/sms-connector.fish
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.cli.main import group

    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(group, {}, PROGRAM, VARIABLE).source()
    asked = f"{VARIABLE}={shell}_complete"
    click.echo(script.replace(asked, f"{ASK_KAFKA}=1 {asked}") if ask_kafka else script)
