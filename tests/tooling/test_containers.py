"""The container files, as far as they can be judged without an engine; tests/containers builds and starts them."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from jsonschema.protocols import Validator
from jsonschema.validators import validator_for
from ruamel.yaml import YAML

from connector import __version__, safe_path
from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.load import load, load_all
from connector.model import Batch, Message
from connector.receipts.readers import receipt_keys, receipt_readers
from connector.request.renderer import compile_operation
from connector.settings import Settings, load_settings
from connector.tools.simulator import PROVIDERS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "compose"
LOCKS = ("run", "full")
# What the drain may be followed by: results, commit, leaving the group.
GRACE_SECONDS = 30


@pytest.fixture(scope="module")
def schema() -> Validator:
    """The official schema, as the package check-jsonschema carries it (Apache-2.0).

    Read as a file: the package itself wants click 8.4, which Faust does not.
    """
    spec = importlib.util.find_spec("check_jsonschema")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "builtin_schemas" / "vendor"
    document = json.loads((folder / "compose-spec.json").read_text())
    return validator_for(document)(document)


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return document


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings(file=EXAMPLE / "connector.yaml", environ={}, overrides={}).settings


@pytest.fixture(scope="module")
def dockerfile() -> list[tuple[str, str]]:
    """Instruction and arguments, line continuations joined."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in compose["services"].items() if "build" in service}


def test_the_compose_file_follows_the_official_schema(compose: dict[str, Any], schema: Validator) -> None:
    assert list(schema.iter_errors(compose)) == []
    wrong = {**compose, "services": {"connector": {"stop_grace": "75s"}}}
    assert not schema.is_valid(wrong)


def test_a_stopped_connector_has_time_to_drain(compose: dict[str, Any], settings: Settings) -> None:
    grace = compose["services"]["connector"]["stop_grace_period"]
    found = re.fullmatch(r"(\d+)s", grace)
    assert found is not None, grace
    assert int(found[1]) >= settings.timeouts.drain + GRACE_SECONDS


def test_the_connector_can_be_scaled(compose: dict[str, Any], settings: Settings) -> None:
    """Ports and names exist once; two workers with one static id throw each other out."""
    assert not {"ports", "container_name", "hostname"} & compose["services"]["connector"].keys()
    assert settings.static_membership is None


def test_our_containers_write_nowhere_but_tmp_and_may_nothing(compose: dict[str, Any]) -> None:
    assert set(ours(compose)) == {"topics", "simulator", "connector", "console"}
    for name, service in ours(compose).items():
        assert service["read_only"] is True, name
        assert service["tmpfs"] == ["/tmp"], name
        assert service["cap_drop"] == ["ALL"], name
        assert all(volume.endswith(":ro") for volume in service["volumes"]), name
        assert "entrypoint" not in service
        assert isinstance(service["command"], list), f"{name}: a shell would stand between signals and the connector"


def test_commands_and_addresses_of_the_compose_file_fit_together(compose: dict[str, Any], settings: Settings) -> None:
    """The connector reaches the broker and the simulator under the names and ports they have there."""
    services = compose["services"]
    listeners = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert f"PLAINTEXT://{settings.kafka.servers[0]}" in listeners
    assert str(settings.health.port) in services["connector"]["expose"]
    mounted = services["connector"]["volumes"][0].split(":")
    assert (ROOT / mounted[0]).is_dir()
    config = services["connector"]["command"][-1]
    assert config.startswith(mounted[1])
    assert (EXAMPLE / Path(config).relative_to(mounted[1])).is_file()
    port = services["simulator"]["command"][-1]
    assert f"://simulator:{port}/" in (EXAMPLE / "providers" / "simulated.yaml").read_text()
    pulled = [service["image"] for service in services.values() if "image" in service]
    assert all(not image.endswith(":latest") and ":" in image for image in pulled)


def test_the_file_with_the_way_back_fits_the_other_one(schema: Validator, compose: dict[str, Any]) -> None:
    file = EXAMPLE / "receipts.yml"
    more = YAML(typ="safe").load(file)
    assert list(schema.iter_errors(more)) == []
    services = more["services"]
    environ = services["connector"]["environment"]
    settings = load_settings(file=EXAMPLE / "connector.yaml", environ=environ, overrides={}).settings
    assert settings.receive.url == "http://receive:8443"
    assert settings.receive.listen.rpartition(":")[2] == "8443"
    assert (settings.receipts.folder or "").startswith(services["receipts"]["tmpfs"][0])
    # What the fake provider has in its panel is what `receive urls` prints.
    definitions = {"simulated": load(EXAMPLE / "providers" / "simulated.yaml", environment=Environment({}))}
    (reader,) = receipt_readers(definitions, settings, receipt_keys(settings)).values()
    assert f"--set=json.receipts.url={reader.url()}" in services["simulator"]["command"]
    assert services["simulator"]["command"][-2:] == compose["services"]["simulator"]["command"][-2:]
    for name in ("receive", "receipts"):
        limits = ("read_only", "cap_drop", "security_opt", "tmpfs", "volumes", "platform", "init", "healthcheck")
        assert {it: services[name][it] for it in limits} == {it: compose["services"]["connector"][it] for it in limits}
        words = services[name]["command"]
        assert group.get_command(click.Context(group), words[0]) is not None
    assert {it["environment"]["SMS_CONNECTOR_RECEIVE__KEYS"] for it in services.values() if "environment" in it} == {
        environ["SMS_CONNECTOR_RECEIVE__KEYS"]
    }


