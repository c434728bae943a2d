"""Definitions as tests write them: a sound one, changed in one place."""

from __future__ import annotations

from pathlib import Path

from connector.config_text.environment import Environment
from connector.definition.load import load
from connector.definition.tree import Definition
from connector.errors import DefinitionError

FIXTURES = Path(__file__).parent / "fixtures"


class Everything(dict[str, str]):
    """An environment in which every variable is set."""

    def get(self, key: str, default: object = None) -> str:  # type: ignore[override]
        return f"value-of-{key}"


ALL_SET = Environment(Everything())
EMPTY = Environment({})

SOUND = """\
method: POST
url: https://sms.example.com/send
parameters:
  json:
    sender: ACME
    msgs:
      - {to: $$To, text: $$Body}
batching: {key: msgs, records: 100}
response:
  rules:
    - {status: 200, then: entries}
  entries:
    - {each: results, match: {To: to}, then: accept}
"""


def loaded(tmp_path: Path, text: str, name: str = "acme.yaml", environment: Environment = ALL_SET) -> Definition:
    """`text` as a file, loaded."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return load(file, environment=environment)


def problems_of(tmp_path: Path, text: str, environment: Environment = ALL_SET) -> tuple[list[str], list[str]]:
    """Errors and warnings of `text`, without the folder."""
    try:
        definition = loaded(tmp_path, text, environment=environment)
    except DefinitionError as error:
        return [str(problem).replace(f"{tmp_path}/", "") for problem in error.problems], []
    return [], [str(problem).replace(f"{tmp_path}/", "") for problem in definition.warnings]
