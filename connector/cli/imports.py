"""`sms-connector import-curl` and `import-clevertap`: a draft of a definition, from what a provider shows."""

from __future__ import annotations

from pathlib import Path

import click

from connector.cli import completing
from connector.cli.check import as_text
from connector.cli.inputs import INPUT_BYTES, read_input
from connector.cli.output import note
from connector.definition.keys import NAME_HINT, is_name
from connector.errors import UsageError
from connector.tools.importing.clevertap import Form, from_form, read_form
from connector.tools.importing.curl import read_command
from connector.tools.importing.draft import Draft, from_call
from connector.tools.importing.literal import provider_name
from connector.tools.importing.recognise import Hints, recognise
from connector.workbench.checking import check_text

name_option = click.option("--name", help="Of the definition; default: the output's, or the provider's domain.")
output_option = click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the definition here; it must not exist. Default: standard output.",
)


class _BeforeCurl(click.Command):
    """Options of ours may stand before or behind FILE; from the word `curl` on everything is curl's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        taking = {option for each in self.params if isinstance(each, click.Option) for option in each.opts}
        words = [Path(arg).name in ("curl", "curl.exe") for arg in args]
        at = next((i for i, curl in enumerate(words) if curl and (i == 0 or args[i - 1] not in taking)), len(args))
        rest = super().parse_args(ctx, args[:at])
        ctx.params["command"] = tuple(args[at:])
        return rest


@click.command("import-curl", cls=_BeforeCurl)
@click.argument("file", required=False, metavar="[FILE | curl …]", shell_complete=completing.files)
@name_option
@output_option
@click.option("--to", multiple=True, metavar="KEY", help="The key that holds the phone number, if it is not found.")
@click.option("--body", multiple=True, metavar="KEY", help="The key that holds the text.")
@click.option("--template", multiple=True, metavar="KEY", help="The key that holds a template's id.")
def import_curl(
    *,
    file: str | None,
    command: tuple[str, ...],
    name: str | None,
    output: Path | None,
    to: tuple[str, ...],
    body: tuple[str, ...],
    template: tuple[str, ...],
) -> None:
    """Make a definition from a curl command: of a file, of standard input, or written after this one.

    Phone number, text, template and secrets are recognised by the names of keys and the look of values; what was
    guessed, and what could not be, stands above the definition.

    Exit codes: 0 it is a definition, 1 `check` still finds something wrong, 2 usage.

    \b
    Examples:
      sms-connector import-curl command.txt --output acme.yaml
      pbpaste | sms-connector import-curl
      sms-connector import-curl --name acme curl https://sms.example.com/send -d to=91… -d text=Hello
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    if file is not None and command:
        raise UsageError("write the command as `curl …`, or name one file that holds it")
    call = read_command(command or _text(file or "-"))
    called = _called(name, output, call.url)
    _finish(from_call(recognise(call, called, Hints(to, body, template)), called), name, output)


