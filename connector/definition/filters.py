"""What can stand after `|` in a replacement: each filter, its arguments, and what it refuses.

A filter is built once from its arguments and then applied to one value per message. It never sees a missing value
(except `default`), raises MessageError where it cannot take one, and never names the value in the reason.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from email.utils import format_datetime
from typing import Any, Final
from urllib.parse import quote_from_bytes
from zoneinfo import ZoneInfo

from connector.definition.arguments import MISSING, ExpressionError, Filter, FilterStep, Parameter
from connector.definition.conversions import as_json, as_text, scalar
from connector.definition.encoding_filters import ENCODING_FILTERS, as_bytes
from connector.definition.gsm import is_gsm
from connector.errors import MessageError

FILTERS: Final[dict[str, Filter]] = {}


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MessageError("takes an object")
    return value


# ---- phone numbers -------------------------------------------------------------------------------------------------

_not_digit = re.compile("[^0-9]+")
_international = re.compile("[1-9][0-9]{4,18}").fullmatch  # the same bounds as Message.to


def digits(value: Any) -> str:
    """The digits 0 to 9 of a value, nothing else."""
    text = value if type(value) is str else scalar(value)
    bare = text[1:] if text[:1] == "+" else text
    if bare.isdecimal() and bare.isascii():
        return bare
    return _not_digit.sub("", text)


def _e164(value: Any) -> str:
    number = digits(value)
    if _international(number) is None:
        raise MessageError("not an international number")
    return "+" + number


def _national(code: Any) -> FilterStep:
    prefix = str(code)
    if not re.fullmatch("[1-9][0-9]{0,3}", prefix):
        raise ExpressionError("`cc` of `national` must be a country code", "write national(91)")

    def national(value: Any) -> str:
        number = digits(value)
        if not number.startswith(prefix) or len(number) == len(prefix):
            raise MessageError(f"not a number of country code {prefix}")
        return number[len(prefix) :]

    return national


# ---- types ---------------------------------------------------------------------------------------------------------

_whole = re.compile(r"\s*[+-]?[0-9]+\s*").fullmatch
_DIGITS = 30  # with leading zeros; what is longer is not made a number, only to be refused
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1  # what the JSON encoder can write


def _int(value: Any) -> int:
    if isinstance(value, bool | dict | list):
        raise MessageError("takes a number or a text of digits")
    if isinstance(value, float):
        if not value.is_integer():
            raise MessageError("not a whole number")
        number = int(value)
    elif isinstance(value, str):
        if not (value.isascii() and _whole(value)):
            raise MessageError("not a whole number")
        if len(value) > _DIGITS:
            raise MessageError("the number is too large")
        number = int(value)
    else:
        number = int(value)
    if not _LOWEST <= number <= _HIGHEST:
        raise MessageError("the number is too large")
    return number


_TRUTH = {"true": 1, "1": 1, "yes": 1, "false": 0, "0": 0, "no": 0}


def _bool01(value: Any) -> int:
    truth = _TRUTH.get(scalar(value).strip().lower())
    if truth is None:
        raise MessageError("takes true, false, 1, 0, yes or no")
    return truth


# ---- structure -----------------------------------------------------------------------------------------------------


def _join(separator: str, instead: str | None) -> FilterStep:
    free = instead == separator or not separator.strip(" ")  # what stands between words of a text may stand in them

    def join(value: Any) -> str:
        if isinstance(value, dict):
            raise MessageError("takes a list")
        if not isinstance(value, list):
            return as_text(value)
        texts = ["" if item is None else as_text(item) for item in value]
        if separator and instead is not None:
            texts = [text.replace(separator, instead) for text in texts]
        joined = separator.join(texts)
        if texts and not free and joined.split(separator) != texts:
            raise MessageError("an element holds the text that separates them")
        return joined

    return join


def _one_line(value: Any) -> str:
    return _breaks.sub(" ", scalar(value))


_breaks = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")  # as str.splitlines has them


def _lists(value: Any) -> dict[str, Any]:
    return {
        key: [as_text(each) for each in item] if isinstance(item, list) else [as_text(item)]
        for key, item in _object(value).items()
        if item is not None
    }


def _under(key: Any) -> FilterStep:
    text = scalar(key)
    return lambda value: {name: {text: item} for name, item in _object(value).items()}


def _get(name: Any) -> FilterStep:
    def get(value: Any) -> Any:
        if isinstance(value, list) and type(name) is int:
            return value[name] if name < len(value) else None
        return _object(value).get(str(name))

    if type(name) not in (str, int) or (type(name) is int and name < 0):
        raise ExpressionError("`name` of `get` must be a text or a position from 0", "write get('name')")
    return get


def _default(fallback: Any) -> FilterStep:
    return lambda value: fallback if value is MISSING or value is None or value == "" else value


# ---- text ----------------------------------------------------------------------------------------------------------


def _replace(old: str, new: str) -> FilterStep:
    if not old:
        raise ExpressionError("`a` of `replace` is empty", "name the text to replace")
    return lambda value: scalar(value).replace(old, new)


def _at_most(length: int) -> FilterStep:
    def at_most(value: Any) -> Any:
        if len(scalar(value)) > length:
            raise MessageError(f"longer than {length:,} characters")
        return value

    return at_most


def _map(pairs: dict[str, Any]) -> FilterStep:
    return lambda value: pairs.get(scalar(value), MISSING)


def _gsm(yes: Any, no: Any) -> FilterStep:
    return lambda value: yes if is_gsm(scalar(value)) else no


def _base64(value: Any) -> str:
    return base64.b64encode(as_bytes(value)).decode()


# ---- time ----------------------------------------------------------------------------------------------------------

_FORMATS: Final[dict[str, Callable[[datetime], Any]]] = {
    "unix": lambda instant: int(instant.timestamp()),
    "unix_ms": lambda instant: int(instant.timestamp() * 1000),
    "iso": lambda instant: instant.isoformat(timespec="seconds"),
    "utc": lambda instant: instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    "utc_basic": lambda instant: instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ"),
    "http": lambda instant: format_datetime(instant.astimezone(UTC), usegmt=True),
}
_strftime = re.compile(r"(?:[^%]|%[aAbBdHIjmMpSyYzZf%])*", re.DOTALL).fullmatch


def _date(format_: str, zone: str) -> FilterStep:
    if format_ not in _FORMATS and ("%" not in format_ or _strftime(format_) is None):
        raise ExpressionError(
            f"`format` of `date` is not understood: '{format_}'",
            "use 'unix', 'unix_ms', 'iso', 'utc', 'utc_basic', 'http' or strftime marks: '%Y-%m-%d %H:%M:%S'",
        )
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ExpressionError(f"the time zone '{zone}' is not known", "write one like 'Asia/Kolkata'") from None
    named = _FORMATS.get(format_)

    def date(value: Any) -> Any:
        instant = _instant(value, place)
        return instant.strftime(format_) if named is None else named(instant)

    return date


def _instant(value: Any, zone: tzinfo) -> datetime:
    """Seconds since the epoch, or an RFC 3339 text (without an offset: local to `zone`)."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).astimezone(zone)
        if isinstance(value, str):
            instant = datetime.fromisoformat(value)
            return instant.replace(tzinfo=zone) if instant.tzinfo is None else instant.astimezone(zone)
    except (ValueError, OverflowError, OSError):
        pass
    raise MessageError("takes seconds since 1970 or an RFC 3339 time")


