"""Rules of the list of who must not be texted, broken on purpose; see `mutations`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from tests.crash.seams import replace


def ask_once_who_may_be_texted() -> None:
    """Looks at the list when a message comes, and not again before its requests."""
    from connector.stream.pipeline import WorkerLaneHost

    replace(WorkerLaneHost, "suppressed", lambda *_: ())


def start_without_the_list() -> None:
    """Takes events before the list is read; it comes a little later, as a long one does."""
    from connector.stream.control.suppression_reader import SuppressionReader

    run = SuppressionReader.run

    async def nothing(*_: Any, **__: Any) -> None:
        pass

    async def later(self: SuppressionReader, outlast: Any) -> None:
        await asyncio.sleep(5)
        await run(self, outlast)

    replace(SuppressionReader, "catch_up", nothing)
    replace(SuppressionReader, "run", later)


def forget_who_was_lifted() -> None:
    """Takes nobody off the list."""
    from connector.suppressions.phone_list import PhoneList

    replace(PhoneList, "lift", lambda _self, _phone: None)


def believe_any_snapshot() -> None:
    """Takes a snapshot for what it is called."""
    from connector.suppressions import snapshot

    read = snapshot.read

    def believing(path: Any, phones: Any, *, cluster: str, topic: str, oldest: float) -> Any:
        if not path.exists():
            return None
        with path.open("rb") as file:
            found = snapshot._contents(file)
        contents = read(path, phones, cluster=found.cluster, topic=found.topic, oldest=oldest)
        return None if contents is None else msgspec.structs.replace(contents, last=None)

    replace(snapshot, "read", believing)


OF_THE_LIST: dict[str, Callable[[], None]] = {
    "ask-once-who-may-be-texted": ask_once_who_may_be_texted,
    "start-without-the-list": start_without_the_list,
    "forget-who-was-lifted": forget_who_was_lifted,
    "believe-any-snapshot": believe_any_snapshot,
}
"""Name → breaks that rule."""
