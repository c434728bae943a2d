"""`make pictures`: every page in both themes and three widths, for people to look at. No test: nothing is compared."""

from __future__ import annotations

import os

import pytest

from tests.browser.conftest import RunScript
from tests.browser.shown_console import SITUATIONS, shown

pytestmark = pytest.mark.timeout(300)


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_pictures(run_script: RunScript, situation: str) -> None:
    async with shown(situation) as url:
        await run_script("pictures.mjs", CONSOLE=url, SITUATION=situation, PICTURES=os.environ["PICTURES"])
