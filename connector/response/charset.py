"""Replies in charsets other than UTF-8, before they are decoded: everything behind this reads UTF-8.

What is UTF-8 is read as that, whatever a header says: servers write `charset=ISO-8859-1` beside it by default.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from connector.definition.charsets import CharsetError, charset

_FIRST_BYTES: Final = 200  # where an XML declaration ends at the latest
_xml_declaration = re.compile(
    rb"\s*<\?xml\s[^>]*?encoding\s*=\s*[\"']([A-Za-z][A-Za-z0-9._-]{0,40})[\"'][^>]*\?>"
).match
_charset_in = re.compile(r";\s*charset\s*=\s*[\"']?([^\s;\"']{1,40})", re.IGNORECASE).search

# What is called so in replies holds characters of the larger one: browsers read it so as well.
_LARGER: Final = {"gb2312": "gb18030", "gbk": "gb18030"}

_AS_THEY_ARE: Final = frozenset({"utf-8", "ascii", "gsm"})


def as_utf8(body: bytes, content_type: str | None, given: str | None, *, cut: bool) -> bytes:
    """`body` in UTF-8, where its charset is known and it can be read so; else as it is.

    The charset is the one the definition gives, that of the XML declaration, or that of Content-Type, which is asked
    only of what is no UTF-8. `cut`: the body is not whole, and may end within a character.
    """
    if body.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return body
    declared = _xml_declaration(body[:_FIRST_BYTES])
    named = given
    if named is None and declared is not None:
        named = declared[1].decode("ascii")
    elif named is None and content_type is not None and not _is_utf8(body):
        found = _charset_in(content_type)
        named = found[1] if found is not None else None
    if named is None:
        return body
    try:
        codec = charset(named).codec
        if codec in _AS_THEY_ARE and not (given and declared):
            return body
        text = codecs.getincrementaldecoder(_LARGER.get(codec, codec))("strict").decode(body, final=not cut)
    except (CharsetError, UnicodeError, LookupError):
        return body
    plain = text.encode("utf-8", "replace")
    declared = _xml_declaration(plain[:_FIRST_BYTES])
    return plain if declared is None else plain[declared.end() :]  # it would be read by what it declares


def _is_utf8(body: bytes) -> bool:
    if body.isascii():
        return True
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True
