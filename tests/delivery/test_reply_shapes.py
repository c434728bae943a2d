"""Replies as providers, their proxies and their bugs write them, through a real lane: outcome and number of requests.

A message whose reply came with a final status is in one request, whatever the rest of the reply is like. Only what
never came, and 408 and 5xx as ever, is sent again: here twice.
"""

import gzip
import zlib
from pathlib import Path

import cramjam
import pytest

from .raw_provider import OK, Write, bytes_then, outcome

LENGTH = b"Content-Length: %d\r\n" % len(OK)


def head(status: str = "200 OK", *lines: bytes, version: str = "HTTP/1.1") -> bytes:
    return f"{version} {status}\r\n".encode() + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


def whole(body: bytes = OK, *lines: bytes, status: str = "200 OK", version: str = "HTTP/1.1") -> bytes:
    return head(status, b"Content-Length: %d" % len(body), *lines, version=version) + body


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def packed(body: bytes, *codings: bytes) -> Write:
    return bytes_then(whole(body, *(b"Content-Encoding: " + coding for coding in codings)))


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


CHUNKED = b"Transfer-Encoding: chunked"
BR, ZSTD, GZIP = bytes(cramjam.brotli.compress(OK)), bytes(cramjam.zstd.compress(OK)), gzip.compress(OK)

