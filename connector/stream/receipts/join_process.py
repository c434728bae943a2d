"""`receipts run` as a process: what it needs is looked at, then one worker runs to its end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import structlog

from connector.definition.tree import Definition
from connector.kafka.receipt_topics import receipts_group
from connector.receipts.readers import receipt_keys, receipt_readers
from connector.settings.model import Settings
from connector.store.index_store import IndexStore
from connector.store.state_store import States, StoreMemory, Stores
from connector.stream.control.reload import Definitions
from connector.stream.process import Attendant, Process
from connector.stream.receipts.join_preflight import join_topics
from connector.stream.receipts.join_status import JoinStatus
from connector.stream.receipts.join_worker import JoinWorker
from connector.stream.shutdown.stop_signals import StopSignals

log = structlog.get_logger(__name__)


def run_receipts(
    settings: Settings,
    definitions: Mapping[str, Definition],
    *,
    signals: StopSignals,
    source: Definitions | None = None,
    attendants: Sequence[Attendant[JoinStatus]] = (),
    ready: Callable[[], None] = lambda: None,
) -> int:
    """Check what it needs, then run one worker to its end. Returns the exit code, as `run_worker` does.

    Raises:
        ConnectorError: before the start, when something has to be mended.
    """
    keys = receipt_keys(settings)
    receipt_readers(definitions, settings, keys)
    # A group of its own: it is another application than `run`, and joins with the same id where there is one.
    settings = settings.model_copy(update={"group": receipts_group(settings)})
    topics = settings.topics
    folder = settings.receipts.folder
    with nullcontext(folder) if folder is not None else tempfile.TemporaryDirectory(prefix="sms-receipts-") as place:
        memory = StoreMemory(settings.receipts.cache)
        keep = settings.receipts.countable
        stores = Stores(Path(place), States, keep=keep, memory=memory)
        index = Stores(Path(place), IndexStore, keep=keep, memory=memory)
        known = signals.run(join_topics(settings))
        if known is None:
            log.info("stopped before it had joined")
            return 0
        if settings.receipts.folder is None:
            log.info("states are made anew from the topic at each start: receipts.folder is not set")
        ready()
        process = Process(
            settings,
            lambda host: JoinWorker(host, definitions, stores=stores, index=index, known=known, keys=keys),
            sources=[topics.receipts_matched, *([topics.inbound] if settings.suppressions.enabled else [])],
            most=known.most,
            read=[
                topics.receipts_matched,
                topics.receipts,
                topics.inbound,
                topics.receipts_in,
                topics.receipts_index,
                topics.results,
            ],
            signals=signals,
            source=source,
            attendants=attendants,
        )
        return process.run()
