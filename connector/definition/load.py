"""From a file to a `Definition`: read, extend, inherit, compile, check; every problem at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from connector.definition.build import build_http, build_limits, build_operation, build_retry
from connector.definition.checks import check_definition, check_operation
from connector.definition.environment import Environment
from connector.definition.json_text import read_json
from connector.definition.keys import DEFINITION, OPERATION
from connector.definition.merge import merge, without
from connector.definition.report import Report
from connector.definition.shape import Read
from connector.definition.source import List, Map, Place, Source, Value
from connector.definition.tree import Definition, Operation
from connector.definition.yaml_text import YamlSyntaxError, read_yaml
from connector.errors import DefinitionError, Problem

__all__ = ["CATALOGUE", "Environment", "definition_files", "find", "load", "load_all"]

CATALOGUE: Final = Path(__file__).resolve().parent.parent / "providers"  # the shipped definitions
SUFFIXES: Final = (".yaml", ".yml")
FILE_BYTES: Final = 4 * 1024 * 1024


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
    report = Report(environment, str(file))
    source = _read_extended(file, report, [folder] if folder is not None else [], ())
    if source is None:
        raise DefinitionError(report.errors)
    definition = _compile(source, file, report)
    if report.errors:
        raise DefinitionError(sorted(report.errors, key=_order))
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
            if other.file != definition.file:
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


# ---- files ---------------------------------------------------------------------------------------------------------


def find(path_or_name: str | Path, folders: Iterable[Path]) -> Path:
    """The file of a path or a bare name. Raises DefinitionError where there is none."""
    given = Path(path_or_name)
    if given.suffix in SUFFIXES or len(given.parts) != 1:
        if given.is_file():
            return given
        raise DefinitionError([Problem("there is no such file", "check the path", str(given))])
    places = [*folders, CATALOGUE]
    for folder in places:
        for suffix in SUFFIXES:
            file = folder / f"{given}{suffix}"
            if file.is_file():
                return file
    known = sorted({file.stem for folder in places for suffix in SUFFIXES for file in folder.glob(f"*{suffix}")})
    near = get_close_matches(str(given), known, n=1)
    remedy = f"did you mean `{near[0]}`?" if near else f"write a path, or one of: {', '.join(known)}"
    raise DefinitionError([Problem(f"no definition is called `{given}`", remedy)])


def definition_files(path_or_name: str | Path) -> list[Path]:
    """The files of a folder, or the one file of a path or bare name. Raises DefinitionError where there is none."""
    folder = Path(path_or_name)
    if not folder.is_dir():
        return [find(path_or_name, [])]
    found = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())
    if not found:
        raise DefinitionError([Problem("the folder holds no definition", "files end in .yaml", str(folder))])
    return found


def _read_extended(file: Path, report: Report, folders: list[Path], seen: tuple[Path, ...]) -> Map | None:
    """The file merged over what it extends; None when something cannot be read."""
    source = _read_file(file, report)
    if source is None:
        return None
    named = source.members.get("extends")
    if named is None:
        return source
    trail = (*seen, file.resolve())
    places = [file.parent, *folders]
    try:
        base_file = _base(named, places, file, trail)
    except DefinitionError as error:
        for problem in error.problems:
            report.error(named.place, problem.message, problem.remedy)
        return None
    base = _read_extended(base_file, report, folders, trail)
    if base is None:
        return None
    merged = merge(without(base, "extends", "name"), source)
    assert isinstance(merged, Map)
    return merged


def _base(named: Source, places: list[Path], file: Path, trail: tuple[Path, ...]) -> Path:
    """The file that `extends` names: never one that is being read already. Raises DefinitionError."""
    name = named.text if isinstance(named, Value) else ""
    path = Path(name)
    if path.suffix in SUFFIXES or len(path.parts) != 1:
        found = find(file.parent / path, [])
    else:
        # `extends: plivo` in a plivo.yaml means the catalogue's, not itself.
        found = find(
            name, [place for place in places if not any((place / f"{name}{s}").resolve() in trail for s in SUFFIXES)]
        )
    if found.resolve() in trail:
        chain = " → ".join(each.name for each in (*trail, found))
        raise DefinitionError([Problem(f"definitions extend each other: {chain}", "break the circle")])
    return found


def _read_file(file: Path, report: Report) -> Map | None:
    """The map a file holds; None, and problems, where it cannot be read."""
    place = Place(str(file))
    try:
        data = file.read_bytes()
        text = data[: FILE_BYTES + 1].decode("utf-8-sig")
    except OSError as error:
        report.error(place, f"the file cannot be read: {error.strerror}", "check the path and its permissions")
        return None
    except UnicodeDecodeError as error:
        report.error(place, f"not UTF-8 text (byte {error.start})", "save it as UTF-8")
        return None
    if len(data) > FILE_BYTES:
        report.error(place, f"larger than {FILE_BYTES // 1024**2} MiB", "a definition is far smaller")
        return None
    problems: list[Problem] = []
    try:
        source = read_yaml(text, str(file), problems)
    except YamlSyntaxError as error:
        problems.append(error.problem)
        source = None
    for problem in problems:
        report.add(problem)
    if isinstance(source, Map):
        return _pasted(source, report)
    if not problems:
        report.error(
            place, "the file holds no map" if source is not None else "the file is empty", "write `key: value`"
        )
    return None


def _pasted(source: Map, report: Report) -> Map:
    """`parameters.json` texts as structures, here and in every operation, so that they can be merged."""
    members = dict(source.members)
    parameters = members.get("parameters")
    if isinstance(parameters, Map):
        text = parameters.members.get("json")
        if isinstance(text, Value) and isinstance(text.data, str) and not text.text.lstrip().startswith("$$"):
            problems: list[Problem] = []
            structure = read_json(text, problems)
            if structure is not None:  # a syntax error is reported where the key is read
                for problem in problems:
                    report.add(problem)
                members["parameters"] = Map(
                    {**parameters.members, "json": structure}, parameters.place, parameters.keys
                )
    operations = members.get("operations")
    if isinstance(operations, List):
        items = tuple(_pasted(item, report) if isinstance(item, Map) else item for item in operations.items)
        members["operations"] = List(items, operations.place)
    return Map(members, source.place, source.keys)


# ---- compiling -----------------------------------------------------------------------------------------------------


def _compile(source: Map, file: Path, report: Report) -> Definition:
    listed = source.members.get("operations")
    operation_keys = [name for name in OPERATION.keys if name not in ("name", "when")]
    if listed is None:
        whole = DEFINITION.read(source, report) or Read()
        sources: list[tuple[str, Map]] = [("", without(source, *_definition_only()))]
    else:
        # Operation keys of the top level are read where they are inherited, once per operation.
        whole = DEFINITION.read(without(source, *operation_keys, "operations"), report) or Read()
        sources = _operations(listed, without(source, *_definition_only()), report)
    operations = [_compile_operation(path, merged, report) for path, merged in sources]
    definition = Definition(
        name=whole.get("name") or file.stem,
        file=str(file),
        operations=tuple(operations),
        limits=build_limits(whole.get("limits")),
        retry=build_retry(whole.get("retry")),
        http=build_http(whole.get("http")),
        account=whole.get("account"),
        hours=whole.get("hours"),
        failover=tuple(name for name in whole.get("failover") or () if name),
        secrets=report.secrets,
        about=whole.get("about") or {},
        receipts=whole.get("receipts"),
    )
    check_definition(definition, source, [merged for _, merged in sources], report)
    return replace(definition, warnings=tuple(report.warnings))


def _definition_only() -> list[str]:
    return [name for name in DEFINITION.keys if name not in OPERATION.keys or name == "name"]


def _operations(listed: Source, top: Map, report: Report) -> list[tuple[str, Map]]:
    """Each operation merged over the top level."""
    if not isinstance(listed, List) or not listed.items:
        report.error(listed.place, "`operations` is a list of at least one", "begin each operation with `- name: …`")
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


def _compile_operation(path: str, source: Map, report: Report) -> Operation:
    read = OPERATION.read(source, report) or Read()
    default = "send" if not path else f"operation{path[len('operations[') : -1]}"
    operation = build_operation(read, read.get("name") or default, path)
    check_operation(operation, source, read.broken, report)
    return operation
