"""Asking a worker, for a command: what cannot be known is said on standard error."""

from __future__ import annotations

from collections import Counter

from connector.cli.output import note
from connector.operating.holding import Providers, providers_of
from connector.operating.worker_pages import ask, open_session, own_url
from connector.settings import Settings


async def ask_workers(settings: Settings, url: str | None) -> Providers:
    """Ask a worker; of several behind one port, all."""
    grace = settings.unknown_grace
    url = url or own_url(settings)
    if url is None:
        return Providers(None, grace=grace)
    async with open_session() as session:
        answered = await ask(session, url)
    if not answered.reports:
        note(f"no worker answers at {url} ({answered.error}): what providers do is not known")
        return Providers(None, grace=grace)
    for version, number in sum((Counter(it.held) for it in answered.reports), Counter()).items():
        note(f"{number} events are held for a worker that reads format version {version}")
    for place in sorted({place for it in answered.reports for place in it.unused}):
        note(f"definitions on disk are not the ones in use: {place}; `sms-connector check` and the log say why")
    return providers_of(answered.reports, grace)
