"""From a file to a `Definition`: read, extend, inherit, compile, check; every problem at once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from connector.config_text.environment import Environment
from connector.config_text.source import List, Map, Place, PlacedValue, plain
from connector.definition.build import build_http, build_limits, build_operation, build_retry, build_unknown_run
from connector.definition.checks import CheckedOperation, check_definition, check_operation
from connector.definition.files import CATALOGUE, definition_files, find, read_extended, read_text
from connector.definition.findings import Findings
from connector.definition.keys import DEFINITION, NAME_HINT, OPERATION, is_name
from connector.definition.merge import merge, only, without
from connector.definition.message_reference import refer
from connector.definition.tls_files import digest
from connector.definition.tree import Definition
from connector.errors import DefinitionError, Problem

OPERATIONS: Final = 100

INHERITED: Final = tuple(name for name in OPERATION.keys if name not in ("name", "when"))

__all__ = ["CATALOGUE", "Environment", "definition_files", "find", "load", "load_all", "load_text"]


def load(path_or_name: str | Path, *, environment: Environment, folder: Path | None = None) -> Definition:
    """Load one definition.

    Args:
        path_or_name: a file, or a bare name: `NAME.yaml` in `folder`, else in the catalogue.
        environment: where `${NAME}` and `${file:path}` are looked up.
        folder: where bare names, this one's and those of `extends`, are looked for first. A file's own folder is always
            looked in.

    Raises DefinitionError with every problem. What only looks like a slip is in `Definition.warnings`.
    """
    file = find(path_or_name, [folder] if folder is not None else [])
    report = Findings(environment, str(file))

    def loaded() -> Definition | None:
        source = read_extended(file, report, [folder] if folder is not None else [], ())
        definition = None if source is None else _compile(source, file, report)
        return definition and replace(definition, http=replace(definition.http, tls=digest(definition.http)))

    return _sound(loaded, report)


def load_text(text: str, name: str, *, environment: Environment, folder: Path | None = None) -> Definition:
    """Load a definition that stands in no file yet, of somebody who may read no files.

    Nothing is read but the text and what it extends: one of the catalogue, or, where there is a `folder`, a definition
    in it. The files that its `http` names are not looked at.

    Args:
        text: YAML.
        name: of the file it would be, without suffix; that of the definition where the text does not say `name`.
        environment: where `${NAME}` is looked up: `Environment.placeholders()`, unless the text is trusted.
        folder: where it would stand.

    Raises DefinitionError with every problem.
    """
    report = Findings(environment, f"{name}.yaml")

    def loaded() -> Definition | None:
        source = read_text(text, name, report, folder)
        return None if source is None else _compile(source, Path(f"{name}.yaml"), report)

    return _sound(loaded, report)


def _sound(load: Callable[[], Definition | None], report: Findings) -> Definition:
    """What `load` gives, where nothing was found that is wrong."""
    try:
        definition = load()
    except RecursionError:  # every depth has a bound of its own; this is the last line
        raise DefinitionError(
            [Problem("too much stands inside one another", "write less deeply", report.file)]
        ) from None
    if report.errors or definition is None:
        raise DefinitionError([*sorted(report.errors, key=_order), *report.left_out()])
    return definition


def _order(problem: Problem) -> tuple[str, int, int]:
    return problem.file, problem.line or 0, problem.column or 0


def load_all(paths: Iterable[str | Path], environment: Environment) -> dict[str, Definition]:
    """Load files, folders of files and bare names; by name of definition.

    Raises DefinitionError with the problems of all; two definitions of one name and an unknown `failover` are some.
    """
    definitions: dict[str, Definition] = {}
    problems: list[Problem] = []
    for path in paths:
        try:
            loaded = _load_each(definition_files(path), environment)
        except DefinitionError as error:
            problems.extend(problem for problem in error.problems if problem not in problems)
            continue
        for definition in loaded:
            other = definitions.setdefault(definition.name, definition)
            if Path(other.file).resolve() != Path(definition.file).resolve():
                message = f"`{definition.name}` is defined in {other.file} as well"
                problems.append(Problem(message, "give one of them another `name`", definition.file, "name"))
    for definition in definitions.values():
        for name in definition.failover:
            if name not in definitions and not problems:
                known = ", ".join(sorted(set(definitions) - {definition.name})) or "none"
                message = f"no definition is called `{name}`"
                problems.append(Problem(message, f"known: {known}", definition.file, "failover"))
    if problems:
        raise DefinitionError(problems)
    return definitions


def _load_each(files: list[Path], environment: Environment) -> list[Definition]:
    """All files of one path. Raises DefinitionError with the problems of every one."""
    loaded: list[Definition] = []
    problems: list[Problem] = []
    for file in files:
        try:
            loaded.append(load(file, environment=environment))
        except DefinitionError as error:
            problems.extend(error.problems)
    if problems:
        raise DefinitionError(problems)
    return loaded


# ---- compiling -----------------------------------------------------------------------------------------------------


def _name_of(file: Path, report: Findings) -> str:
    """What a definition without `name` is called: it obeys the same rule."""
    if not is_name(file.stem):
        message = f"the file is called {file.stem[:64]!r}, which is not a valid name for a definition"
        report.error(Place(str(file)), message, f"rename it, or add `name`: {NAME_HINT}")
    return file.stem


def _compile(source: Map, file: Path, report: Findings) -> Definition:
    # What an operation can inherit is read where it is inherited, once per operation.
    top = only(source, *INHERITED)
    whole = DEFINITION.read_map(without(source, *INHERITED, "operations"), report)
    listed = source.members.get("operations")
    merged = [("", top)] if listed is None else _operations(listed, top, report)
    checked: list[CheckedOperation] = []
    for path, one in merged:
        read = OPERATION.read_map(one, report)
        read.broken |= whole.broken
        default = "send" if not path else f"operation{path[len('operations[') : -1]}"
        operation = refer(build_operation(read, read.get("name") or default, path), whole.get("receipts"))
        checked.append(CheckedOperation(operation, one, read.broken))
    definition = Definition(
        name=whole.get("name") or (file.stem if "name" in source.members else _name_of(file, report)),
        file=str(file),
        operations=tuple(each.operation for each in checked),
        limits=build_limits(whole.get("limits")),
        retry=build_retry(whole.get("retry")),
        unknown_run=build_unknown_run(whole.get("unknown_run")),
        http=build_http(whole.get("http")),
        account=whole.get("account"),
        hours=whole.get("hours"),
        failover=tuple(name for name in whole.get("failover") or () if name),
        secrets=report.secrets,
        about=whole.get("about") or {},
        receipts=whole.get("receipts"),
    )
    for each in checked:
        check_operation(each, report)
    check_definition(definition, source, checked, report)
    warnings = (*report.warnings, *report.left_out_warnings())
    return replace(definition, warnings=warnings, source=source, digest=_digest(source))


def _digest(source: Map) -> str:
    text = json.dumps(plain(source), ensure_ascii=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def _operations(listed: PlacedValue, top: Map, report: Findings) -> list[tuple[str, Map]]:
    """Each operation merged over the top level."""
    if not isinstance(listed, List) or not listed.items:
        report.error(listed.place, "`operations` is a list of at least one", "begin each operation with `- name: …`")
        return []
    if len(listed.items) > OPERATIONS:
        report.error(listed.place, f"more than {OPERATIONS} operations", "a provider has a few ways to be called")
        return []
    merged = []
    for index, item in enumerate(listed.items):
        if not isinstance(item, Map):
            report.error(item.place, "an operation is a map", "write `- name: …` and its keys under it")
            continue
        one = merge(top, item)
        assert isinstance(one, Map)
        merged.append((f"operations[{index}]", one))
    return merged
