"""From names to files, and from a file to one map: what it says, merged over what it extends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from connector.config_text.json_text import read_json
from connector.config_text.regular_file import FileError, read_regular
from connector.config_text.source import List, Map, Place, PlacedValue, Value
from connector.config_text.yaml_text import YamlSyntaxError, read_yaml
from connector.definition.findings import Findings
from connector.definition.merge import merge, without
from connector.definition.shape import near, shown
from connector.errors import DefinitionError, Problem

CATALOGUE: Final = Path(__file__).resolve().parent.parent / "providers"  # the shipped definitions
SUFFIXES: Final = (".yaml", ".yml")
FILE_BYTES: Final = 256 * 1024
FILES: Final = 1_000  # of a folder
CHAIN: Final = 10  # definitions that extend one another


def find(path_or_name: str | Path, folders: Iterable[Path]) -> Path:
    """The file of a path or a bare name. Raises DefinitionError where there is none."""
    given = Path(path_or_name)
    if given.suffix in SUFFIXES or len(given.parts) != 1:
        if _there(given):
            return given
        raise DefinitionError([_no_file(given)])
    places = [*folders, CATALOGUE]
    for folder in places:
        for suffix in SUFFIXES:
            file = folder / f"{given}{suffix}"
            if _there(file):
                return file
    known = sorted({file.stem for folder in places for suffix in SUFFIXES for file in folder.glob(f"*{suffix}")})
    meant = near(str(given), known)
    remedy = (
        f"did you mean `{meant[0]}`?"
        if meant
        else "write a path" + (f", or one of: {', '.join(known[:50])}" if known else "")
    )
    raise DefinitionError([Problem(f"no definition is called `{shown(str(given))}`", remedy)])


def _there(file: Path) -> bool:
    """Whether something is there that is no folder: what it is, reading it will say."""
    try:
        return file.exists() and not file.is_dir()
    except (OSError, ValueError):  # names that no file can have
        return False


def _no_file(given: Path) -> Problem:
    try:
        folder = given.is_dir()
    except (OSError, ValueError):
        folder = False
    return Problem("this is a folder" if folder else "there is no such file", "check the path", shown(str(given)))


def definition_files(path_or_name: str | Path) -> list[Path]:
    """The files of a folder, or the one file of a path or bare name. Raises DefinitionError where there is none."""
    folder = Path(path_or_name)
    try:
        found = sorted(islice(_definitions_in(folder), FILES + 1)) if folder.is_dir() else None
    except ValueError:  # a NUL in its name
        found = None
    except OSError as error:
        problem = Problem(f"cannot be read: {error.strerror}", "check the path and its permissions", shown(str(folder)))
        raise DefinitionError([problem]) from None
    if found is None:
        return [find(path_or_name, [])]
    if len(found) > FILES:
        message = f"the folder holds more than {FILES:,} definitions"
        raise DefinitionError([Problem(message, "name the right one", str(folder))])
    if not found:
        raise DefinitionError([Problem("the folder holds no definition", "files end in .yaml", str(folder))])
    return found


def _definitions_in(folder: Path) -> Iterator[Path]:
    return (file for file in folder.iterdir() if file.suffix in SUFFIXES and file.is_file())


def read_extended(file: Path, report: Findings, folders: list[Path], seen: tuple[Path, ...]) -> Map | None:
    """The file merged over what it extends; None when something cannot be read."""
    source = _read_file(file, report)
    if source is None:
        return None
    named = source.members.get("extends")
    if named is None:
        return source
    trail = (*seen, file.resolve())
    if len(trail) > CHAIN:
        report.error(named.place, f"more than {CHAIN} definitions extend one another", "extend the first one directly")
        return None
    near_by = [file.parent, *folders]
    return _extended(source, named, lambda: _base(named, near_by, file, trail), (report, folders, trail))


def read_text(text: str, name: str, report: Findings, folder: Path | None) -> Map | None:
    """The same for a text that would stand as `name` in `folder`, of somebody who may read nothing else.

    It extends a definition of that folder or of the catalogue; without a folder one of the catalogue.
    """
    source = _parse(text, f"{name}.yaml", report)
    named = None if source is None else source.members.get("extends")
    if source is None or named is None:
        return source
    file = (folder or CATALOGUE) / f"{name}.yaml"
    trail = () if folder is None else (file.resolve(),)
    folders = [] if folder is None else [folder]

    def base() -> Path:
        path = Path(named.text if isinstance(named, Value) else "")
        bare = len(path.parts) == 1 and path.suffix not in SUFFIXES
        if not bare and (folder is None or path.suffix not in SUFFIXES):
            raise DefinitionError(
                [Problem(f"`{shown(str(path))}` is not to be read from here", "name a definition of the catalogue")]
            )
        return _base(named, folders, file, trail)

    return _extended(source, named, base, (report, folders, trail))


def _extended(
    source: Map,
    named: PlacedValue,
    base: Callable[[], Path],
    reading: tuple[Findings, list[Path], tuple[Path, ...]],
) -> Map | None:
    """`source` merged over the file that `base` finds for what `extends` names; None where that cannot be read."""
    report, folders, trail = reading
    try:
        base_file = base()
    except DefinitionError as error:
        for problem in error.problems:
            report.error(named.place, problem.message, problem.remedy)
        return None
    extended = read_extended(base_file, report, folders, trail)
    if extended is None:
        return None
    merged = merge(without(extended, "extends", "name"), source)
    assert isinstance(merged, Map)
    return merged


def _base(named: PlacedValue, folders: list[Path], file: Path, trail: tuple[Path, ...]) -> Path:
    """The file that `extends` names: never one that is being read already. Raises DefinitionError."""
    name = named.text if isinstance(named, Value) else ""
    if not name:
        raise DefinitionError([Problem("`extends` names one definition", "write extends: NAME, or a path")])
    path = Path(name)
    if path.suffix in SUFFIXES or len(path.parts) != 1:
        if not _beside(path, file):
            remedy = "write a name of the catalogue, or a file beside this one: ./base.yaml"
            raise DefinitionError([Problem(f"`{shown(name)}` is no file beside this one", remedy)])
        found = find(file.parent / path, [])
    else:
        # `extends: plivo` in a plivo.yaml means the catalogue's, not itself.
        own = {(folder / f"{name}{suffix}").resolve(): folder for folder in folders for suffix in SUFFIXES}
        found = find(name, [folder for folder in folders if folder != own.get(file.resolve())])
        if found.parent not in (*folders[1:], CATALOGUE) and not _beside(Path(found.name), file):
            remedy = "copy it beside this one, or name one of the catalogue"
            raise DefinitionError([Problem(f"`{shown(name)}` is a link that leads out of its folder", remedy)])
    if found.resolve() in trail:
        chain = " → ".join(each.name for each in (*trail, found))
        raise DefinitionError([Problem(f"definitions extend each other: {chain}", "break the circle")])
    return found


def _beside(path: Path, file: Path) -> bool:
    """Whether `path` leads into the folder of `file`, links followed: a mounted ConfigMap is made of them."""
    if path.is_absolute() or ".." in path.parts:
        return False
    try:
        resolved = (file.parent / path).resolve()
        return any(resolved.is_relative_to(folder) for folder in (file.parent.resolve(), file.resolve().parent))
    except (OSError, ValueError, RuntimeError):  # a circle of links
        return False


def _read_file(file: Path, report: Findings) -> Map | None:
    """The map a file holds; None, and problems, where it cannot be read."""
    place = Place(str(file))
    try:
        text = read_regular(file, FILE_BYTES).decode("utf-8-sig")
    except FileError as error:
        report.error(place, f"the file {error.message}", error.remedy)
        return None
    except UnicodeDecodeError as error:
        report.error(place, f"not UTF-8 text (byte {error.start})", "save it as UTF-8")
        return None
    return _parse(text, str(file), report)


def _parse(text: str, file: str, report: Findings) -> Map | None:
    """The map a text holds; None, and problems, where it is none."""
    place = Place(file)
    if len(text) > FILE_BYTES or len(text.encode(errors="replace")) > FILE_BYTES:
        report.error(place, f"is larger than {FILE_BYTES // 1024} KiB", "say less in it")
        return None
    problems: list[Problem] = []
    try:
        source = read_yaml(text, file, problems)
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


def _pasted(source: Map, report: Findings) -> Map:
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
