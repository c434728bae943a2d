"""docs/way-of-a-message.md follows the code: its links lead to what they name, and its arrows are calls.

Read from the source alone, nothing is imported. `A → B` holds where A names B and its file knows B's class.
`A → name → B, wired in C` holds where A names `name`, and C names both `name` and B, or B's class.
`A → P.name → B` holds where A names `name` and its file knows P, a protocol, which B's class names as its base.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import pytest

from tests.tooling.pages import ROOT

PAGE = (ROOT / "docs" / "way-of-a-message.md").read_text("utf-8")
STEPS = ["Fetch", "Admit", "Queue", "Build the request", "Send", "Read the reply", "Decide", "Write", "Commit"]
QUESTIONS = 20

ANY_LINK = re.compile(r"\]\(\.\./connector/")
LINK = r"\[`([^`]+)`\]\(\.\./(connector/[^)]+)\)"
ARROW = re.compile(rf"^- {LINK} → (?:`(\w+)` → )?(?:{LINK} → )?{LINK}(?:, wired in {LINK})?", re.MULTILINE)


class Symbol(NamedTuple):
    """A class, function, method or attribute of a file."""

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.file} {self.name}"

    @property
    def last(self) -> str:
        """What a call of it names: of an initialiser the class."""
        return self.name.removesuffix(".__init__").rpartition(".")[2]

    @property
    def holder(self) -> str:
        """The class it is in, or it is; a function of a module by its own name."""
        return self.name.partition(".")[0]


class Arrow(NamedTuple):
    """One line of the page. Where the caller does not know whom it calls: a protocol's method, or `attribute` and
    `binder`.
    """

    caller: Symbol
    attribute: str
    called: Symbol
    binder: Symbol | None
    protocol: Symbol | None = None


def symbols(text: str) -> list[Symbol]:
    return [Symbol(file, name) for name, file in re.findall(LINK, text)]


def arrows(text: str) -> list[Arrow]:
    found = []
    for name, file, attribute, as_name, as_file, to_name, to_file, by_name, by_file in ARROW.findall(text):
        binder = Symbol(by_file, by_name) if by_file else None
        protocol = Symbol(as_file, as_name) if as_file else None
        found.append(Arrow(Symbol(file, name), attribute, Symbol(to_file, to_name), binder, protocol))
    return found


def sections() -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@cache
def tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text("utf-8"))


def assigned(node: ast.AST) -> Iterator[str]:
    """Names that a statement gives something to: `x = …`, `x: T`, `self.x, self.y = …`."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        for it in target.elts if isinstance(target, ast.Tuple) else [target]:
            yield it.id if isinstance(it, ast.Name) else it.attr if isinstance(it, ast.Attribute) else ""


def defined(within: ast.AST, name: str) -> ast.AST | None:
    """Where a name is defined directly in a module or class, or given to `self` in one of its methods."""
    body: list[ast.stmt] = getattr(within, "body", [])
    for node in body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == name:
            return node
    statements = list(body)
    if isinstance(within, ast.ClassDef):
        statements += [node for method in body if isinstance(method, ast.FunctionDef) for node in method.body]
    return next((node for node in statements if name in assigned(node)), None)


def find(symbol: Symbol) -> ast.AST | None:
    found: ast.AST | None = tree(symbol.file) if (ROOT / symbol.file).is_file() else None
    for name in symbol.name.split("."):
        found = None if found is None else defined(found, name)
    return found


def names(node: ast.AST) -> set[str]:
    """Everything it mentions by name: variables, attributes, imports."""
    found = set()
    for it in ast.walk(node):
        match it:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.alias(name=name):
                found.add(name)
    return found


def parameters(node: ast.AST) -> set[str]:
    """Parameters that it gives something to by their names."""
    return {it.arg for it in ast.walk(node) if isinstance(it, ast.keyword) and it.arg is not None}


def knows(file: str, symbol: Symbol) -> bool:
    """Whether a file defines the symbol's class, mentions it, or imports from its module."""
    module = symbol.file.removesuffix(".py").replace("/", ".")
    imported = {it.module for it in ast.walk(tree(file)) if isinstance(it, ast.ImportFrom)}
    return file == symbol.file or symbol.holder in names(tree(file)) or module in imported


def node_of(symbol: Symbol) -> ast.AST:
    found = find(symbol)
    assert found is not None, symbol
    return found


