"""Names with values, in order and with repetitions: a query, a form, headers. What a canonical string is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from urllib.parse import quote

from connector.definition.arguments import ExpressionError, Filter, FilterStep, Parameter
from connector.definition.conversions import as_text
from connector.definition.filters import FILTERS
from connector.definition.octets import Digest, Octets
from connector.errors import MessageError

Pair = tuple[str, str]


class NameValues(list[Pair]):
    """Names and values, decoded. `sent`: how they stand in the request; None once a filter has changed them."""

    def __init__(self, pairs: Iterable[Pair], sent: str | None = None) -> None:
        super().__init__(pairs)
        self.sent = sent

    def written(self) -> str:
        """As text: as they are sent, else `name=value` with `&` between."""
        return self.sent if self.sent is not None else "&".join([f"{name}={value}" for name, value in self])


def text_of(value: Any) -> str:
    """A value as it stands inside longer text."""
    if isinstance(value, NameValues):
        return value.written()
    if isinstance(value, bytes) and not isinstance(value, Octets):
        raise MessageError("bytes stand where text belongs: write `hex` or `base64` behind `encode`")
    return as_text(value)


def _pairs(value: Any) -> NameValues:
    if not isinstance(value, NameValues):
        raise MessageError("takes pairs: query(), fields(), params() or headers()")
    return value


# ---- filters of pairs -----------------------------------------------------------------------------------------------


def _sort(value: Any) -> NameValues:
    return NameValues(sorted(_pairs(value)))


def _join(between: str, within: str) -> FilterStep:
    lists = FILTERS["join"].build(between, between)

    def join(value: Any) -> Any:
        if isinstance(value, NameValues):
            return between.join([f"{name}{within}{item}" for name, item in value])
        return lists(value)

    return join


def _names(separator: str) -> FilterStep:
    return lambda value: separator.join([name for name, _ in _pairs(value)])


def _values(separator: str) -> FilterStep:
    return lambda value: separator.join([item for _, item in _pairs(value)])


def _chosen(names: str) -> Callable[[str], bool]:
    words = names.split()
    if not words:
        raise ExpressionError("no name is given", "write names with blanks between, like 'host x-acs-*'")
    exact = {word for word in words if not word.endswith("*")}
    starts = tuple(word[:-1] for word in words if word.endswith("*"))
    return lambda name: name in exact or name.startswith(starts)


def _only(names: str) -> FilterStep:
    chosen = _chosen(names)
    return lambda value: NameValues([pair for pair in _pairs(value) if chosen(pair[0])])


def _without(names: str) -> FilterStep:
    chosen = _chosen(names)
    return lambda value: NameValues([pair for pair in _pairs(value) if not chosen(pair[0])])


def _add(name: str, added: Any) -> FilterStep:
    text = text_of(added)
    return lambda value: NameValues([*_pairs(value), (name, text)])


def _get(name: Any) -> FilterStep:
    plain = FILTERS["get"].build(name)

    def get(value: Any) -> Any:
        if isinstance(value, NameValues):
            return next((item for known, item in value if known == name), "")
        return plain(value)

    return get


def _urlencode(keep: str) -> FilterStep:
    if not keep.isascii() or "%" in keep:
        raise ExpressionError("`keep` of `urlencode` holds what cannot be kept", "write ASCII characters, like '/'")

    def encode(value: Any) -> Any:
        if isinstance(value, NameValues):
            return NameValues([(_quoted(name, keep), _quoted(item, keep)) for name, item in value])
        if isinstance(value, bytes) and not isinstance(value, Digest):
            return quote(value, safe=keep)
        return _quoted(text_of(value), keep)

    return encode


def _quoted(text: str, keep: str) -> str:
    return quote(text, safe=keep, errors="surrogateescape")


def _raw(value: Any) -> Octets:
    return Octets(value if isinstance(value, bytes) else text_of(value).encode())


def _uuid(value: Any) -> str:
    text = text_of(value)
    if len(text) != 32:
        raise MessageError("takes 32 hexadecimal digits")
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _on_values(filter_: Filter) -> Filter:
    """A filter of a text that does its work on every value of pairs as well."""

    def build(*arguments: Any) -> FilterStep:
        step = filter_.build(*arguments)

        def apply(value: Any) -> Any:
            if isinstance(value, NameValues):
                return NameValues([(name, text_of(step(item))) for name, item in value])
            return step(value)

        return apply

    return Filter(filter_.name, build, filter_.parameters, filter_.keyed, about=filter_.about, derives=filter_.derives)


_SEPARATOR: Final = Parameter("sep", "text")

ON_PAIRS: Final[dict[str, Filter]] = {
    each.name: each
    for each in (
        Filter("sort", lambda: _sort, about="Pairs by name, then by value, in the order of their characters."),
        Filter(
            "join",
            _join,
            (_SEPARATOR, Parameter("within", "text", default="=")),
            about="Pairs, or the elements of a list, as text: `sep` between them, `within` between name and value.",
        ),
        Filter("lines", lambda: _join("\n", ":"), about="Pairs as lines `name:value`."),
        Filter("names", _names, (_SEPARATOR,), about="The names of pairs, with `sep` between them."),
        Filter("values", _values, (_SEPARATOR,), about="The values of pairs, with `sep` between them."),
        Filter("only", _only, (Parameter("names", "text"),), about="Pairs of these names: `only('host x-acs-*')`."),
        Filter("without", _without, (Parameter("names", "text"),), about="Pairs of other names than these."),
        Filter(
            "filled",
            lambda: lambda value: NameValues([it for it in _pairs(value) if it[1]]),
            about="Pairs that have a value.",
        ),
        Filter(
            "add",
            _add,
            (Parameter("name", "text"), Parameter("value", "value")),
            about="Pairs with one more at their end.",
        ),
        Filter(
            "get",
            _get,
            (Parameter("name", "constant"),),
            about="The value of the first pair of that name; nothing where there is none.",
        ),
        Filter(
            "urlencode",
            _urlencode,
            (Parameter("keep", "text", default=""),),
            takes_bytes=True,
            about="Percent-encoded by RFC 3986 but for the characters in `keep`; of pairs the names and the values.",
        ),
        Filter(
            "squeeze", lambda: _squeeze, about="Blanks at both ends go, several become one; of pairs in the values."
        ),
        Filter("raw", lambda: _raw, about="The bytes of a digest as they are, inside longer text. Must be last."),
        Filter("uuid", lambda: _uuid, about="32 hexadecimal digits written as a UUID."),
    )
}
"""Filters of signatures, beside those of replacements."""


def _squeeze(value: Any) -> Any:
    if isinstance(value, NameValues):
        return NameValues([(name, " ".join(item.split())) for name, item in value])
    return " ".join(text_of(value).split())


_ON_VALUES: Final = ("replace", "upper", "lower", "truncate", "last")

TAKING_PAIRS: Final = frozenset((*ON_PAIRS, *_ON_VALUES))
"""Other filters take pairs as the text they are."""

SIGNING_FILTERS: Final[dict[str, Filter]] = {
    **FILTERS,
    **{name: _on_values(FILTERS[name]) for name in _ON_VALUES},
    **ON_PAIRS,
}
