"""Tokens for OAUTHBEARER, and the endpoint that gives them; the broker has the public key in a file."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ISSUER, AUDIENCE = "https://login.example.com", "kafka"
KEY_ID = "test-key"


class TokenKey:
    """Signs tokens.

    Attributes:
        url: of the file with the public key (JWKS), for the broker.
    """

    def __init__(self, file: Path) -> None:
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        numbers = self._key.public_key().public_numbers()
        public = {"kty": "RSA", "kid": KEY_ID, "use": "sig", "alg": "RS256"}
        public |= {"n": _number(numbers.n), "e": _number(numbers.e)}
        file.write_text(json.dumps({"keys": [public]}))
        self.url = file.as_uri()

    def token(self, subject: str, seconds: float, **claims: Any) -> str:
        """One that is valid from now on for so long."""
        now = time.time()
        said = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": int(now), "exp": int(now + seconds), **claims}
        signed = f"{_json({'alg': 'RS256', 'kid': KEY_ID, 'typ': 'JWT'})}.{_json(said)}"
        signature = self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        return f"{signed}.{_text(signature)}"


class TokenEndpoint:
    """Gives tokens for client credentials.

    Attributes:
        asked: forms, in order.
        seconds: tokens are valid for.
        answer: (status, body) in place of a token, while it is set.
    """

    def __init__(self, key: TokenKey, *, client: str, secret: str, subject: str) -> None:
        self._key, self._subject = key, subject
        self._expected = client, secret
        self.asked: list[dict[str, str]] = []
        self.seconds = 60.0
        self.answer: tuple[int, bytes] | None = None
        self.url = ""

    @contextmanager
    def running(self) -> Iterator[TokenEndpoint]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                status, body = endpoint.reply(form, self.headers.get("Authorization", ""))
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            self.url = f"http://127.0.0.1:{server.server_address[1]}/token"
            thread = Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()

    def reply(self, form: str, authorization: str) -> tuple[int, bytes]:
        self.asked.append({name: values[0] for name, values in parse_qs(form).items()})
        if self.answer is not None:
            return self.answer
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        if (unquote_plus(given[0]), unquote_plus(given[2])) != self._expected:
            return 401, b'{"error": "invalid_client", "error_description": "who is that?"}'
        token = self._key.token(self._subject, self.seconds)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": self.seconds}).encode()


def _json(value: Any) -> str:
    return _text(json.dumps(value).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _number(value: int) -> str:
    return _text(value.to_bytes((value.bit_length() + 7) // 8, "big"))
