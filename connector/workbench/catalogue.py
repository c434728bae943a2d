"""What a definition says about itself, for people: the table of docs/providers.md and `sms-connector providers`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from connector.config_text.environment import Environment
from connector.definition.expression import Expression
from connector.definition.files import CATALOGUE
from connector.definition.load import load
from connector.definition.system import SYSTEM_NAMES
from connector.definition.tree import Constant, Definition, Match, Operation, Rule, Text
from connector.definition.walk import in_record, uses
from connector.request.renderer import compile_operation

AGAIN = ("retry", "throttle", "defer", "pause")
"""Words that send a message again, in the order of the table."""

_literal = re.compile(r"'([^']+)'|`\[([^\]]+)\]`|(?<=[=] )`([0-9]+)`")


@dataclass(frozen=True, slots=True)
class Way:
    """One operation, in words.

    Attributes:
        batch: most messages of a request, and whether their texts may differ.
        correlation: how a reply's entries find their messages.
        again: condition → what sends a message again; the built-in rules are not repeated.
        key: what messages of a request have in common.
    """

    name: str
    method: str
    encoding: str
    address: str
    batch: str
    correlation: str
    idempotency: str
    again: Mapping[str, tuple[str, ...]]
    key: str


@dataclass(frozen=True, slots=True)
class Summary:
    """One definition, in words.

    Attributes:
        env: variables it needs → what each is.
        custom: custom values an event or its campaign must bring; `optional` ones it may.
    """

    name: str
    title: str
    source: str
    limits: str
    unverified: tuple[str, ...]
    notes: tuple[str, ...]
    env: Mapping[str, str]
    custom: tuple[str, ...]
    optional: tuple[str, ...]
    ways: tuple[Way, ...]

    @property
    def verified(self) -> str:
        """In a word, for the table."""
        if "everything" in self.unverified:
            return "no"
        return f"but for {len(self.unverified)}" if self.unverified else "yes"


def names() -> list[str]:
    """Of the catalogue."""
    return sorted(file.stem for file in CATALOGUE.glob("*.yaml"))


def summarise(name: str) -> Summary:
    """A definition of the catalogue, or a file. Raises DefinitionError."""
    definition = load(name, environment=Environment.placeholders())
    about = definition.about
    required, optional = _custom(definition)
    env = about.get("env") or {}
    return Summary(
        name=definition.name,
        title=str(about.get("title") or definition.name),
        source="; ".join(_texts(about.get("source"))),
        limits="; ".join(_texts(about.get("limits"))),
        unverified=tuple(_texts(about.get("unverified"))),
        notes=tuple(_texts(about.get("notes"))),
        env={str(key): str(value) for key, value in env.items()} if isinstance(env, dict) else {},
        custom=required,
        optional=optional,
        ways=tuple(_way(operation) for operation in definition.operations),
    )


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _custom(definition: Definition) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Custom names, in the order of the file: those a message must bring, and the others."""
    found: dict[str, bool] = {}
    for operation in definition.operations:
        for use in uses(operation):
            needed = not use.expression.optional and not _has_default(use.expression)
            for name in sorted(use.expression.names - set(SYSTEM_NAMES)):
                found[name] = found.get(name, False) or needed
    return tuple(name for name, needed in found.items() if needed), tuple(
        n for n, needed in found.items() if not needed
    )


def _has_default(expression: Expression) -> bool:
    return any(call.filter.name == "default" for call in expression.filters)


# ---- operations ----------------------------------------------------------------------------------------------------


def _way(operation: Operation) -> Way:
    return Way(
        name=operation.name,
        method=operation.method,
        encoding=_encoding(operation),
        address=_address(operation.url),
        batch=_batch(operation),
        correlation=_correlation(operation),
        idempotency="no" if operation.idempotent is None else _duration(operation.idempotent),
        again=_again(operation),
        key=compile_operation(operation).description,
    )


def _encoding(operation: Operation) -> str:
    if operation.kind == "pairs":
        return "query" if operation.method == "GET" else "form"
    return operation.kind


def _address(url: Text | Constant) -> str:
    if isinstance(url, Constant):
        return str(url.value)
    return "".join(part if isinstance(part, str) else part.written for part in url.parts)


def _batch(operation: Operation) -> str:
    batching = operation.batching
    if batching is None:
        return "1"
    own = any(
        use.expression.names & {"Body", "TemplateVariables"} for use in uses(operation) if in_record(operation, use)
    )
    low = f"{batching.min_records} to " if batching.min_records > 1 else ""
    return f"{low}{batching.max_records:,}, {'own texts' if own else 'one text'}"


def _correlation(operation: Operation) -> str:
    if operation.batching is None:
        return "one message"
    if operation.response is None or not operation.response.entries:
        return "one reply for all"
    return ", then ".join(dict.fromkeys(_matched(source.match) for source in operation.response.entries))


def _matched(match: Match) -> str:
    if match.kind != "expressions":
        return {"rest": "the rest alike", "index": "order", "others": "all others"}[match.kind]
    return " and ".join(f"`{expression.source}`" for expression, _ in match.pairs)


