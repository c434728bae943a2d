"""`sms-connector`: one group; each command lives in a module of its own and is imported when it is called."""

from __future__ import annotations

import sys
from typing import Any

import click

from connector import __version__
from connector.cli.lazy_group import LazyGroup
from connector.errors import ConnectorError

# command → (module:attribute, one line for the list of commands). Kept here so that `--help` imports nothing else.
COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("connector.cli.run:run", "Consume message events, send them, write results."),
    "receive": ("connector.cli.receive:receive", "Take callbacks of providers, write them, then answer."),
    "receipts": (
        "connector.cli.receipt_commands:receipts",
        "Write what became of messages, as providers report.",
    ),
    "console": ("connector.cli.console:console", "Serve the pages: is it working, and what needs attention."),
    "topics": ("connector.cli.topics:topics", "Create, check or expand the topics on the cluster."),
    "provider": ("connector.cli.provider:provider", "Pause and resume providers while workers run."),
    "campaign": ("connector.cli.campaign:campaign", "Set, pause, resume and cancel campaigns."),
    "suppress": ("connector.cli.suppress:suppress", "Say who must not be texted; show the list."),
    "send": ("connector.cli.send:send", "Put events into the messages topic; follow their results."),
    "results": ("connector.cli.results:results", "Show results: the last ones, selected ones, or as they come."),
    "lag": ("connector.cli.lag:lag", "Show how far the group is, and what holds it back."),
    "trace": ("connector.cli.trace:trace", "Find a message: event, waits, attempts, result."),
    "replay": ("connector.cli.replay:replay", "Put dead letters, or events of results, back into the topic."),
    "adopt": ("connector.cli.adopt:adopt", "Take over from another cluster whose topics were mirrored."),
    "config": ("connector.cli.config:config", "Show the settings and where each came from."),
    "check": ("connector.cli.check:check", "Check provider definitions; print each batch key."),
    "render": ("connector.cli.render:render", "Show the exact requests for events, without sending."),
    "reply": ("connector.cli.reply:reply", "Show what a provider's reply means for each message."),
    "receipt": ("connector.cli.receipt:receipt", "Show what a provider's callback means: proof, entries, states."),
    "studio": ("connector.cli.studio:studio", "Write definitions in the browser, with previews; on this machine only."),
    "import-curl": ("connector.cli.imports:import_curl", "Make a definition from a curl command."),
    "import-clevertap": ("connector.cli.imports:import_clevertap", "Make a definition from CleverTap's form."),
    "providers": ("connector.cli.providers:providers", "List the shipped definitions; show what one needs."),
    "simulate": ("connector.cli.simulate:simulate", "Serve fake SMS providers on one port."),
    "demo": ("connector.cli.demo:demo", "Watch events become requests and results, audited."),
    "bench": ("connector.cli.bench:bench", "Measure what a message costs, in a clone of the repository."),
    "completion": ("connector.cli.completion:completion", "Print the script that completes commands in a shell."),
    "schemas": ("connector.cli.schemas:schemas", "Write or check the JSON Schemas and the AsyncAPI document."),
}


@click.group(
    cls=LazyGroup,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.version_option(__version__, prog_name="sms-connector")
def group() -> None:
    """Kafka to HTTP SMS: message events in, provider requests out, one delivery result per message.

    Data goes to standard output, everything about it to standard error. NO_COLOR switches colours off.

    Exit codes: 0 done, 1 failed, 2 usage, 70 a deadline passed, 71 no progress, 78 configuration (do not restart).
    """


def main(argv: list[str] | None = None) -> Any:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 78 configuration (restarting does not help)."""
    try:
        code = group.main(args=argv, prog_name="sms-connector", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("aborted", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ConnectorError as error:
        from connector.cli.output import say

        say(str(error), err=True)
        sys.exit(error.exit_code)
    sys.exit(code if isinstance(code, int) else 0)
