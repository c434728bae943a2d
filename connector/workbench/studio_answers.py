"""Studio's questions answered. Pure but for the catalogue and one folder of definitions, which it reads."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from connector.config_text.environment import Environment
from connector.definition.files import find
from connector.definition.load import load, load_text
from connector.definition.signing import login_names
from connector.definition.tree import Auth, Definition, Login, OAuth2, Operation, Sign, SigV4
from connector.errors import ConfigurationError, Problem, UsageError
from connector.masking import MASK
from connector.model import Message, Outcome, Reply
from connector.request.show import curl, show
from connector.tools.simulator import PROVIDERS
from connector.workbench import asks
from connector.workbench.answering import Answered, answer
from connector.workbench.apart import apart, shared_values
from connector.workbench.catalogue import names as shipped
from connector.workbench.checking import CheckedFile, check_neighbours, check_text, fit_together, hides_shipped
from connector.workbench.complete import complete
from connector.workbench.drafts import from_curl
from connector.workbench.events import NamedEvent, event_of, label
from connector.workbench.form import read_fields, write_fields
from connector.workbench.marking import Segment, segments
from connector.workbench.places import placed_uses
from connector.workbench.planning import RenderedRequest, plan_requests, references
from connector.workbench.reply_rules import Proposal, proposals
from connector.workbench.requirements import campaign_schema
from connector.workbench.text_edits import flow, with_rule

REQUESTS: Final = 40
"""Requests that are shown."""

CHARACTERS: Final = 65_536
"""Characters of a request that are shown."""


class Studio:
    """Answers.

    Args:
        folder: of definitions that a draft may extend; None for the catalogue alone.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._answers: dict[type[Any], Callable[[Any], asks.AnyAnswer]] = {
            asks.CheckAsk: lambda ask: self.check(ask.definition, ask.name),
            asks.RenderAsk: self._render,
            asks.ReplyAsk: lambda ask: self._reply(ask, self._load(ask)),
            asks.RuleAsk: self._rule,
            asks.CurlAsk: self._curl,
            asks.FormAsk: self._form,
            asks.CompleteAsk: _completed,
            asks.TogetherAsk: self._together,
            asks.PatchAsk: _patch,
            asks.SummaryAsk: lambda _: asks.CatalogueAnswer([_shipped(name) for name in shipped()]),
        }

    def answer(self, ask: asks.AnyAsk) -> asks.AnyAnswer:
        """The answer. Raises DefinitionError and UsageError for what a person must mend."""
        return self._answers[type(ask)](ask)

    def check(self, text: str, name: str) -> asks.CheckAnswer:
        """What `check` says of a text."""
        return _checked(check_text(text, name, folder=self._folder), text, name)

    def _load(self, ask: asks.Ask) -> Definition:
        return load_text(ask.definition, ask.name, environment=Environment.placeholders(), folder=self._folder)

    def _together(self, ask: asks.TogetherAsk) -> asks.CheckAnswer:
        checked = check_text(ask.definition, ask.name, folder=self._folder)
        others = [] if self._folder is None else check_neighbours(self._folder, ask.name)
        fit_together(checked, others)
        return _checked(checked, ask.definition, ask.name)

    # ---- requests ---------------------------------------------------------------------------------------------------

    def _render(self, ask: asks.RenderAsk) -> asks.RenderAnswer:
        definition = self._load(ask)
        plan = plan_requests(definition, _events(ask.events), time.time() if ask.time is None else ask.time)
        shown = [
            _request(definition, sent, apart(plan, index), as_curl=ask.form == "curl")
            for index, sent in enumerate(plan.requests[:REQUESTS])
        ]
        invalid = [asks.InvalidAnswer(label(event), reason) for event, reason in plan.invalid]
        shares = shared_values(plan, plan.requests[0].key.operation) if plan.requests else []
        return asks.RenderAnswer(shown, len(plan.requests) - len(shown), invalid, shares)

    # ---- replies ----------------------------------------------------------------------------------------------------

    def _reply(self, ask: asks.ReplyAsk, definition: Definition) -> asks.ReplyAnswer:
        reply = _reply_of(ask, definition)
        answered = self._answered(ask, definition, reply)
        return _replied(answered, _proposed(definition, answered, reply))

    def _answered(self, ask: asks.ReplyAsk, definition: Definition, reply: Reply) -> Answered:
        now = time.time() if ask.time is None else ask.time
        return answer(definition, _events(ask.events), reply, now=now, name=ask.operation)

    def _rule(self, ask: asks.RuleAsk) -> asks.RuleAnswer:
        definition = self._load(ask)
        reply = _reply_of(ask, definition)
        answered = self._answered(ask, definition, reply)
        proposed = _proposed(definition, answered, reply)
        if ask.choice >= len(proposed):
            raise UsageError("no rule can be made of this reply: nothing in it tells it from others")
        names = [operation.name for operation in definition.operations]
        which = (answered.operation, names.index(answered.operation))
        decided = next((index for index, each in enumerate(answered.considered) if each.held and not each.entry), None)
        inserted = with_rule(ask.definition, which, proposed[ask.choice].rule, decided)
        changed = load_text(inserted.text, ask.name, environment=Environment.placeholders(), folder=self._folder)
        return asks.RuleAnswer(inserted.text, inserted.line, self._reply(ask, changed))

    # ---- drafts -----------------------------------------------------------------------------------------------------

    def _curl(self, ask: asks.CurlAsk) -> asks.ImportAnswer:
        draft = from_curl(ask.command, ask.name)
        return asks.ImportAnswer(draft, self.check(draft.text, draft.name))

    # ---- the form ---------------------------------------------------------------------------------------------------

    def _form(self, ask: asks.FormAsk) -> asks.FormAnswer:
        text, secrets = ask.definition, tuple[str, ...]()
        if ask.fields is not None:
            text, secrets = write_fields(text, ask.fields, ask.name)
        return asks.FormAnswer(read_fields(text, ask.name), text, secrets)