def _duration(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds:g} s"


def _again(operation: Operation) -> dict[str, tuple[str, ...]]:
    """Word → the statuses and codes it stands for."""
    found: dict[str, list[str]] = {}
    if operation.response is not None:
        entries = [rule for source in operation.response.entries for rule in source.rules]
        for rule in (*operation.response.rules, *entries):
            if rule.then in AGAIN:
                known = found.setdefault(rule.then, [])
                known += [code for code in _codes(rule) if code not in known]
    return {word: tuple(found[word]) for word in AGAIN if word in found}


def _codes(rule: Rule) -> Iterator[str]:
    """Statuses, and the constants a rule compares with."""
    for low, high in rule.status:
        if (low, high) != (200, 299) and low not in (200, 201, 202):
            yield str(low) if low == high else f"{str(low)[0]}xx"
    if rule.text is not None:
        yield "by its words"
        return
    for text, numbers, number in _literal.findall(rule.when or ""):
        yield from [text] if text else re.split(r",\s*", numbers or number)


# ---- docs/providers.md ---------------------------------------------------------------------------------------------

_PAGE = """\
# Providers

Shipped definitions: name them in `connector.yaml` (`providers: [plivo, textlocal]`), set their environment variables,
and events with `"provider": "plivo"` are sent. Custom values are what an event, or its campaign, brings under `custom`.
This page is made from the definitions: `python -m connector.workbench.catalogue docs/providers.md`.

```sh
sms-connector providers list
sms-connector providers show plivo           # what it needs, and its quirks; --file prints the definition
sms-connector check plivo                    # with the environment as it is
```

What a definition does not fit is changed, not copied: address, sender, limits, any key.

```yaml
extends: plivo                               # providers/plivo-otp.yaml
parameters: {json: {src: ACMEIN}}            # one sender, so that events need not bring it
limits: {requests: 20/s}
account: plivo                               # shares limits and breaker with the other one
```

*Again*: the provider's statuses and codes that send a message once more, beside the
[built-in rules](definition.md#rules) (429 `throttle`, 5xx `uncertain`, …). *Repeats*: how long it suppresses a
repeated request; without that, an uncertain request that is sent again may reach people twice (`on_uncertain`).
*Verified*: facts come from the documents named under each provider, but for so many that are listed there as not
verified. None of this has been tried with accounts at the providers: tests run against the [simulator](simulator.md)'s
fakes, requests written by hand from the documents, and what the official clients of Plivo, Twilio, Vonage, AWS and
Tencent send.
Kannel is a gateway that anybody can run: it is tested for real, from events to what reaches the mobile network.

"""


def page() -> str:
    """docs/providers.md."""
    summaries = [summarise(name) for name in names()]
    sections = "\n".join("\n".join(_section(summary)) for summary in summaries)
    return f"{_PAGE}{_table(summaries)}\n{sections}"


def _table(summaries: Iterable[Summary]) -> str:
    head = (
        "provider",
        "operation",
        "encoding",
        "messages in a request",
        "told apart by",
        "repeats",
        "again",
        "verified",
    )
    lines = [head, ("---",) * len(head)]
    for summary in summaries:
        for way in summary.ways:
            first = way is summary.ways[0]
            lines.append(
                (
                    f"[{summary.name}](#{summary.name})" if first else "",
                    way.name,
                    f"{way.method} {way.encoding}",
                    way.batch,
                    way.correlation,
                    way.idempotency,
                    "; ".join(
                        f"{word} {', '.join(_short(each) for each in codes)}" for word, codes in way.again.items()
                    ),
                    summary.verified if first else "",
                )
            )
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def _short(code: str) -> str:
    return code if " " in code or code[:1].isdigit() else f"`{code}`"


def _section(summary: Summary) -> Iterator[str]:
    yield f"## {summary.name}\n\n{summary.title}. Source: {summary.source}.\n"
    yield from (f"- {way.name}: {way.method} `{way.address}`; {_shared(way)}" for way in summary.ways)
    yield f"- limits: {summary.limits}"
    yield f"- environment: {', '.join(f'`{name}` ({text})' for name, text in summary.env.items())}"
    if summary.custom or summary.optional:
        yield f"- custom values: {_values(summary)}"
    yield from (f"- {note}" for note in summary.notes)
    if summary.unverified:
        yield "- not verified:"
        yield from (f"  - {each}" for each in summary.unverified)
    yield ""


def _shared(way: Way) -> str:
    if way.batch == "1":
        return way.key
    return (
        "a request has "
        + "; ".join(part if part == "operation and campaign" else f"`{part}`" for part in way.key.split("; "))
        + " in common"
    )


def _values(summary: Summary) -> str:
    return ", ".join([f"**{name}**" for name in summary.custom] + [f"{name} (optional)" for name in summary.optional])


if __name__ == "__main__":
    import sys
    from pathlib import Path

    for file in sys.argv[1:]:
        Path(file).write_text(page(), "utf-8")
