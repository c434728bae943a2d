"""The console's pages in a real browser, over figures that are made up. BROWSER_PICTURES=folder keeps pictures."""

from __future__ import annotations

import os
import sys

import pytest

from tests.browser.conftest import RunScript
from tests.browser.shown_console import shown

pytestmark = pytest.mark.timeout(300)


async def test_numbers_and_times_are_said_as_people_read_them(run_script: RunScript) -> None:
    await run_script("say.mjs")


@pytest.mark.parametrize("situation", ["busy", "empty", "away", "locked"])
async def test_every_page_is_for_everybody_in_every_theme_and_width(run_script: RunScript, situation: str) -> None:
    async with shown(situation) as url:
        await run_script("pages.mjs", CONSOLE=url, SITUATION=situation, PICTURES=os.environ.get("BROWSER_PICTURES", ""))


async def test_pages_can_be_used(run_script: RunScript) -> None:
    async with shown("busy") as url:
        await run_script("use.mjs", CONSOLE=url)


async def test_pages_are_light_and_quick(run_script: RunScript) -> None:
    async with shown("busy") as url:
        said = await run_script("budget.mjs", CONSOLE=url)
    sys.stdout.write(said)  # the figures, with -s
