"""Every configuration and every command of the documents is used as it stands; here those that need no Kafka."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from connector.cli.main import group
from connector.settings import load_settings
from tests.processes import StartConnector
from tests.tooling.pages import ROOT, Block, blocks, lines

PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md"), ROOT / "deploy" / "README.md"])

# Where the commands of a page are run. A page that gets its first one needs an entry, and what it promises.
RUN_BY = {
    "README.md": "tests/integration/test_pages.py",
    "clusters.md": "tests/docs/test_pages.py",
    "definition.md": "tests/definition/test_page.py",
    "lanes.md": "tests/integration/test_steering_on_kafka.py",
    "migrating.md": "tests/docs/test_pages.py",
    "operations.md": "tests/integration/test_pages.py",
    "personal-data.md": "tests/integration/test_forgetting.py",
    "providers.md": "tests/docs/test_pages.py",
    "receipts.md": "tests/docs/test_receipts_page.py",
    "quickstart.md": "tests/newcomer/test_quickstart.py",
    "scaling.md": "tests/integration/test_pages.py",
    "second-cluster.md": "tests/integration/test_second_cluster.py",
    "security.md": "tests/docs/test_pages.py",
    "signing.md": "tests/definition/test_page.py",
    "simulator.md": "tests/docs/test_pages.py",
    "studio.md": "tests/web/test_studio_alone.py",
    "tutorial.md": "tests/definition/test_page.py",
    "upgrading.md": "tests/newcomer/test_upgrading.py",
}
HERE = ("clusters.md", "migrating.md", "providers.md", "security.md")

# First words of lines that nothing here runs, and what looks after them instead.
NOT_RUN = {
    "make": "tests/tooling/test_documents.py: the targets exist",
    "pip": "requirements/venv, used by make",
    "docker": "tests/tooling/test_containers.py: the files against their schema",
    "kubectl": "tests/deploy/test_readme.py: every name and file; the manifests against their schema",
    "helm": "tests/deploy/test_readme.py: rendered with the page's own options",
    "echo": "tests/docs/test_events_page.py: as the shell reads it",
    "kcat": "tests/docs/test_events_page.py: as the shell reads it",
    "cp": "tests/deploy/test_readme.py: the file is there",
    "python3": "release/installed.py: an environment of its own",
    "/opt/sms-connector/bin/pip": "release/installed.py: the same steps",
    "kafka-configs.sh": "tests/integration/test_forgetting.py: what they set",
    "kafka-acls.sh": "tests/integration/test_access.py: what they add, on a broker",
}

ENVIRON = {
    "RECEIPT_KEY": "as-if-of-the-receipts",
    "RECEIPT_URL_KEY": "as-if-of-the-urls",
    "KAFKA_PASSWORD": "hunter2-password",
    "REGISTRY_PASSWORD": "hunter2-password",
    "RESULTS_SALT": "hunter2-0123456789",
    "CONSOLE_SECRET": "hunter2-as-if-of-the-proxy-0123456789",
}


def page(name: str) -> Path:
    return next(page for page in PAGES if page.name == name and page.parent.name != "deploy")


def configurations() -> list[tuple[str, Block]]:
    """Every YAML block; those of the definition language have a test of their own."""
    found = [(page.name, block) for page in PAGES for block in blocks(page) if block.language == "yaml"]
    return [(name, block) for name, block in found if name not in ("definition.md", "tutorial.md")]


@pytest.mark.parametrize(("name", "block"), configurations(), ids=lambda it: it if isinstance(it, str) else it.word)
def test_every_configuration_loads(name: str, block: Block, tmp_path: Path) -> None:
    document = YAML(typ="safe").load(block.text)
    file = tmp_path / "it.yaml"
    file.write_text(block.text)
    if {"url", "extends"} & set(document):
        checked = CliRunner().invoke(group, ["check", str(file), "--no-environment"])
        assert checked.exit_code == 0, checked.output
    else:
        load_settings(file=file, environ=ENVIRON, overrides={})


@pytest.mark.parametrize("name", HERE)
def test_commands_that_need_no_kafka_do_what_they_are_for(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable, value in ENVIRON.items():
        monkeypatch.setenv(variable, value)
    for variable in ("PLIVO_AUTH_ID", "PLIVO_AUTH_TOKEN"):
        monkeypatch.setenv(variable, "as-if")
    ran = 0
    for block in blocks(page(name)):
        if block.word and block.language != "sh":
            file = tmp_path / block.word
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text)
        for line in lines(block):
            result = CliRunner().invoke(group, shlex.split(line, comments=True)[1:], standalone_mode=False)
            assert result.exception is None, (line, result.output, result.exception)
            assert not result.return_value, (line, result.output)
            assert ENVIRON["KAFKA_PASSWORD"] not in result.output
            ran += 1
    assert ran >= 2


def test_the_simulators_commands_start_it_and_set_its_faults(
    start_connector: StartConnector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On ports of their own; the requests of the page are made as curl would make them."""
    monkeypatch.chdir(tmp_path)
    starts = [line for block in blocks(page("simulator.md")) if block.word == "background" for line in lines(block)]
    assert len(starts) == 4
    for number, start in enumerate(starts):
        words = shlex.split(start.replace("--port 8025", ""))[1:]
        simulator = start_connector(*words, "--port", "0", name=f"simulator-{number}")
        simulator.wait_for("simulator on")
        found = re.search(r"http://127\.0\.0\.1:\d+", simulator.output)
        assert found is not None
        if number == 0:
            address = found[0]
    asked = [line for block in blocks(page("simulator.md")) for line in block.text.splitlines() if "curl" in line[:5]]
    assert len(asked) == 3
    for line in asked:
        _, _, method, url, *data = shlex.split(line)
        body = data[1].encode() if data else None
        with urlopen(Request(url.replace("http://127.0.0.1:8025", address), body, method=method)) as answer:
            assert answer.status == 200
        with urlopen(url.replace("http://127.0.0.1:8025", address)) as answer:
            knobs = json.loads(answer.read())
        assert knobs == json.loads(body or b"{}")


def test_every_page_with_commands_says_where_they_are_run() -> None:
    with_commands = {page.name for page in PAGES for block in blocks(page) if lines(block)}
    assert with_commands == set(RUN_BY)
    for name, test in RUN_BY.items():
        text = (ROOT / test).read_text()
        assert name in text, f"{test} does not name {name}"


def test_every_line_of_a_shell_block_is_run_or_looked_after() -> None:
    known = {"sms-connector", "curl", "export", *NOT_RUN}
    unknown = [
        f"{page.name}: {line}"
        for page in PAGES
        for block in blocks(page)
        if block.language == "sh"
        for line in re.sub(r"\\\n\s*", " ", block.text).splitlines()
        if line and not line.startswith("#") and line.split()[0] not in known
    ]
    assert unknown == []


def test_a_block_without_a_language_has_no_command_of_ours() -> None:
    """It would be one that nothing runs."""
    assert [page.name for page in PAGES for block in blocks(page) if not block.language and lines(block)] == []