def wrong(arrow: Arrow) -> str | None:
    """What of an arrow the code does not say; None where it holds."""
    caller, attribute, called, binder, protocol = arrow
    if protocol is not None:
        return wrong_protocol(caller, protocol, called)
    if (attribute or called.last) not in names(node_of(caller)):
        return f"{caller} does not mention {attribute or called.last}"
    if binder is None:
        return None if knows(caller.file, called) else f"{caller.file} does not know {called}"
    bound = names(node_of(binder))
    if attribute.lstrip("_") not in {name.lstrip("_") for name in bound | parameters(node_of(binder))}:
        return f"{binder} does not mention {attribute}"
    if not {called.last, called.holder} & bound:
        return f"{binder} mentions neither {called.last} nor {called.holder}"
    if binder.file == called.file or knows(binder.file, called):
        return None
    return f"{binder.file} does not know {called}"


def bases(symbol: Symbol) -> set[str]:
    """What the symbol's class names as its bases."""
    found = find(Symbol(symbol.file, symbol.holder))
    return {name for base in found.bases for name in names(base)} if isinstance(found, ast.ClassDef) else set()


def wrong_protocol(caller: Symbol, protocol: Symbol, called: Symbol) -> str | None:
    """The same where the caller knows what it calls by a protocol."""
    if protocol.last not in names(node_of(caller)):
        return f"{caller} does not mention {protocol.last}"
    if not knows(caller.file, protocol):
        return f"{caller.file} does not know {protocol}"
    if "Protocol" not in bases(protocol):
        return f"{protocol.holder} is no protocol"
    if protocol.holder not in bases(called) or protocol.last != called.last:
        return f"{called} is not what {protocol} is"
    return None


def test_every_link_into_the_code_names_a_file_and_a_symbol_that_exist() -> None:
    links = re.findall(LINK, PAGE)
    assert len(links) == len(ANY_LINK.findall(PAGE)), "a link into the code that is not a `symbol`"
    assert [str(symbol) for symbol in symbols(PAGE) if find(symbol) is None] == []


@pytest.mark.parametrize("arrow", arrows(PAGE), ids=lambda it: f"{it.caller.name} → {it.called.name}")
def test_an_arrow_is_a_call(arrow: Arrow) -> None:
    assert wrong(arrow) is None


def test_the_steps_are_those_of_a_message_and_each_has_arrows() -> None:
    steps = {name: text for name, text in sections().items() if name[0].isdigit()}
    assert list(steps) == [f"{number}. {name}" for number, name in enumerate(STEPS, 1)]
    for name, text in steps.items():
        assert arrows(text), name
        assert "**Handed over:**" in text, name
        assert "**What may stop it:**" in text, name
        assert text.count("\n- ") == len(arrows(text)), f"{name}: a line that is no arrow"


def test_the_way_has_no_gap() -> None:
    """Every call is made in a file that an earlier one has led to, and a step goes on where another one has ended."""
    reached = {arrows(PAGE)[0].caller.file}
    for arrow in arrows(PAGE):
        assert arrow.caller.file in reached, f"nothing leads to {arrow.caller}"
        reached.add(arrow.called.file)
    steps = [arrows(text) for name, text in sections().items() if name[0].isdigit()]
    for before, after in pairwise(steps):
        ended = {it.called.file for it in before} | {it.caller.file for it in before} | {"connector/stream/worker.py"}
        assert after[0].caller.file in ended, f"{after[0].caller} does not go on from the step before it"


def test_the_questions_have_answers() -> None:
    rows = [line for line in sections()["Where is …?"].splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= QUESTIONS
    assert [row for row in rows if not symbols(row)] == []


@pytest.mark.parametrize(
    "caller",
    ["connector/stream/intake/intake.py Intake.refile", "connector/stream/intake/admission.py Admission._wait"],
)
def test_a_call_that_is_not_made_is_noticed(caller: str) -> None:
    file, _, name = caller.partition(" ")
    called = "[`Admission._admit_records`](../connector/stream/intake/admission.py)"
    (arrow,) = arrows(f"- [`{name}`](../{file}) → {called}")
    assert wrong(arrow) == f"{caller} does not mention _admit_records"


def test_what_does_not_implement_a_protocol_is_noticed() -> None:
    caller, protocol = "connector/stream/faust/app.py", "connector/stream/faust/chunk.py"
    called = "connector/stream/worker.py"
    (arrow,) = arrows(
        f"- [`attach_agents`](../{caller}) → [`ChunkSink.admit`](../{protocol}) → [`Worker.admit`](../{called})"
    )
    assert wrong(arrow) == f"{called} Worker.admit is not what {protocol} ChunkSink.admit is"
