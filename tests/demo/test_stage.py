"""A user's definitions are turned to the simulator and change in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from connector.cli.demo.stage import OWN_DEFINITIONS, set_live, set_own, set_rehearsal
from connector.errors import DefinitionError, UsageError

SIMULATOR = "http://127.0.0.1:8025"
DEFINITION = """\
# my provider
method: POST
url: https://${REGION}.api.example.com:8443/v1/messages?x=1
auth:
  oauth2: {url: "https://login.example.com/token", client_id: me, secret: "${SMS_SECRET}"}
hours: {from: "09:00", to: "21:00", zone: Asia/Kolkata}
http: {proxy: "http://proxy:3128", total: 10s}
parameters:
  json: |
    {
      "to": "$$To", // the recipient
      "callback": "https://me.example.com/dlr", "n": 1.10
    }
operations:
  - {name: bulk, url: "https://bulk.example.com/send"}
"""


def rehearse(tmp_path: Path, **files: str) -> tuple[dict[str, str], list[str], dict[str, str], list[str]]:
    place, folder = tmp_path / "mine", tmp_path / "work"
    place.mkdir()
    folder.mkdir()
    for name, text in files.items():
        (place / f"{name}.yaml").write_text(text)
    stage = set_rehearsal(folder, "127.0.0.1:9092", place, SIMULATOR)
    written = {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.yaml"))}
    return written, stage.hosts, stage.environ, stage.changed


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGION", "eu")
    monkeypatch.delenv("SMS_SECRET", raising=False)
    monkeypatch.setenv("SMS_CONNECTOR_KAFKA__BOOTSTRAP__SERVERS", "production:9092")


def test_scheme_and_host_are_replaced_and_the_payload_is_kept_byte_for_byte(tmp_path: Path) -> None:
    written, hosts, _, _ = rehearse(tmp_path, mine=DEFINITION)
    text = written["definitions/mine.yaml"]
    document = YAML(typ="safe").load(text)
    assert document["url"] == f"{SIMULATOR}/generic/v1/messages?x=1"
    assert document["auth"]["oauth2"]["url"] == f"{SIMULATOR}/generic/token"
    assert document["operations"][0]["url"] == f"{SIMULATOR}/generic/send"
    assert document["parameters"] == YAML(typ="safe").load(DEFINITION)["parameters"]
    assert hosts == ["https://${REGION}.api.example.com:8443", "https://login.example.com", "https://bulk.example.com"]


def test_what_keeps_the_simulator_from_being_reached_is_left_out_and_said(tmp_path: Path) -> None:
    written, _, _, changed = rehearse(tmp_path, mine=DEFINITION)
    document = YAML(typ="safe").load(written["definitions/mine.yaml"])
    assert document["http"] == {"total": "10s", "private_hosts": True}
    assert "hours" not in document
    assert [line.split()[0] for line in changed] == ["http.proxy", "hours", "${SMS_SECRET}"]


def test_unset_variables_get_a_placeholder_and_settings_of_another_connector_stay_outside(tmp_path: Path) -> None:
    _, _, environ, _ = rehearse(tmp_path, mine=DEFINITION)
    assert environ["SMS_SECRET"] == "sms_secret-for-the-demo"
    assert environ["REGION"] == "eu"
    assert not [name for name in environ if name.startswith("SMS_CONNECTOR_")]


def test_a_base_is_turned_too_and_is_no_provider_of_its_own(tmp_path: Path) -> None:
    outside = tmp_path / "base.yaml"
    outside.write_text("method: GET\nurl: https://base.example.com/x\n")
    written, hosts, _, _ = rehearse(tmp_path, mine="extends: ../base.yaml\nabout: {notes: mine}\n")
    assert [name for name in written if name.startswith("definitions/")] == ["definitions/mine.yaml"]
    base = YAML(typ="safe").load(written["definitions/mine.yaml"])["extends"]
    assert YAML(typ="safe").load(Path(base).read_text())["url"] == f"{SIMULATOR}/generic/x"
    assert hosts == ["https://base.example.com"]


def test_live_leaves_the_definitions_alone_and_names_their_hosts(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(DEFINITION)
    stage = set_live(tmp_path, "127.0.0.1:9092", tmp_path / "mine.yaml")
    assert "https://bulk.example.com" in stage.hosts
    assert (tmp_path / "mine.yaml").read_text() == DEFINITION
    assert str(tmp_path / "mine.yaml") in stage.config.read_text()


def test_a_folder_without_definitions_and_a_broken_one_are_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no \*\.yaml"):
        set_rehearsal(tmp_path, "b", tmp_path / "void", SIMULATOR)
    with pytest.raises(DefinitionError, match=r"mine\.yaml"):
        rehearse(tmp_path, mine="a: [")


def test_the_demos_payloads_are_the_forms_own(tmp_path: Path) -> None:
    stage = set_own(tmp_path, "127.0.0.1:9092", SIMULATOR, {})
    assert stage.environ["SIMULATOR"] == SIMULATOR
    batch = YAML(typ="safe").load((OWN_DEFINITIONS / "demo-batch.yaml").read_text())["parameters"]["json"]
    assert batch.splitlines()[1] == '  "hid": "$$hid", //Global Key-Value pair'