# ---- identifiers ---------------------------------------------------------------------------------------------------


def _hash32(value: Any) -> int:
    digest = hashlib.blake2b(scalar(value).encode(), digest_size=4).digest()
    return int.from_bytes(digest) & 0x7FFF_FFFF


def _ref(length: int) -> FilterStep:
    fits = re.compile(f"[A-Za-z0-9_-]{{1,{length}}}").fullmatch

    def ref(value: Any) -> str:
        text = scalar(value)
        if fits(text):
            return text
        digest = hashlib.blake2b(text.encode(), digest_size=30).digest()
        return base64.b64encode(digest, altchars=b"AB")[:length].decode()

    return ref


# ---- the table -----------------------------------------------------------------------------------------------------


def _plain(step: FilterStep) -> Callable[[], FilterStep]:
    return lambda: step


def _whole_parameter(low: int, high: int) -> Parameter:
    return Parameter("n", "whole", low, high)


def _add(
    name: str,
    build: Callable[..., FilterStep],
    about: str,
    *parameters: Parameter,
    **facts: bool,
) -> None:
    FILTERS[name] = Filter(name, build, parameters, about=about, **facts)


_add("digits", _plain(digits), "Only the digits 0 to 9: `+91 98…` becomes `9198…`.", normalises=True)
_add(
    "last",
    lambda n: lambda value: scalar(value)[-n:],
    "The last n characters.",
    _whole_parameter(1, 1000),
    normalises=True,
)
_add("e164", _plain(_e164), "`+` and the digits; refuses what is no international number.", normalises=True)
_add(
    "national",
    _national,
    "The digits without the country code `cc`; refuses numbers of other countries.",
    Parameter("cc", "constant"),
)
_add("int", _plain(_int), "A whole number, as a JSON number.", normalises=True)
_add("str", _plain(as_text), "Text; objects and lists become JSON text.", normalises=True)
_add("bool01", _plain(_bool01), "true, yes, 1 become 1; false, no, 0 become 0.", normalises=True)
_add("upper", _plain(lambda value: scalar(value).upper()), "Upper case.", normalises=True)
_add("lower", _plain(lambda value: scalar(value).lower()), "Lower case.", normalises=True)
_add(
    "truncate",
    lambda n: lambda value: scalar(value)[:n],
    "The first n characters.",
    _whole_parameter(1, 100_000),
    normalises=True,
)
_add(
    "urlencode",
    _plain(lambda value: quote_from_bytes(as_bytes(value), safe="")),
    "Percent-encoded once more, text in UTF-8 or bytes; a space is `%20`.",
    takes_bytes=True,
)
_add("json", _plain(as_json), "JSON text of the value.")
_add("base64", _plain(_base64), "Base64 of the UTF-8 text, or of bytes.", takes_bytes=True, derives=True)
_add(
    "join",
    _join,
    "The elements of a list as text, with `sep` between them; one that holds `sep` makes its message `invalid`, unless"
    " `instead` says what it becomes there: `join(',', ' ')`, or `join(',', ',')` to leave it.",
    Parameter("sep", "text"),
    Parameter("instead", "text", default=None),
)
_add("lists", _plain(_lists), "Every value of an object becomes a list of texts: `{a: 1}` becomes `{a: ['1']}`.")
_add(
    "under",
    _under,
    "Every value of an object goes under the key `x`: `{a: 1}|under(To)` becomes `{a: {'+91…': 1}}`.",
    Parameter("x", "value"),
)
_add("get", _get, "One member of an object by name, or of a list by position.", Parameter("name", "constant"))
_add("default", _default, "`x` where there is no value; `default('')` keeps the empty text.", Parameter("x", "value"))
_add("replace", _replace, "Every `a` becomes `b`.", Parameter("a", "text"), Parameter("b", "text"))
_add("then", lambda x: lambda value: x, "`x` where there is a value at all.", Parameter("x", "constant"), tells=True)
_add(
    "at_most",
    _at_most,
    "A text of at most n characters; a message with a longer one ends `invalid`.",
    _whole_parameter(1, 100_000),
)
_add("one_line", _plain(_one_line), "Every line break becomes a space.", normalises=True)
_add("map", _map, "Looked up in the pairs; no value where none fits.", keyed=True)
_add(
    "date",
    _date,
    "A time in `format`, in the zone `tz`: 'unix', 'unix_ms', 'iso', 'utc' (2026-01-02T03:04:05Z), 'utc_basic'"
    " (20260102T030405Z), 'http' (RFC 1123) or strftime marks.",
    Parameter("format", "text"),
    Parameter("tz", "text", default="UTC"),
)
_add("hash32", _plain(_hash32), "A whole number from 0 to 2^31 - 1 that stands for the text.", tells=True)
_add(
    "ref",
    _ref,
    "A reference of at most n letters and digits that stands for the text; a text that fits is kept.",
    _whole_parameter(12, 40),
    normalises=True,
)
_add(
    "gsm",
    _gsm,
    "`a` where the text fits the GSM 7-bit alphabet, else `b`: `gsm(Body, Body|hex('utf-16-be'))`.",
    Parameter("a", "value"),
    Parameter("b", "value"),
    tells=True,
    chooses=True,
)
FILTERS.update(ENCODING_FILTERS)
_add("raw", _plain(as_text), "Inserted as it is, not encoded for where it lands. Must be last.")
