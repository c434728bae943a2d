"""What a campaign has to supply to its messages, and what is wrong with what it does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.definition.system import MESSAGE_ID
from connector.definition.tree import Definition
from connector.definition.walk import in_record, uses
from connector.errors import Problem
from connector.model import Campaign
from connector.stream.control.table import schedule

# What `$$Name` of these reads in an event; what only an event can bring is not among them.
FIELDS = {"Body": "body", "TemplateID": "template_id"}
OF_EVENTS = frozenset({"To", "TemplateVariables", "CampaignID", MESSAGE_ID})


def check(campaign: Campaign, definitions: Mapping[str, Definition], of_events: tuple[str, ...] = ()) -> list[Problem]:
    """What is wrong with a campaign, or missing in it.

    Args:
        campaign: as it is to be.
        definitions: by name; none where they are not at hand, which leaves their checks out.
        of_events: names that every event brings.
    """
    problems = []
    if campaign.hours is not None:
        try:
            schedule(campaign.hours)
        except ValueError as error:
            problems.append(Problem(str(error), path="hours"))
    if MESSAGE_ID in (campaign.custom or {}):
        remedy = "leave it out; if it is another value, call its replacement otherwise"
        problems.append(
            Problem("is each event's message_id: a campaign cannot set it", remedy, path="custom.MessageID")
        )
    if campaign.provider is not None and campaign.providers:
        remedy = "keep one of them: `provider` for all messages, `providers` by prefix or weight"
        problems.append(Problem("stands beside `provider`, which takes all messages", remedy, path="providers"))
    chosen = []
    for name in providers_of(campaign) if definitions else ():
        if (definition := definitions.get(name)) is not None:
            chosen.append(definition)
            continue
        path, known = "providers" if campaign.provider is None else "provider", ", ".join(sorted(definitions))
        problems.append(Problem(f"no provider is called {name!r}", f"known: {known}", path=path))
    return problems + _unsupplied(campaign, chosen, of_events)


def providers_of(campaign: Campaign) -> list[str]:
    """Names of those that may take its messages."""
    if campaign.provider is not None:
        return [campaign.provider]
    return list(dict.fromkeys(route.use for route in campaign.providers))


def _unsupplied(campaign: Campaign, definitions: list[Definition], of_events: tuple[str, ...]) -> list[Problem]:
    """What its providers read and nobody says, and what it says and none of them reads."""
    problems = []
    supplied = {*(campaign.custom or ()), *(name for name, field in FIELDS.items() if getattr(campaign, field))}
    for definition in definitions:
        for name, operation in missing(definition, {*supplied, *of_events}).items():
            path = FIELDS.get(name, f"custom.{name}")
            message = f"missing: {name} stands outside the records of operation {operation!r} of {definition.name!r}"
            problems.append(Problem(message, f"supply it, or say --from-events {name}", path=path))
    used = {
        name
        for definition in definitions
        for operation in definition.operations
        for use in uses(operation)
        for name in use.expression.names
    }
    for name in sorted((campaign.custom or {}).keys() - used - {MESSAGE_ID}) if definitions else ():
        names = ", ".join(sorted(used - OF_EVENTS - FIELDS.keys())) or "none"
        message = f"provider {' or '.join(repr(it.name) for it in definitions)} reads no such value"
        problems.append(Problem(message, f"it reads: {names}", path=f"custom.{name}"))
    return problems


def missing(definition: Definition, supplied: set[str]) -> dict[str, str]:
    """Names that a whole request shares and nothing supplies, with the first operation that needs them.

    A name without which an operation is not chosen (it stands in `when`) is not known to be needed: only the first
    operation that takes every message, or every operation where none does, is looked at.
    """
    always = [operation for operation in definition.operations if operation.when is None][:1]
    found: dict[str, str] = {}
    for operation in always or definition.operations:
        if operation.batching is None:  # each message is a request: nothing is shared
            continue
        for use in uses(operation):
            has_default = any(call.filter.name == "default" for call in use.expression.filters)
            if in_record(operation, use) or use.expression.optional or has_default:
                continue
            for name in sorted(use.expression.names - OF_EVENTS - supplied):
                found.setdefault(name, operation.name)
    return found


def campaign_schema(definition: Definition) -> dict[str, Any]:
    """What a campaign of this definition must and may supply, as JSON Schema: a form is made of it.

    Mandatory is what stands outside the records, and so is the same for a whole request.
    """
    needed = missing(definition, set())
    read = {name for operation in definition.operations for use in uses(operation) for name in use.expression.names}
    custom: dict[str, Any] = {}
    fields: dict[str, Any] = {}
    for name in sorted(read - OF_EVENTS):
        where = f"stands outside the records of `{needed[name]}`" if name in needed else "an event may bring its own"
        about = {"title": name, "description": where}
        if name in FIELDS:
            fields[FIELDS[name]] = {"type": "string", **about}
        else:
            custom[name] = about
    required = [FIELDS[name] for name in needed if name in FIELDS]
    own = [name for name in needed if name not in FIELDS]
    if custom:
        fields["custom"] = {"type": "object", "properties": custom, "required": own}
    return {"type": "object", "properties": fields, "required": [*required, *(["custom"] if own else [])]}