READ: dict[str, Write] = {
    # framing
    "plain": bytes_then(whole()),
    "HTTP/1.0, until the end": bytes_then(head("200 OK", version="HTTP/1.0") + OK, end="close"),
    "HTTP/1.0 with a length": bytes_then(whole(version="HTTP/1.0"), end="close"),
    "HTTP/1.1 without a length, until the end": bytes_then(head() + OK, end="close"),
    "no length, half closed": bytes_then(head() + OK, end="half"),
    "chunked": bytes_then(head("200 OK", CHUNKED) + chunked(OK[:5], OK[5:])),
    "chunked, byte by byte": bytes_then(head("200 OK", CHUNKED) + chunked(*(OK[i : i + 1] for i in range(len(OK))))),
    "chunk extensions": bytes_then(head("200 OK", CHUNKED) + b'19;name="v;x";a\r\n' + OK + b"\r\n0;last\r\n\r\n"),
    "blanks around a chunk's size": bytes_then(head("200 OK", CHUNKED) + b" 19 \r\n" + OK + b"\r\n0\r\n\r\n"),
    "chunk size with zeros and capitals": bytes_then(head("200 OK", CHUNKED) + b"0019\r\n" + OK + b"\r\n000\r\n\r\n"),
    "chunks that end in LF": bytes_then(head("200 OK", CHUNKED) + b"19\n" + OK + b"\n0\n\n"),
    "trailers": bytes_then(head("200 OK", CHUNKED) + chunked(OK, end=b"0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n")),
    "no empty line after the last chunk": bytes_then(head("200 OK", CHUNKED) + chunked(OK, end=b"0\r\n")),
    "chunked with a length": bytes_then(head("200 OK", CHUNKED, LENGTH.strip()) + chunked(OK)),
    "Transfer-Encoding in capitals": bytes_then(head("200 OK", b"TRANSFER-ENCODING: Chunked") + chunked(OK)),
    "Transfer-Encoding identity": bytes_then(whole(OK, b"Transfer-Encoding: identity")),
    "Transfer-Encoding gzip, chunked": bytes_then(head("200 OK", b"Transfer-Encoding: gzip, chunked") + chunked(GZIP)),
    "length twice, the same": bytes_then(whole(OK, LENGTH.strip())),
    "length as a list of the same": bytes_then(head("200 OK", b"Content-Length: 25, 25") + OK),
    "length with blanks": bytes_then(head("200 OK", b"Content-Length : \t 25  ") + OK),
    # around the reply
    "100 before it": bytes_then(head("100 Continue"), whole()),
    "103 before it": bytes_then(head("103 Early Hints", b"Link: </a>; rel=preload") + whole()),
    "three interim replies": bytes_then(head("102 Processing") + head("103 Early Hints") + head("100 x") + whole()),
    "empty lines before it": bytes_then(b"\r\n\r\n" + whole()),
    "bytes after the body": bytes_then(whole() + b"garbage"),
    "two replies in one write": bytes_then(whole() + whole(b'{"status":"no"}')),
    "reset after the body": bytes_then(whole(), end="reset"),
    "closed after the body": bytes_then(whole(), end="close"),
    "half closed after the body": bytes_then(whole(), end="half"),
    "a slow drip": bytes_then(*(whole()[i : i + 3] for i in range(0, len(whole()), 3))),
    # the head
    "lines that end in LF": bytes_then(whole().replace(b"\r\n", b"\n")),
    "no reason": bytes_then(whole(status="200")),
    "blanks in the status line": bytes_then(whole(version="HTTP/1.1 ", status=" 200  OK")),
    "another reason": bytes_then(whole(status="200 \xe9\xff irrgendwas")),
    "small letters": bytes_then(whole(version="http/1.1")),
    "HTTP/2 in the status line": bytes_then(whole(version="HTTP/2")),
    "HTTP/1.2": bytes_then(whole(version="HTTP/1.2")),
    "a folded header": bytes_then(whole(OK, b"X-Long: a", b"  b", b"\tc")),
    "a header of 9,000 bytes": bytes_then(whole(OK, b"X-Long: " + b"a" * 9000)),
    "a header of 100,000 bytes": bytes_then(whole(OK, b"X-Long: " + b"a" * 100_000)),
    "200 headers": bytes_then(whole(OK, *(b"X-%d: %d" % (n, n) for n in range(200)))),
    "5,000 headers": bytes_then(whole(OK, *(b"X-%d: %d" % (n, n) for n in range(5000)))),
    "doubled headers": bytes_then(whole(OK, b"Server: a", b"Server: b", b"Content-Type: a", b"Content-Type: b")),
    "NUL in a header": bytes_then(whole(OK, b"X-Nul: a\0b")),
    "control characters in a header": bytes_then(whole(OK, b"X-Bell: a\x07\x1b\x7fb")),
    "latin-1 in a header": bytes_then(whole(OK, b"X-Name: J\xf6rg")),
    "a blank in a header's name": bytes_then(whole(OK, b"X Foo: bar")),
    "a line without a colon": bytes_then(whole(OK, b"garbage")),
    "a header without a name": bytes_then(whole(OK, b": bar")),
    "a cookie that is none": bytes_then(whole(OK, b"Set-Cookie: \xff=;;;=\x01; expires=never")),
    "a wrong content type": bytes_then(whole(OK, b"Content-Type: text/html; charset=utf-7")),
    # statuses that allow no body
    "204 with a body": bytes_then(whole(status="204 No Content")),
    "204 with a body that comes later": bytes_then(head("204 No Content", LENGTH.strip()), OK),
    "204 chunked": bytes_then(head("204 No Content", CHUNKED) + chunked(OK)),
    "205 with a body": bytes_then(whole(status="205 Reset Content")),
    # codings
    "gzip": packed(GZIP, b"gzip"),
    "x-gzip": packed(GZIP, b"X-GZIP"),
    "deflate": packed(zlib.compress(OK), b"deflate"),
    "raw deflate": packed(raw_deflate(OK), b"deflate"),
    "br": packed(BR, b"br"),
    "zstd": packed(ZSTD, b"zstd"),
    "gzip not declared": packed(GZIP),
    "zlib not declared": packed(zlib.compress(OK)),
    "raw deflate not declared": packed(raw_deflate(OK)),
    "br not declared": packed(BR),
    "zstd not declared": packed(ZSTD),
    "gzip upon br": packed(gzip.compress(BR), b"br, gzip"),
    "two headers of codings": packed(bytes(cramjam.zstd.compress(GZIP)), b"gzip", b"zstd"),
    "gzip twice, declared once": packed(gzip.compress(GZIP), b"gzip"),
    "gzip declared over a plain body": packed(OK, b"gzip"),
    "br declared over a plain body": packed(OK, b"br"),
    "zstd declared over a plain body": packed(OK, b"zstd"),
    "deflate declared over a plain body": packed(OK, b"deflate"),
    "br declared, gzip sent": packed(GZIP, b"br"),
    "a coding nobody knows": packed(OK, b"utf-8"),
    "gzip in two members": packed(gzip.compress(OK[:9]) + gzip.compress(OK[9:]), b"gzip"),
    "gzip with padding": packed(GZIP + b"\0" * 20, b"gzip"),
    # the document
    "two BOMs": bytes_then(whole(b"\xef\xbb\xbf\xef\xbb\xbf" + OK)),
    "a line break and a BOM": bytes_then(whole(b"\r\n\xef\xbb\xbf" + OK)),
    "a trailing NUL": bytes_then(whole(OK + b"\0")),
    "a NUL and a line break": bytes_then(whole(OK + b"\0\r\n")),
    "gzip over a BOM and a NUL": packed(gzip.compress(b"\xef\xbb\xbf" + OK + b"\0"), b"gzip"),
}

