from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connector.errors import Problem, SettingsError
from connector.settings import Loaded, load_settings


class Desk:
    """Loads settings from a text as `connector.yaml`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "connector.yaml"

    def load(
        self,
        text: str | None = None,
        *,
        environ: Mapping[str, str] = {},
        overrides: Mapping[str, Any] = {},
    ) -> Loaded:
        if text is not None:
            self.file.write_text(text, encoding="utf-8")
        return load_settings(file=self.file if text is not None else None, environ=environ, overrides=overrides)

    def problems(self, text: str | None = None, **sources: Any) -> list[Problem]:
        with pytest.raises(SettingsError) as caught:
            self.load(text, **sources)
        return list(caught.value.problems)

    def problem(self, text: str | None = None, **sources: Any) -> Problem:
        (only,) = self.problems(text, **sources)
        return only


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)
