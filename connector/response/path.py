"""JMESPath for replies: parsed once, run as closures, and lenient about lists.

Four things differ from the specification, because provider APIs differ from it (see "Replies" in the language's page):

- where a list is expected (`[*]`, `[]`, `[?…]`, `[0]`) one value is a list of one: XML and PHP write a list of one so;
- a number equals the text that writes it (`code == '0'` holds of 0 and of '0'): a provider changes from one to the
  other without a word, and `code != '0'` would then hold of success;
- an expression that fails (a wrong type, mostly null) is no match: it gives null, and is counted;
- functions are added (functions.py): `items`, `json`, `digits`, `last`, `trim`.

What an entry is asked 1,000 times per reply (fields, comparisons, `contains`, and/or/not) becomes Python closures,
about ten times as fast as the library's tree walk; every other node is left to the library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from jmespath.visitor import Options, TreeInterpreter

from connector.config_text.jmes_checks import OVER_REPLIES, slips, walk
from connector.config_text.jmes_parse import AstNode, PathSyntaxError, parse
from connector.response.functions import ReplyFunctions, to_number, type_name
from connector.response.work import BYTES_A_STEP, VISIT, TooMuchWorkError, Work

Get = Callable[[Any], Any]


class PathError(Exception):
    """A JMESPath expression is wrong.

    Attributes:
        message: what is wrong.
        remedy: what to write instead.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = message
        self.remedy = remedy
        super().__init__(message)


# ---- evaluation -----------------------------------------------------------------------------------------------------


def as_list(value: Any) -> list[Any] | None:
    """Where a list is expected: null stays null, one value is a list of one."""
    return value if value is None or isinstance(value, list) else [value]


class _Interpreter(TreeInterpreter):
    """The library's tree walk, lenient about lists, and paid for node by node."""

    def __init__(self, work: Work) -> None:
        self.functions = ReplyFunctions(work)
        self._spend = work.spend
        super().__init__(Options(custom_functions=self.functions))

    def visit(self, node: AstNode, *args: Any, **kwargs: Any) -> Any:
        self._spend(VISIT)
        return super().visit(node, *args, **kwargs)

    def visit_projection(self, node: AstNode, value: Any) -> list[Any] | None:
        base = as_list(self.visit(node["children"][0], value))
        if base is None:
            return None
        results = (self.visit(node["children"][1], element) for element in base)
        return [result for result in results if result is not None]

    def visit_filter_projection(self, node: AstNode, value: Any) -> list[Any] | None:
        source, then, condition = node["children"]
        base = as_list(self.visit(source, value))
        if base is None:
            return None
        chosen = (element for element in base if truthy(self.visit(condition, element)))
        results = (self.visit(then, element) for element in chosen)
        return [result for result in results if result is not None]

    def visit_flatten(self, node: AstNode, value: Any) -> list[Any] | None:
        base = as_list(self.visit(node["children"][0], value))
        if base is None:
            return None
        merged: list[Any] = []
        self._spend(len(base))
        for element in base:
            if isinstance(element, list):
                self._spend(len(element))
                merged.extend(element)
            else:
                merged.append(element)
        return merged

    def visit_slice(self, node: AstNode, value: Any) -> Any:
        self._spend(len(value) if isinstance(value, list) else 0)
        return super().visit_slice(node, value)

    def visit_comparator(self, node: AstNode, value: Any) -> Any:
        if node["value"] not in ("eq", "ne"):
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        return equal(left, right) is (node["value"] == "eq")

    def visit_index(self, node: AstNode, value: Any) -> Any:
        base = as_list(value)
        position: int = node["value"]
        return base[position] if base is not None and -len(base) <= position < len(base) else None


def evaluate(node: AstNode, document: Any, work: Work) -> Any:
    """What a part of an expression gives, for people. Raises what it fails with."""
    return _Interpreter(work).visit(node, document)


_EQUALS: Final[Callable[[Any, Any], bool]] = TreeInterpreter.COMPARATOR_FUNC["eq"]

# A whole number as programs write it: neither "007" nor "1.0", which may be codes and versions.
_written_number: Final = re.compile(r"-?[1-9][0-9]{0,17}|0", re.ASCII).fullmatch


def equal(left: Any, right: Any) -> bool:
    """JMESPath's equality, and that of a number and the text which writes it."""
    if _EQUALS(left, right):
        return True
    if left.__class__ is str:
        left, right = right, left
    return right.__class__ is str and left.__class__ in _NUMBERS and other_form(right) == left