def _completed(ask: asks.CompleteAsk) -> asks.CompleteAnswer:
    message = event_of(bytes(ask.event), "event").message
    return asks.CompleteAnswer(complete(ask.definition, ask.line, ask.column, message))


def _patch(ask: asks.PatchAsk) -> asks.PatchAnswer:
    """As `git apply` takes it."""
    file = f"{ask.name}.yaml"
    before, after = (_lines(text) for text in (ask.before, ask.definition))
    old = f"a/{file}" if ask.before else "/dev/null"
    lines = list(difflib.unified_diff(before, after, old, f"b/{file}"))
    added = sum(line.startswith("+") for line in lines[2:])
    removed = sum(line.startswith("-") for line in lines[2:])
    patch = "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
    return asks.PatchAnswer(patch, added, removed)


def _lines(text: str) -> list[str]:
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [last for last in text.split("\n")[-1:] if last]


# ---- check ----------------------------------------------------------------------------------------------------------


def _checked(checked: CheckedFile, text: str, name: str) -> asks.CheckAnswer:
    definition = checked.definition
    errors, warnings = list(map(told, checked.errors)), list(map(told, checked.warnings))
    if definition is None:
        return asks.CheckAnswer(ok=False, name=name, errors=errors, warnings=warnings)
    return asks.CheckAnswer(
        ok=not errors,
        name=definition.name,
        operations=[_operation(operation, checked.keys.get(operation.name, "")) for operation in definition.operations],
        errors=errors,
        warnings=warnings,
        uses=[asks.UseAnswer(**msgspec.to_builtins(use)) for use in placed_uses(definition, text)],
        campaign=campaign_schema(definition),
        secrets=sorted(reference.removeprefix("${").removesuffix("}") for reference in definition.secrets),
        shipped=hides_shipped(definition),
    )


def told(problem: Problem) -> asks.Told:
    """A problem for a person who has no folder: of a file its name."""
    file = Path(problem.file).name
    return asks.Told(problem.message, problem.remedy, problem.path, file, problem.line, problem.column)


def problems_of(error: ConfigurationError | UsageError) -> list[asks.Told]:
    """What an error says, one by one."""
    return list(map(told, error.problems)) if isinstance(error, ConfigurationError) else [asks.Told(str(error))]


def _operation(operation: Operation, key: str) -> asks.OperationAnswer:
    batching = operation.batching
    records = (batching.min_records, batching.max_records) if batching is not None else (1, 1)
    shares = key.split("; ") if batching is not None else []
    return asks.OperationAnswer(operation.name, operation.method, operation.when, records, key, shares)