def test_no_two_services_build_the_same_tag(compose: dict[str, Any]) -> None:
    """They are built side by side, and an engine refuses to write a tag that is being written."""
    tags = [service["image"] for service in compose["services"].values() if "build" in service and "image" in service]
    assert len(tags) == len(set(tags))
    assert all("build" in service or "image" in service for service in compose["services"].values())


def test_each_container_is_asked_what_its_command_answers(compose: dict[str, Any]) -> None:
    """Ours by the image's own check, which knows the commands (tests/cli/test_container_health.py)."""
    for name, service in ours(compose).items():
        assert "test" not in service["healthcheck"], name
    kind, shell, option, script = compose["services"]["kafka"]["healthcheck"]["test"]
    assert (kind, shell, option) == ("CMD", "bash", "-c")
    with socket.create_server(("127.0.0.1", 0)) as place:
        listening = script.replace("9092", str(place.getsockname()[1]))
        assert listening != script
        assert subprocess.run([shell, option, listening], check=False).returncode == 0
    assert subprocess.run([shell, option, listening], check=False, capture_output=True).returncode != 0


def test_the_examples_provider_understands_the_examples_definition() -> None:
    (operation,) = load_all([str(EXAMPLE / "providers")], Environment({}))["simulated"].operations
    renderer = compile_operation(operation)
    texts = [f"Hello {number}" for number in range(3)]
    messages = [
        Message(message_id=f"m{number}", provider="simulated", campaign_id="c", to=f"+91980000010{number}", body=text)
        for number, text in enumerate(texts)
    ]
    rendered = renderer.render(messages, Batch(id="0" * 32, now=0.0))
    assert rendered.request is not None
    fake = PROVIDERS["json"]()
    document = json.loads(rendered.request.body or b"")
    assert [message["uid"] for message in document["msgs"]] == ["m0", "m1", "m2"]
    assert rendered.request.url.endswith(f"/{fake.name}/send")


def test_the_image_is_not_root_and_gets_signals_itself(dockerfile: list[tuple[str, str]]) -> None:
    last = dict(dockerfile)  # of repeated instructions the last, which is the final stage's
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"]), "a number, not 0: Kubernetes cannot look names up"
    assert json.loads(last["ENTRYPOINT"]) == ["sms-connector"], "exec form: no shell in between"
    assert json.loads(last["CMD"])[0] == "run"
    assert int(last["EXPOSE"]) == Settings().health.port


def test_the_image_asks_the_command_that_runs(dockerfile: list[tuple[str, str]]) -> None:
    options, _, command = dict(dockerfile)["HEALTHCHECK"].partition("CMD")
    assert {option.split("=")[0] for option in options.split()} == {"--interval", "--timeout", "--start-period"}
    python, option, module = json.loads(command)
    assert (python, option) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None


def test_the_image_is_made_of_pinned_things(dockerfile: list[tuple[str, str]]) -> None:
    stages = [shlex.split(arguments) for instruction, arguments in dockerfile if instruction == "FROM"]
    for stage in stages:
        image = next(word for word in stage if not word.startswith("--"))
        assert re.fullmatch(r"python:3\.1[1-4]-slim-\w+", image), image
    installs = [arguments for instruction, arguments in dockerfile if instruction == "RUN" and "install" in arguments]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "--only-binary :all:" in installs[0]


def test_what_the_image_copies_exists_and_is_let_into_the_build(dockerfile: list[tuple[str, str]]) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for instruction, arguments in dockerfile:
        if instruction == "COPY" and "--from" not in arguments:
            for lock in LOCKS:
                source = arguments.split()[0].replace("${LOCK}", lock)
                assert (ROOT / source).exists(), source
                assert source in allowed


def test_the_image_is_made_without_extras_unless_they_are_asked_for(dockerfile: list[tuple[str, str]]) -> None:
    assert [arguments for instruction, arguments in dockerfile if instruction == "ARG"] == [f"LOCK={LOCKS[0]}"]


def test_the_images_command_is_the_projects(dockerfile: list[tuple[str, str]], tmp_path: Path) -> None:
    """The line that writes it is run here, with this interpreter for the image's; all pages say `sms-connector`."""
    (line,) = [arguments for instruction, arguments in dockerfile if instruction == "RUN" and "printf" in arguments]
    environment = dict(pair.split("=", 1) for pair in shlex.split(dict(dockerfile)["ENV"]))
    folder, _, _ = environment["PATH"].partition(":")
    write = line[line.index("printf") :]
    assert f"> {folder}/sms-connector" in write
    write = write.replace(f"{folder}/python", sys.executable).replace(folder, str(tmp_path))
    subprocess.run(["/bin/sh", "-c", write], check=True)
    made = (tmp_path / "sms-connector").read_text()
    entry = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]["sms-connector"]
    module, _, function = entry.partition(":")
    assert f"from {module} import {function}\n{function}()\n" in made
    shown = subprocess.run([tmp_path / "sms-connector", "--version"], capture_output=True, text=True, check=True)
    assert shown.stdout == f"sms-connector, version {__version__}\n"


