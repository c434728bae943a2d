"""The setting `routes`: which provider takes messages that name none."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_serializer

from connector.config_text.units import UnitError
from connector.settings.section import Section

_prefix = re.compile(r"\+?[1-9][0-9]{0,14}").fullmatch


def _as_prefix(value: str) -> str:
    if not _prefix(value):
        raise UnitError("no beginning of a number", 'write it with its country code, as "+91"')
    return value


class RouteEntry(Section):
    """One route."""

    use: Annotated[str, Field(min_length=1, max_length=256)]
    """Name of the provider."""

    prefix: Annotated[str, AfterValidator(_as_prefix)] | None = None
    """How the number begins; without it any does."""

    weight: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Its share of the messages, beside the others of the same prefix that have one; 0 takes none."""

    @model_serializer
    def _written(self) -> dict[str, Any]:
        """As somebody would write it."""
        return {name: value for name in ("prefix", "weight", "use") if (value := getattr(self, name)) is not None}
