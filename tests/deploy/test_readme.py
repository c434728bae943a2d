"""The way of a newcomer through deploy/README.md: every file, name and option is there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector import __version__
from connector.config_text.environment import Environment
from connector.definition.load import load
from tests.deploy.chart import CHART, FIRST, PLAIN, Document, helm, kubeconform
from tests.deploy.files import ROOT, read_all_yaml, read_yaml
from tests.deploy.schemas import NEWEST
from tests.deploy.tools import BUILD_SECONDS
from tests.tooling.pages import blocks
from tests.tooling.test_commands_in_documents import understood

PAGE = ROOT / "deploy" / "README.md"
WITH_VALUE = {
    "--namespace",
    "--filename",
    "--selector",
    "--timeout",
    "--replicas",
    "--tail",
    "--tag",
    "--values",
    "--set",
}


def commands() -> list[str]:
    """Every command, in the order in which it is typed."""
    text = "".join(block.text for block in blocks(PAGE) if block.language == "sh")
    return [line for line in re.sub(r"\\\n\s*", " ", text).splitlines() if line]


def of(program: str) -> list[list[str]]:
    return [shlex.split(it)[1:] for it in commands() if it.startswith(f"{program} ")]


def options(words: list[str], name: str) -> Iterator[str]:
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == name:
            yield after
        elif word.startswith(f"{name}="):
            yield word.removeprefix(f"{name}=")


def arguments(words: list[str]) -> list[str]:
    """Without options."""
    found, skip = [], False
    for word in words:
        if word == "--":
            break
        if not skip and not word.startswith("-"):
            found.append(word)
        skip = word in WITH_VALUE
    return found


def manifests() -> list[Document]:
    return [document for path in PLAIN.iterdir() for document in read_all_yaml(path)]


def test_the_page_is_followed() -> None:
    assert {shlex.split(it)[0] for it in commands()} == {"docker", "cp", "kubectl", "helm"}
    assert len(commands()) > 12


@pytest.mark.parametrize("command", commands())
def test_every_file_is_there_when_it_is_needed(command: str) -> None:
    made = {shlex.split(it)[-1] for it in commands()[: commands().index(command)] if it.startswith("cp ")}
    words = shlex.split(command)
    files = [*options(words, "--filename"), *options(words, "--values"), *(it for it in words if "/chart" in it)]
    files += words[1:2] if words[0] == "cp" else []
    missing = [it for it in files if it not in made and not (ROOT / it).exists()]
    assert missing == []


def test_the_image_that_is_built_is_the_one_that_is_run() -> None:
    (build,), (push,) = [it for it in of("docker") if it[0] == "build"], [it for it in of("docker") if it[0] == "push"]
    (tag,) = options(build, "--tag")
    assert push[1:] == [tag]
    repository, _, version = tag.rpartition(":")
    assert version == __version__
    (install,) = [it for it in of("helm") if it[0] == "upgrade"]
    assert f"image.repository={repository}" in options(install, "--set")


@pytest.mark.timeout(BUILD_SECONDS)
@pytest.mark.parametrize("words", [it for it in of("helm") if it[0] in ("template", "upgrade")], ids=" ".join)
def test_each_helm_command_renders(words: list[str], tmp_path: Path, helm_built: None) -> None:
    """With a newcomer's values, a copy of first.yaml. There is no cluster here: `template` in place of `upgrade`."""
    mine = tmp_path / "my-values.yaml"
    mine.write_text(FIRST.read_text())
    kept = [str(mine) if it == mine.name else it for it in words[1:] if it not in ("--install", "--wait")]
    assert kubeconform(helm("template", *kept, "--kube-version", f"{NEWEST}.0"), NEWEST, tmp_path) == ""


def test_the_secret_has_what_the_first_values_ask_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    (words,) = [it for it in of("kubectl") if "secret" in it]
    assert arguments(words)[-1] == read_yaml(CHART / "values.yaml")["secretName"]
    named = {it.partition("=")[0] for it in options(words, "--from-literal")}
    values = read_yaml(FIRST)
    asked = set(re.findall(r"\$\{(\w+)\}", str(values["settings"])))
    for name, text in values["definitions"].items():
        file = tmp_path_factory.mktemp("definitions") / f"{name}.yaml"
        file.write_text(text)
        loaded = load(file, environment=Environment.placeholders())
        asked |= {re.sub(r"[${}]", "", it) for it in loaded.secrets}
    assert named == asked


def test_everything_is_in_one_namespace_that_is_made_first() -> None:
    (create,) = [index for index, it in enumerate(of("kubectl")) if it[:2] == ["create", "namespace"]]
    assert create == 0
    name = of("kubectl")[0][2]
    for words in [*of("kubectl")[1:], *(it for it in of("helm") if it[0] != "lint")]:
        assert list(options(words, "--namespace")) == [name], words


@pytest.mark.parametrize("words", [it for it in of("kubectl") if "create" not in it], ids=" ".join)
def test_what_kubectl_is_asked_for_is_there(words: list[str]) -> None:
    there = {f"{it['kind'].lower()}/{it['metadata']['name']}" for it in manifests()}
    for argument in arguments(words):
        if "/" in argument and not argument.startswith("deploy/"):
            assert argument in there
    for selector in options(words, "--selector"):
        label, _, value = selector.partition("=")
        pods = [it["spec"]["template"] for it in manifests() if "template" in it.get("spec", {})]
        jobs = [it for it in manifests() if it["kind"] == "Job"]
        chosen = jobs if "job" in words else pods
        assert any(it["metadata"]["labels"].get(label) == value for it in chosen), selector
    if "--" in words:
        program, *call = words[words.index("--") + 1 :]
        assert program == "sms-connector"
        understood(call)


def test_without_helm_topics_are_made_before_workers_start() -> None:
    applied = [file for words in of("kubectl") if "apply" in words for file in options(words, "--filename")]
    waits = [index for index, words in enumerate(of("kubectl")) if "wait" in words]
    (topics,) = [index for index, words in enumerate(of("kubectl")) if "deploy/kubernetes/topics.yaml" in words]
    (workers,) = [index for index, words in enumerate(of("kubectl")) if "deploy/kubernetes/deployment.yaml" in words]
    assert waits == [topics + 1]
    assert topics < workers
    assert {*applied, "deploy/kubernetes/keda.yaml"} == {f"deploy/kubernetes/{path.name}" for path in PLAIN.iterdir()}


def test_every_value_that_the_page_names_is_one() -> None:
    text = PAGE.read_text()
    values = read_yaml(CHART / "values.yaml")
    for name in re.findall(r"`((?:autoscaling|networkPolicy|monitoring|topicsJob|image)\.[A-Za-z.]+)", text):
        place = values
        for part in name.split("."):
            assert part in place, name
            place = place[part]


def test_every_exit_code_that_kubernetes_may_see_is_told() -> None:
    section = PAGE.read_text().partition("## What Kubernetes does")[2].partition("\n## ")[0]
    told = set(re.findall(r"\d+", " ".join(re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE))))
    assert told == {"1", "2", "70", "71", "78", "137"}
