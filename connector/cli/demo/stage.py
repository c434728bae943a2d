"""What the demo's worker is given: settings, environment, definitions; a user's are turned to the simulator."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from connector.errors import DefinitionError, Problem, UsageError

OWN_DEFINITIONS = Path(__file__).parent / "definitions"
CATALOGUE = Path(__file__).parents[2] / "providers"
PASSWORD = "demo-secret"  # noqa: S105  opens nothing but the simulator
ORIGIN = re.compile(r"^\s*(https?://(?:\$\{[^}]*\}|[^/?#\s])+)", re.IGNORECASE)
VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
SIMULATOR_KNOBS = {"json.credentials": f"demo:{PASSWORD}", "single.client_secret": PASSWORD, "pairs.key": PASSWORD}


@dataclass(slots=True)
class Stage:
    """Files and environment of one demo.

    Attributes:
        config: connector.yaml.
        environ: for the worker.
        hosts: what a user's definitions would talk to without the simulator.
        changed: what was changed in a user's definitions, for people.
    """

    config: Path
    environ: dict[str, str]
    hosts: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


def clean_environment() -> dict[str, str]:
    """The environment without settings of another connector: the demo must not reach a real cluster through one."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SMS_CONNECTOR_")}


def set_own(folder: Path, bootstrap: str, simulator: str, way_back: Mapping[str, Any]) -> Stage:
    """The demo's three definitions, with receipts."""
    environ = clean_environment() | {"SIMULATOR": simulator, "DEMO_PASSWORD": PASSWORD}
    return Stage(_settings(folder, bootstrap, OWN_DEFINITIONS, way_back), environ)


def set_live(folder: Path, bootstrap: str, definitions: Path) -> Stage:
    """A user's definitions as they are: what is sent is sent."""
    files = definition_files(definitions)
    hosts = [origin for file in files for _, origin in _addresses(_load(file))]
    config = _settings(folder, bootstrap, definitions.resolve())
    return Stage(config, clean_environment(), list(dict.fromkeys(hosts)))


def set_rehearsal(folder: Path, bootstrap: str, definitions: Path, simulator: str) -> Stage:
    """A user's definitions with every scheme and host replaced by the simulator's; all else stays as it is written."""
    target = folder / "definitions"
    target.mkdir()
    stage = Stage(_settings(folder, bootstrap, target), clean_environment())
    variables: set[str] = set()
    queue = [(file, file.name) for file in definition_files(definitions)]
    done: set[str] = set()
    while queue:
        file, name = queue.pop()
        if name in done:
            continue
        done.add(name)
        document = _load(file)
        _turn(document, simulator, stage)
        if base := _base(document, file):
            # A base stands outside the folder of definitions, or it would be a provider of its own.
            (folder / "bases").mkdir(exist_ok=True)
            queue.append((base, f"../bases/{base.name}"))
            document["extends"] = str(folder / "bases" / base.name)
        (target / name).write_bytes(_dump(document))
        variables |= set(VARIABLE.findall((target / name).read_text()))
    for variable in sorted(variables - {name for name, value in stage.environ.items() if value}):
        stage.environ[variable] = f"{variable.lower()}-for-the-demo"
        stage.changed.append(f"${{{variable}}} is not set: a placeholder stands for it")
    return stage


def definition_files(place: Path) -> list[Path]:
    """The definitions of a folder, or the one file; raises UsageError."""
    files = sorted(place.glob("*.yaml")) + sorted(place.glob("*.yml")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise UsageError(f"--definitions {place}: no *.yaml in it; name a folder of provider definitions, or one file")
    return files


def _settings(folder: Path, bootstrap: str, providers: Path, more: Mapping[str, Any] | None = None) -> Path:
    config = folder / "connector.yaml"
    document: dict[str, Any] = {
        "kafka": {"bootstrap.servers": bootstrap},
        "group": "sms-demo",
        "providers": [str(providers)],
        "start_from": "earliest",
        "max_age": None,
        "health": {"port": None},
        "log": {"format": "json", "level": "warning"},
        **(more or {}),
    }
    config.write_bytes(_dump(document))
    return config


def _turn(document: Any, simulator: str, stage: Stage) -> None:
    """Point every address at the simulator, in place, and let the connector reach a private one."""
    for section, origin in list(_addresses(document)):
        section["url"] = f"{simulator}/generic" + section["url"].strip()[len(origin) :]
        if origin not in stage.hosts:
            stage.hosts.append(origin)
    http = document.setdefault("http", {})
    for name in ("proxy", "certificate", "key", "ca"):
        if http.pop(name, None) is not None:
            stage.changed.append(f"http.{name} is left out: the simulator speaks plain HTTP")
    http["private_hosts"] = True
    if document.pop("hours", None) is not None:
        stage.changed.append("hours is left out: the demo does not wait for the morning")


def _addresses(document: Any) -> Iterator[tuple[Any, str]]:
    """Every section with a `url` the connector itself talks to, and its scheme and host. Callback URLs are payload."""
    operations = document.get("operations") or []
    for section in [document, *(operation for operation in operations if isinstance(operation, dict))]:
        auth = section.get("auth")
        oauth2 = auth.get("oauth2") if isinstance(auth, dict) else None
        for part in (section, oauth2):
            url = part.get("url") if isinstance(part, dict) else None
            if isinstance(url, str) and (found := ORIGIN.match(url)):
                yield part, found[1]


def _base(document: Any, file: Path) -> Path | None:
    """The file a definition extends: beside it, or in the catalogue."""
    extends = document.get("extends")
    if not isinstance(extends, str):
        return None
    candidates = (file.parent / extends, file.parent / f"{extends}.yaml", CATALOGUE / f"{extends}.yaml")
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _load(file: Path) -> Any:
    try:
        document = _yaml().load(file.read_bytes())
    except (OSError, YAMLError) as error:
        reason = str(error).splitlines()[0]
        raise DefinitionError([Problem(reason, "run `sms-connector check` on it", str(file))]) from error
    if not isinstance(document, dict):
        raise DefinitionError([Problem("is not a definition", "write keys such as method and url", str(file))])
    return document


def _dump(document: Any) -> bytes:
    out = io.BytesIO()
    _yaml().dump(document, out)
    return out.getvalue()


def _yaml() -> YAML:
    yaml = YAML(typ="rt")
    yaml.preserve_quotes = True
    yaml.width = 1_000_000  # a folded payload is not the payload
    return yaml
