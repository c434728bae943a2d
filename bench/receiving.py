"""What a callback costs at the receiver: CPU of its process per receipt, with a real Kafka behind it.

The callers are a process of their own, which sends requests that were made before and counts the answers.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import psutil

from tests.integration.receiving import PUBLIC, SECRET, TWILIO, Receiver, Receiving, signed
from tests.kafka.find import Kafka
from tests.processes import ConnectorProcess

CONNECTIONS = 64
TURNS = 3
"""The median of them counts; before, the broker is warmed up as well."""
SECONDS = 120.0
MOST = 200.0
"""Microseconds of CPU that a receipt may take when there is no end of them: 5,000 a second on one core. One that comes
alone costs more: nobody shares its wake-up and its batch.
"""


class CallbackCell(NamedTuple):
    """One measurement: `requests` callbacks with so many receipts each."""

    name: str
    kind: str
    requests: int
    entries: int = 1
    rate: float | None = None  # requests a second; None: as many as there are answers

    @property
    def most(self) -> float | None:
        return MOST if self.rate is None else None


CELLS = (
    CallbackCell("form, token in the URL, HMAC-SHA1 (Twilio)", "twilio", 8_000),
    CallbackCell("JSON, token in the entry, HMAC-SHA256", "acme", 8_000),
    CallbackCell("the same, 1,000 a second", "acme", 4_000, rate=1_000.0),
    CallbackCell("JSON, 20 receipts in a callback", "acme", 1_000, entries=20),
    CallbackCell("form, token in the URL, nothing else proves it", "plain", 8_000),
)


@dataclass(frozen=True, slots=True)
class CallbackFigures:
    """What a cell came to. `microseconds`: CPU of the receiver per receipt; `p50`, `p99`: seconds to the answer."""

    microseconds: float
    per_second: float
    p50: float
    p99: float
    megabytes: float
    statuses: dict[str, int]


def measure(kafka: Kafka, folder: Path, only: str = "") -> Iterator[tuple[CallbackCell, CallbackFigures]]:
    """Each cell with a receiver of its own."""
    for cell in CELLS:
        if only in cell.name:
            yield cell, _measured(kafka, folder / uuid.uuid4().hex[:6], cell)


def _measured(kafka: Kafka, folder: Path, cell: CallbackCell) -> CallbackFigures:
    folder.mkdir()
    started: list[ConnectorProcess] = []

    def start(*arguments: str, name: str = "", **options: Any) -> ConnectorProcess:
        started.append(ConnectorProcess(folder / f"{name or len(started)}.out", *arguments, **options))
        return started[-1]

    receiving = Receiving(folder, kafka.bootstrap, f"bench-{folder.name}", start)
    (receiving.definitions / "twilio.yaml").write_text(TWILIO)
    receiving.configure(timeout="10s")
    receiving.create_topics()
    try:
        receiver = receiving.receiver()
        requests = folder / "requests"
        requests.write_bytes(b"".join(_framed(request) for request in _requests(receiving, cell)))
        _load(receiver, requests, cell.requests // 2, None)
        turns = sorted((_turn(receiver, requests, cell) for _ in range(TURNS)), key=lambda it: it.microseconds)
        return turns[TURNS // 2]
    finally:
        for process_ in started:
            process_.kill()


def _turn(receiver: Receiver, requests: Path, cell: CallbackCell) -> CallbackFigures:
    process = psutil.Process(receiver.process.pid)
    before = sum(process.cpu_times()[:2])
    told = _load(receiver, requests, cell.requests, cell.rate)
    used = sum(process.cpu_times()[:2]) - before
    receipts = cell.requests * cell.entries
    return CallbackFigures(
        microseconds=used / receipts * 1e6,
        per_second=receipts / told["seconds"],
        p50=told["p50"],
        p99=told["p99"],
        megabytes=process.memory_info().rss / 1e6,
        statuses=told["statuses"],
    )


def _load(receiver: Receiver, requests: Path, number: int, rate: float | None) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.receiving", str(receiver.port), str(requests), str(number), str(rate or 0)]
    done = subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# ---- requests -----------------------------------------------------------------------------------------------------


def _requests(receiving: Receiving, cell: CallbackCell) -> Iterator[bytes]:
    for number in range(cell.requests):
        if cell.kind == "acme":
            many = range(number * cell.entries, (number + 1) * cell.entries)
            body, headers = signed([{"ref": receiving.token(it), "state": "OK", "id": f"id-{it:032d}"} for it in many])
            yield _request("/back/r/acme", body, {**headers, "Content-Type": "application/json"})
            continue
        path = f"/back/m/{cell.kind}/{receiving.token(number, cell.kind)}"
        fields = {
            "SmsSid": f"SM{number:032d}",
            "SmsStatus": "delivered",
            "MessageStatus": "delivered",
            "To": "%2B14155550100",
            "MessageSid": f"SM{number:032d}",
            "AccountSid": f"AC{1:032d}",
            "From": "%2B14155550101",
            "ApiVersion": "2010-04-01",
            "RawDlrDoneDate": "2611261950",
        }
        if cell.kind == "plain":
            fields = {"state": "OK", "id": f"id-{number:032d}"}
        body = "&".join(f"{name}={value}" for name, value in fields.items()).encode()
        text = PUBLIC.removesuffix("/back") + path
        text += "".join(name + fields[name].replace("%2B", "+") for name in sorted(fields))
        signature = base64.b64encode(hmac.new(SECRET.encode(), text.encode(), hashlib.sha1).digest()).decode()
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
        yield _request(path, body, headers)


def _request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: sms.example.com", "User-Agent: TwilioProxy/1.1", "Accept: */*"]
    lines += [f"Content-Length: {len(body)}", "X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _framed(request: bytes) -> bytes:
    return len(request).to_bytes(4, "big") + request


def _unframed(raw: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(raw):
        size = int.from_bytes(raw[at : at + 4], "big")
        yield raw[at + 4 : at + 4 + size]
        at += 4 + size


# ---- the callers: a process of their own ----------------------------------------------------------------------------


async def _call(port: int, requests: Sequence[bytes], rate: float) -> dict[str, Any]:
    began, taken = time.perf_counter(), iter(enumerate(requests))
    seconds: list[float] = []
    statuses: dict[str, int] = {}

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number, request in taken:
            if rate and (early := number / rate - (time.perf_counter() - began)) > 0:
                await asyncio.sleep(early)
            sent = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((int(it[15:]) for it in head.split(b"\r\n") if it.lower().startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            seconds.append(time.perf_counter() - sent)
            status = head[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    seconds.sort()
    return {
        "seconds": time.perf_counter() - began,
        "p50": seconds[len(seconds) // 2],
        "p99": seconds[len(seconds) * 99 // 100],
        "statuses": statuses,
    }


if __name__ == "__main__":
    port_, file, number_, rate_ = sys.argv[1:]
    many = [request for _, request in zip(range(int(number_)), _unframed(Path(file).read_bytes()), strict=False)]
    print(orjson.dumps(asyncio.run(_call(int(port_), many, float(rate_)))).decode())
