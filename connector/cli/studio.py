"""`sms-connector studio`: write a definition and see at once what it sends and what replies mean, on this machine."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from connector.errors import UsageError


@click.command()
@click.argument("paths", nargs=-1, metavar="[FILES…]", type=click.Path(path_type=Path))
@click.option("--port", type=click.IntRange(0, 65535), default=8091, show_default=True, help="0 takes a free one.")
@click.option("--read-only", is_flag=True, help="Save nothing: download, or copy what differs as a patch.")
@click.option("--open", "in_browser", is_flag=True, help="Open it in the browser.")
def studio(paths: tuple[Path, ...], *, port: int, read_only: bool, in_browser: bool) -> int:
    """Open Studio on this machine: form, YAML, curl and catalogue; requests, replies and simulations as you type.

    FILES are definitions, or one folder of them, in which what is written is saved. Without Kafka, settings, secrets:
    nothing is sent anywhere, and only this machine can reach it. Ctrl-C ends it.

    Exit codes: 0 stopped, 2 usage, 78 configuration: the port is taken.

    \b
    Examples:
      sms-connector studio
      sms-connector studio providers/
      sms-connector studio providers/acme.yaml --open
    """  # noqa: D301 - click's \b, which keeps lines as they are, is that character
    from connector.stream.shutdown.stop_signals import StopSignals
    from connector.web.serving import bind
    from connector.web.studio_alone import run_studio, settings_for

    folder = None if read_only else _folder(paths)
    settings = settings_for(folder, port)
    signals = StopSignals()
    signals.install()

    def ready(url: str) -> None:
        address = f"{url}studio{f'?open={paths[0].stem}' if len(paths) == 1 and paths[0].is_file() else ''}"
        where = "nothing is saved" if folder is None else f"saves in {folder}/"
        click.echo(f"Studio  {address}\n{where}; Ctrl-C ends it")
        if in_browser:
            webbrowser.open(address)

    with bind(settings) as place:
        signals.run(run_studio(settings, place, paths, ready))
    return 0


def _folder(paths: tuple[Path, ...]) -> Path | None:
    """Where is saved: the folder that is named, or the one that all files stand in; none where nothing is named."""
    for path in paths:
        if not path.exists():
            raise UsageError(f"{path}: there is no such file; name a definition, or a folder of them")
    folders = {path if path.is_dir() else path.parent for path in paths}
    if len(folders) > 1:
        raise UsageError("name files of one folder: what they extend is looked for beside them")
    return next(iter(folders), None)
