"""Codings of bodies: undone whatever was declared, within bounds of memory."""

import gzip
import subprocess
import sys
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.delivery.http.content_coding import ContentCodingError, unpacked

LIMIT = 100_000


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda body: bytes(cramjam.brotli.compress(body)),
    "zstd": lambda body: bytes(cramjam.zstd.compress(body)),
}


@given(body=st.text(min_size=1).map(str.encode), names=st.lists(st.sampled_from(sorted(PACK)), max_size=3))
def test_what_was_packed_as_declared_is_unpacked(body: bytes, names: list[str]) -> None:
    sent = body
    for name in names:
        sent = PACK[name](sent)
    if names:
        assert unpacked(sent, names, LIMIT) == (body, False)


@given(body=st.binary(max_size=300), names=st.lists(st.sampled_from([*sorted(PACK), "identity", "x"]), max_size=5))
def test_any_bytes_are_unpacked_or_refused_within_the_limit(body: bytes, names: list[str]) -> None:
    try:
        got, _ = unpacked(body, names, 1000)
    except ContentCodingError:
        return
    assert len(got) <= 1000


@pytest.mark.parametrize("name", PACK)
def test_what_is_larger_than_the_limit_is_cut(name: str) -> None:
    body = bytes(range(32, 127)) * 10_000
    assert unpacked(PACK[name](body), [name], LIMIT) == (body[:LIMIT], True)
    assert unpacked(PACK[name](body[:LIMIT]), [name], LIMIT) == (body[:LIMIT], False)


@pytest.mark.parametrize("name", PACK)
def test_a_text_that_was_not_packed_is_a_text(name: str) -> None:
    for text in (b'{"id":1}', "नमस्ते".encode(), "Grüße aus Köln, Straße 5".encode("latin-1"), "OK".encode("utf-16")):
        assert unpacked(text, [name], LIMIT) == (text, False)
    assert unpacked(b"", [name], LIMIT) == (b"", False)


@pytest.mark.parametrize("name", PACK)
def test_what_is_broken_is_refused(name: str) -> None:
    sent = PACK[name](bytes(range(256)) * 50)
    with pytest.raises(ContentCodingError, match=name):
        unpacked(sent[:-20], [name], LIMIT)


def test_bytes_that_nobody_declared_and_nobody_knows_stay_as_they_are() -> None:
    for body in (bytes(range(256)), "OK नमस्ते".encode("utf-16"), b"x\x9c and a text", b"x^2 is a square"):
        assert unpacked(body, [], LIMIT) == (body, False)


def test_the_words_of_cramjam_for_what_does_not_fit() -> None:
    """They decide between "longer than the limit" and "not packed"."""
    for module in (cramjam.brotli, cramjam.zstd):
        with pytest.raises(cramjam.DecompressionError, match="failed to write whole buffer"):
            module.decompress_into(bytes(module.compress(b"x" * 1000)), bytearray(10))


BOMB = """
import resource, sys, zlib, cramjam
from connector.delivery.http.content_coding import ContentCodingError, unpacked
name, limit = sys.argv[1], 1_000_000
if name == "gzip":
    packer = zlib.compressobj(9, wbits=31)
    packed = b"".join([*(packer.compress(bytes(1_000_000)) for _ in range(100)), packer.flush()])
elif name == "window":   # a frame that asks for a window of 128 MiB, and a block that fills it
    packed = b"\\x28\\xb5\\x2f\\xfd\\x00\\x88" + 900 * (((128 << 10) << 3 | 2).to_bytes(3, "little") + b"x")
    packed += (3).to_bytes(3, "little") + b"x"
elif name == "single":   # one that says it holds 127 MiB, in one piece
    packed = b"\\x28\\xb5\\x2f\\xfd\\xa0" + (127 << 20).to_bytes(4, "little") + b"\\x01\\0\\0"
elif name == "large br": # a window of 1 GiB
    packed = b"\\x11\\x1e" + b"\\xff" * 100
else:
    packed = bytes(getattr(cramjam, {"br": "brotli"}.get(name, name)).compress(bytes(100_000_000), level=1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    got = unpacked(packed, [{"window": "zstd", "single": "zstd", "large br": "br"}.get(name, name)], limit)
    print(len(got[0]), got[1])
except ContentCodingError:
    print("refused")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("name", ["gzip", "br", "zstd", "window", "single", "large br"])
def test_a_hundred_megabytes_in_a_few_bytes_costs_no_memory(name: str) -> None:
    run = subprocess.run([sys.executable, "-c", BOMB, name], check=True, capture_output=True, text=True)
    outcome, mebibytes = run.stdout.splitlines()
    assert outcome in {"1000000 True", "refused"}
    assert int(mebibytes) < 40
