"""Definitions that change while a worker runs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import pytest

from connector.config_text.environment import Environment
from connector.definition.load import load_all
from connector.definition.watch import fingerprint
from connector.errors import DefinitionError, Problem
from connector.stream.control.reload import Reload


class Source:
    """Definitions that are edited, and may be wrong."""

    def __init__(self) -> None:
        self.definitions: Mapping[str, Any] = {"a": 1}
        self.loaded: object = 0
        self.seen = 0
        self.error: Exception | None = None
        self.loads = 0

    def edit(self, definitions: Mapping[str, Any] | None = None, error: Exception | None = None) -> None:
        self.definitions, self.error = definitions or self.definitions, error
        self.seen += 1

    def fingerprint(self) -> object:
        return self.seen

    def load(self) -> Mapping[str, Any]:
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.definitions


class User:
    """Keeps what it is given, and what it is told."""

    def __init__(self, define: Any, applied: list[Any], told: list[list[str]] | None = None) -> None:
        self.define = define
        self._applied = applied
        self._told = told if told is not None else []

    @property
    def definitions(self) -> Mapping[str, Any]:
        return self._applied[-1]

    def note_unused(self, places: Sequence[str]) -> None:
        self._told.append(list(places))


def bench(refuse: bool = False) -> tuple[Source, list[Mapping[str, Any]], Reload]:
    source = Source()
    applied = [source.definitions]

    def apply(definitions: Mapping[str, Any]) -> None:
        if refuse:
            raise DefinitionError([Problem("needs a restart")])
        applied.append(definitions)

    return source, applied, Reload(source, User(apply, applied))


async def test_nothing_is_loaded_as_long_as_no_file_changes_unless_asked_for():
    """Looking is cheap; SIGHUP loads in any case (a secret in the environment of a mounted file, say)."""
    source, applied, reload = bench()
    await reload.look(asked=False)
    assert source.loads == 0
    await reload.look(asked=True)
    assert source.loads == 1
    assert applied[1:] == [{"a": 1}]


async def test_an_edit_is_taken_over_once():
    """And the next look finds nothing new."""
    source, applied, reload = bench()
    source.edit({"a": 2})
    await reload.look(asked=False)
    await reload.look(asked=False)
    assert applied[1:] == [{"a": 2}]


@pytest.mark.parametrize("error", [DefinitionError([Problem("unknown key `methud`")]), OSError("disk")])
async def test_a_wrong_edit_changes_nothing_and_the_next_right_one_is_taken(error):
    """It is told about once, not at every look."""
    source, applied, reload = bench()
    source.edit(error=error)
    await reload.look(asked=False)
    await reload.look(asked=False)
    assert source.loads == 1
    assert applied[1:] == []
    source.edit({"a": 3})
    await reload.look(asked=False)
    assert applied[1:] == [{"a": 3}]


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (
            DefinitionError([Problem("`seven`", "mend it", "acme.yaml", "retry.attempts", 7)]),
            "acme.yaml:7: retry.attempts",
        ),
        (DefinitionError([Problem("no file at all")]), "the definitions"),
        (OSError("disk"), "they cannot be read: OSError"),
    ],
)
async def test_what_is_on_disk_and_not_in_use_is_told_until_it_is_used(error, place):
    """Where it is wrong, and nothing of what stands there: the page it is shown on has no login."""
    source = Source()
    told: list[list[str]] = []
    reload = Reload(source, User(lambda _: None, [{}], told))
    source.edit(error=error)
    await reload.look(asked=False)
    assert told == [[place]]
    source.edit({"a": 2})
    await reload.look(asked=False)
    assert told == [[place], []]


async def test_a_folder_that_cannot_be_looked_at_does_not_end_the_watching():
    source, applied, reload = bench()
    source.fingerprint = lambda: 1 / 0  # type: ignore[method-assign]
    await reload.look(asked=False)
    del source.fingerprint
    source.edit({"a": 2})
    await reload.look(asked=False)
    assert applied[1:] == [{"a": 2}]


async def test_what_a_running_worker_cannot_take_changes_nothing():
    """It says so like any other problem of a definition."""
    source, applied, reload = bench(refuse=True)
    source.edit({"a": 2})
    await reload.look(asked=False)
    assert applied[1:] == []


DEFINITION = """\
method: POST
url: https://sms.example.com/
headers: {{X-Key: "${{file:{secret}}}"}}
parameters: {{json: {{to: $$To, text: $$Body}}}}
"""


def test_whatever_a_definition_is_made_from_is_watched(tmp_path):
    """Its file, what it may extend beside it, a new one in the folder, and the files with its secrets."""
    secret = tmp_path / "secret"
    secret.write_text("one")
    folder = tmp_path / "definitions"
    folder.mkdir()
    (folder / "a.yaml").write_text(DEFINITION.format(secret=secret))
    environment = Environment(os.environ)
    definitions = load_all([folder], environment).values()

    def now() -> object:
        return fingerprint([folder], definitions, environment)

    seen = [now()]
    assert now() == seen[0]
    secret.write_text("three")
    seen.append(now())
    (folder / "b.yml").write_text("")
    seen.append(now())
    (folder / "a.yaml").unlink()
    seen.append(now())
    assert all(one != other for one, other in pairwise(seen))
