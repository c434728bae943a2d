"""Authorization that is part of the request. OAuth2 is the delivery client's: its token comes by network."""

from __future__ import annotations

import base64

from connector.definition.tree import BasicAuth


def basic(auth: BasicAuth) -> str:
    """The `Authorization` header of basic authentication (RFC 7617, in UTF-8)."""
    return "Basic " + base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