def other_form(value: Any) -> Any:
    """The number a text writes, or the text of a number; None for what has no other form."""
    if value.__class__ is str:
        return int(value) if _written_number(value) else None
    if value.__class__ is int or (value.__class__ is float and value.is_integer()):
        text = str(int(value))
        return text if _written_number(text) else None
    return None


_NUMBERS: Final = (int, float)


def truthy(value: Any) -> bool:
    """JMESPath's truth: null, false, "", [] and {} are false; 0 is true."""
    if value is True or value is None or value is False:
        return value is True
    return not (isinstance(value, (str, list, dict)) and len(value) == 0)


def compile_path(source: str, faults: Counter[str], *, name: str = "", work: Work | None = None) -> Get:
    """A function from a document to the value at `source`; null where it fails, counted in `faults` under `name`.

    What it walks through is paid out of `work`; where that is spent, the function raises TooMuchWorkError. Raises
    PathError when the expression cannot be parsed or calls what does not exist.
    """
    node = _parsed(source)
    names = _plain_names(node)
    if names is not None:  # cannot fail
        return _getter(names)
    return _guarded(_Closures(work or Work()).of(node), faults, name or source)


def compile_condition(
    source: str, faults: Counter[str], *, name: str = "", work: Work | None = None
) -> Callable[[Any], bool]:
    """A function from a document to whether the expression is true of it. Raises PathError as `compile_path` does."""
    test = _test(_parsed(source))
    if test is not None:
        return test
    get = compile_path(source, faults, name=name, work=work)

    def holds(document: Any) -> bool:
        result = get(document)
        return result is True or (result is not False and truthy(result))

    return holds


def _test(node: AstNode) -> Callable[[Any], bool] | None:
    """`name == 'text'`, which nearly every rule of an entry asks, in one call: it cannot fail, and is true or false."""
    test = _plain_test(node)
    if test is None or other_form(test[1]) is not None:
        return None
    name, text = test
    return lambda document: isinstance(document, dict) and document.get(name) == text


def weight(source: str) -> int:
    """How many nodes an expression has: steps that its closures take at most; 0 for one that cannot be parsed."""
    try:
        return sum(1 for _ in walk(parse(source)))
    except PathSyntaxError:
        return 0


def plain_name(source: str | None) -> str | None:
    """The name, where the expression is nothing but one: what a getter of dicts can fetch."""
    names = None if source is None else _plain_names(parse(source))
    return names[0] if names is not None and len(names) == 1 else None


def plain_path(source: str) -> bool:
    """Whether the expression is nothing but names: looking for it cannot fail, and costs next to nothing."""
    return _plain_names(parse(source)) is not None


def plain_test(source: str) -> tuple[str, str] | None:
    """Name and text, where the expression is `name == 'text'`."""
    return _plain_test(parse(source))


def _plain_test(node: AstNode) -> tuple[str, str] | None:
    if node["type"] != "comparator" or node["value"] != "eq":
        return None
    left, right = node["children"]
    names = _plain_names(left)
    if names is None or len(names) != 1 or right["type"] != "literal" or not isinstance(right["value"], str):
        return None
    return names[0], right["value"]


def called(source: str) -> frozenset[str]:
    """The functions an expression calls; empty for one that cannot be parsed."""
    try:
        node = parse(source)
    except PathSyntaxError:
        return frozenset()
    return frozenset(each["value"] for each in walk(node) if each["type"] == "function_expression")


def _guarded(get: Get, faults: Counter[str], name: str) -> Get:
    def guarded(document: Any) -> Any:
        try:
            return get(document)
        except TooMuchWorkError:
            raise
        except Exception:  # whatever a provider's data makes of an expression is "no match", never an exception
            faults[name] += 1
            return None

    return guarded


def _plain_names(node: AstNode) -> tuple[str, ...] | None:
    if node["type"] == "current":
        return ()
    if node["type"] == "field":
        return (node["value"],)
    if node["type"] == "subexpression" and all(child["type"] == "field" for child in node["children"]):
        return tuple(child["value"] for child in node["children"])
    return None


def _getter(names: tuple[str, ...]) -> Get:
    if not names:
        return _current
    if len(names) == 1:
        (name,) = names
        return lambda value: value.get(name) if isinstance(value, dict) else None

    def get(value: Any) -> Any:
        for name in names:
            if not isinstance(value, dict):
                return None
            value = value.get(name)
        return value

    return get


def _current(value: Any) -> Any:
    return value