# ---- render ---------------------------------------------------------------------------------------------------------


def _events(raw: Sequence[msgspec.Raw]) -> list[NamedEvent]:
    if not raw:
        raise UsageError('there is no event: write one, such as {"message_id": "m1", "to": "+919812345678"}')
    return [event_of(bytes(each), f"event {number}") for number, each in enumerate(raw, 1)]


def _request(definition: Definition, sent: RenderedRequest, why: str, *, as_curl: bool) -> asks.RequestAnswer:
    names = references(definition, sent.events)
    text = (curl if as_curl else show)(sent.request, names)
    marked: list[Segment] = []
    if not as_curl:
        operation = next(each for each in definition.operations if each.name == sent.operation)
        marked = segments(operation, sent.messages, sent.batch, sent.request, names)
    cut = text[:CHARACTERS]
    return asks.RequestAnswer(
        operation=sent.operation,
        method=sent.request.method,
        url=show(sent.request, names).partition("\n")[0].partition(" ")[2],
        text=cut,
        cut=len(text) > len(cut),
        messages=[label(event) for event in sent.events],
        segments=list(_in_utf16(cut, marked)),
        apart=why,
        note=added(sent.auth),
    )


def _in_utf16(text: str, found: Iterable[Segment]) -> Iterable[asks.SegmentAnswer]:
    position = units = 0
    for each in found:
        if each.end > len(text):
            return
        units += _units(text[position : each.start])
        start, units = units, units + _units(text[each.start : each.end])
        position = each.end
        yield asks.SegmentAnswer(start, units, each.shared, each.name)


def _units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def added(auth: Auth) -> str:
    """What is added when a request is sent; empty where nothing is."""
    match auth:
        case OAuth2():
            return f"When it is sent, a header `Authorization: Bearer …` is added, with a token from {auth.url}."
        case SigV4():
            return f"When it is sent, it is signed for AWS ({auth.service}, {auth.region})."
        case Sign():
            return f"Signed when it is sent, for each attempt: {MASK} stands for what is made of secrets."
        case Login():
            return f"When it is sent, {MASK} is what a login brings ({', '.join(login_names(auth))}), or is made of it."
    return ""


# ---- reply ----------------------------------------------------------------------------------------------------------


def _reply_of(ask: asks.ReplyAsk, definition: Definition) -> Reply:
    body = ask.body.encode(errors="replace")
    headers = {name.strip().lower(): value.strip() for name, value in ask.headers.items()}
    return Reply(ask.status, headers, body, len(body) > definition.http.reply_bytes)


def _proposed(definition: Definition, answered: Answered, reply: Reply) -> list[Proposal]:
    operation = next(each for each in definition.operations if each.name == answered.operation)
    outcomes = [outcome for _, outcome in answered.outcomes]
    return proposals(operation, reply, outcomes[0] if outcomes else None)


def _replied(answered: Answered, proposed: Sequence[Proposal]) -> asks.ReplyAnswer:
    return asks.ReplyAnswer(
        operation=answered.operation,
        messages=[_outcome(message, outcome) for message, outcome in answered.outcomes],
        absent=[asks.InvalidAnswer(name, why) for name, why in answered.absent],
        considered=[asks.ConsideredAnswer(each.rule, each.held, each.why, each.entry) for each in answered.considered],
        proposals=[asks.ProposalAnswer(each.about, each.then, flow(each.rule)) for each in proposed],
        failed=[f"{path} failed on this reply, so it did not hold" for path in answered.faults],
    )


def _outcome(message: Message, outcome: Outcome) -> asks.OutcomeAnswer:
    return asks.OutcomeAnswer(
        message.message_id,
        outcome.then,
        outcome.rule,
        outcome.code,
        outcome.reason,
        outcome.provider_message_id,
        outcome.provider_batch_id,
        outcome.after,
        outcome.until,
    )


# ---- catalogue ------------------------------------------------------------------------------------------------------


def _shipped(name: str) -> asks.ShippedAnswer:
    file = find(name, [])
    about: dict[str, Any] = dict(load(file, environment=Environment.placeholders()).about)
    title = str(about.get("title") or name)
    return asks.ShippedAnswer(name, title, file.read_text("utf-8"), about, name in PROVIDERS)
