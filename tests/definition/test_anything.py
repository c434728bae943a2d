"""Whatever a file holds, it is loaded or explained: no other exception, and every problem has a place."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.keys import DEFINITION
from connector.definition.load import load
from connector.definition.shape import Kinds, ListOf, Record, Shape
from connector.errors import DefinitionError
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from tests.thorough import examples

from .write import FIXTURES

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-2, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from([
        "$$To", "$$Body", "$${To|digits}", "$${x?}", "a $$CampaignID b", "$$", "${A}", "${A?}", "none", ".", "msgs",
        "GET", "POST", "https://a/b", "https://$$To/", "json", "accept", "entries", "rest", "5s", "10/s", "a == 'b'",
        "a[", "(?P<x>.)", "09:00 UTC", "2xx", "\ud7ff\x00", '{"a": "$$To"}', '{"a": ',
    ]),
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["...", "$json", "a", "$$To", "To|digits", "min", "max"]) | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


def shaped(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, sometimes anything."""
    if hasattr(shape, "record"):
        shape = shape.record
    if isinstance(shape, Record) and depth < 4:
        keys = {key.name: shaped(key.shape, depth + 1) for key in shape.keys.values() if key.name != "extends"}
        return st.fixed_dictionaries({}, optional=keys)
    if isinstance(shape, Kinds):
        options = [st.fixed_dictionaries({key.name: shaped(key.shape, depth + 1)}) for key in shape.keys.values()]
        return st.one_of(*options, ANYTHING)
    if isinstance(shape, ListOf):
        return st.lists(shaped(shape.shape, depth + 1), max_size=2) | ANYTHING
    return ANYTHING


def explained(text: str) -> None:
    """Load `text` and compile what comes of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "acme.yaml"
        file.write_text(text, encoding="utf-8")
        for environment in (Environment({"A": "value"}), Environment.placeholders()):
            try:
                definition = load(file, environment=environment)
            except DefinitionError as error:
                problems = error.problems
            else:
                problems = ()
                for operation in definition.operations:
                    compiled(operation)
            assert all(problem.message and problem.file == str(file) for problem in problems)


def compiled(operation: Any) -> None:
    """What loads may still be refused by the compilers, in the same words."""
    for compiler in (compile_operation, compile_response):
        try:
            compiler(operation)
        except DefinitionError:
            continue


@settings(max_examples=examples(100))
@given(shaped(DEFINITION))
def test_any_structure_is_loaded_or_explained(structure: Any) -> None:
    explained(json.dumps(structure, ensure_ascii=False))


@settings(max_examples=examples(80))
@given(st.sampled_from(sorted(FIXTURES.glob("*.yaml"))), st.data())
def test_a_draft_with_a_piece_cut_out_is_loaded_or_explained(file: Path, data: st.DataObject) -> None:
    text = file.read_text("utf-8")
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(start + 30, len(text))))
    explained(text[:start] + text[end:])
