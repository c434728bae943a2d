"""A curl command as a `HttpCall`.

The options are curl's own. getopt reads them, not argparse: like curl it gives an option the next word whatever that
begins with, where argparse refuses `-d -1` and swallows the `=` of `-d=x`.
"""

from __future__ import annotations

import base64
import binascii
import getopt
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, get_args
from urllib.parse import parse_qsl, quote, quote_plus, unquote

from connector.definition.tree import Method
from connector.errors import UsageError
from connector.tools.importing.http_call import HttpCall, json_tree, looks_like_json, pairs_tree, xml_tree
from connector.tools.importing.shell import CLOSE, OPEN, words

# Short to long, for what is read; then what changes nothing in the request; then what is said to be left out.
_SHORT: Final = {
    "X": "request", "H": "header", "d": "data", "F": "form", "G": "get", "u": "user", "A": "user-agent",
    "e": "referer", "b": "cookie", "k": "insecure", "L": "location", "I": "head", "T": "upload-file", "x": "proxy",
    "E": "cert", "m": "max-time", "o": "output", "w": "write-out", "D": "dump-header", "c": "cookie-jar",
    "s": "silent", "S": "show-error", "i": "include", "v": "verbose", "f": "fail", "g": "globoff", "N": "no-buffer",
    "0": "http1.0", "4": "ipv4", "6": "ipv6", "#": "progress-bar", "O": "remote-name", "j": "junk-session-cookies",
}  # fmt: skip
_WITH_VALUE: Final = {
    "request", "header", "data", "data-raw", "data-ascii", "data-binary", "data-urlencode", "json", "form",
    "form-string", "user", "url", "url-query", "user-agent", "referer", "cookie", "oauth2-bearer", "upload-file",
    "proxy", "cert", "key", "cacert", "max-time", "connect-timeout", "retry", "retry-delay", "retry-max-time",
    "output", "write-out", "dump-header", "cookie-jar", "limit-rate", "resolve", "interface", "ciphers",
    "trace-ascii", "trace", "stderr", "proxy-user", "config", "key-type", "cert-type", "pass", "aws-sigv4",
}  # fmt: skip
_WITHOUT_VALUE: Final = {
    "get", "head", "insecure", "location", "silent", "show-error", "include", "verbose", "fail", "fail-with-body",
    "globoff", "no-buffer", "http1.0", "http1.1", "http2", "http3", "ipv4", "ipv6", "progress-bar", "remote-name",
    "compressed", "basic", "tlsv1.2", "tlsv1.3", "ssl", "ssl-reqd", "junk-session-cookies", "no-progress-meter",
    "digest", "ntlm", "anyauth", "next", "path-as-is", "retry-all-errors", "no-keepalive", "tcp-nodelay",
}  # fmt: skip
_HEADERS: Final = {"header": "", "user-agent": "User-Agent: ", "oauth2-bearer": "Authorization: Bearer "}
_LEFT_OUT: Final = {
    "insecure": "certificates are verified; `http: {ca: FILE}` trusts one of your own",
    "location": "redirects are never followed when sending: write the URL it leads to",
    "cookie": "cookies belong to a browser's session",
    "proxy": "write `http: {proxy: URL}`",
    "cert": "write `http: {certificate: FILE, key: FILE}`",
    "key": "write `http: {certificate: FILE, key: FILE}`",
    "cacert": "write `http: {ca: FILE}`",
    "max-time": "write `http: {total: 30s}`",
    "connect-timeout": "write `http: {connect: 10s}`",
}
_REFUSED: Final = {
    "upload-file": "it uploads a file, which is no SMS",
    "head": "it asks for headers only",
    "digest": "digest authentication is not known to a definition",
    "ntlm": "NTLM authentication is not known to a definition",
    "anyauth": "name the authentication: basic, or a header",
    "next": "there are two commands: import them one by one",
    "aws-sigv4": "write `auth: {sigv4: {service: …, region: …}}`",
}
# What the HTTP client writes itself, or what only tells browsers and tools apart.
_NOT_HEADERS: Final = re.compile(
    "host|content-length|connection|transfer-encoding|te|trailer|upgrade|accept-encoding|expect|postman-token|cookie"
    "|origin|referer|priority|pragma|sec-.*",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Options:
    """What the command says, option by option."""

    method: str = ""
    urls: list[str] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    data: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)
    form: list[tuple[str, str]] = field(default_factory=list)
    user: str | None = None
    json: bool = False
    get: bool = False
    encoded: bool = False
    notes: list[str] = field(default_factory=list)


