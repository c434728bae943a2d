"""What `connector/definition/patterns.py` takes from re2: the bindings say little, and their words are matched."""

from __future__ import annotations

import pytest
import re2


def options() -> re2.Options:
    made = re2.Options()
    made.log_errors = False
    made.max_mem = 1024 * 1024
    return made


def test_options_that_are_set_are_kept() -> None:
    pattern = re2.compile("a|b", options())
    assert pattern.options.max_mem == 1024 * 1024
    assert pattern.options.log_errors is False


def test_a_match_has_what_rules_read() -> None:
    pattern = re2.compile("(?P<b>x)?(?P<a>[0-9]+)", options())
    found = pattern.search("é12")
    assert (found.start(), found.end(), found.span()) == (1, 3, (1, 3))
    assert found.groupdict() == {"a": "12", "b": None}
    assert pattern.groupindex == {"a": 2, "b": 1}
    assert pattern.groups == 2
    assert [each.group() for each in pattern.finditer("1é2")] == ["1", "2"]
    assert pattern.search("z") is None


def test_sizes_grow_with_what_is_written() -> None:
    small, large = re2.compile("a", options()), re2.compile("a{500}", options())
    assert 0 < small.programsize < 10
    assert large.programsize > 500
    assert large.reverseprogramsize > 500


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("(?=a)", b"invalid perl operator: (?="),
        ("(?P=a)", b"invalid perl operator: (?P"),
        (r"\1", b"invalid escape sequence: \\1"),
        ("a++", b"bad repetition operator: ++"),
        ("a{1001}", b"invalid repetition size: {1001}"),
        ("(", b"missing ): ("),
        ("[", b"missing ]: ["),
    ],
)
def test_an_error_is_one_argument_of_bytes_in_known_words(source: str, said: bytes) -> None:
    with pytest.raises(re2.error) as caught:
        re2.compile(source, options())
    assert caught.value.args == (said,)


def test_text_with_half_a_surrogate_pair_is_refused_before_it_is_read() -> None:
    with pytest.raises(UnicodeEncodeError):
        re2.compile("a", options()).search("\ud83d")
