# ruff: noqa: E501 - a table is read across
"""Whatever a file holds: an answer in bounded time, with place and remedy, and no traceback."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.files import CHAIN, FILE_BYTES, FILES
from connector.definition.findings import PROBLEMS
from connector.definition.load import OPERATIONS, load
from connector.errors import ConnectorError, DefinitionError

from .write import EMPTY, SOUND, loaded, problems_of

SECONDS = 10.0  # of CPU, for one definition: what docs/definition.md says
RULE = "- {status: 200, then: entries}"


def ruled(when: str) -> str:
    return SOUND.replace(RULE, f"{RULE}\n    - {{status: 500, when: {when}, then: reject}}")


def sent(value: str) -> str:
    return SOUND.replace("sender: ACME", f"sender: {value}")


BAD = "$${" + "To|default(" * 500 + "'x'" + ")" * 500 + "}"
TEXTS = {
    "20,000 parentheses": ruled('"' + "(" * 20_000 + "a" + ")" * 20_000 + '"'),
    "50,000 negations": ruled('"' + "!" * 50_000 + 'a"'),
    "2,000 negations": ruled('"' + "!" * 2_000 + 'a"'),
    "alternatives": ruled('"' + " || ".join(["a == 'b'"] * 500) + '"'),
    "calls": ruled('"' + "to_string(" * 500 + "a" + ")" * 500 + " == 'x'\""),
    "filters of a list": ruled('"' + "a[?" * 500 + "b" + "]" * 500 + '"'),
    "JSON in backticks": ruled("'a == `" + "[" * 4_000 + "]" * 4_000 + "`'"),
    "a number in brackets": ruled('"a[' + "9" * 6_000 + '] == \'x\'"'),
    "5,000 groups": SOUND.replace(RULE, f"{RULE}\n    - {{text: '{'(' * 5_000}{')' * 5_000}', then: reject}}"),
    "1,900 groups": SOUND.replace(RULE, f"{RULE}\n    - {{text: '{'(a)' * 600}', then: reject}}"),
    "repetitions": SOUND.replace(RULE, f"{RULE}\n    - {{text: '(a{{1000}}){{1000}}', then: reject}}"),
    "50,000 filters": sent('"$${Body' + "|upper" * 30_000 + '}"'),
    "500 filters": sent('"$${Body' + "|upper" * 500 + '}"'),
    "arguments of arguments": sent(f'"{BAD}"'),
    "pairs": sent('"$${Body|map(' + ",".join(f"a{n}=1" for n in range(10_000)) + ')}"'),
    "replacements": sent('"' + "$$a " * 50_000 + '"'),
    "20,000 operations": SOUND + "operations:\n" + "- {a: 1}\n" * 20_000,
    "2,000 operations": SOUND + "operations:\n" + "- {name: x}\n" * 2_000,
    "50,000 unknown keys": "\n".join(f"k{n}: 1" for n in range(50_000)),
    "9,000 unknown keys": SOUND + "\n".join(f"metho{n}: 1" for n in range(9_000)),
    "unknown keys in operations": SOUND + "operations:\n" + ("- {" + ", ".join(f"u{n}: 1" for n in range(90)) + "}\n") * 99,
    "rules that are wrong": SOUND.replace(RULE, RULE + "\n    - {stats: 200, then: rejct}" * 2_000),
    "rules": SOUND.replace(RULE, RULE + "\n    - {status: 500, when: a == 'b', then: reject}" * 1_500),
    "headers": SOUND + "headers: {" + ", ".join(f"a{n}: $$b" for n in range(4_000)) + "}",
    "a key of 100,000 characters": SOUND + "x" * 100_000 + ": 1\n",
    "long keys inside one another": "".join("  " * n + "x" * 900 + f"{n}:\n" for n in range(90)),
    "anchors": "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + "\n".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
    "lists in lists": "method: " + "[" * 100_000,
    "maps in maps": "method: " + "{a: " * 50_000,
    "JSON, lists in lists": SOUND.replace("  json:\n", "  json: |\n    " + "[" * 100_000 + "\n  x:\n"),
    "JSON, 60,000 values": "method: POST\nurl: https://a/b\nparameters:\n  json: |\n    [" + "1," * 60_000 + "1]\n",
    "JSON, many lines": "method: POST\nurl: https://a/b\nparameters:\n  json: |\n    [\n" + "    1,\n" * 9_000 + "    1]\n",
    "JSON, one key again and again": "method: POST\nurl: https://a/b\nparameters:\n  json: |\n    {"
    + '"a": 1,' * 9_000 + '"a": 1}\n',
    "NUL": "method: \0\n",
    "controls": "method: \x01\x02\n",
    "an open quote": "a: '\n" * 20_000,
    "dashes": "- " * 100_000,
    "blanks": " " * 250_000,
    "numbers": "a: " + "9" * 200_000,
    "a version of 5,000 digits": "%YAML 1." + "9" * 5_000 + "\n---\n" + SOUND,
    "a character beyond Unicode": sent(r'"\U00110000"'),
    "a character beyond 32 bits": SOUND + r'"\UFFFFFFFF": 1',
    "half of a pair, a value": sent(r'"\ud83d"'),
    "half of a pair, a name": SOUND + r'name: "\udc00"',
    "half of a pair, a key": SOUND + r'"\ud83d": 1',
    "half of a pair, an expression": ruled(r'"a == \"\ud800\""'),
    "controls in the middle": SOUND + "name: \x7f\n",
    "a path": "extends: /etc/passwd\n",
    "a long path": "extends: ./" + "x" * 5_000 + ".yaml\n",
    "a path with NUL": 'extends: "./\\0.yaml"\n',
    "references": sent("'" + "${A}" * 50_000 + "'"),
    "open references": sent("'" + "${" * 50_000 + "'"),
    "a date": sent("\"$${now()|date('" + "%Y" * 1_900 + "')}\""),
    "batching keys": SOUND.replace("key: msgs", "key: [" + ", ".join(["msgs"] * 5_000) + "]"),
    "a key path": SOUND.replace("key: msgs", "key: " + "a." * 50_000 + "b"),
}  # fmt: skip


def checked(*arguments: str) -> tuple[Result, float]:
    begun = time.thread_time()
    result = CliRunner().invoke(group, ["check", *arguments], catch_exceptions=True)
    return result, time.thread_time() - begun


def answered(result: Result) -> None:
    """No traceback: every exception is one of ours or the exit code."""
    assert result.exception is None or isinstance(result.exception, SystemExit | ConnectorError), result.exception


@pytest.mark.parametrize("name", TEXTS)
def test_every_file_is_answered_in_bounded_time_with_place_and_remedy(tmp_path: Path, name: str) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(TEXTS[name], encoding="utf-8")
    result, seconds = checked(str(file), "--no-environment")
    answered(result)
    assert seconds < SECONDS
    assert len(result.output) < 200_000
    errors = [line for line in result.output.splitlines() if line.startswith("  error: ")]
    assert len(errors) <= PROBLEMS + 1
    assert (result.exit_code == 78) == bool(errors)
    for error in errors:
        place, _, remedy = error.rpartition("; ")
        assert remedy, error
        assert "acme.yaml" in place
        if ": and " not in error:
            assert f"{file}:" in error or "the file" in error, error
            assert len(error) < 5_000


def test_half_of_a_character_is_told_in_every_format(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(SOUND + r'"\ud83d": 1', encoding="utf-8")
    for arguments in ([str(file)], [str(file), "--json"]):
        result, _ = checked(*arguments)
        answered(result)
        assert (result.exit_code, "half of a surrogate pair" in result.output) == (78, True)


def test_two_escapes_that_are_one_character_are_that_character(tmp_path: Path) -> None:
    definition = loaded(tmp_path, SOUND + r'about: {title: "\ud83d\ude00"}')
    assert definition.about["title"] == "\N{GRINNING FACE}"


def test_what_cannot_be_printed_is_told_with_line_and_column(tmp_path: Path) -> None:
    errors, _ = problems_of(tmp_path, "name: acme\nmethod: PO\0ST\n")
    assert [error.startswith("acme.yaml:2:11: ") for error in errors] == [True]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    errors, _ = problems_of(tmp_path, SOUND + "\n".join(f"k{n}: 1" for n in range(9_000)), environment=EMPTY)
    assert len(errors) == PROBLEMS + 1
    assert errors[-1].endswith("and 8,900 more; mend these first")


def test_warnings_are_counted_as_well(tmp_path: Path) -> None:
    rules = "".join(f"\n    - {{status: 500, when: a{n}, then: reject}}" for n in range(150))
    errors, warnings = problems_of(tmp_path, SOUND.replace(RULE, RULE + rules), environment=EMPTY)
    assert (errors, len(warnings)) == ([], PROBLEMS + 1)
    assert "and 50 more" in warnings[-1]


# ---- files that are none --------------------------------------------------------------------------------------------


def large(path: Path, size: int) -> None:
    with path.open("wb") as stream:
        stream.truncate(size)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: large(path, 100 * 1024**2), "larger than 256 KiB"),
        (lambda path: large(path, FILE_BYTES + 1), "larger than 256 KiB"),
        (lambda path: path.mkdir(), "holds no definition"),
        (os.mkfifo, "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
        (lambda path: path.symlink_to("/dev/null"), "no regular file"),
        (lambda path: path.symlink_to(path), "no such file"),
        (lambda path: path.symlink_to("nowhere"), "no such file"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "not UTF-8"),
        (lambda path: path.write_bytes("method: POST".encode("utf-16")), "not UTF-8"),
        (lambda path: path.write_bytes(b""), "empty"),
        (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), "not UTF-8"),
        (lambda path: path.write_bytes(b"a: \0"), "not YAML"),
        (lambda path: None, "no such file"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [["check"], ["render", "--event", "x.json"], ["reply", "--event", "x.json"]])
def test_what_is_no_definition_is_said_so(tmp_path: Path, make: object, said: str, command: list[str]) -> None:
    file = tmp_path / "acme.yaml"
    make(file)  # type: ignore[operator]
    begun = time.thread_time()
    result = CliRunner().invoke(group, [command[0], str(file), *command[1:]], catch_exceptions=True)
    answered(result)
    assert time.thread_time() - begun < 2
    assert result.exit_code != 0
    told = f"{result.output}{result.exception}"
    assert said in told or (command[0] != "check" and "folder" in told)


@pytest.mark.parametrize(
    "name",
    [
        "/dev/zero",
        "/dev/full",
        "/dev/tty0",
        "/proc/self/mem",
        "/etc/passwd",
        "/",
        "a\0b.yaml",
        "x" * 5_000,
        "../" * 3_000,
    ],
)
def test_paths_that_are_no_definitions_are_answered(name: str) -> None:
    result, seconds = checked(name)
    answered(result)
    assert (result.exit_code, seconds < 2) == (78, True)


@pytest.mark.parametrize("option", ["--body", "--event"])
@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nowhere", "/proc/self/mem"])
def test_inputs_of_other_commands_are_read_within_bounds(tmp_path: Path, option: str, path: str) -> None:
    (tmp_path / "acme.yaml").write_text(SOUND)
    given = {"--event": str(tmp_path / "e.json"), "--body": str(tmp_path / "b.json"), option: path}
    (tmp_path / "e.json").write_text('{"message_id": "m", "to": "+919812345678", "body": "hi"}')
    (tmp_path / "b.json").write_text("{}")
    arguments = [str(tmp_path / "acme.yaml"), *(each for pair in given.items() for each in pair)]
    result = CliRunner().invoke(group, ["reply", *arguments], catch_exceptions=True)
    assert isinstance(result.exception, ConnectorError | SystemExit)
    if option == "--event":
        arguments = [str(tmp_path / "acme.yaml"), "--event", path]
        answered(CliRunner().invoke(group, ["render", *arguments], catch_exceptions=True))


@pytest.mark.parametrize("path", ["/dev/zero", "/", "/nowhere", "/etc/shadow-"])
def test_imports_read_within_bounds(path: str) -> None:
    for command in (["import-curl", path], ["import-clevertap", path]):
        answered(CliRunner().invoke(group, command, catch_exceptions=True))


@pytest.mark.parametrize("name", TEXTS)
def test_settings_of_the_same_texts_are_answered(tmp_path: Path, name: str) -> None:
    file = tmp_path / "connector.yaml"
    file.write_text(TEXTS[name], encoding="utf-8")
    begun = time.thread_time()
    result = CliRunner().invoke(group, ["config", "check", "-c", str(file)], catch_exceptions=True)
    answered(result)
    assert result.exit_code != 0
    assert time.thread_time() - begun < SECONDS


def test_a_secret_is_no_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    resolved = Environment({}, tmp_path).resolve("${file:pipe}")
    assert "no regular file" in resolved.faults[0].message


def test_a_folder_of_too_many_definitions_is_refused(tmp_path: Path) -> None:
    for number in range(FILES + 1):
        (tmp_path / f"d{number}.yaml").touch()
    result, seconds = checked(str(tmp_path))
    assert f"more than {FILES:,} definitions" in result.output
    assert seconds < 2


# ---- extends --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "/etc/hostname.yaml",
        "../acme.yaml",
        "./../acme.yaml",
        "below/../../acme.yaml",
        "./link.yaml",
        "link",
        "./below/out.yaml",
    ],
)
def test_extends_reads_nothing_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    inside = tmp_path / "inside"
    (inside / "below").mkdir(parents=True)
    (tmp_path / "acme.yaml").write_text(SOUND)
    (inside / "link.yaml").symlink_to(tmp_path / "acme.yaml")
    (inside / "below" / "out.yaml").symlink_to("../../acme.yaml")
    errors, _ = problems_of(inside, f"extends: {name}\n")
    assert len(errors) == 1
    assert errors[0].startswith("acme.yaml:1:10: extends: ")
    assert "beside this one" in errors[0]
    assert "root:" not in errors[0]


def test_extends_reads_what_is_mounted_beside_it(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: each file is a link through a link."""
    (tmp_path / "..2025_01_01").mkdir()
    (tmp_path / "..data").symlink_to("..2025_01_01")
    for name, text in (
        ("base.yaml", SOUND),
        ("acme.yaml", "extends: base\n"),
        ("other.yaml", "extends: ./base.yaml\n"),
    ):
        (tmp_path / "..2025_01_01" / name).write_text(text)
        (tmp_path / name).symlink_to(f"..data/{name}")
    for name in ("acme", "other"):
        assert load(tmp_path / f"{name}.yaml", environment=EMPTY).operations[0].batching is not None


def test_a_chain_of_definitions_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "d0.yaml").write_text(SOUND)
    for number in range(1, 200):
        (tmp_path / f"d{number}.yaml").write_text(f"extends: d{number - 1}\n")
    with pytest.raises(DefinitionError, match=f"more than {CHAIN} definitions"):
        load(tmp_path / "d199.yaml", environment=EMPTY)
    load(tmp_path / f"d{CHAIN - 1}.yaml", environment=EMPTY)


def test_operations_have_an_end(tmp_path: Path) -> None:
    errors, _ = problems_of(tmp_path, SOUND + "operations:\n" + "- {name: x}\n" * (OPERATIONS + 1), environment=EMPTY)
    assert len(errors) == 1
    assert f"more than {OPERATIONS} operations" in errors[0]
