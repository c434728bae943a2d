"""`sms-connector`, for which the certificates of SNS stand at a simulator: `python -m tests.integration.sns_at_home …`.

SNS_AT names it. Everything but where it is fetched from is as it is: the URL is checked, and so is the signature.
"""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from connector.cli.main import main
from connector.receive.fetching import HttpsFetch

_fetch = HttpsFetch.__call__


async def _fetch_at_home(self: HttpsFetch, url: str) -> bytes:
    there = urlsplit(url)
    return await _fetch(self, f"{os.environ['SNS_AT']}{there.path}?{there.query}")


if __name__ == "__main__":
    HttpsFetch.__call__ = _fetch_at_home  # type: ignore[method-assign]
    main(sys.argv[1:])
