"""Bytes as values of expressions: what a digest gives, and what a request holds that is no text."""

from __future__ import annotations

from connector.errors import MessageError


class Octets(bytes):
    """Bytes that stand in a text as what they say in UTF-8: a body."""

    def written(self) -> str:
        """As text; raises MessageError where it is none."""
        try:
            return self.decode()
        except UnicodeDecodeError:
            raise MessageError("takes a text, and this is none in UTF-8: write `hex` or `base64` before it") from None


class Digest(Octets):
    """Bytes of a digest: in a text they stand in hexadecimal; `base64` and a key of `hmac` take them as they are."""

    def written(self) -> str:
        return self.hex()