UNKNOWN: dict[str, Write] = {
    "lengths that differ": bytes_then(whole(OK, b"Content-Length: 7")),
    "lengths that differ in a list": bytes_then(head("200 OK", b"Content-Length: 25, 7") + OK),
    "a negative length": bytes_then(head("200 OK", b"Content-Length: -1") + OK),
    "a length with a plus": bytes_then(head("200 OK", b"Content-Length: +25") + OK),
    "a length that is no number": bytes_then(head("200 OK", b"Content-Length: many") + OK),
    "a length of 5,000 digits": bytes_then(head("200 OK", b"Content-Length: " + b"9" * 5000) + OK),
    "chunked is declared, and is not": bytes_then(head("200 OK", CHUNKED, LENGTH.strip()) + OK),
    "a chunk's size is garbage": bytes_then(head("200 OK", CHUNKED) + b"zz\r\n" + OK),
    "a negative chunk": bytes_then(head("200 OK", CHUNKED) + b"-5\r\n" + OK + b"\r\n0\r\n\r\n"),
    "a huge chunk": bytes_then(head("200 OK", CHUNKED) + b"f" * 40 + b"\r\n" + OK),
    "a chunk that does not end": bytes_then(head("200 OK", CHUNKED) + b"5\r\n" + OK + b"\r\n0\r\n\r\n"),
    "the last chunk is missing": bytes_then(head("200 OK", CHUNKED) + chunked(OK, end=b""), end="close"),
    "a line of a chunk without end": bytes_then(head("200 OK", CHUNKED) + b"1;" + b"a" * 10_000),
    "30,000 chunks": bytes_then(head("200 OK", CHUNKED) + chunked(*[b"x"] * 30_000)),
    "headers without end": bytes_then(b"HTTP/1.1 200 OK\r\nX-Long: " + b"a" * 300_000),
    "interim replies without end": bytes_then(head("103 Early Hints", b"X: " + b"a" * 1000) * 400),
    "closed in the headers": bytes_then(b"HTTP/1.1 200 OK\r\nContent-Le", end="close"),
    "reset in the headers": bytes_then(b"HTTP/1.1 200 OK\r\nContent-Le", end="reset"),
    "closed after the headers": bytes_then(head("200 OK", b"Content-Length: 100"), end="close"),
    "reset after the headers": bytes_then(head("200 OK", b"Content-Length: 100"), end="reset"),
    "closed in the body": bytes_then(head("200 OK", b"Content-Length: 100") + OK, end="close"),
    "reset in the body": bytes_then(head("200 OK", b"Content-Length: 100") + OK, end="reset"),
    "reset in a body without a length": bytes_then(head() + OK, end="reset"),
    "half closed in the body": bytes_then(head("200 OK", b"Content-Length: 100") + OK, end="half"),
    "404 that breaks off": bytes_then(head("404 Not Found", b"Content-Length: 9"), end="close"),
    "400 with lengths that differ": bytes_then(head("400 Bad Request", b"Content-Length: 25, 7") + OK),
    "401 that breaks off": bytes_then(head("401 Unauthorized", b"Content-Length: 9"), end="reset"),
    "200 inside the status line": bytes_then(b"HTTP/1.1 200", end="close"),
    # no status
    "closed inside the status line": bytes_then(b"HTTP/1.1 2", end="close"),
    "reset inside the status line": bytes_then(b"HTT", end="reset"),
    "no status line": bytes_then(OK),
    "no status line, closed": bytes_then(OK, end="close"),
    "a status of four digits": bytes_then(b"HTTP/1.1 2000 OK\r\n\r\n"),
    "a status of words": bytes_then(b"HTTP/1.1 OK\r\n\r\n"),
    "another protocol": bytes_then(b"220 smtp.example.com ESMTP\r\n"),
    "HTTP/2 itself": bytes_then(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80"),
    "a TLS alert": bytes_then(b"\x15\x03\x01\0\x02\x02\x46", end="close"),
    "empty lines without end": bytes_then(b"\r\n" * 200_000),
    "garbage in place of a second reply's head": bytes_then(head("100 Continue") + b"garbage\r\n\r\n"),
    # codings
    "gzip that breaks off": packed(GZIP[:-9], b"gzip"),
    "gzip, broken": packed(GZIP[:12] + b"\xff" * 9 + GZIP[21:], b"gzip"),
    "zstd that breaks off": packed(ZSTD[:-3], b"zstd"),
    "a zstd window of 128 MiB": packed(b"\x28\xb5\x2f\xfd\x00\x88" + b"\x01\0\0", b"zstd"),
    "bytes that are nothing": packed(b"\x00\x01\x02\xfe\xff" * 9, b"br"),
    # nothing that a rule meets
    "204 with nothing": bytes_then(head("204 No Content")),
    "204 with a length and nothing": bytes_then(head("204 No Content", b"Content-Length: 25")),
    "204 with a length and nothing, behind 100": bytes_then(
        head("100 Continue") + head("204 No Content", b"Content-Length: 25")
    ),
    "an empty body": bytes_then(whole(b"")),
    "101": bytes_then(head("101 Switching Protocols", b"Upgrade: websocket") + b"\x81\x05hello"),
    "status 999": bytes_then(whole(b"{}", status="999 No")),
    "status 099": bytes_then(whole(b"{}", status="099 No")),
    "a body beyond the limit": bytes_then(whole(OK + b" " * 200_000)),
    "gzip that unpacks to 50 MB": packed(gzip.compress(b"x" * 50_000_000, 1), b"gzip"),
    "br that unpacks to 50 MB": packed(bytes(cramjam.brotli.compress(b"x" * 50_000_000, level=1)), b"br"),
    "zstd that unpacks to 50 MB": packed(bytes(cramjam.zstd.compress(b"x" * 50_000_000)), b"zstd"),
}

UNFINISHED: dict[str, Write] = {
    # ended by the time limit
    "a body that does not come": bytes_then(head("200 OK", b"Content-Length: 100") + OK),
    "headers that do not end": bytes_then(b"HTTP/1.1 200 OK\r\nServer: a\r\n"),
    "no length and no end": bytes_then(head() + OK),
    "a status line that does not come": bytes_then(b"HTTP/1.1"),
}

REJECTED: dict[str, Write] = {
    "a refusal in br": packed(bytes(cramjam.brotli.compress(b'{"status":"no","code":7}')), b"br"),
    "a refusal with bytes after it": bytes_then(whole(b'{"status":"no"}', status="400 Bad Request") + b"!"),
    "404 gone": bytes_then(whole(b"{}", status="410 Gone")),
    "414": bytes_then(whole(b"{}", status="414 URI Too Long")),
    "431": bytes_then(whole(b"{}", status="431 Request Header Fields Too Large")),
}

AGAIN: dict[str, Write] = {
    # sent twice, as two attempts are allowed
    "closed without a reply": bytes_then(end="close"),
    "reset without a reply": bytes_then(end="reset"),
    "half closed without a reply": bytes_then(end="half"),
    "an interim reply and no other": bytes_then(head("103 Early Hints"), end="close"),
    "an interim reply that breaks off": bytes_then(head("100 Continue") + b"", end="reset"),
    "500": bytes_then(whole(b"{}", status="500 Oops")),
    "503 that breaks off": bytes_then(head("503 Busy", b"Content-Length: 9"), end="reset"),
    "503 inside the status line": bytes_then(b"HTTP/1.1 503 Serv", end="close"),
    "502 in broken gzip": bytes_then(whole(b"\x1f\x8b\x08\0\0", b"Content-Encoding: gzip", status="502 Bad Gateway")),
    # It says that it closes: else the next request may meet the closed connection, and is not counted here.
    "408": bytes_then(whole(b"", b"Connection: close", status="408 Request Timeout"), end="close"),
    "421": bytes_then(whole(b"{}", status="421 Misdirected Request")),
    "425": bytes_then(whole(b"{}", status="425 Too Early")),
    "421 that breaks off": bytes_then(head("421 Misdirected Request", b"Content-Length: 9"), end="close"),
}

SILENT: dict[str, Write] = {"no reply": bytes_then()}

TABLE = [
    pytest.param(write, status, requests, total, id=name)
    for shapes, status, requests, total in (
        (READ, "accepted", 1, "20s"),
        (UNKNOWN, "unknown", 1, "20s"),
        (UNFINISHED, "unknown", 1, "1s"),
        (REJECTED, "rejected", 1, "20s"),
        (AGAIN, "failed", 3, "20s"),  # two attempts, and one more in case it was an outage
        (SILENT, "failed", 3, "100ms"),
    )
    for name, write in shapes.items()
]


@pytest.mark.parametrize(("write", "status", "requests", "total"), TABLE)
async def test_each_shape_of_a_reply_has_its_outcome_and_number_of_requests(
    tmp_path: Path, write: Write, status: str, requests: int, total: str
) -> None:
    got, made = await outcome(tmp_path, write, total=total)
    assert (got, made) == (status, requests)
