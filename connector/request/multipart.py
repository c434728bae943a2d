"""Bodies of `multipart/form-data` (RFC 7578): every pair is a part, as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from connector.definition.expression import MISSING
from connector.definition.tree import Nesting, Operation
from connector.errors import MessageError
from connector.model import Batch, Message
from connector.request.encoders import BYTES, encoder_for
from connector.request.structured_names import StructuredNames
from connector.request.textual import TextEncoder
from connector.request.values import Encoder, Keys, compile_value

_IN_NAMES = (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"))  # as browsers write them (WHATWG, multipart/form-data)


def boundary(batch: Batch) -> str:
    """What separates the parts of this batch's request. Nobody knows the batch's id before, so no value can hold it."""
    return f"sms-{batch.id}"


class MultipartEncoder(TextEncoder):
    """Parts in UTF-8, or in the bytes that `encode` gives. A structure becomes brackets, or what `nesting` says."""

    def __init__(self, nesting: Nesting) -> None:
        super().__init__("utf-8")
        self._nesting = nesting
        self._names = StructuredNames(nesting, str)
        self.numbers = self._names.numbered

    def octets(self, raw: bytes) -> str:
        return raw.decode("ascii", BYTES)

    def written_name(self, name: str) -> str:
        if not name:
            raise ValueError("a part needs a name")
        for char, written in _IN_NAMES:
            name = name.replace(char, written)
        return self.check(name)

    def user_name(self, name: str) -> str:
        if not name or self._names.ambiguous(name):
            raise MessageError("a variable's name that pairs cannot hold")
        return self.written_name(name)

    def member(self, name: str) -> MultipartEncoder:
        return self

    def element(self) -> MultipartEncoder:
        return self

    def nested(self, encoding: str) -> Encoder:
        return encoder_for(encoding, self.charset, self._nesting)

    def document(self, value: Any) -> str:
        """Every part but the boundaries, which belong to the batch."""
        raise MessageError("parts stand in no other document")

    def parts(self, value: Any) -> list[tuple[str, str]]:
        """Names and values."""
        if not isinstance(value, dict):
            raise MessageError("pairs take an object")
        found: list[tuple[str, str]] = []
        for name, item in value.items():
            self._names.pairs(name, item, found)
        return found


def multipart_body(operation: Operation, keys: Keys) -> Callable[[Message, Batch], bytes]:
    """The body of an operation whose parameters are `multipart`."""
    assert operation.body is not None
    encoder = MultipartEncoder(operation.nesting)
    build = compile_value(operation.body, encoder, keys, "parameters.multipart").required()

    def body(message: Message, batch: Batch) -> bytes:
        value = build(message, batch)
        parts = [] if value is MISSING else encoder.parts(value)
        line = f"--{boundary(batch)}"
        texts = [f'{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in parts]
        if any(line in text for _, text in parts):
            raise MessageError("a value holds the boundary of the parts")
        return "".join([*texts, line, "--\r\n"]).encode("utf-8", BYTES)

    return body
