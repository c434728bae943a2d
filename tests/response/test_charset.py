"""Replies in other charsets than UTF-8."""

from __future__ import annotations

import pytest

from connector.definition.tree import Response
from connector.response.reply_reader import compile_response
from tests.response.build import operation, read, reply, rule

JSON = '{"ok": "1", "msg": "提交成功"}'
XML = '<?xml version="1.0" encoding="{}"?><r><ok>1</ok><msg>提交成功</msg></r>'
XML_HEAD = "<?xml version='1.0' encoding='GB2312'?><r><ok>1</ok><msg>ok</msg></r>"


def outcome(body: bytes, content_type: str = "", charset: str | None = None) -> tuple[str, str | None]:
    rules = (
        rule("a", {"when": "ok == '1'", "then": "accept", "reason": "msg"}),
        rule("b", {"when": "r.ok == '1'", "then": "accept", "reason": "r.msg"}),
    )
    reader = compile_response(operation(Response(decode=("json", "xml"), rules=rules, charset=charset)))
    headers = {"content_type": content_type} if content_type else {}
    found = read(reader, reply(body, **headers)).outcomes[0]
    return found.then, found.reason


@pytest.mark.parametrize(("body", "content_type", "charset"), [
    (JSON.encode("gb18030"), "application/json; charset=GBK", None),
    (JSON.encode("gb18030"), 'text/html;charset="gb2312"', None),
    (JSON.encode("gb18030"), "", "gb18030"),
    (JSON.encode("gb18030"), "application/json; charset=utf-8", "gbk"),
    (JSON.encode("utf-16-le"), "", "utf-16-le"),
    (JSON.encode(), "application/json; charset=ISO-8859-1", None),
    (JSON.encode(), "application/json; charset=klingon", None),
    (XML.format("GBK").encode("gbk"), "", None),
    (b"\r\n" + XML.format("gb2312").encode("gbk"), "text/xml", None),
    (XML.format("utf-8").encode(), "text/xml; charset=gbk", None),
    (XML.format("GBK").encode("gbk"), "text/xml; charset=utf-8", None),
    (XML.replace(' encoding="{}"', "").encode("gbk"), "text/xml; charset=gbk", None),
])  # fmt: skip
def test_it_is_read_in_the_charset_that_it_names(body: bytes, content_type: str, charset: str | None) -> None:
    assert outcome(body, content_type, charset) == ("accept", "提交成功")


def test_ascii_under_a_declaration_of_another_charset_is_read() -> None:
    assert outcome(XML_HEAD.encode()) == ("accept", "ok")


@pytest.mark.parametrize("name", ["klingon", "utf-16", "rot13", "zlib", "gsm", "x" * 100])
def test_a_charset_that_is_none_changes_nothing(name: str) -> None:
    then, reason = outcome(XML.format(name).encode("gbk"))
    assert then == "unknown"
    assert reason is not None
    assert "cannot be decoded" in reason
    assert outcome(b'{"ok": "1", "msg": "a\xe9b"}', f"text/plain; charset={name}") == ("accept", "a�b")
