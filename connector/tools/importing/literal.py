"""A text as a definition writes it: literal `$$` and `${` escaped, a shell's variable as `${NAME}`."""

from __future__ import annotations

import re
from typing import Final

from connector.definition.expression import ExpressionError
from connector.definition.expression_text import split
from connector.tools.importing.shell import CLOSE, OPEN

_special = re.compile(rf"\$\$[A-Za-z_]\w*|\$\$\{{[^{{}}]*\}}|\$?\$\{{|\$\$|{OPEN}(\w+){CLOSE}")
_word = re.compile(r"[A-Z]+(?![a-z])[0-9]*|[A-Z]?[a-z]+[0-9]*|[0-9]+")

# Labels of host names that say nothing about whose it is.
_COMMON: Final = frozenset(
    str.split(
        "api apis www rest sms smsc http https gateway cloud control app apps portal my secure send messaging msg bulk"
        " enterprise co com net org gov ac in io uk eu us"
    )
)


def written(text: str) -> str:
    """`text` in the language: what is a replacement already (`$$To`) stays one."""
    return _special.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match.group()
    if match[1]:
        return f"${{{match[1]}}}"
    if found in ("${", "$${"):
        return f"$${{'{found}'}}"
    if found == "$$":
        return "$$$$"
    try:
        split(found)
    except ExpressionError:
        return f"$${{'$${{'}}{found[3:]}"
    return found


def plain_name(key: str) -> str:
    """A key without case and separators: `Phone_Number` and `phoneNumber` are one name."""
    return re.sub(r"[^a-z0-9]", "", key.lower())


def variable(*parts: str) -> str:
    """The name of an environment variable: `variable("acme", "apiKey")` is `ACME_API_KEY`."""
    found = [piece.upper() for part in parts for piece in _word.findall(part)]
    name = "_".join(found) or "SECRET"
    return name if not name[0].isdigit() else f"_{name}"


def provider_name(url: str) -> str:
    """What to call the provider at `url`: `https://api.acme.co.uk/send` is acme."""
    match = re.match(r"https?://([^/:?#]*)", url)
    host = re.sub(rf"[{OPEN}{CLOSE}]", "", match[1] if match is not None else "").lower()
    if re.fullmatch(r"[0-9.]*|[^.]*[{}<>\[\]].*", host):
        return "provider"
    labels = host.split(".")[:-1] or [host]
    telling = [label for label in labels if label not in _COMMON]
    return re.sub(r"[^a-z0-9-]", "", (telling or labels)[-1]) or "provider"
