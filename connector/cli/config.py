"""`sms-connector config`: the settings as they are in force, and where each came from."""

from __future__ import annotations

from typing import Any

import click
import orjson

from connector.cli.options import settings_options
from connector.masking import MASK
from connector.settings import Loaded
from connector.settings.names import SettingLeaf, leaves
from connector.settings.reference import reference


@click.group()
def config() -> None:
    """Show the settings and where each came from."""


@config.command()
@click.option("--origin", is_flag=True, help="Where each value came from.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: name → value, or {value, origin}.")
@settings_options
def show(loaded: Loaded, origin: bool, as_json: bool) -> None:
    """Every setting with its value. Secrets are shown as ${NAME} or masked.

    Exit codes: 0 shown, 2 usage, 78 configuration: a setting is wrong.

    \b
    Examples:
      sms-connector config show --origin
      sms-connector config show --json --set group=test
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    values = shown(loaded)
    if as_json:
        document: dict[str, Any] = values
        if origin:
            document = {name: {"value": value, "origin": str(loaded.origins[name])} for name, value in values.items()}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode())
        return
    width = max(len(name) for name in values)
    for name, value in values.items():
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        source = f"  # {loaded.origins[name]}" if origin else ""
        click.echo(f"{name:<{width}}  {text}{source}")


@config.command("reference")
def print_reference() -> None:
    """All settings with defaults and meanings, as Markdown (docs/configuration.md).

    Exit codes: 0 printed, 2 usage.

    \b
    Examples:
      sms-connector config reference | less
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    click.echo(reference(), nl=False)


def shown(loaded: Loaded) -> dict[str, Any]:
    """Dotted name → value as it may be shown."""
    tree = loaded.settings.model_dump(mode="json", by_alias=True)
    return {leaf.name: _shown(loaded, leaf, tree) for leaf in leaves()}


def _shown(loaded: Loaded, leaf: SettingLeaf, tree: Any) -> Any:
    value = tree
    for part in leaf.path:
        value = value[part]
    if not leaf.secret or value is None:
        return value
    return loaded.origins[leaf.name].placeholder or MASK