COMPILED_WITH_THE_PACKAGE = ("cli/main.py", "cli/quick_imports.py", "cli/lazy_group.py")
"""What the line itself does not import."""


def test_the_image_holds_compiled_whatever_a_worker_imports(dockerfile: list[tuple[str, str]], tmp_path: Path) -> None:
    """Else each start compiles it. The line is run here; then a worker's imports find nothing left to compile."""
    (line,) = [
        arguments for instruction, arguments in dockerfile if instruction == "RUN" and "connector.stream" in arguments
    ]
    environment = dict(pair.split("=", 1) for pair in shlex.split(dict(dockerfile)["ENV"]))
    modes = {name: value for name, value in environment.items() if name.startswith("PYTHON") and "SAFE" not in name}
    compiled = {**os.environ, **modes, "PYTHONPYCACHEPREFIX": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run(["/bin/sh", "-c", line.replace("python -c", f"{sys.executable} -c")], check=True, env=compiled)
    there = {path.relative_to(tmp_path) for path in tmp_path.rglob("*.pyc")}
    assert len(there) > 700
    code = """import importlib.machinery
compile_source = importlib.machinery.SourceFileLoader.source_to_code
def tell(self, data, path, **options):
    print(path)
    return compile_source(self, data, path, **options)
importlib.machinery.SourceFileLoader.source_to_code = tell
from connector.cli.main import group
import click
group.get_command(click.Context(group), "run")
import connector.cli.definitions, connector.health.server, connector.stream.process"""
    again = subprocess.run([sys.executable, "-c", code], check=True, env=compiled, capture_output=True, text=True)
    assert [it for it in again.stdout.split() if not it.endswith(COMPILED_WITH_THE_PACKAGE)] == []


MARK = "print('imported from the working folder')"
# What the connector imports, of others and of its own; and what the health check imports.
PLANTED = ("orjson", "msgspec", "click", "structlog", "ruamel", "asyncio", "re2", "jmespath", "pydantic")
COMMANDS = {
    "image": [sys.executable, "-P", "-c", "from connector.cli.main import main; main()"],
    "script": [str(Path(sys.executable).parent / "sms-connector")],
    "module": [sys.executable, "-m", "connector"],
}


@pytest.mark.parametrize("how", COMMANDS)
def test_a_settings_folder_runs_no_code(tmp_path: Path, how: str) -> None:
    """However the command is started: whoever may write settings must not read secrets through an `orjson.py`."""
    for name in PLANTED:
        (tmp_path / f"{name}.py").write_text(MARK)
    event = {"message_id": "m1", "to": "+919800000001", "body": "Hi"}
    (tmp_path / "event.json").write_text(json.dumps(event))
    (tmp_path / "acme.yaml").write_text(
        "method: POST\nurl: https://sms.example.com/send\nparameters: {json: {to: $$To, text: $$Body}}\n"
    )
    command = [*COMMANDS[how], "render", "acme.yaml", "--event", "event.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "working folder" not in done.stdout + done.stderr
    assert "https://sms.example.com/send" in done.stdout


def test_the_images_health_check_and_modules_run_no_code_of_the_settings(
    dockerfile: list[tuple[str, str]], tmp_path: Path
) -> None:
    environment = dict(pair.split("=", 1) for pair in shlex.split(dict(dockerfile)["ENV"]))
    assert environment["PYTHONSAFEPATH"] == "1"
    for name in ("urllib", "click", "connector"):
        (tmp_path / f"{name}.py").write_text(MARK)
    command = json.loads(dict(dockerfile)["HEALTHCHECK"].partition("CMD")[2])
    done = subprocess.run(
        [sys.executable, *command[1:]],
        cwd=tmp_path,
        env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "working folder" not in done.stdout + done.stderr


@pytest.mark.parametrize("checkout", [True, False])
def test_processes_of_ours_import_nothing_from_the_working_folder_but_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkout: bool
) -> None:
    monkeypatch.chdir(safe_path.CODE if checkout else tmp_path)
    assert safe_path.isolated() == ([] if checkout else ["-P"])
    monkeypatch.setattr(sys, "path", [str(Path.cwd()), "/somewhere"])
    safe_path.leave_working_folder()
    assert sys.path == ([str(Path.cwd()), "/somewhere"] if checkout else ["/somewhere"])
    monkeypatch.setattr(sys, "path", ["/usr/bin", str(Path.cwd())])
    safe_path.leave_working_folder()
    assert sys.path == ["/usr/bin", str(Path.cwd())], "what somebody put there by hand stays"
