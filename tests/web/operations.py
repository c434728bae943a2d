"""A console with everything behind it but Kafka, and how each of its operations is asked once, so that it succeeds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector.clock import ManualClock
from connector.operating.kafka_writer import KafkaWriter
from connector.web.definition_files import DefinitionFiles
from connector.web.first_message_api import FirstMessageApi
from connector.web.look_api import LookApi
from connector.web.results_tail import ResultsTail, Watcher
from connector.web.steer_api import SteerApi
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.web.tail_api import TailApi
from connector.workbench.child.studio_children import StudioChildren
from tests.web.serving import TOKENS, Asker, served, with_tokens
from tests.web.test_first_message import NUMBERS, KeptEvents, result
from tests.web.test_look_api import record, view_of
from tests.web.test_studio_api import ASKS, PATIENT, KeptDeeds
from tests.workbench.test_studio import DEFINITION


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        streams: the answer is a stream that does not end by itself: the names of its first events.
    """

    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    role: str = "viewer"
    status: int = 200
    streams: tuple[str, ...] = ()


HOW: Mapping[str, Asked] = {
    "me": Asked("/api/me"),
    "signIn": Asked("/api/session", {"token": TOKENS["viewer"]}),
    "signOut": Asked("/api/session", status=204),
    "overview": Asked("/api/overview?range=6h"),
    "series": Asked("/api/series?names=results,waiting_messages&by=status"),
    "providers": Asked("/api/providers"),
    "provider": Asked("/api/providers/acme"),
    "definitions": Asked("/api/definitions"),
    "workers": Asked("/api/workers"),
    "partitions": Asked("/api/partitions"),
    "audit": Asked("/api/audit?who=priya"),
    "setProviderState": Asked(
        "/api/providers/acme/state",
        {"paused": False, "reason": "approved"},
        {"If-Match": '"1"'},
        role="operator",
    ),
    "tail": Asked("/api/tail?status=accepted", streams=("count", "row")),
    "check": Asked("/api/studio/check", ASKS["check"]),
    "render": Asked("/api/studio/render", ASKS["render"]),
    "reply": Asked("/api/studio/reply", ASKS["reply"]),
    "makeRule": Asked("/api/studio/rule", ASKS["rule"]),
    "importDraft": Asked("/api/studio/import", ASKS["import"]),
    "form": Asked("/api/studio/form", ASKS["form"]),
    "complete": Asked("/api/studio/complete", ASKS["complete"]),
    "patch": Asked("/api/studio/patch", ASKS["patch"]),
    "studio": Asked("/api/studio"),
    "catalogue": Asked("/api/catalogue"),
    "simulate": Asked(
        "/api/studio/simulate",
        {"definition": DEFINITION, "count": 20},
        role="editor",
        streams=("result",),
    ),
    "savedDefinitions": Asked("/api/studio/definitions"),
    "savedDefinition": Asked("/api/studio/definitions/kept"),
    "saveDefinition": Asked(
        "/api/studio/definitions/fresh", {"definition": DEFINITION, "reason": "a new one"}, role="editor"
    ),
    "undoDefinition": Asked("/api/studio/definitions/fresh/undo", {"reason": "not yet"}, role="editor", status=204),
    "testSend": Asked(
        "/api/studio/test",
        {"provider": "acme", "number": 0, "reason": "first message"},
        role="editor",
        streams=("written", "result"),
    ),
}
"""By name in schemas/console.openapi.json."""


class ControlTopic(KafkaWriter):
    """Takes control and audit records, and shows them to the console."""

    def __init__(self, view: Any) -> None:
        self._view = view
        self._offset = 100

    async def write(
        self, topic: str, key: bytes, value: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> tuple[int, int]:
        self._offset += 1
        self._view.control.note([record(topic, self._offset, key, value, **dict(headers))])
        return 0, self._offset

    def has(self, topic: str) -> bool:
        return True


class TalkingTail(ResultsTail):
    """Has a result for everybody who begins to watch."""

    def join(self, watcher: Watcher) -> None:
        self._watchers.add(watcher)
        from tests.web.test_results_tail import result as seen

        self.note([seen(1), seen(2)])


@asynccontextmanager
async def whole_console(folder: Path) -> AsyncIterator[Asker]:
    """All chapters; `folder` holds the definition `kept`."""
    (folder / "kept.yaml").write_text(DEFINITION)
    settings = with_tokens(definitions=str(folder), test_numbers=NUMBERS)
    view, clock = view_of(), ManualClock()
    children = StudioChildren(folder, seconds=PATIENT, count=1)
    topic = ControlTopic(view)

    @asynccontextmanager
    async def writer() -> AsyncIterator[KafkaWriter]:
        yield topic

    chapters = [
        LookApi(view),
        SteerApi(view, clock, writer),
        TailApi(TalkingTail(view.settings), clock, allowed=True, away=lambda: False),
        StudioApi(children, StudioPlaces(settings, DefinitionFiles([], folder)), KeptDeeds()),
        FirstMessageApi(settings, KeptEvents(result()), KeptDeeds()),
    ]
    await children.start()
    try:
        async with served(settings, chapters) as ask:
            yield ask
    finally:
        await children.stop()


def events_of(text: str) -> list[tuple[str, Any]]:
    """Of a stream: names and data."""
    parts = [part.split("\n", 1) for part in text.split("\n\n") if part]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in parts]
