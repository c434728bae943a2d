# ruff: noqa: E501 - a table is read across
r"""Regular expressions of definitions: what RE2 does not know is explained, and what ours say is what `re` made of them."""

from __future__ import annotations

import re
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE
from connector.definition.load import load
from connector.definition.patterns import GROUPS, LENGTH, PatternError, compile_pattern
from tests.thorough import examples

from .write import EMPTY, FIXTURES, SOUND, problems_of

RULE = "- {status: 200, then: entries}"

REFUSED = [
    ("(?=a)", "looks ahead or behind ((?=…)", "use `when` or another rule"),
    ("a(?!b)", "looks ahead or behind ((?!…)", "use `when`"),
    ("(?<=a)b", "looks ahead or behind ((?<=…)", "use `when`"),
    ("(?<!a)b", "looks ahead or behind ((?<!…)", "use `when`"),
    (r"(a)\1", r"refers back to a group (\1)", "write out"),
    ("(?P<a>.)(?P=a)", "refers to a group", "write out"),
    ("(?>a)", "holds an atomic group", "write (?:…)"),
    ("a++", "repeats a repetition", "write it once"),
    ("a*+", "repeats a repetition", "write it once"),
    ("(?#c)a", "holds a comment", "# of the YAML"),
    ("(?x)a b", "holds a flag or group that is not known", "flags are i, m, s, U"),
    ("(?a)a", "holds a flag or group that is not known", "flags are i, m, s, U"),
    ("(?(1)a|b)", "holds a condition", "write alternatives"),
    (r"a\Z", r"holds \Z", "write $"),
    (r"\u20ac", r"holds \u", "write the character itself"),
    (r"\N{EURO SIGN}", r"holds \N", "write the character itself"),
    (r"\C", r"holds \C", "write ."),
    (r"a\\\C", r"holds \C", "write ."),
    (r"\h", r"holds a \ that means nothing", "write the character without"),
    ("a{1001}", "repeats more than 1,000 times", "{1000}"),
    ("(a{1000}){1000}", "repeats more than 1,000 times", "{1000}"),
    ("a{1000}b{1000}c{1000}", "is too large", "fewer or shorter repetitions"),
    ("(a)" * (GROUPS + 1), f"has {GROUPS + 1} groups", f"at most {GROUPS}"),
    ("(?:" * 400 + ")" * 400, "groups inside one another", f"at most {GROUPS}"),
    ("(" * 5000 + ")" * 5000, f"is longer than {LENGTH:,} characters", "several rules"),
    ("(?P<a>b)|(?P<a>c)", "names two groups alike", "another name"),
    ("(?P<>a)", "has a group without a name", "(?P<name>…)"),
    ("(", "has a ( that is not closed", "close it"),
    ("a)", "has a ) that nothing opens", "take it away"),
    ("[a", "has a [ that is not closed", "close it"),
    ("*a", "repeats nothing", r"\*"),
    ("[z-a]", "a range from a higher to a lower", "swap"),
    ("a\\", "ends with a \\", r"\\"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "message", "remedy"), REFUSED, ids=[row[0][:30] for row in REFUSED])
def test_what_re2_does_not_know_is_an_error_with_place_and_remedy(
    tmp_path: Path, pattern: str, message: str, remedy: str
) -> None:
    quoted = "'" + pattern.replace("'", "''") + "'"
    for rule in (f"{{status: 500, text: {quoted}, then: reject}}", f"{{header: {{x: {quoted}}}, then: reject}}"):
        errors, _ = problems_of(tmp_path, SOUND.replace(RULE, f"{RULE}\n    - {rule}"), environment=EMPTY)
        assert len(errors) == 1
        assert errors[0].startswith("acme.yaml:12:")
        assert message in errors[0]
        assert remedy in errors[0]
        assert len(errors[0]) < 600


def test_an_expression_that_stopped_a_worker_takes_no_time() -> None:
    begun = time.thread_time()
    pattern = compile_pattern("^(a+)+$")
    assert pattern.search("a" * 40 + "!") is None
    assert pattern.search("a" * 65_000 + "!") is None
    assert time.thread_time() - begun < 0.25


