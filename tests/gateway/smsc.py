"""A mobile network's end of SMPP 3.4: what a gateway submits, octet by octet. It can be away.

Source: SMPP Protocol Specification 3.4, 4.1 (bind), 4.4 (submit_sm); 3GPP TS 23.040, 9.2.3.24.1 (headers of parts).
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import gsm0338

from tests.waiting import wait_until

SUBMIT, DELIVER, UNBIND, BIND_TRANSCEIVER, ENQUIRE_LINK = 0x4, 0x5, 0x6, 0x9, 0x15
IS_RECEIPT = 0x04
"""Bits of esm_class in a deliver_sm: its text is a receipt."""

RESPONSE = 0x8000_0000
HAS_HEADER = 0x40
"""Bit of esm_class: the message begins with a user data header."""

UCS_2 = 8
"""data_coding; 0 is the GSM alphabet, an octet per septet."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """One submit_sm: an SMS, or a part of one.

    Attributes:
        source, destination: addresses as given.
        coding: data_coding.
        reference, total, number: which part of which text; of a text in one SMS None, 1, 1.
        octets: the text's, without the header.
        wants_receipt: registered_delivery asks for one.
    """

    source: str
    destination: str
    coding: int
    reference: int | None
    total: int
    number: int
    octets: bytes
    wants_receipt: bool

    @classmethod
    def read(cls, body: bytes) -> Submitted:
        """Of the body of a submit_sm."""
        _, rest = _text(body)  # service_type
        source, rest = _text(rest[2:])
        destination, rest = _text(rest[2:])
        flags = rest[0]
        _, rest = _text(rest[3:])  # schedule_delivery_time
        _, rest = _text(rest)  # validity_period
        wanted, coding, length = rest[0], rest[2], rest[4]
        octets, reference, total, number = rest[5 : 5 + length], None, 1, 1
        assert len(octets) == length
        if flags & HAS_HEADER:
            header, octets = octets[1 : 1 + octets[0]], octets[1 + octets[0] :]
            element, size, reference, total, number = header
            assert (element, size) == (0, 3), "the only header a text has: concatenation with a reference of 8 bits"
        return cls(source, destination, coding, reference, total, number, octets, bool(wanted & 1))


def _text(data: bytes) -> tuple[str, bytes]:
    """A text that ends in NUL, and what follows."""
    text, _, rest = data.partition(b"\0")
    return text.decode(), rest


def together(parts: Iterable[Submitted]) -> dict[str, list[str]]:
    """The texts each number got, parts put together; a part that is missing fails."""
    texts: dict[tuple[str, int | None, int], dict[int, Submitted]] = defaultdict(dict)
    found: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        if part.reference is None:
            found[part.destination].append(decode(part.coding, part.octets))
            continue
        of = texts[part.destination, part.reference, part.total]
        of[part.number] = part
        if len(of) == part.total:
            octets = b"".join(of[number].octets for number in range(1, part.total + 1))
            found[part.destination].append(decode(part.coding, octets))
            of.clear()
    assert not any(texts.values()), "parts are missing"
    return found


def decode(coding: int, octets: bytes) -> str:
    """The text a phone shows, by others' tables."""
    return octets.decode("utf-16-be") if coding == UCS_2 else gsm0338.Codec().decode(octets)[0]


def encode(text: str) -> bytes:
    """The octets of a text: GSM where it has every character, else UTF-16."""
    return bytes(gsm0338.Codec().encode(text)[0]) if is_gsm(text) else text.encode("utf-16-be")


def is_gsm(text: str) -> bool:
    """Whether the GSM alphabet has every character of it, by others' table."""
    try:
        gsm0338.Codec().encode(text)
    except UnicodeEncodeError:
        return False
    return True


class Smsc:
    """Takes every message; `go` leaves the network, `come` comes back to the same port.

    Attributes:
        port: where it listens.
        submitted: what came, in order.
        fates: number → the state (SMPP 3.4, 5.2.28: DELIVRD, EXPIRED, …) of which the receipt of its message tells.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.fates: dict[str, str] = {}
        self.submitted: list[Submitted] = []
        self._said = itertools.count(1_000_000)
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self._links: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def come(self) -> None:
        """Listen."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._begin(self._accept, self._listener)

    def go(self) -> None:
        """Close every connection and listen no more. Safe to repeat."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        _close(listener)
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            _close(link)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()
        self._threads.clear()

    def wait_bound(self) -> None:
        """Return when a gateway is connected."""
        wait_until(lambda: self._links, "a gateway to bind")

    def _begin(self, what: object, *given: object) -> None:
        thread = threading.Thread(target=what, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed: it has gone
            while True:
                link, _ = listener.accept()
                self._begin(self._serve, link)

    def _serve(self, link: socket.socket) -> None:
        with contextlib.suppress(OSError), link, link.makefile("rb") as stream:
            while len(head := stream.read(16)) == 16:
                length, command, _, sequence = struct.unpack(">IIII", head)
                body = stream.read(length - 16)
                if command & RESPONSE:
                    continue
                answer, submitted = b"", None
                if command == BIND_TRANSCEIVER:
                    answer = b"smsc\0"
                elif command == SUBMIT:
                    submitted = Submitted.read(body)
                    self.submitted.append(submitted)
                    answer = f"{len(self.submitted):x}\0".encode()
                link.sendall(struct.pack(">IIII", 16 + len(answer), command | RESPONSE, 0, sequence) + answer)
                if submitted is not None and submitted.wants_receipt:
                    receipt = self._receipt(submitted, answer[:-1].decode())
                    link.sendall(struct.pack(">IIII", 16 + len(receipt), DELIVER, 0, sequence) + receipt)
                if command == BIND_TRANSCEIVER:
                    with self._lock:
                        self._links.append(link)

    def say(self, phone: str, to: str, text: str) -> None:
        """A person writes: a deliver_sm that is no receipt, from an international number."""
        addresses = b"\1\1" + phone.removeprefix("+").encode() + b"\0" + b"\5\0" + to.encode() + b"\0"
        octets = encode(text)
        coding = 0 if is_gsm(text) else UCS_2
        body = b"\0" + addresses + bytes([0, 0, 0, 0, 0, 0, 0, coding, 0, len(octets)]) + octets
        with self._lock:
            link = self._links[-1]
        link.sendall(struct.pack(">IIII", 16 + len(body), DELIVER, 0, next(self._said)) + body)

    def _receipt(self, about: Submitted, identity: str) -> bytes:
        """A deliver_sm about a message, its text as SMPP 3.4 proposes it (appendix B)."""
        state = self.fates.get(about.destination, "DELIVRD")
        text = f"id:{identity} sub:001 dlvrd:{int(state == 'DELIVRD'):03d} submit date:2611271200 done date:2611271201 "
        text += f"stat:{state} err:000 text:".ljust(20)
        addresses = b"\1\1" + about.destination.encode() + b"\0" + b"\0\0" + about.source.encode() + b"\0"
        return b"\0" + addresses + bytes([IS_RECEIPT, 0, 0, 0, 0, 0, 0, 0, 0, len(text)]) + text.encode()


def _close(given: socket.socket) -> None:
    with contextlib.suppress(OSError):
        given.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it; `close` alone does not
    given.close()
