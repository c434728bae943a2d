"""Every example of every `--help` is run as it stands, in a shell, on a real Kafka with a worker and fake providers.

What is not the example's own is put in its place: ports that are free here, the address of the worker, folders that can
be written. A new command, or a new example, is found by itself.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import orjson
import pytest
from click.testing import CliRunner

from connector.cli.main import group
from connector.suppressions import snapshot
from connector.suppressions.phone_list import PhoneList
from tests import marked
from tests.integration.pipeline import Pipeline
from tests.processes import ConnectorProcess

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

PROGRAM = "sms-connector"
TO = "+919812345678"

# What goes on until it is told to stop, and what it says once it works.
GOES_ON = {
    "run": "partitions opened",
    "receive": "callbacks are taken",
    "receipts run": "partitions opened",
    "simulate": "simulator on",
    "console": '"event": "console"',
    "studio": "Ctrl-C ends it",
    "results --follow": "shown; searched",
    "demo --web": "the console stays until Ctrl-C",
}
# What is put in place of what stands in an example.
INSTEAD = {
    "/var/lib/sms-connector/suppressions.snapshot": "suppressions.snapshot",
    "/var/lib/sms-receipts": "states",
    "0.0.0.0:8443": "127.0.0.1:0",
    "web.port=8091": "web.port=0",
    "http://worker-1:8080": "{worker}",
    "--events 200000": "--events 300",
    " --live": " --live --yes",
    "demo --web": "demo --web --events 200",
    "--workers 4": "--workers 2",
    f"{PROGRAM} studio": f"{PROGRAM} studio --port 0",
    f"{PROGRAM} simulate": f"{PROGRAM} simulate --port 0",
    "console --config connector.yaml": "console --config connector.yaml --set web.port=0",
    "topics expand 24": "topics expand 8",
    "create --partitions 24 --replication 3": "create --partitions 4 --replication 1",
    "sms.messages/0/17": "{source}/0/17",
}
# What nothing here runs, and what does.
NOT_RUN = {
    "adopt": "tests/integration/test_second_cluster.py; it needs topics of a mirror",
    "bench": "tests/tooling/test_bench.py; it takes minutes",
}
ENDS = {"suppress check": 3}
"""Exit codes, where an example's is not 0."""
TOPICS = ("control", "receipts", "receipts_matched", "receipts_unmatched", "inbound", "receipts_in", "receipts_index")
TOPICS += ("suppressions",)
SHIMS = {
    PROGRAM: f'#!/bin/sh\nexec {sys.executable} -m connector "$@"\n',
    "pbpaste": "#!/bin/sh\ncat command.txt\n",
    "generate-events": "#!/bin/sh\ncat events.jsonl\n",
    "less": "#!/bin/sh\ncat\n",
    "curl": "#!/bin/sh\ncat reply.json\n",
}


def examples() -> Iterator[tuple[tuple[str, ...], str]]:
    """Each example, with the command whose help it stands in."""

    def walk(command: click.Command, *names: str) -> Iterator[tuple[tuple[str, ...], str]]:
        found = re.search(r"Examples:\n(.*)", command.help or "", re.DOTALL)
        for line in found[1].splitlines() if found else ():
            if PROGRAM in line:
                yield _called(line) or names, line.strip()
        if isinstance(command, click.Group):
            context = click.Context(command)
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield from walk(below, *names, name)

    yield from walk(group)


LAST = ("campaign cancel", "campaign delete", "suppress remove", "topics expand", "demo")
ORDER = ("topics", "schemas", "send", "campaign put", "campaign", "suppress")


def _called(line: str) -> tuple[str, ...]:
    """The command that an example calls: one in the help of a group may call what is below it."""
    command: click.Command = group
    names: list[str] = []
    for word in line.partition(f"{PROGRAM} ")[2].split():
        found = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else None
        if found is None:
            break
        command = found
        names.append(word)
    return tuple(names)


