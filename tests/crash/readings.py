"""How much CPU reading a reply takes in a worker: each reading that takes longer than any before it is written down."""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

from tests.crash.seams import mark, replace

TOLD_SECONDS = 0.01


def measure_replies(file: Path) -> None:
    """CPU of the thread, not time: a busy machine changes nothing."""
    from connector.response.reply_reader import ReplyReader

    read = ReplyReader.read
    longest = TOLD_SECONDS

    @functools.wraps(read)
    def measured(*args: Any, **names: Any) -> Any:
        nonlocal longest
        begun = time.thread_time()
        try:
            return read(*args, **names)
        finally:
            if (seconds := time.thread_time() - begun) > longest:
                longest = seconds
                mark(file, reading=seconds)

    replace(ReplyReader, "read", measured)
