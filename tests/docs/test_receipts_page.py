"""The page on receipts: a section per provider, its extensions as they stand, and its command on a sketch."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE
from connector.definition.load import load
from connector.receipts.callback import Callback, Meaning, MessageToken, State, Verified
from connector.receipts.receipt_reader import compile_receipts
from connector.settings.key_words import KEY_WORDS
from connector.tools.simulator.providers import PROVIDERS
from connector.tools.simulator.receipts.fate import FINAL, NetworkState, News, NewsKind, SentMessage
from connector.tools.simulator.receipts.reporter import CallbackAttempt
from tests.receipts.build import KEYS, NOW, URL, token
from tests.tooling.pages import ROOT, blocks, lines

PAGE = ROOT / "docs" / "receipts.md"
TEXT = PAGE.read_text("utf-8")
ENVIRONMENT = Environment({"MSG91_AUTHKEY": "hunter2", "VONAGE_API_KEY": "k", "VONAGE_API_SECRET": "hunter2"})


def reporting() -> set[str]:
    """Definitions of the catalogue that read receipts."""
    files = CATALOGUE.glob("*.yaml")
    loaded = [load(file, environment=Environment.placeholders()) for file in files]
    return {definition.name for definition in loaded if definition.receipts is not None}


def rows(heading: str) -> set[str]:
    """The providers in the table below a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ") and "---" not in line]
    return {name for cell in cells[1:] for name in re.findall(r"[a-z0-9]+(?:-[a-z]+)*", re.sub(r"\(#.*?\)", "", cell))}


def test_every_provider_that_reports_has_a_section_and_stands_in_both_tables() -> None:
    names = reporting()
    assert rows("Provider by provider") == names
    assert rows("How long Kafka may be away") >= names
    sections = set(re.findall("^### ([a-z0-9-]+)$", TEXT, re.MULTILINE))
    assert sections == names - {"smsindiahub-legacy"}


def test_those_without_receipts_are_named() -> None:
    without = {file.stem for file in CATALOGUE.glob("*.yaml")} - reporting()
    said = re.search(r"^(.*) have no `receipts`", TEXT, re.MULTILINE)
    assert said is not None
    assert set(re.split(", | and ", said[1])) == without


def test_the_words_of_the_page_are_those_that_count() -> None:
    found = dict[str, list[set[str]]]()
    for language, *cells in re.findall(r"^\| ([a-z]{2}) \| (.+) \| (.+) \| (.+) \|$", TEXT, re.MULTILINE):
        found[language] = [set() if cell == "–" else set(cell.split(", ")) for cell in cells]
    assert found == {language: [*map(set, words)] for language, words in KEY_WORDS.items()}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_the_other_version_of_msg91_is_read_as_the_page_extends_it(tmp_path: Path, state: NetworkState) -> None:
    (block,) = [block for block in blocks(PAGE) if "extends: msg91" in block.text]
    (tmp_path / "msg91.yaml").write_text(block.text)
    reader = compile_receipts(load(tmp_path / "msg91.yaml", environment=ENVIRONMENT), KEYS, public_url=URL)
    reporter = PROVIDERS["msg91"]().reporter
    assert reporter is not None
    sent = SentMessage("+919800000019", "346", NOW, ref=token("msg91"))
    knobs = type(PROVIDERS["msg91"].options().receipts)(version="v4")  # type: ignore[call-arg]
    news = News(sent, NewsKind.RECEIPT, state, NOW, 1)
    made = reporter.write(CallbackAttempt((news,), reader.url(), knobs, NOW, "n", "s"))
    path = made.url.removeprefix(URL)
    callback = Callback("POST", path, "", {"content-type": "application/json"}, made.body, NOW)
    verified = reader.verify(callback)
    assert isinstance(verified, Verified)
    (entry,) = reader.read(callback, verified).entries
    assert isinstance(entry.token, MessageToken)
    meaning = reader.meaning(entry.document)
    assert isinstance(meaning, Meaning)
    expected = {NetworkState.EXPIRED: State.UNDELIVERED}.get(state, State(state.value))
    assert (meaning.state, meaning.at) == (expected, NOW)


def test_its_command_signs_a_sketch_as_the_page_describes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (block,) = [block for block in blocks(PAGE) if block.language == "sh"]
    (line,) = lines(block)
    first = re.search(r"`(POST /m/twilio/\{receipt\} HTTP/1.1)`", TEXT)
    assert first is not None
    body = "MessageSid=SM1&MessageStatus=delivered"
    Path("sketch.http").write_text(f"{first[1]}\nContent-Type: application/x-www-form-urlencoded\n\n{body}")
    Path("connector.yaml").write_bytes(
        orjson.dumps({"receive": {"url": URL, "keys": ["hunter2-token-key-01"], "url_keys": ["hunter2-url-key-0001"]}})
    )
    program, *arguments = shlex.split(line)
    assert program == "sms-connector"
    account = {"TWILIO_ACCOUNT_SID": "AC1", "TWILIO_AUTH_TOKEN": "hunter2"}
    made = CliRunner().invoke(group, arguments, env=account)
    assert made.exit_code == 0, made.output
    assert made.output.startswith(f"curl -X POST {URL}/m/twilio/")
    assert "X-Twilio-Signature" in made.output
