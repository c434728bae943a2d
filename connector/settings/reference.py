"""`docs/configuration.md`, written from the model: names, defaults and meanings cannot drift from the code."""

from __future__ import annotations

import json
from typing import Any

from connector.config_text.units import DURATION_PATTERN, SIZE_PATTERN
from connector.settings.kafka import ELSEWHERE, KafkaSettings
from connector.settings.model import Topics
from connector.settings.names import leaves, sections
from connector.settings.origin import dotted
from connector.settings.schema import find, plain_schema

INTRODUCTION = """\
# Configuration

*This page is written by `sms-connector config reference`; a test fails when it is stale.*

Settings come from four places. The first that says something wins:

1. flags: `--set group=test`, on every command that needs settings;
2. environment variables: `SMS_CONNECTOR_` and the setting's name in capitals, with `__` between sections and `_` for
   every other sign: `timeouts.drain` is `SMS_CONNECTOR_TIMEOUTS__DRAIN`, `kafka.bootstrap.servers` is
   `SMS_CONNECTOR_KAFKA__BOOTSTRAP_SERVERS`. An empty variable counts as not set, `null` means none, lists are written
   `a,b` or `[a, b]`;
3. `connector.yaml`: the file named by `--config` or `SMS_CONNECTOR_CONFIG`, else the one in the working folder;
4. the defaults below.

Sections are merged name by name; a list replaces the whole list. `sms-connector config show --origin` prints every
value with the place it came from.

**Nothing is ignored.** An unknown name, in the file or in a variable with the prefix, stops the start-up, and all
problems are told at once, with file, line, path and remedy (exit code 78: restarting does not help).

**Secrets.** In the file, `${NAME}` stands for an environment variable, `${NAME:-default}` gives a default, `${NAME?}`
leaves the setting out where there is none, and `${file:path}` stands for the content of a file (relative to
`connector.yaml`, without the line break at its end).
Each setting marked *secret* can also be read from a file named by its variable with `_FILE` at the end, as in
`SMS_CONNECTOR_KAFKA__SASL_PASSWORD_FILE=/run/secrets/kafka`. Secrets are never printed: `config show` writes
`${NAME}` or `***`.

**Units.** Durations are written `250ms`, `5s`, `10m`, `24h`, `7d`; sizes `512B`, `64KiB`, `256MiB`, `1GiB`. A bare
number is refused.

```yaml
kafka:
  bootstrap.servers: kafka-1:9093,kafka-2:9093
  security.protocol: SASL_SSL
  sasl.mechanism: SCRAM-SHA-512
  sasl.username: sms-connector
  sasl.password: ${KAFKA_PASSWORD}
  ssl.ca.location: /etc/kafka/ca.pem
group: sms-connector
providers: [providers/, plivo]
start_from: latest
topics:
  sources:
    - sms.messages
    - {topic: sms.messages.priority, share: 0.2}
recipients:
  allow: [+91*]
results:
  to: masked
```
"""

KAFKA_NOTE = """\
Names are those of Kafka's own clients. The list is closed: a name that is misspelt and ignored would make a connection
nobody meant. GSSAPI is not supported.
"""


def reference() -> str:
    """The whole page, as Markdown."""
    schema = plain_schema()
    lines = [INTRODUCTION]
    for path, model in sections().items():
        if 0 in path:
            continue  # what stands in a list follows below
        lines += [f"## `{dotted(path)}`" if path else "## Top level", ""]
        if path:
            lines += [_line(model.__doc__), ""]
        if model is KafkaSettings:
            lines.append(KAFKA_NOTE)
        here = [leaf.path for leaf in leaves() if leaf.path[:-1] == path]
        lines += _table([(dotted(leaf), find(schema, leaf)) for leaf in here])
        if model is Topics:
            lines += ["Each of `topics.sources` is a name, or:", ""]
            lines += _table(list(schema["$defs"]["SourceTopic"]["properties"].items()))
    lines += ["## Names of other Kafka clients", "", "| instead of | |", "|---|---|"]
    lines += [f"| `{name}` | {remedy} |" for name, remedy in ELSEWHERE.items()]
    lines += ["", "## Environment variables", "", "| variable | setting |", "|---|---|"]
    for leaf in leaves():
        lines.append(f"| `{leaf.variable}` | `{leaf.name}` |")
        if leaf.secret:
            lines.append(f"| `{leaf.variable}_FILE` | `{leaf.name}`, from a file |")
    return "\n".join(lines) + "\n"


def _table(rows: list[tuple[str, dict[str, Any]]]) -> list[str]:
    lines = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    for name, node in rows:
        default = _code(node["default"]) if "default" in node else "–"
        lines.append(f"| `{name}` | {_kind(node)} | {default} | {_line(node.get('description'))} |")
    return [*lines, ""]


def _kind(node: dict[str, Any]) -> str:
    """What may be written, in a word or two."""
    if "anyOf" in node:
        return ", or ".join(_kind(one) for one in node["anyOf"])
    if "enum" in node or "const" in node:
        return " · ".join(_code(word) for word in node.get("enum", [node.get("const")]))
    pattern, kind = node.get("pattern"), node.get("type")
    if pattern in {DURATION_PATTERN, SIZE_PATTERN}:
        return "duration" if pattern == DURATION_PATTERN else "size"
    if node.get("format") in {"password", "date-time"}:
        return "text, *secret*" if node["format"] == "password" else "time"
    if kind in {"integer", "number"} and "minimum" in node:
        return f"{node['minimum']:,}–{node['maximum']:,}" if "maximum" in node else f"number from {node['minimum']:,}"
    return {"null": "`null`", "array": "list", "string": "text"}.get(str(kind), str(kind))


def _code(value: Any) -> str:
    return f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _line(text: str | None) -> str:
    return " ".join((text or "").split())
