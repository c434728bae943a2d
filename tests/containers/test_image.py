"""The image, built as users build it, on a real engine: who it is, what it may, what it holds, how large it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from connector import __version__
from connector.cli.main import COMMANDS
from tests.containers.engine import Engine
from tests.containers.stack import SAID
from tests.containers.stand_ins import names
from tests.waiting import wait_until

# What docs/security.md, compose and the manifests allow.
CONFINED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--network=none")
MEGABYTE = 1_000_000
LARGEST = 70 * MEGABYTE
"""Of what we add to the base image, without extras."""

MARK = "print('imported from the settings folder')"


def run(engine: Engine, image: str, *arguments: str, options: tuple[str, ...] = (), code: int = 0) -> str:
    """What a container that runs to its end says."""
    return engine.docker("run", "--rm", *CONFINED, *options, image, *arguments, code=code)


def shell(engine: Engine, image: str, script: str, *options: str) -> str:
    return run(engine, image, "-c", script, options=("--entrypoint=sh", *options))


def size(engine: Engine, image: str) -> int:
    """Bytes that an image adds to the base image."""
    return int(engine.inspect(image)["Size"]) - int(engine.inspect(names()["base"])["Size"])


def test_it_is_small_and_extras_are_asked_for(engine: Engine, image: str) -> None:
    engine.docker("build", "--quiet", "--build-arg", "LOCK=full", "--tag", "sms-connector:full", ".")
    plain, full = size(engine, image), size(engine, "sms-connector:full")
    SAID.append(f"image: {plain / MEGABYTE:.0f} MB over its base, {full / MEGABYTE:.0f} MB with the extras")
    assert plain < LARGEST
    extras = "import importlib.util as u; print(*[bool(u.find_spec(n)) for n in ('botocore', 'opentelemetry')])"
    for name, found in ((image, "False False"), ("sms-connector:full", "True True")):
        assert run(engine, name, "-c", extras, options=("--entrypoint=python",)).strip() == found
    told = "from connector.request.sigv4 import require; require('acme.yaml')"
    said = run(engine, image, "-c", told, options=("--entrypoint=python",), code=1)
    assert "build the image with --build-arg LOCK=full" in said


def test_it_is_nobody_and_writes_nowhere_but_to_tmp(engine: Engine, image: str) -> None:
    user = engine.inspect(image)["Config"]["User"]
    assert user.partition(":")[0].isdigit(), "Kubernetes cannot look a name up"
    said = shell(engine, image, "id -u; id -g; grep -E '^Cap(Eff|Bnd)' /proc/self/status; touch /tmp/x && echo wrote")
    uid, gid, *capabilities, wrote = said.splitlines()
    assert (int(uid), int(gid)) == (65532, 65532)
    assert {line.split()[1] for line in capabilities} == {"0" * 16}
    assert wrote == "wrote"
    for folder in ("/", "/etc/sms-connector", "/opt/venv/bin", "/opt/venv/lib/python3.13/site-packages/connector"):
        said = shell(engine, image, f"touch {folder}/x 2>&1; test -e {folder}/x || echo refused")
        assert said.splitlines()[-1] == "refused", folder
    writable = shell(engine, image, "find / -xdev -writable -not -type l -not -path '/proc/*' 2>/dev/null || true")
    assert set(writable.split()) <= {"/tmp", "/var/tmp", "/run/lock", "/var/lock"}, "what is not read-only"


def test_every_command_is_on_the_path_and_has_all_it_imports(engine: Engine, image: str) -> None:
    """Also without what was taken out of the image."""
    each = 'for name in "$@"; do sms-connector "$name" --help > /dev/null || echo "$name: $?"; done'
    script = f"{each}; command -v sms-connector"
    said = run(engine, image, "-c", script, "sh", *COMMANDS, options=("--entrypoint=sh",))
    assert said.split() == ["/opt/venv/bin/sms-connector"]
    assert run(engine, image, "--version").strip() == f"sms-connector, version {__version__}"
    everything = (
        "import importlib, pkgutil, connector\n"
        "for it in pkgutil.walk_packages(connector.__path__, 'connector.'):\n"
        "    if it.name.startswith(('connector.tools.simulator.broker', 'connector.cli.demo')): continue\n"
        "    if it.name.endswith('__main__'): continue\n"
        "    try: importlib.import_module(it.name)\n"
        "    except ImportError as error: print(it.name, error)\n"
    )
    missing = run(engine, image, "-c", everything, options=("--entrypoint=python",))
    of_extras = ("botocore", "opentelemetry", "fastavro", "'google'")
    assert [line for line in missing.splitlines() if not any(name in line for name in of_extras)] == []


def test_tables_are_drawn_without_what_was_taken_out(engine: Engine, image: str) -> None:
    assert "textlocal" in run(engine, image, "providers", "list")
    assert "TEXTLOCAL" in run(engine, image, "providers", "show", "textlocal")


@pytest.fixture
def settings(engine: Engine) -> Path:
    """A folder of settings which somebody has put code into."""
    folder = engine.place / "hostile"
    folder.mkdir(exist_ok=True)
    planted = ("orjson", "msgspec", "click", "structlog", "ruamel", "asyncio", "urllib", "pathlib", "connector", "os")
    for name in (*planted, "sitecustomize", "usercustomize"):
        (folder / f"{name}.py").write_text(MARK)
    event = {"message_id": "m1", "to": "+919800000001", "body": "Hi"}
    (folder / "event.json").write_text(json.dumps(event))
    (folder / "acme.yaml").write_text(
        "method: POST\nurl: https://sms.example.com/send\nparameters: {json: {to: $$To, text: $$Body}}\n"
    )
    (folder / "connector.yaml").write_text("providers: [acme.yaml]\nstart_from: latest\n")
    return folder


def test_the_settings_folder_runs_no_code(engine: Engine, image: str, settings: Path) -> None:
    mounted = f"--volume={settings}:/etc/sms-connector:ro"
    render = "render acme.yaml --event event.json"
    health = "python -m connector.cli.container_health"
    for command in (f"sms-connector {render}", f"python -m connector {render}", f"{health}; true"):
        said = shell(engine, image, command, mounted)
        assert "settings folder" not in said, command
        assert "render" not in command or "https://sms.example.com/send" in said


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["simulate"], ()),
        (["simulate", "--port", "9000", "--host", "0.0.0.0"], ("--init",)),
        (["simulate", "--port", "0"], ("--env=http_proxy=http://127.0.0.1:9", "--env=HTTP_PROXY=http://127.0.0.1:9")),
    ],
)
def test_each_command_is_healthy_by_its_own_measure(
    engine: Engine, image: str, arguments: list[str], options: tuple[str, ...]
) -> None:
    often = ("--health-interval=1s", "--health-start-period=30s")
    name = engine.docker("run", "--detach", *CONFINED, *often, *options, image, *arguments).strip()
    try:
        wait_until(
            lambda: engine.inspect(name)["State"]["Health"]["Status"] == "healthy",
            f"{arguments} to be healthy",
            every=0.5,
        )
        engine.docker("exec", name, "python", "-m", "connector.cli.container_health")
    finally:
        engine.docker("stop", name)
    assert engine.inspect(name)["State"]["ExitCode"] == 0, "SIGTERM reaches it, and ends it well"
    engine.docker("rm", name)


def test_a_worker_is_not_healthy_by_the_simulators_measure(engine: Engine, image: str) -> None:
    """Its settings say where it listens; nothing listens there, as no worker runs."""
    said = engine.docker(
        "run", "--rm", *CONFINED, "--entrypoint=python", image, "-m", "connector.cli.container_health", code=1
    )
    assert "no sms-connector runs" in said


def test_a_wrong_setting_ends_with_78_and_is_restarted_no_more_often_than_asked(engine: Engine, image: str) -> None:
    name = engine.docker(
        "run", "--detach", *CONFINED, "--restart=on-failure:2", image, "run", "--set", "nope=1"
    ).strip()

    def given_up() -> bool:
        about = engine.inspect(name)
        return not about["State"]["Running"] and not about["State"]["Restarting"] and about["RestartCount"] == 2

    wait_until(given_up, "the engine to give up", within=60, every=0.5)
    assert engine.inspect(name)["State"]["ExitCode"] == 78
    engine.docker("rm", name)