def read_command(command: str | Sequence[str]) -> HttpCall:
    """The request of a command line, or of its words. Raises UsageError."""
    return _call(_options(words(command) if isinstance(command, str) else list(command)))


# ---- options --------------------------------------------------------------------------------------------------------


def _options(given: list[str]) -> _Options:
    start = next((i for i, word in enumerate(given) if word == "curl" or word.endswith(("/curl", "curl.exe"))), -1)
    given = given[start + 1 :]
    if not given:
        raise UsageError("there is no curl command: paste it as the documentation shows it")
    short = "".join(key + (":" if name in _WITH_VALUE else "") for key, name in _SHORT.items())
    long = [*(f"{name}=" for name in _WITH_VALUE), *_WITHOUT_VALUE]
    try:
        options, rest = getopt.gnu_getopt(given, short, long)
    except getopt.GetoptError as error:
        remedy = "leave it out, if it does not change the request" if "not recognized" in error.msg else "complete it"
        raise UsageError(f"curl's {error.msg}; {remedy}") from None
    read = _Options(urls=[word for word in rest if word.strip()])
    for option, value in options:
        _take(read, option[2:] if option.startswith("--") else _SHORT[option[1:]], value)
    return read


def _take(read: _Options, name: str, value: str) -> None:
    match name:
        case "request":
            read.method = value.upper()
        case "url":
            read.urls.append(value)
        case "user":
            read.user = value
        case "get":
            read.get = True
        case _ if name in _HEADERS:
            read.headers.append(_HEADERS[name] + value)
        case _ if name in _REFUSED:
            raise UsageError(f"curl's --{name}: {_REFUSED[name]}")
        case _ if name in _LEFT_OUT:
            read.notes.append(f"--{name} is left out: {_LEFT_OUT[name]}")
        case _:
            _take_data(read, name, value)


def _take_data(read: _Options, name: str, value: str) -> None:
    match name:
        case "json" | "data" | "data-ascii" | "data-binary":
            read.json = read.json or name == "json"
            read.data.append(_not_a_file(name, value))
        case "data-raw":
            read.data.append(value)
        case "data-urlencode":
            read.encoded = True
            read.data.append(_encoded(value))
        case "url-query":
            read.query.append(value[1:] if value.startswith("+") else _encoded(value))
        case "form" | "form-string":
            key, _, content = value.partition("=")
            if name == "form":
                _not_a_file(name, content)
                content = re.sub(r';(type|filename|encoder)=[^;"]*$', "", content).strip('"')
            read.form.append((key, content))


def _not_a_file(name: str, value: str) -> str:
    if value.startswith("@") or (name == "form" and value.startswith("<")):
        raise UsageError(f"--{name} reads a file ({value}): put its text there instead")
    return value


def _encoded(value: str) -> str:
    """A `--data-urlencode`: `content`, `=content` or `name=content`."""
    name, equals, content = value.partition("=")
    if not equals:
        _not_a_file("data-urlencode", value)
        return quote_plus(value)
    return f"{name}={quote_plus(content)}" if name else quote_plus(content)


# ---- the request ----------------------------------------------------------------------------------------------------


def _call(read: _Options) -> HttpCall:
    call = HttpCall(method="GET", url="", notes=read.notes)
    _url(read, call)
    content_type = _headers(read, call)
    if read.user is not None:
        name, _, password = read.user.partition(":")
        call.user = (name, password)
    data = read.data
    if read.get and data:
        call.query.update(pairs_tree(_pairs("&".join(data)), call.notes))
        data = []
    call.method = read.method or ("POST" if (data or read.form) and not read.get else "GET")
    if call.method not in get_args(Method):
        raise UsageError(f"the method is {call.method}: a definition sends {', '.join(get_args(Method))}")
    if read.form:
        call.kind, call.body = "multipart", pairs_tree(read.form, call.notes)
        call.headers = {name: value for name, value in call.headers.items() if name.lower() != "content-type"}
    elif data:
        _body(("" if read.json else "&").join(data), content_type or ("json" if read.json else ""), read, call)
    if call.method == "GET":
        _get(call)
    return call


