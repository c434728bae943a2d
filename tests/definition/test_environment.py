"""References: `${NAME}`, its default, its optional form, and files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.config_text.environment import FILE_BYTES, Environment

ENVIRONMENT = Environment({"KEY": "se$$To${KEY}cret", "EMPTY": "", "HOST": "h"})


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("plain $ {KEY}", "plain $ {KEY}"),
        ("${HOST}", "h"),
        ("a${HOST}b${HOST}", "ahbh"),
        ("${NONE:-x y}", "x y"),
        ("${NONE:-}", ""),
        ("${EMPTY:-x}", "x"),
        ("${HOST:-x}", "h"),
        ("a${NONE?}b", "ab"),
        ("${HOST?}", "h"),
    ],
)
def test_references_are_replaced(text: str, resolved: str) -> None:
    found = ENVIRONMENT.resolve(text)
    assert (found.text, found.faults, found.optional) == (resolved, [], False)


def test_what_a_reference_brings_is_not_scanned_again() -> None:
    found = ENVIRONMENT.resolve("${KEY}")
    assert found.text == "se$$To${KEY}cret"
    assert found.secrets == {"${KEY}": "se$$To${KEY}cret"}


def test_a_text_that_is_one_optional_reference_is_left_out_when_it_is_not_set() -> None:
    assert ENVIRONMENT.resolve("${NONE?}").optional
    assert ENVIRONMENT.resolve("${EMPTY?}").optional


@pytest.mark.parametrize(
    ("text", "message", "position"),
    [
        ("a ${NONE}", "NONE is not set", 2),
        ("${EMPTY}", "EMPTY is empty", 0),
        ("${a-b}", "`${a-b}` is not understood", 0),
        ("${}", "not understood", 0),
        ("${NAME:?x}", "not understood", 0),
        ("x ${NAME", "not closed", 2),
        ("${file:/nowhere/at/all}", "cannot be read: No such file", 0),
    ],
)
def test_what_cannot_be_resolved_is_said_with_its_position(text: str, message: str, position: int) -> None:
    (fault,) = ENVIRONMENT.resolve(text).faults
    assert message in fault.message
    assert fault.position == position
    assert fault.remedy


def test_a_variable_that_is_not_utf_8_is_told() -> None:
    found = Environment({"KEY": os.fsdecode(b"caf\xe9")}).resolve("a ${KEY}")
    assert [fault.message for fault in found.faults] == ["the environment variable KEY is not UTF-8 text"]
    assert found.secrets == {}


def test_every_fault_is_found_at_once() -> None:
    assert len(ENVIRONMENT.resolve("${A} ${B} ${HOST} ${C}").faults) == 3


def test_a_file_is_read_without_its_last_line_break(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    environment = Environment({}, tmp_path)
    assert environment.resolve("Bearer ${file:token}").text == "Bearer hunter2"
    assert environment.resolve(f"${{file:{tmp_path}/token}}").secrets == {f"${{file:{tmp_path}/token}}": "hunter2"}


@pytest.mark.parametrize(
    ("data", "message"), [(b"", "is empty"), (b"\xff", "not UTF-8"), (b"x" * (FILE_BYTES + 1), "larger")]
)
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "token").write_bytes(data)
    (fault,) = Environment({}, tmp_path).resolve("${file:token}").faults
    assert message in fault.message


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a ${KEY}", "a ${KEY}"), ("${KEY:-x}", "${KEY}"), ("${KEY?}", "${KEY}"), ("${file:/x}", "${file:/x}")],
)
def test_for_showing_every_reference_stands_for_itself(text: str, shown: str) -> None:
    found = Environment.placeholders().resolve(text)
    assert (found.text, found.faults, found.optional) == (shown, [], False)
    assert found.secrets == {shown.removeprefix("a "): shown.removeprefix("a ")}


@given(st.text(alphabet=st.sampled_from("${}AB:-?file/ ")))
def test_any_text_is_resolved_or_explained(text: str) -> None:
    found = ENVIRONMENT.resolve(text)
    assert all(0 <= fault.position <= len(text) for fault in found.faults)
