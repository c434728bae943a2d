"""Definitions checked as a worker would load them: a file, a folder, or a text that is in no file yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE, SUFFIXES
from connector.definition.load import definition_files, load, load_text
from connector.definition.tree import Definition, Operation
from connector.definition.walk import place_of
from connector.errors import DefinitionError, Problem
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response


@dataclass(slots=True)
class CheckedFile:
    """What is known about one file, or one text.

    Attributes:
        file: as given, or where a bare name was found; of a text, the name it would have.
        definition: None when it cannot be loaded.
        keys: operation → what its messages must have in common to share a request.
        errors, warnings: every one.
    """

    file: str
    definition: Definition | None = None
    keys: dict[str, str] = field(default_factory=dict)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def check_paths(paths: Iterable[str], environment: Environment) -> Iterator[CheckedFile]:
    """Each file on its own, then what only shows when they are seen together."""
    checked: list[CheckedFile] = []
    for path in paths:
        try:
            files = definition_files(path)
        except DefinitionError as error:
            checked.append(CheckedFile(path, errors=list(error.problems)))
            continue
        checked.extend(check_file(str(file), environment) for file in files)
    name_clashes(checked)
    yield from checked


def name_clashes(checked: Iterable[CheckedFile]) -> None:
    """Note with each whose name another one before it has."""
    names: dict[str, str] = {}
    for each in checked:
        name = each.definition.name if each.definition is not None else each.file
        if names.setdefault(name, each.file) != each.file:
            message = f"`{name}` is defined in {names[name]} as well"
            each.errors.append(Problem(message, "give one of them another `name`", each.file, "name"))


def check_file(file: str, environment: Environment) -> CheckedFile:
    """Load one definition and compile all of it, as a worker would."""
    checked = CheckedFile(file)
    try:
        definition = load(file, environment=environment)
    except DefinitionError as error:
        checked.errors.extend(error.problems)
        return checked
    return _compiled(checked, definition)


def check_text(text: str, name: str, *, folder: Path | None = None) -> CheckedFile:
    """The same for a text that would stand in `NAME.yaml`; every `${NAME}` stands for itself.

    Args:
        text: YAML.
        name: of the file, without suffix.
        folder: where what it extends is looked for, before the catalogue; None looks nowhere else.
    """
    checked = CheckedFile(f"{name}.yaml")
    try:
        definition = load_text(text, name, environment=Environment.placeholders(), folder=folder)
    except DefinitionError as error:
        checked.errors.extend(error.problems)
        return checked
    return _compiled(checked, definition)


def check_neighbours(folder: Path, name: str) -> list[CheckedFile]:
    """The definitions of a folder but for one file. What is wrong with one of them is not the other's fault."""
    environment = Environment.placeholders()
    files = sorted(file for suffix in SUFFIXES for file in folder.glob(f"*{suffix}") if file.stem != name)
    return [check_file(str(file), environment) for file in files]


def fit_together(checked: CheckedFile, others: Iterable[CheckedFile]) -> None:
    """Note with `checked` what only shows beside `others`: a name that is taken, a `failover` that names nobody."""
    definition = checked.definition
    if definition is None:
        return
    names = {other.definition.name: other.file for other in others if other.definition is not None}
    if definition.name in names:
        message = f"`{definition.name}` is defined in {Path(names[definition.name]).name} as well"
        checked.errors.append(Problem(message, "give one of them another `name`", checked.file, "name"))
    for other in definition.failover:
        if other not in names and not (CATALOGUE / f"{other}.yaml").exists():
            known = ", ".join(sorted(names)) or "none"
            problem = Problem(f"no definition is called `{other}`", f"known: {known}", checked.file, "failover")
            checked.errors.append(problem)


def _compiled(checked: CheckedFile, definition: Definition) -> CheckedFile:
    checked.definition = definition
    checked.warnings.extend(definition.warnings)
    for operation in definition.operations:
        try:
            checked.keys[operation.name] = compile_operation(operation).description
        except DefinitionError as error:
            checked.errors.extend(_placed(error, operation, definition))
        try:
            compile_response(operation)
        except DefinitionError as error:
            checked.errors.extend(_placed(error, operation, definition))
    return checked


def _placed(error: DefinitionError, operation: Operation, definition: Definition) -> Iterator[Problem]:
    """The problems of one operation's compilers, which know paths inside the operation and no file."""
    assert definition.source is not None  # it was loaded from one
    for problem in error.problems:
        path = problem.path if problem.path.startswith("operations[") else f"{operation.path}.{problem.path}".strip(".")
        place = place_of(definition.source, path)
        yield replace(
            problem,
            remedy=problem.remedy or "docs/definition.md says what may stand here",
            file=problem.file or place.file,
            path=path,
            line=place.line,
            column=place.column,
        )


def as_document(checked: CheckedFile) -> dict[str, Any]:
    """For programs."""
    definition = checked.definition
    operations = [
        {
            "name": operation.name,
            "method": operation.method,
            "when": operation.when,
            "records": [operation.batching.min_records, operation.batching.max_records]
            if operation.batching
            else [1, 1],
            "key": checked.keys.get(operation.name),
        }
        for operation in (definition.operations if definition is not None else ())
    ]
    return {
        "file": checked.file,
        "name": definition.name if definition is not None else None,
        "ok": not checked.errors,
        "operations": operations,
        "errors": [asdict(problem) for problem in checked.errors],
        "warnings": [asdict(problem) for problem in checked.warnings],
    }


def hides_shipped(definition: Definition) -> bool:
    """Whether one of the catalogue has its name: then the file that is configured counts."""
    return Path(definition.file).resolve().parent != CATALOGUE and any(
        (CATALOGUE / f"{definition.name}{suffix}").exists() for suffix in SUFFIXES
    )
