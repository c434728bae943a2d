"""One reply of HTTP/1, out of the bytes of a connection. Pure.

Read as a browser reads: what has one clear meaning is taken, however it is written, because a reply that came and was
not understood leaves nobody knowing whether a batch was sent. What has two meanings (two lengths that differ) or none
is a `fault`; a status that was read before it still stands. Everything a provider can make long has a bound here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

HEAD_BYTES: Final = 256 * 1024
"""Status line and headers together, with those of interim replies. Browsers and proxies allow as much at most."""

CHUNK_LINE_BYTES: Final = 4096
"""Size and extensions of one chunk."""

PLAIN_HEAD_BYTES: Final = 16 * 1024
"""Heads up to this size may be read at once, in one turn of the loop."""

EXCESS_BYTES: Final = 64

MOST_CHUNKS: Final = 20_000
"""Each costs a microsecond or two, whatever it holds: a body of 4 MiB in chunks of one byte would cost seconds."""

_STATUS: Final = re.compile(rb"HTTP/(\d{1,3})(?:\.(\d{1,3}))?[ \t]+(\d{3})(?![^ \t\r])", re.IGNORECASE)
_LENGTH: Final = re.compile(r"\d{1,18}", re.ASCII)
_CHUNK: Final = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;.*)?\r?", re.DOTALL)
_CHUNK_BEGUN: Final = re.compile(rb"[ \t]*[0-9a-fA-F]{0,15}[ \t]*(?:;.*)?\r?", re.DOTALL)
_PREFIX: Final = b"HTTP/"
_BLANK: Final = b" \t\r\n"

BODILESS: Final = frozenset({204, 205, 304})
"""Statuses whose reply ends with its headers. Some providers write a body all the same and announce it."""

CLOSED: Final = "the connection was closed before a complete reply"
NOT_HTTP: Final = "what came does not begin with a status line of HTTP"


class ReplyParser:
    """Reads one final reply; interim ones (1xx) before it are passed over.

    Args:
        limit: bytes of the body that are kept.
        head_only: there is no body (the answer to CONNECT).

    Attributes:
        received: bytes of a final reply came.
        continued: the provider asked for the body (100).
        status: once the status line has come.
        headers: as they came, names in lower case.
        body: as it was sent, codings included; empty where there is a fault.
        truncated: there is more of the body than `limit`.
        done: nothing more is read.
        hesitating: the status allows no body but one is announced. It may come, or not.
        reusable: the reply ended where it said, nothing came after it, and the connection may be kept.
        excess: what came behind the reply together with its end; the beginning of it.
        fault: why the reply cannot be read; None where it can.
    """

    def __init__(self, limit: int, *, head_only: bool = False) -> None:
        self.received = False
        self.continued = False
        self.status: int | None = None
        self.headers: list[tuple[str, str]] = []
        self.body = bytearray()
        self.truncated = False
        self.done = False
        self.hesitating = False
        self.reusable = False
        self.excess = b""
        self.fault: str | None = None
        self._limit = limit
        self.head_only = head_only
        self._names: frozenset[str] = frozenset()
        self._begun = False
        self._rest = bytearray()
        self._searched = 0  # of `_rest`, for the end of a line
        self._head_bytes = 0
        self._version = (1, 1)
        self._remaining = 0  # of the body, or of its chunk
        self._announced = 0
        self._chunks = 0
        self._step: Callable[[], bool] = self._status_line

    def feed(self, data: bytes) -> None:
        """Take what arrived. After `done` everything is excess: the connection must not be used again."""
        excess = data if self.done else self._read(data)
        self.reusable = self.reusable and not excess

    def _read(self, data: bytes) -> bytes:
        """Read on. The beginning of what stands behind the reply, once that is done."""
        self._rest += data if self._begun else self._plain_head(data)
        while not self.done and self._step():
            pass
        if not self.done:
            return b""
        excess = bytes(self._rest[:EXCESS_BYTES])
        self._rest.clear()
        if self.fault is None and not self.truncated:
            self.excess = excess
        return excess

    def end(self, *, clean: bool) -> None:
        """The connection was closed; `clean`: by the provider, who had nothing more to say."""
        if self.done:
            self.reusable = False
        elif self._step == self._until_end and clean:
            self._finish(reusable=False)
        elif self.hesitating:
            self.end_without_body()
        else:
            self.give_up(CLOSED)

    def end_without_body(self) -> None:
        """End a hesitating reply without the body it announced."""
        if self.hesitating and not self.done:
            self.body.clear()
            self._finish(reusable=False)

    def give_up(self, fault: str) -> None:
        """Read no further, for a reason that is not in what came (a time limit)."""
        if not self.done:
            self.received = self.received and not self._interim
            self._break_off(fault)

    @property
    def _interim(self) -> bool:
        """Whether the head that is being read is one that another follows."""
        return self.status is not None and 100 <= self.status <= 199 and self.status != 101

    # ---- head -------------------------------------------------------------------------------------------------------

    def _line(self, limit: int) -> bytes | None:
        """The next line without its end; None where it is not complete. Lines may end in LF alone (RFC 9112, 2.2)."""
        end = self._rest.find(b"\n", self._searched)
        if end < 0:
            self._searched = len(self._rest)
            if self._searched > limit:
                self._break_off(f"a line is longer than {limit} bytes")
            return None
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        self._searched = 0
        return line.removesuffix(b"\r")

    @property
    def codings(self) -> list[str]:
        """Those the body is said to be in, in the order they were applied."""
        transfer = [coding for coding in self._all("transfer-encoding") if coding != "chunked"]
        return self._all("content-encoding") + transfer

    def _head_line(self) -> bytes | None:
        line = self._line(HEAD_BYTES - self._head_bytes)
        if line is not None:
            self._head_bytes += len(line) + 2
            if self._head_bytes > HEAD_BYTES:
                self._break_off(f"its headers are longer than {HEAD_BYTES // 1024} KiB")
                return None
        return line

    def _plain_head(self, data: bytes) -> bytes:
        """Read at once a head that came whole and is written as nearly all are: a third of the time line by line.

        Returns:
            What stands behind it; all of `data` where nothing was read, as the head has to be looked at line by line.
        """
        self._begun = True
        end = data.find(b"\r\n\r\n", 0, PLAIN_HEAD_BYTES)
        head = data[: max(end, 0)]
        if not head.isascii() or b"\0" in head or not self._read_status(head):
            return data
        lines = head.decode("ascii").split("\r\n")
        breaks = len(lines) - 1
        if head.count(b"\r") != breaks or head.count(b"\n") != breaks:
            return self._not_plain(data)
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or line[0] in " \t":
                return self._not_plain(data)
            self.headers.append((name.strip().lower(), value.strip()))
        self.received = True
        self._head_bytes = end + 4
        self._headers_end()
        return data[end + 4 :]

    def _not_plain(self, data: bytes) -> bytes:
        self.status, self.headers = None, []
        return data

    def _status_line(self) -> bool:
        blank = len(self._rest) - len(self._rest.lstrip(_BLANK))
        if blank:
            del self._rest[:blank]
            self._searched = 0
            self._head_bytes += blank
        if not self._rest and self._head_bytes <= HEAD_BYTES:
            return False
        self.received = True
        start = bytes(self._rest[: len(_PREFIX)]).upper()
        if self._head_bytes > HEAD_BYTES or start != _PREFIX[: len(start)]:
            return self._fail(NOT_HTTP)
        line = self._head_line()
        if line is None:
            return False
        if not self._read_status(line):
            return self._fail(NOT_HTTP)
        self._step = self._header_line
        return True

    def _read_status(self, line: bytes | bytearray) -> bool:
        found = _STATUS.match(line)
        if found is None:
            return False
        self._version = (int(found[1]), int(found[2] or 0))
        self.status = int(found[3])
        return True

    def _header_line(self) -> bool:
        line = self._head_line()
        if line is None:
            return False
        if not line.strip(_BLANK):
            self._headers_end()
            return not self.done
        text = line.decode("utf-8", "replace").replace("\0", " ").replace("\r", " ")
        if line[:1] in {b" ", b"\t"} and self.headers:  # folded (RFC 9112, 5.2)
            name, value = self.headers[-1]
            self.headers[-1] = (name, f"{value} {text.strip()}")
            return True
        name, colon, value = text.partition(":")
        if colon:  # what has no colon says nothing
            self.headers.append((name.strip().lower(), value.strip()))
        return True

    def _all(self, name: str) -> list[str]:
        """The elements of a header that is a list, in lower case."""
        if name not in self._names:
            return []
        values = [value for key, value in self.headers if key == name]
        return [element for element in (part.strip().lower() for part in ",".join(values).split(",")) if element]

    def _headers_end(self) -> None:
        assert self.status is not None
        self._names = frozenset([name for name, _ in self.headers])
        if self._interim:
            self.continued = self.continued or self.status == 100
            self.status, self.received, self.headers = None, False, []
            self._step = self._status_line
            return
        connection = self._all("connection")
        keeps = "close" not in connection and (self._version == (1, 1) or "keep-alive" in connection)
        if self.head_only or self.status == 101:
            self._finish(reusable=False)
            return
        lengths = self._all("content-length")
        codings = [coding for coding in self._all("transfer-encoding") if coding != "identity"]
        if codings:
            # The length is void beside it (RFC 9112, 6.3), but who wrote both may mean either: not a second time.
            self.reusable = keeps and not lengths and self._version[0] == 1
            self._step = self._chunk_size if "chunked" in codings else self._until_end
        elif lengths:
            self._framed_by(lengths, keeps=keeps)
        elif self.status in BODILESS:
            self._finish(reusable=keeps)
        else:
            self._step = self._until_end
        self.hesitating = not self.done and self.status in BODILESS

    def _framed_by(self, lengths: list[str], *, keeps: bool) -> None:
        if any(_LENGTH.fullmatch(length) is None for length in lengths):
            self._break_off("its Content-Length is no number")
        elif len({int(length) for length in lengths}) > 1:
            self._break_off("it has lengths that differ")
        else:
            self._remaining = self._announced = int(lengths[0])
            self.reusable = keeps
            self._step = self._fixed
            if not self._remaining:
                self._finish(reusable=keeps)

    # ---- body -------------------------------------------------------------------------------------------------------

    def _take(self, size: int) -> bool:
        """Keep this much of what has come; False where that is more than is kept."""
        room = self._limit - len(self.body)
        self.body += self._rest[: min(size, room)]
        del self._rest[:size]
        if size > room:
            self.truncated = True
            self._finish(reusable=False)
            return False
        return True

    def _fixed(self) -> bool:
        size = min(self._remaining, len(self._rest))
        if not size:
            return False
        self._remaining -= size
        if self._take(size) and not self._remaining:
            self._finish(reusable=self.reusable and not self.hesitating)
        return False

    def _until_end(self) -> bool:
        if self._rest:
            self._take(len(self._rest))
        return False

    def _chunk_size(self) -> bool:
        line = self._line(CHUNK_LINE_BYTES)
        if line is None:
            begun = self.done or _CHUNK_BEGUN.fullmatch(self._rest) is not None
            return not begun and self._fail("its chunks cannot be read")
        found = _CHUNK.fullmatch(line)
        self._chunks += 1
        if found is None or self._chunks > MOST_CHUNKS:
            return self._fail("its chunks cannot be read" if found is None else "it has too many chunks")
        self._remaining = int(found[1], 16)
        self._step = self._chunk_data
        if not self._remaining:
            self._trailers()
        return not self.done

    def _chunk_data(self) -> bool:
        size = min(self._remaining, len(self._rest))
        if not size:
            return False
        self._remaining -= size
        if self._take(size) and not self._remaining:
            self._step = self._chunk_end
        return not self.done

    def _chunk_end(self) -> bool:
        end = bytes(self._rest[:2])
        if end in {b"", b"\r"}:
            return False
        size = 1 if end[:1] == b"\n" else 2
        if end[:size] not in {b"\n", b"\r\n"}:
            return self._fail("a chunk is longer than it says")
        del self._rest[:size]
        self._step = self._chunk_size
        return True

    def _trailers(self) -> None:
        """The body is complete. Trailers that have not come yet are not worth waiting for: only the connection is."""
        line = self._line(HEAD_BYTES)
        while line:
            line = self._line(HEAD_BYTES)
        if not self.done:
            self._finish(reusable=self.reusable and not self.hesitating and line is not None)

    # ---- end --------------------------------------------------------------------------------------------------------

    def _finish(self, *, reusable: bool) -> None:
        self.done, self.reusable = True, reusable
        self.hesitating = False

    def _fail(self, fault: str) -> bool:
        self._break_off(fault)
        return False

    def _break_off(self, fault: str) -> None:
        if self.status is None and self.received:
            self._read_status(self._rest)  # `HTTP/1.1 503 Serv`: it has been said
        if self._interim:
            self.status = None
        self.fault = fault
        self.body.clear()
        self._finish(reusable=False)
