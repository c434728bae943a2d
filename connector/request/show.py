"""A request as text for people: as it goes over the wire, or as a curl command.

Meant for requests of a definition that was loaded with `Environment.placeholders()`: every secret is a `${NAME}` in it,
and stands here as that, also where it was percent-encoded or made part of basic authorization.
"""

from __future__ import annotations

import base64
import binascii
import re
import shlex
from collections.abc import Collection
from urllib.parse import quote

import msgspec

from connector.model import Request

_ARGUMENT_BYTES = 100_000
"""Linux refuses a single argument of 128 KiB (MAX_ARG_STRLEN)."""

_any_reference = re.compile(r"(?:\$|%24)(?:\{|%7B)([A-Za-z_][A-Za-z0-9_]*)(?:\}|%7D)")
_variable = re.compile(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})")
_control = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # would move the cursor, not show; a NUL ends an argument


def show(request: Request, references: Collection[str] | None = None) -> str:
    """The request line, headers and body, as text.

    `references` are the `${…}` of the definition (the keys of its `secrets`): only they are written back. Without them
    whatever looks like one is.
    """
    request = legible(request, references)
    lines = [f"{request.method} {request.url}", *(f"{name}: {value}" for name, value in request.headers)]
    if request.body:
        text = request.body.decode(errors="backslashreplace").replace("\r\n", "\n")
        lines += ["", _control.sub(lambda match: f"\\x{ord(match.group()):02x}", text)]
    return "\n".join(lines)


def curl(request: Request, references: Collection[str] | None = None) -> str:
    """A shell command that sends the request. `${NAME}` is left for the shell to fill in, everything else is quoted."""
    shown = legible(request, references)
    # Braces and brackets in a URL are curl's own patterns unless it is told otherwise.
    start = "curl --globoff" if re.search(r"[\[\]{}]", shown.url) else "curl"
    words = [f"{start} -X {request.method} {_word(shown.url, references)}"]
    for name, value in shown.headers:
        if (pair := _shown_pair(value)) is not None:
            words.append(f"-u {_word(pair, references)}")
        else:  # curl leaves out a header without value unless it ends in a semicolon
            words.append(f"-H {_word(f'{name}: {value}' if value else f'{name};', references)}")
    if not shown.body:
        return " \\\n  ".join(words)
    text = _decoded(shown.body)
    if text is not None and len(shown.body) <= _ARGUMENT_BYTES and not _control.search(text):
        return " \\\n  ".join([*words, f"--data-raw {_word(text, references)}"])
    # What no argument can hold goes through a pipe.
    command = " \\\n  ".join(["base64 -d <<'END' | " + words[0], *words[1:], "--data-binary @-"])
    return f"{command}\n{base64.encodebytes(shown.body).decode()}END"


def legible(request: Request, references: Collection[str] | None = None) -> Request:
    """The request with every reference written `${NAME}`, wherever encoding had hidden it."""
    pattern = _any_reference if references is None else _pattern_of(references)

    def written(text: str) -> str:
        return pattern.sub(lambda match: _written(match.group()), text) if pattern is not None else text

    headers = tuple((name, _basic(name, value) or value) for name, value in request.headers)
    body = request.body
    if body and any(name.lower() == "content-type" and "urlencoded" in value for name, value in headers):
        body = written(body.decode("latin-1")).encode("latin-1")
    return msgspec.structs.replace(request, url=written(request.url), headers=headers, body=body)


def _pattern_of(references: Collection[str]) -> re.Pattern[str] | None:
    forms = {form for reference in references for form in (quote(reference, safe=""), quote(reference, safe="$:/"))}
    return re.compile("|".join(re.escape(form) for form in sorted(forms, key=len, reverse=True))) if forms else None


def _written(form: str) -> str:
    for encoded, plain in (("%24", "$"), ("%7B", "{"), ("%7D", "}"), ("%3A", ":"), ("%2F", "/")):
        form = form.replace(encoded, plain)
    return form


def _basic(name: str, value: str) -> str | None:
    """Basic authorization that holds references (and so no secret), legible."""
    if name.lower() != "authorization" or not value.startswith("Basic "):
        return None
    try:
        pair = base64.b64decode(value[6:], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return f"Basic base64({pair})" if "${" in pair else None


def _shown_pair(value: str) -> str | None:
    return value[13:-1] if value.startswith("Basic base64(") and value.endswith(")") else None


def _decoded(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _word(text: str, references: Collection[str] | None) -> str:
    """One shell word: single quotes, but the definition's `${NAME}` in double quotes."""
    quoted = ""
    literal = ""
    for piece in _variable.split(text):
        if _variable.fullmatch(piece) and (references is None or piece in references):
            quoted += (shlex.quote(literal) if literal else "") + f'"{piece}"'
            literal = ""
        else:
            literal += piece
    return quoted + (shlex.quote(literal) if literal or not quoted else "")