def shipped() -> list[tuple[str, str]]:
    """Every regular expression of the catalogue and of the tests' definitions."""
    found = []
    for file in (*sorted(CATALOGUE.glob("*.yaml")), *sorted(FIXTURES.rglob("*.yaml"))):
        for operation in load(file, environment=Environment.placeholders()).operations:
            if operation.response is not None:
                rules = [(rule.text, rule.header) for rule in operation.response.rules]
                rules += [(source.text, ()) for source in operation.response.entries]
                for text, header in rules:
                    found += [(file.stem, each) for each in (text, *(value for _, value in header)) if each]
    return sorted(set(found))


SHIPPED = shipped()

# Texts as providers write them, and what tells the two engines apart: blanks and digits beyond ASCII, line breaks.
WORDS = [
    "Failed#Login details not correct", "failed#invalid number", "OK 12345", "12345678", "  4711  ", "success | 919812345678 | 35-1",
    "error | 102 | Authentication failed", "error | 107 | 919812345678 | Bad", "0: Accepted for delivery", "WARNING userid", "credit low",
    "\n", "\r\n", " ", "#", "|", "é", "\u0967\u0968\u0969\u0970", "\u00a0", "\x0b", "ſ", "K", "İ", "=", "<html>", "a" * 30,
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(WORDS) | st.text(max_size=6), max_size=6).map("".join)


@pytest.mark.parametrize(("name", "source"), SHIPPED, ids=[f"{name}-{n}" for n, (name, _) in enumerate(SHIPPED)])
def test_shipped_expressions_say_what_they_said_to_re(name: str, source: str) -> None:
    """The same matches, groups and places in ASCII, a line break at the end left aside; see `decode_text`."""
    ours, theirs = compile_pattern(source), re.compile(source, re.ASCII)

    @settings(max_examples=examples(150), deadline=None)
    @given(TEXTS)
    def alike(text: str) -> None:
        text = text.encode("utf-8", "replace").decode().replace("\x0b", "").rstrip("\r\n")
        expected = [(found.span(), found.groupdict()) for found in theirs.finditer(text)]
        assert [(found.span(), found.groupdict()) for found in ours.finditer(text)] == expected
        first = ours.search(text)
        assert (None if first is None else (first.span(), first.groupdict())) == (expected[0] if expected else None)

    alike()


SAFE = st.sampled_from(
    ["a", "b", "[ab]", "[^a]", ".", r"\d", r"\s", "(?:ab|b)", "(a|b)", "^", "$", "é", "[é-ü]", r"\."]
)
TAILS = st.sampled_from(["", "*", "+", "?", "{2}", "{1,3}", "*?", "+?"])


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.tuples(SAFE, TAILS), max_size=6), st.text(alphabet="abé1 .\n", max_size=12))
def test_what_both_engines_know_means_the_same(parts: list[tuple[str, str]], text: str) -> None:
    source = "".join(part + ("" if part in "^$" else tail) for part, tail in parts)
    text = text.rstrip("\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = re.compile(source, re.ASCII).search(text)
    found = compile_pattern(source).search(text)
    assert (found and found.span()) == (theirs and theirs.span())


@pytest.mark.parametrize(
    ("source", "text", "matches"),
    [
        (r"^\d+$", "\u0967\u0968", False),  # digits are 0 to 9
        (r"^\w+$", "café", False),  # letters are A to Z; \pL is any
        (r"^\pL+$", "café", True),
        (r"a\sb", "a\u00a0b", False),
        (r"^OK$", "OK\n", False),  # `$` is the very end; replies come without the line break
        ("(?i)ÉCOLE", "école", True),
        ("(?m)^b$", "a\nb\nc", True),
        ("^.$", "😀", True),
    ],
)
def test_what_differs_from_re_is_as_the_page_says(source: str, text: str, matches: bool) -> None:
    assert (compile_pattern(source).search(text) is not None) is matches


def test_places_are_characters_and_half_a_surrogate_pair_is_read() -> None:
    found = compile_pattern("(?P<id>[0-9]+)").search("é😀\ud83d 12")
    assert found.span() == (4, 6)
    assert found.groupdict() == {"id": "12"}


@settings(max_examples=examples(300), deadline=None)
@given(st.text(alphabet="a(?P<=!>:)[]{}*+?|\\^$.,01Zz-dpLCQEuN", max_size=25))
def test_any_text_is_compiled_or_explained(source: str) -> None:
    error = refusal(source)
    assert error is None or (error.message and error.remedy)


def refusal(source: str) -> PatternError | None:
    try:
        compile_pattern(source)
    except PatternError as error:
        return error
    return None
