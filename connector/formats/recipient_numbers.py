"""Phone numbers of recipients, by the rules of their countries: read in the usual spellings, and refused by country.

Google's libphonenumber knows the rules; the extra `numbers` installs it. A number whose country is not certain is
judged by all it may be of: whoever allows few countries pays for no other one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from types import ModuleType
from typing import Any

import msgspec

from connector.errors import MessageError, Problem, SettingsError
from connector.settings.model import Recipients
from connector.untrusted import READ_ERRORS, too_deep

EXTRA = "needs what the extra `numbers` installs"
REMEDY = "pip install 'kafka-sms-connector[numbers]'"

NO_COUNTRY = "001"
"""The region of satellites, freephone and universal numbers: whoever blocks some countries means these too."""

# What people put between digits. Everything else is for the schema to refuse: the library reads letters as digits.
_usual = re.compile(r"[+0-9(][0-9 ()./\u00a0-]{3,39}").fullmatch

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class RecipientNumbers:
    """What `recipients` says of countries.

    Args:
        settings: the section.

    Attributes:
        reads: numbers are read as those of a country where they do not say one.
        judges: some countries are not texted.

    Raises:
        SettingsError: the package is missing, or a country is none.
    """

    def __init__(self, settings: Recipients) -> None:
        self._country = settings.country
        self._allowed = frozenset(settings.countries)
        self._blocked = frozenset(settings.blocked_countries)
        self.reads = settings.country is not None
        self.judges = bool(self._allowed or self._blocked)
        self._library: Any = None
        if self.reads or self.judges:
            self._library = _library()
            _check(settings, self._library.SUPPORTED_REGIONS)

    def normalised(self, to: str) -> str:
        """A number in E.164. Raises MessageError where it is no number, without repeating it."""
        number = self._parsed(to)
        library = self._library
        if not to.startswith("+") and not library.is_valid_number(number):  # its country was guessed
            raise MessageError(
                f"to: no number of {self._country}; write a plus sign and the country code before others"
            )
        return str(library.format_number(number, library.PhoneNumberFormat.E164))

    def refusal(self, to: str) -> str | None:
        """Why a number, in E.164, is not texted; None where it is."""
        try:
            number = self._parsed(f"+{to.lstrip('+')}")
        except MessageError as error:
            return error.reason
        library = self._library
        region = library.region_code_for_number(number)
        regions = [region] if region is not None else library.COUNTRY_CODE_TO_REGION_CODE.get(number.country_code, ())
        if refused := sorted(it for it in regions if self._refuses(it)):
            return f"to: a number of {' or '.join(refused)}, which {self._setting} does not allow"
        if library.number_type(number) == library.PhoneNumberType.PREMIUM_RATE:
            return "to: a premium-rate number"
        return None

    def message(self, event: bytes) -> bytes:
        """An event with its number in E.164, else as it was. Raises MessageError."""
        if too_deep(event):
            return event  # told where it is decoded, as whatever else is wrong
        try:
            members = _decode_members(event)
            to = _decode_text(members["to"])
        except (*READ_ERRORS, KeyError):
            return event
        if not _usual(to) or (normalised := self.normalised(to)) == to:
            return event
        members["to"] = msgspec.Raw(_encode(normalised))
        return _encode(members)

    def _parsed(self, to: str) -> Any:
        library = self._library
        try:
            number = library.parse(to, self._country)
        except library.NumberParseException:
            raise MessageError("to: no phone number") from None
        if not library.is_possible_number(number):
            raise MessageError("to: no phone number: too short or too long for its country")
        return number

    def _refuses(self, region: str) -> bool:
        return region in self._blocked or region == NO_COUNTRY or bool(self._allowed and region not in self._allowed)

    @property
    def _setting(self) -> str:
        return "recipients.countries" if self._allowed else "recipients.blocked_countries"


def _library() -> ModuleType:
    try:
        import phonenumbers
    except ImportError as error:
        raise SettingsError([Problem(f"a country {EXTRA}", REMEDY, path="recipients")]) from error
    found: ModuleType = phonenumbers
    return found


def _check(settings: Recipients, known: Collection[str]) -> None:
    """Raises SettingsError where a country is none."""
    country = () if settings.country is None else (settings.country,)
    lists: tuple[tuple[str, Iterable[str]], ...] = (
        ("country", country),
        ("countries", settings.countries),
        ("blocked_countries", settings.blocked_countries),
    )
    if problems := [
        Problem(f"there is no country {code}", "write its two letters, as IN, GB or US", path=f"recipients.{name}")
        for name, codes in lists
        for code in codes
        if code not in known
    ]:
        raise SettingsError(problems)