def in_order() -> list[tuple[tuple[str, ...], str]]:
    """What makes something goes before what looks at it; what takes it away goes last."""

    def rank(found: tuple[tuple[str, ...], str]) -> tuple[bool, int]:
        name = " ".join(found[0])
        first = next((place for place, start in enumerate(ORDER) if name.startswith(start)), len(ORDER))
        return name in LAST, first

    return sorted(examples(), key=rank)


SIMPLE = """\
method: POST
url: {simulator}/generic/send
parameters: {{json: {{to: $$To, text: $$Body, callback: "$${{receipt_url()?}}"}}}}
response: {{rules: [{{status: 200, when: "status == 'accepted'", then: accept, id: id}}]}}
http: {{private_hosts: true}}
receipts: {{decode: form, id: id, state: status, states: {{delivered: DELIVRD}}}}
"""
BATCH = """\
method: POST
url: {simulator}/generic/batch
parameters:
  json: {{hid: $$hid, tid: $$TemplateID, msgs: [{{to: $$To, uid: "$${{uid?}}"}}]}}
batching: {{key: msgs, records: 100}}
response: {{rules: [{{status: 200, when: "status == 'accepted'", then: accept, id: batch}}]}}
http: {{private_hosts: true}}
"""
CALLBACK = "POST /m/{name}/{{receipt}} HTTP/1.1\nContent-Type: application/x-www-form-urlencoded\n\n{form}\n"
FORM = """\
method: POST
endpoint: https://sms.example.com/send
parameters:
  json: |
    {"msgs": [{"to": "$$To", "text": "$$Body"}]}
batching: {key: msgs, records: 1000}
"""


class Stage:
    """The folder that examples are run in, with all the files they name."""

    def __init__(self, pipeline: Pipeline, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pipeline = pipeline
        self.folder = folder
        self.worker = ""
        self.started = 0
        (folder / "bin").mkdir(parents=True)
        for name, text in SHIMS.items():
            (folder / "bin" / name).write_text(text)
            (folder / "bin" / name).chmod(0o755)
        self.environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "SMS_CONNECTOR_CONFIG": str(pipeline.config),
            "PROVIDER_PASSWORD": marked.PASSWORD,
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": marked.SECRET,
            "BROWSER": "true",
        }
        for name, value in self.environ.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(folder)

    def write(self, name: str, content: Any) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else orjson.dumps(content))

    def files(self) -> None:
        """Those that examples name."""
        for name, text in (("acme", SIMPLE), ("plivo", SIMPLE), ("msg91", BATCH)):
            definition = text.format(simulator=self.pipeline.address)
            for folder in ("providers", "definitions"):
                self.write(f"{folder}/{name}.yaml", definition)
        self.write("connector.yaml", self.pipeline.config.read_text())
        own = {"message_id": "e0", "provider": "acme", "campaign_id": "diwali", "to": TO, "body": "Hello"}
        own["custom"] = {"sender": "ACME"}
        self.write("event.json", own)
        self.write(
            "events.jsonl", "".join(f"{orjson.dumps(own | {'message_id': f'e{n}'}).decode()}\n" for n in range(3))
        )
        self.write("contacts.csv", f"to,template_variables.name\n{TO},Asha\n")
        self.write("diwali.json", {"provider": "msg91", "template_id": "42", "custom": {"hid": "77"}})
        self.write("command.txt", "curl https://sms.acme.example/send -d to=919812345678 -d text=Hello")
        self.write("payload.json", {"to": "$$To", "text": "$$Body"})
        self.write("form.yaml", FORM)
        self.write("reply.json", {"status": "accepted", "id": "p1"})
        self.write("opted-out.txt", "+919812345671\n")
        self.write("sketch.http", CALLBACK.format(name="twilio", form="MessageSid=SM1&MessageStatus=delivered"))
        self.write("acme.http", CALLBACK.format(name="acme", form="id=p1&status=DELIVRD"))
        made = self.invoke(
            f"{PROGRAM} receipt providers/acme.yaml --request acme.http --sign --message {self.source}/0/17"
        )
        assert made[0] == 0, made
        self.write("callback.http", made[1])
        snapshot.write(
            self.folder / "suppressions.snapshot", PhoneList(), cluster="c", topic="t", last=None, complete_at=0.0
        )
        (self.folder / ".config" / "fish" / "completions").mkdir(parents=True)

    @property
    def source(self) -> str:
        return self.pipeline.source

    def run(self, name: str, example: str) -> str | None:
        """Do as an example says. Returns what went wrong."""
        line = example
        for there, here in INSTEAD.items():
            line = line.replace(there, here.format(worker=self.worker, source=self.source))
        if name.startswith("import-"):
            (self.folder / "acme.yaml").unlink(missing_ok=True)
        said = next((words for start, words in GOES_ON.items() if _is(start, name, line)), None)
        if said is not None:
            return self.start(line, said)
        in_shell = re.search(r"[|>]|\$\(", line)
        code, output = self.shell(line) if in_shell else self.invoke(line)
        if code != ENDS.get(name, 0):
            return f"exit code {code}: {output[-2000:]}"
        return None

    def invoke(self, line: str) -> tuple[int, str]:
        """In this process: to start one takes a second."""
        result = CliRunner().invoke(group, shlex.split(line)[1:], standalone_mode=False)
        code = getattr(result.exception, "exit_code", 1) if result.exception else result.return_value or 0
        return code, result.output + (f"{result.exception!r}: {result.exception}" if result.exception else "")

    def shell(self, line: str) -> tuple[int, str]:
        """Pipes, redirections and substitutions are the example's own."""
        ran = subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        return ran.returncode, ran.stdout + ran.stderr

    def start(self, line: str, said: str) -> str | None:
        """What goes on: until it says that it works, then it is told to stop."""
        self.started += 1
        output = self.folder / f"started-{self.started}.out"
        process = ConnectorProcess(output, *shlex.split(line)[1:], env=dict(os.environ))
        try:
            process.wait_for(said, within=60)
            process.send(signal.SIGINT)
            code = process.wait()
            leaks = process.leaks()
        except AssertionError as error:
            return str(error)
        finally:
            process.kill()
        return None if code == 0 and not leaks else f"exit code {code}, {leaks}: {process.output[-2000:]}"


