"""`sms-connector check`: are these provider definitions right, and what shares a request?"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import click

from connector.cli import completing
from connector.cli.fit import misfits
from connector.cli.options import DEFAULT_FILE, config_option
from connector.cli.options import load as load_settings
from connector.cli.output import note, print_json, say
from connector.config_text.environment import Environment
from connector.definition.receipt_tree import Receipts
from connector.definition.tree import Login, Operation, Sign
from connector.errors import ConfigurationError, SettingsError
from connector.request.signer import members_of
from connector.workbench.checking import CheckedFile, as_document, check_paths, hides_shipped


@click.command()
@click.argument("paths", nargs=-1, required=True, metavar="FILES…", shell_complete=completing.definitions)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per file.")
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--no-environment", is_flag=True, help="Leave every ${NAME} as it is: for places that have no secrets.")
@config_option
def check(paths: tuple[str, ...], *, as_json: bool, strict: bool, no_environment: bool, config: Path | None) -> None:
    """Check provider definitions: files, folders of files, or names of the catalogue.

    Prints every error at once with file, line, path and remedy, and for each operation what messages must have in
    common to share a request. Where there are settings, definitions are checked against them.

    Exit codes: 0 nothing is wrong, 2 usage, 78 configuration: something is (with --strict: or there are warnings).

    \b
    Examples:
      sms-connector check providers/acme.yaml
      sms-connector check definitions/ --no-environment --strict
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    environment = Environment.placeholders() if no_environment else Environment(os.environ)
    checked = list(check_paths(paths, environment))
    _check_fit(checked, config)
    for each in checked:
        if as_json:
            print_json(as_document(each))
        else:
            say(as_text(each))
    if any(each.errors or (strict and each.warnings) for each in checked):
        raise click.exceptions.Exit(ConfigurationError.exit_code)


def _check_fit(checked: Iterable[CheckedFile], config: Path | None) -> None:
    """Definitions against settings. Settings that cannot be read are an error only where they were asked for."""
    if config is None and not DEFAULT_FILE.exists():
        return
    try:
        settings = load_settings(config).settings
    except SettingsError:
        if config is not None:
            raise
        note(f"{DEFAULT_FILE}: not sound, so definitions are not checked against it; see `config show`")
        return
    for each in checked:
        if each.definition is not None:
            each.errors.extend(misfits([each.definition], settings))


# ---- output --------------------------------------------------------------------------------------------------------


def as_text(checked: CheckedFile) -> str:
    """For people."""
    definition = checked.definition
    lines = [f"{checked.file}: " + (f"{len(checked.errors)} wrong" if checked.errors else "ok")]
    if definition is not None and not checked.errors:
        lines[0] += f" ({definition.name})"
        for operation in definition.operations:
            lines.append(f"  {operation.name}: {_way(operation)}")
            lines.append(f"    {_batches(operation)}")
            if operation.batching is not None:
                lines.append(f"    share a request: {checked.keys[operation.name]}")
            if added := _added(operation):
                lines.append(f"    added when it is sent: {added}")
        if definition.receipts is not None:
            lines.append(f"  receipts: {_receipts(definition.receipts)}")
        if hides_shipped(definition):
            lines.append(f"  it goes before the definition `{definition.name}` that comes with the connector")
    lines += [f"  error: {problem}" for problem in checked.errors]
    lines += [f"  warning: {problem}" for problem in checked.warnings]
    return "\n".join(lines)


def _way(operation: Operation) -> str:
    body = {"none": "", "pairs": " query" if operation.method == "GET" else " form"}.get(
        operation.kind, f" {operation.kind}"
    )
    condition = f", when {operation.when}" if operation.when is not None else ""
    return f"{operation.method}{body}{condition}"


def _added(operation: Operation) -> str:
    """What `sign` and `login` add, by name; nothing where neither is written."""
    match operation.auth:
        case Sign(additions):
            added = additions
        case Login():
            added = operation.auth.use
        case _:
            return ""
    places: dict[str, list[str]] = {}
    for section, name, _ in members_of(added):
        places.setdefault(section, []).append(name)
    return "; ".join(f"{section} {', '.join(names)}" for section, names in places.items())


def _receipts(receipts: Receipts) -> str:
    """What receipts are known by, and what proves them."""
    match = receipts.match
    looked_up = " and ".join(f"`{key}`" for key, _, _ in match.pairs)
    known = {
        "url": "the reference in the URL",
        "field": f"our reference in `{match.token}`",
        "lookup": f"the reference in the URL, else looked up by {looked_up}",
    }[match.by]
    proofs = {"url": "what stands in the URL", "none": "nothing"}
    proved = " or ".join(proofs.get(way.kind, way.kind) for way in receipts.verify)
    return f"known by {known}; proved by {proved}"


def _batches(operation: Operation) -> str:
    batching = operation.batching
    if batching is None:
        return "each message is a request"
    least = f"{batching.min_records} to " if batching.min_records > 1 else "up to "
    size = f", at most {batching.max_bytes:,} bytes" if batching.max_bytes is not None else ""
    return f"{least}{batching.max_records:,} messages in a request{size}"