_parts = re.compile(r"(?:(https?)://)?(?:([^/?#@]*)@)?([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.IGNORECASE)


def _url(read: _Options, call: HttpCall) -> None:
    if len(read.urls) != 1:
        found = "no URL" if not read.urls else f"{len(read.urls)} words that may be the URL ({', '.join(read.urls)})"
        raise UsageError(f"the command has {found}: it takes one, quoted if it holds & or ?")
    written = read.urls[0].strip().strip("<>")
    parts = _parts.match(written)
    assert parts is not None  # everything in it is optional
    scheme, user, host, path, query = parts.groups(default="")
    if not host or ("://" in written and not scheme):
        raise UsageError(f"`{written}` is no HTTP URL: write https://host/path")
    if not scheme:
        call.notes.append("the URL has no scheme: https is assumed")
    if user:
        name, _, password = user.partition(":")
        call.user = (unquote(name), unquote(password))
    # A definition holds the URL as it is sent; a mark is no text.
    path = re.sub(rf"[^\x21-\x7e{OPEN}{CLOSE}]", lambda match: quote(match.group()), path)
    call.url = f"{(scheme or 'https').lower()}://{host}{path}"
    if "&amp;" in query:
        call.notes.append("`&amp;` in the URL is read as `&`")
        query = html.unescape(query)
    call.query = pairs_tree(_pairs("&".join([query, *read.query])), call.notes)


def _pairs(text: str) -> list[tuple[str, str]]:
    return parse_qsl(text, keep_blank_values=True)


def _headers(read: _Options, call: HttpCall) -> str:
    """Fill in the headers that are the definition's business; gives the content type."""
    content_type = ""
    for line in read.headers:
        name, colon, value = line.partition(":")
        name, value = name.strip(), value.strip()
        if not colon:
            if not line.endswith(";"):
                call.notes.append(f"the header `{line}` is left out: it has no `:`")
            continue
        if name.lower() == "content-type":
            content_type = value
        if _NOT_HEADERS.fullmatch(name) or not value:
            call.notes.append(f"the header `{name}` is left out")
        elif name.lower() == "authorization" and (pair := _basic(value)) is not None:
            call.user = pair
        else:
            call.headers[name] = value
    if read.json and not any(name.lower() == "accept" for name in call.headers):
        call.headers["Accept"] = "application/json"
    return content_type


def _basic(value: str) -> tuple[str, str] | None:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(token.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _body(text: str, content_type: str, read: _Options, call: HttpCall) -> None:
    said = content_type.lower()
    if "json" in said or (looks_like_json(text) and not read.encoded):
        if "json" not in said:
            call.notes.append("the command does not say so, but the body is JSON")
            _drop_content_type(call)
        call.kind, call.body = "json", json_tree(text)
        _drop_default(call, "application/json")
    elif "xml" in said or text.lstrip().startswith("<"):
        call.kind, call.body = "xml", xml_tree(text)
        if "xml" not in said:
            _drop_content_type(call)
    elif "text/plain" in said or "=" not in text:
        call.kind, call.body = "text", text
    else:
        call.kind, call.body = "pairs", pairs_tree(_pairs(text), call.notes)
        _drop_default(call, "application/x-www-form-urlencoded")


def _drop_content_type(call: HttpCall) -> None:
    for name in [name for name in call.headers if name.lower() == "content-type"]:
        del call.headers[name]


def _drop_default(call: HttpCall, default: str) -> None:
    """A content type that goes without saying."""
    goes_without_saying = re.compile(rf"{re.escape(default)}(;\s*charset=utf-?8)?", re.IGNORECASE)
    for name, value in list(call.headers.items()):
        if name.lower() == "content-type" and goes_without_saying.fullmatch(value):
            del call.headers[name]


def _get(call: HttpCall) -> None:
    """A GET has no body: its pairs, wherever they stood, are its parameters."""
    if call.kind not in ("none", "pairs"):
        raise UsageError(f"a GET with a body of {call.kind}: write -X POST, if the provider takes that")
    if call.kind == "pairs":
        call.notes.append("the pairs of a GET's body are sent in the URL")
        call.query |= call.body
    _drop_content_type(call)
    call.kind, call.body, call.query = "pairs", call.query, {}
