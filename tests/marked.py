"""Marked values: whatever a test uses as a secret, a recipient or a text bears a mark, and every output is searched.

A secret contains `hunter2` (or is what every fake calls its own: `demo-secret`); a recipient is an Indian number; a
text contains TEXT. Searched are: what a unit test logs and prints, what a command prints to its caller, the output of
every process (tests/processes.py, tests/crash/run.py), every topic of a pipeline (`in_topics`), and every page that is
fetched (`page`). A hit fails the test. Fakes are not searched: they are the outside.
"""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote_plus

import pytest
from click.testing import CliRunner, Result

from tests.kafka.records import Record

SECRET = "hunter2"
TEXT = "only-for-your-eyes"
PASSWORD = f"{SECRET}-of-the-provider"
"""What tests' providers ask for; every connector process has it as PROVIDER_PASSWORD."""


def _encoded(word: str) -> Iterable[str]:
    """`word` as itself, and within any base64 text: three ways, by where in a group of three bytes it begins."""
    yield word
    for shift in range(3):
        code = base64.b64encode(b"\0" * shift + word.encode()).decode()
        yield code[-(-8 * shift // 6) : len(code.rstrip("=")) - (1 if code.endswith("=") else 0)]


_SECRETS = re.compile("|".join(re.escape(code) for word in (SECRET, "demo-secret") for code in _encoded(word)))
_PRIVATE = re.compile(rf"(?<![\w.-])\+?91[0-9]{{10,13}}(?![\w-])|{TEXT}")


def readings(text: str) -> Iterator[str]:
    """`text` as it is, and as whoever reads it may decode it: written without looking at the connector's own search."""
    seen, waiting = set(), [text]
    while waiting and len(seen) < 200:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        yield each
        waiting += [html.unescape(each), unquote_plus(each), unquote_plus(each.replace("=", "%"))]
        waiting.append(re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), each))
        for run in re.findall(r"[0-9A-Fa-f]{8,}", each):
            data = bytes.fromhex(run[: len(run) // 2 * 2])
            waiting += [data.decode("utf-8", "ignore"), data.decode("utf-16-be", "ignore")]
        for run in re.findall(r"[A-Za-z0-9+/_-]{12,}", each):
            for start in range(4):
                padded = run[start:].replace("-", "+").replace("_", "/")
                padded = padded[: len(padded) // 4 * 4]
                waiting.append(base64.b64decode(padded).decode("utf-8", "ignore"))


def secrets_in(text: str) -> list[str]:
    """Secrets in anything that is written."""
    return [_around(text, hit) for hit in _SECRETS.finditer(text)]


def private_in(text: str) -> list[str]:
    """Secrets, recipients and texts, in what may hold none of them: logs, errors and pages."""
    return secrets_in(text) + [_around(text, hit) for hit in _PRIVATE.finditer(text)]


def page(text: str) -> str:
    """A page as it is; fails where it shows something private."""
    assert not (hits := private_in(text)), f"a page shows {hits}"
    return text


def in_topics(records: Iterable[Record], *, results: str, journals: Collection[str]) -> list[str]:
    """Secrets in any topic; recipients and texts in headers, in the journal, and in results but for `to`."""
    hits = []
    for record in records:
        headers = " ".join(f"{name}={value.decode(errors='replace')}" for name, value in record.headers.items())
        value = (record.value or b"").decode(errors="replace")
        found = secrets_in(f"{(record.key or b'').decode(errors='replace')} {value}") + private_in(headers)
        if record.topic == results:
            result = json.loads(value)
            found += private_in(json.dumps({**result, "to": None}, ensure_ascii=False))
            found += [hit for name in ("code", "reason") for hit in _echoed(result.get(name) or "")]
        elif record.topic in journals:
            found += private_in(value)
        hits += [f"{record.topic}/{record.partition}/{record.offset}: {hit}" for hit in found]
    return hits


@cache
def _echoed(words: str) -> tuple[str, ...]:
    """What a provider's words show under any encoding."""
    return tuple(hit for reading in readings(words) for hit in private_in(reading))


def _around(text: str, hit: re.Match[str]) -> str:
    return text[max(0, hit.start() - 60) : hit.end() + 20].replace("\n", "\\n")


# ---- unit tests -----------------------------------------------------------------------------------------------------


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test has logged and printed."""
    report = yield
    if report.passed and item.get_closest_marker("shows_secrets") is None:
        hits = [f"{name}: {hit}" for name, text in report.sections for hit in secrets_in(text)]
        if hits:
            report.outcome = "failed"
            report.longrepr = "\n".join(["a secret is shown:", *hits])
    return report


def _watched(invoke: Callable[..., Result]) -> Callable[..., Result]:
    def watched(self: CliRunner, *args: Any, **kwargs: Any) -> Result:
        result = invoke(self, *args, **kwargs)
        hits = secrets_in(f"{result.output}\n{result.exception}")
        assert not hits, f"a command shows {hits}"
        return result

    return watched


CliRunner.invoke = _watched(CliRunner.invoke)  # type: ignore[method-assign]