@click.command("import-clevertap")
@click.argument("form", required=False, metavar="[FORM]", shell_complete=completing.files)
@name_option
@output_option
@click.option("--method", type=click.Choice(["GET", "POST"]), default="POST", show_default=True)
@click.option("--endpoint", metavar="URL", help="The HTTP API endpoint.")
@click.option("--basic", metavar="USER:PASSWORD", help="Basic authentication.")
@click.option("--client-url", metavar="URL", help="Auth 2.0: client URL.")
@click.option("--client-id", help="Auth 2.0: client ID.")
@click.option("--secret-key", help="Auth 2.0: secret key; better as '${NAME}'.")
@click.option("--auth-pair", "auth_pairs", multiple=True, metavar="KEY=VALUE", help="Auth 2.0: key-value pair.")
@click.option("--header", "headers", multiple=True, metavar="KEY=VALUE", help="Header. Repeatable.")
@click.option("--parameter", "pairs", multiple=True, metavar="KEY=VALUE", help="Key-value pair. Repeatable.")
@click.option(
    "--json",
    "payload",
    metavar="FILE",
    shell_complete=completing.files,
    help="File with the JSON payload; - for standard input.",
)
@click.option("--batch-key", help="Batching: key name.")
@click.option("--batch-records", type=click.IntRange(1, 1000), help="Batching: number of records per batch.")
def import_clevertap(
    *,
    form: str | None,
    name: str | None,
    output: Path | None,
    method: str,
    endpoint: str | None,
    basic: str | None,
    client_url: str | None,
    client_id: str | None,
    secret_key: str | None,
    auth_pairs: tuple[str, ...],
    headers: tuple[str, ...],
    pairs: tuple[str, ...],
    payload: str | None,
    batch_key: str | None,
    batch_records: int | None,
) -> None:
    """Make a definition from the fields of CleverTap's form "Generic SMS": a small YAML file, or options.

    \b
    The file:
      method: POST
      endpoint: https://sms.example.com/send
      authentication: none            # or basic: {username: …, password: …}
                                      # or oauth2: {client_url: …, client_id: …, secret_key: …, pairs: {scope: sms}}
      headers: {X-Source: clevertap}
      parameters:                     # pairs: {…}, or json: the payload as it is
        json: |
          {"msgs": [{"to": "$$To", "text": "$$Body"}]}
      batching: {key: msgs, records: 1000}

    Secrets that are typed in are written as ${NAME}: set them in the environment.

    Exit codes: 0 it is a definition, 1 `check` still finds something wrong, 2 usage.

    \b
    Examples:
      sms-connector import-clevertap form.yaml -o acme.yaml
      sms-connector import-clevertap --endpoint https://sms.example.com/send --json payload.json
    """  # noqa: D301 - click's \b
    if form is not None:
        given = read_form(_text(form), "stdin" if form == "-" else form)
    else:
        if endpoint is None:
            raise UsageError("name the endpoint with --endpoint, or a file that holds the form")
        if (batch_key is None) != (batch_records is None):
            raise UsageError("--batch-key and --batch-records come together")
        oauth = (client_url, client_id, secret_key)
        if any(oauth) and not all(oauth):
            raise UsageError("--client-url, --client-id and --secret-key come together")
        if basic is not None and any(oauth):
            raise UsageError("--basic and --client-url: choose one authentication")
        if pairs and payload is not None:
            raise UsageError("--parameter and --json: choose one")
        user, _, password = (basic or "").partition(":")
        given = Form(
            method="GET" if method == "GET" else "POST",
            endpoint=endpoint,
            basic=(user, password) if basic is not None else None,
            oauth2=(client_url, client_id, secret_key, _pairs("--auth-pair", auth_pairs))
            if client_url and client_id and secret_key
            else None,
            headers=_pairs("--header", headers),
            pairs=_pairs("--parameter", pairs),
            json=None if payload is None else _text(payload),
            batching=(batch_key, batch_records) if batch_key and batch_records else None,
        )
    called = _called(name, output, given.endpoint)
    _finish(from_form(given, called), name, output)


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} {pair}: write KEY=VALUE")
        pairs[key] = value
    return pairs


def _called(name: str | None, output: Path | None, url: str) -> str:
    """What the definition is called: as `--name` says, or as its file is, or as the provider's domain."""
    if name is not None and not is_name(name):
        raise UsageError(f"--name {name}: {NAME_HINT}")
    if name is None and output is not None and not is_name(output.stem):
        raise UsageError(f"--output {output}: a definition is called as its file is; rename it, or say --name")
    return name or (output.stem if output is not None else provider_name(url))


def _text(file: str) -> str:
    try:
        return read_input("", file, INPUT_BYTES).decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise UsageError(f"{file}: not UTF-8 text") from None


def _finish(draft: Draft, name: str | None, output: Path | None) -> None:
    """Write the draft and say whether it is a definition yet. Where a file is called otherwise, it says its `name`."""
    if name is not None and (output is None or output.stem != name):
        draft.keys = {"name": name, **draft.keys}
    text = draft.yaml()
    if output is None:
        click.echo(text, nl=False)
    else:
        try:
            with output.open("x", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise UsageError(f"--output {output}: {error.strerror}") from error
    for line in draft.advice:
        note(line)
    checked = check_text(text, draft.name)
    said = as_text(checked)
    if output is not None:
        said = said.replace(checked.file, str(output))
    note(said.replace(checked.file, f"{draft.name}.yaml"))
    if checked.errors:
        raise click.exceptions.Exit(1)