def _is(start: str, name: str, line: str) -> bool:
    command, _, option = start.partition(" --")
    return name == command and (not option or f"--{option}" in line)


@pytest.fixture
def stage(pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """All files, topics with an event, and a worker."""
    unique = pipeline.unique
    topics = {
        "sources": [pipeline.source],
        "results": pipeline.results,
        "dead_letters": pipeline.dead_letters,
        "journal": pipeline.journal,
        "retry_prefix": f"{unique}.retry",
        **{name: f"{unique}.{name}" for name in TOPICS},
    }
    pipeline.simulate()
    pipeline.configure(
        topics=topics,
        providers=[str(tmp_path / "stage" / "providers")],
        receive={"url": "https://sms.example.com", "listen": "127.0.0.1:0", "keys": ["k" * 32], "url_keys": ["u" * 32]},
        receipts={"folder": str(tmp_path / "states")},
        suppressions={"enabled": True},
        health={"port": 0},
    )
    made = Stage(pipeline, tmp_path / "stage", monkeypatch)
    made.files()
    pipeline.create_topics()
    worker = pipeline.worker(name="worker")
    worker.wait_for("partitions opened")
    found = re.search(r"http://127\.0\.0\.1:\d+", worker.output)
    assert found is not None
    made.worker = found[0]
    first = made.invoke(f"{PROGRAM} send --to {TO} --message-id m1 --provider plivo --body Hello --wait")
    assert first[0] == 0, first
    yield made
    assert worker.stop() == 0, worker.output


def test_every_example_of_every_help_does_what_it_says(stage: Stage) -> None:
    wrong, ran = [], 0
    for names, example in in_order():
        name = " ".join(names)
        if name in NOT_RUN:
            continue
        ran += 1
        if (why := stage.run(name, example)) is not None:
            wrong.append(f"{example}\n    {why}")
    assert not wrong, "\n".join(wrong)
    assert ran > 80
