"""A provider that costs little, for systems that are compared: python -m bench.provider LATENCY MESSAGES.

It takes `{"msgs": [{"uid": "m<number>", …}]}` by POST, as the simulator's `json` does, and answers each message with an
id made of its uid. One thread, sockets and no framework, so that the cores are left to what is measured. It counts each
message it takes: `GET /` says how many there were and how many of them were not new.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import selectors
import socket
import sys
import time
from dataclasses import asdict, dataclass, field

import orjson

READ_BYTES = 1 << 20
END = b"\r\n\r\n"
LENGTH = b"content-length:"


@dataclass
class Taken:
    """What came in: requests, messages, those that had come before, the most requests at once."""

    requests: int = 0
    messages: int = 0
    again: int = 0
    most_at_once: int = 0


@dataclass
class Connection:
    """One client's, and what of its next request has come."""

    socket: socket.socket
    read: bytearray = field(default_factory=bytearray)
    need: int = 0


class Provider:
    """Answers every request `latency` seconds after it came."""

    def __init__(self, latency: float, messages: int) -> None:
        self._latency = latency
        self._seen = bytearray(messages)
        self._taken = Taken()
        self._open = 0
        self._due: list[tuple[float, int, Connection, bytes]] = []
        self._numbers = itertools.count()
        self._selector = selectors.DefaultSelector()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listening.setblocking(False)
        self._selector.register(self._listening, selectors.EVENT_READ)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def serve(self) -> None:
        """Until the process is ended."""
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, _ in self._selector.select(wait):
                if key.fileobj is self._listening:
                    self._accept()
                else:
                    self._readable(key.data)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, connection, answer = heapq.heappop(self._due)
                self._open -= 1
                self._answer(connection, answer)

    def _accept(self) -> None:
        accepted, _ = self._listening.accept()
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        accepted.settimeout(10)  # answers are small: the client reads them
        self._selector.register(accepted, selectors.EVENT_READ, Connection(accepted))

    def _readable(self, connection: Connection) -> None:
        try:
            data = connection.socket.recv(READ_BYTES)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(connection.socket)
            connection.socket.close()
            return
        connection.read += data
        while len(connection.read) >= max(1, connection.need):
            end = connection.read.find(END)
            if end < 0:
                return
            head = bytes(connection.read[:end]).lower()
            place = head.find(LENGTH)
            length = int(head[place + len(LENGTH) :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            connection.need = end + len(END) + length
            if len(connection.read) < connection.need:
                return
            body = bytes(connection.read[end + len(END) : connection.need])
            del connection.read[: connection.need]
            connection.need = 0
            self._request(connection, head, body)

    def _request(self, connection: Connection, head: bytes, body: bytes) -> None:
        if head.startswith(b"get"):
            self._answer(connection, orjson.dumps(asdict(self._taken)))
            return
        uids = [it["uid"] for it in orjson.loads(body)["msgs"]]
        taken, seen = self._taken, self._seen
        taken.requests += 1
        taken.messages += len(uids)
        for uid in uids:
            number = int(uid[1:])
            taken.again += seen[number]
            seen[number] = 1
        answer = orjson.dumps(
            {"batch": "b", "results": [{"uid": uid, "id": f"i{uid}", "status": "queued"} for uid in uids]}
        )
        taken.most_at_once = max(taken.most_at_once, self._open + 1)
        if self._latency:
            self._open += 1
            heapq.heappush(self._due, (time.monotonic() + self._latency, next(self._numbers), connection, answer))
        else:
            self._answer(connection, answer)

    def _answer(self, connection: Connection, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        with contextlib.suppress(OSError):  # it has gone; its end is seen when it is read
            connection.socket.sendall(head + body)


def main() -> int:
    """Serve, and say where."""
    provider = Provider(float(sys.argv[1]), int(sys.argv[2]))
    print(orjson.dumps({"url": provider.url}).decode(), flush=True)
    provider.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