class _Closures:
    """Nodes as closures; what has no closure of its own is walked by the library, and paid for out of `work`."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._interpreter = _Interpreter(work)
        self._builders: dict[str, Callable[[AstNode], Get | None]] = {
            "subexpression": self._chain,
            "index_expression": self._chain,
            "pipe": self._chain,
            "identity": lambda node: _current,
            "literal": _literal,
            "multi_select_list": _list_of_literals,
            "comparator": self._comparator,
            "or_expression": self._or,
            "and_expression": self._and,
            "not_expression": self._not,
            "function_expression": self._call,
        }

    def of(self, node: AstNode) -> Get:
        """The closure of a node."""
        names = _plain_names(node)
        if names is not None:
            return _getter(names)
        build = self._builders.get(node["type"])
        made = build(node) if build is not None else None
        visit = self._interpreter.visit
        return made or (lambda value: visit(node, value))

    def _chain(self, node: AstNode) -> Get:
        steps = [self.of(child) for child in node["children"]]

        def chain(value: Any) -> Any:
            for step in steps:
                value = step(value)
            return value

        return chain

    def _comparator(self, node: AstNode) -> Get | None:
        if node["value"] not in ("eq", "ne"):
            return None
        left, right = (self.of(child) for child in node["children"])
        wanted = node["value"] == "eq"
        if node["children"][1]["type"] == "literal" and isinstance(node["children"][1]["value"], str):
            constant: str = node["children"][1]["value"]
            if other_form(constant) is None:
                return lambda value: (left(value) == constant) is wanted
        return lambda value: equal(left(value), right(value)) is wanted

    def _or(self, node: AstNode) -> Get:
        left, right = (self.of(child) for child in node["children"])

        def either(value: Any) -> Any:
            result = left(value)
            return result if truthy(result) else right(value)

        return either

    def _and(self, node: AstNode) -> Get:
        left, right = (self.of(child) for child in node["children"])

        def both(value: Any) -> Any:
            result = left(value)
            return right(value) if truthy(result) else result

        return both

    def _not(self, node: AstNode) -> Get:
        inner = self.of(node["children"][0])
        return lambda value: not truthy(inner(value))

    def _call(self, node: AstNode) -> Get | None:
        name = node["value"]
        if any(child["type"] == "expref" for child in node["children"]):
            return None
        arguments = [self.of(child) for child in node["children"]]
        if name == "contains":
            constants = _constants(node["children"][0])
            return self._contains(*arguments) if constants is None else _among(constants, arguments[1])
        if name == "to_number":
            (argument,) = arguments
            return lambda value: to_number(argument(value))
        if name == "type":
            (argument,) = arguments
            return lambda value: type_name(argument(value))
        call = self._interpreter.functions.call_function
        return lambda value: call(name, [argument(value) for argument in arguments])

    def _contains(self, subject: Get, search: Get) -> Get:
        work = self._work

        def contains(value: Any) -> bool:
            base = subject(value)
            if isinstance(base, list):
                work.spend(len(base))
            elif isinstance(base, str):
                work.spend(len(base) // BYTES_A_STEP)
            else:
                raise TypeError("contains() takes an array or a string")
            found = search(value)
            if isinstance(found, (list, dict)):
                work.weigh(base)
            return found in base or (
                isinstance(base, list) and (other := other_form(found)) is not None and other in base
            )

        return contains


def _among(constants: list[Any], search: Get) -> Get:
    def among(value: Any) -> bool:
        if value is None:  # a multi-select of null is null
            raise TypeError("contains() takes an array or a string")
        found = search(value)
        return found in constants or ((other := other_form(found)) is not None and other in constants)

    return among


def _literal(node: AstNode) -> Get:
    constant = node["value"]
    return lambda value: constant


def _list_of_literals(node: AstNode) -> Get | None:
    constants = _constants(node)
    return None if constants is None else lambda value: None if value is None else constants


def _constants(node: AstNode) -> list[Any] | None:
    """The values of `['a', 'b']`; None for any other node."""
    if node["type"] != "multi_select_list" or any(child["type"] != "literal" for child in node["children"]):
        return None
    return [child["value"] for child in node["children"]]


# ---- checking -------------------------------------------------------------------------------------------------------


def _parsed(source: str) -> AstNode:
    """The expression's tree. Raises PathError; what `check` says with its place is said here once more, without."""
    try:
        node = parse(source)
    except PathSyntaxError as error:
        raise PathError(f"`{source}` {error.message}", error.remedy) from None
    for slip in slips(node, source, OVER_REPLIES, condition=False):
        if slip.certain:
            raise PathError(f"{slip.message}, in `{source}`", slip.remedy)
    return node
