"""The console's pages in a real browser, over figures that are made up."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.browser.conftest import RunScript
from tests.browser.shown_console import shown

pytestmark = pytest.mark.timeout(300)


async def test_numbers_and_times_are_said_as_people_read_them(run_script: RunScript) -> None:
    await run_script("say.mjs")


@pytest.mark.parametrize("situation", ["busy", "empty", "away", "locked"])
async def test_every_page_is_for_everybody_in_every_theme_and_width(run_script: RunScript, situation: str) -> None:
    async with shown(situation) as url:
        await run_script("pages.mjs", CONSOLE=url, SITUATION=situation)


async def test_pages_can_be_used(run_script: RunScript) -> None:
    async with shown("busy") as url:
        await run_script("use.mjs", CONSOLE=url)


async def test_who_signs_in_sees_what_their_role_may_do(run_script: RunScript) -> None:
    async with shown("locked") as url:
        await run_script("sign_in.mjs", CONSOLE=url)


async def test_what_others_write_is_shown_and_does_nothing(run_script: RunScript) -> None:
    async with shown("hostile") as url:
        await run_script("hostile.mjs", CONSOLE=url)


async def test_studio_saves_undoes_and_says_what_differs(run_script: RunScript, tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    async with shown("busy", definitions=folder) as url:
        await run_script("saving.mjs", CONSOLE=url, FOLDER=str(folder))


async def test_pages_are_light_and_quick(run_script: RunScript) -> None:
    async with shown("busy") as url:
        said = await run_script("budget.mjs", CONSOLE=url)
    sys.stdout.write(said)  # the figures, with -s
