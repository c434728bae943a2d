"""What Studio asks of the workbench, and what it is told: plain records, so that they pass between processes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from connector.workbench.complete import Completion
from connector.workbench.drafts import Imported
from connector.workbench.form import FormFields

DEFINITION_CHARACTERS = 262_144
REPLY_CHARACTERS = 1_048_576
EVENTS = 1_000

Text = Annotated[str, Meta(max_length=DEFINITION_CHARACTERS, description="A definition, YAML.")]
Name = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z", description="Of the file it would be, without suffix.")
]
Events = Annotated[list[msgspec.Raw], Meta(max_length=EVENTS, description="As services produce them.")]


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A question about a definition."""

    definition: Text
    name: Name = "draft"


class CheckAsk(Ask, frozen=True, tag="check"):
    """Is it right, and what shares a request?"""


class RenderAsk(Ask, frozen=True, tag="render"):
    """Which requests do these events become?"""

    events: Events
    time: float | None = None
    form: Annotated[Literal["http", "curl"], Meta(description="How requests are written.")] = "http"


class ReplyAsk(Ask, frozen=True, tag="reply"):
    """What does this reply mean for the first request of these events?"""

    events: Events
    operation: str | None = None
    status: Annotated[int, Meta(ge=100, le=999)] = 200
    headers: dict[str, str] = {}
    body: Annotated[str, Meta(max_length=REPLY_CHARACTERS)] = ""
    time: float | None = None


class RuleAsk(ReplyAsk, frozen=True, tag="rule"):
    """The definition with a rule more that decides this reply: the proposal at `choice` of `ReplyAnswer.proposals`."""

    choice: Annotated[int, Meta(ge=0, le=9)] = 0


class CurlAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="curl"):
    """A draft of a curl command."""

    command: Annotated[str, Meta(max_length=DEFINITION_CHARACTERS)]
    name: Name | None = None


class FormAsk(Ask, frozen=True, tag="form"):
    """The fields of the form as the text says them; with `fields`, first the text as they say it."""

    fields: FormFields | None = None


class CompleteAsk(Ask, frozen=True, tag="complete"):
    """What may stand at a place of the text?"""

    line: Annotated[int, Meta(ge=1)]
    column: Annotated[int, Meta(ge=1, description="Counted in characters, from 1.")]
    event: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


class TogetherAsk(Ask, frozen=True, tag="together"):
    """Is it right in place of the definition of its name, beside all the others of the folder?"""


class PatchAsk(Ask, frozen=True, tag="patch"):
    """What differs from `before`, as a patch?"""

    before: Text


class SummaryAsk(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="catalogue"):
    """The definitions that are shipped."""


class SimulateAsk(Ask, frozen=True, tag="simulate"):
    """What would become of so many events, at a fake provider with faults?"""

    fake: str = "generic"
    count: Annotated[int, Meta(ge=1, le=10_000)] = 1_000
    faults: dict[str, Any] = {}
    event: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    magic: Annotated[list[str], Meta(max_length=20, description="Outcomes by number that some events ask for.")] = []


AnyAsk = (
    CheckAsk
    | RenderAsk
    | ReplyAsk
    | RuleAsk
    | CurlAsk
    | FormAsk
    | CompleteAsk
    | TogetherAsk
    | PatchAsk
    | SummaryAsk
    | SimulateAsk
)


# ---- answers --------------------------------------------------------------------------------------------------------


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to mend. Lines and columns are counted in characters, from 1."""

    message: str
    remedy: str = ""
    path: str = ""
    file: str = ""
    line: int | None = None
    column: int | None = None


class OperationAnswer(msgspec.Struct, frozen=True):
    """One way to call the provider; `shares`: what messages must have equal to share a request."""

    name: str
    method: str
    when: str | None
    records: tuple[int, int]
    key: str
    shares: list[str]


class UseAnswer(msgspec.Struct, frozen=True):
    """A replacement in the text, and whether a whole request shares it."""

    names: tuple[str, ...]
    line: int
    column: int
    length: int
    shared: bool
    optional: bool
    operation: str
    path: str


class CheckAnswer(msgspec.Struct, frozen=True):
    """What is known about the text.

    Attributes:
        campaign: what a campaign must and may supply, as JSON Schema.
        secrets: names of the variables it needs.
        shipped: one of the catalogue has its name.
    """

    ok: bool
    name: str
    operations: list[OperationAnswer] = []
    errors: list[Told] = []
    warnings: list[Told] = []
    uses: list[UseAnswer] = []
    campaign: dict[str, Any] = {}
    secrets: list[str] = []
    shipped: bool = False


class SegmentAnswer(msgspec.Struct, frozen=True):
    """UTF-16 code units `start` to `end` - 1 of a text, as JavaScript counts them, are a replacement's value."""

    start: int
    end: int
    shared: bool
    name: str


class RequestAnswer(msgspec.Struct, frozen=True):
    """One request. `apart`: why it does not share the one before it that is most like it."""

    operation: str
    method: str
    url: str
    text: str
    cut: bool
    messages: list[str]
    segments: list[SegmentAnswer]
    apart: str
    note: str


class InvalidAnswer(msgspec.Struct, frozen=True):
    """An event that cannot be sent, and why."""

    message: str
    reason: str


class RenderAnswer(msgspec.Struct, frozen=True):
    """The requests; `more`: how many are not shown."""

    requests: list[RequestAnswer]
    more: int
    invalid: list[InvalidAnswer]
    shares: list[str]


class OutcomeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a reply means for a message."""

    message_id: str
    then: str
    rule: str
    code: str | None = None
    reason: str | None = None
    id: str | None = None
    batch: str | None = None
    after: float | None = None
    until: float | None = None


class ConsideredAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule that was asked, and why it did not hold."""

    rule: str
    held: bool
    why: str = ""
    entry: int | None = None


class ProposalAnswer(msgspec.Struct, frozen=True):
    """A rule that would decide the reply."""

    about: str
    then: str
    rule: str


class ReplyAnswer(msgspec.Struct, frozen=True):
    """What a reply means, why, and rules that could be made of it."""

    operation: str
    messages: list[OutcomeAnswer]
    absent: list[InvalidAnswer]
    considered: list[ConsideredAnswer]
    proposals: list[ProposalAnswer]
    failed: list[str] = []


class RuleAnswer(msgspec.Struct, frozen=True):
    """The text with the rule in it, and what the reply means now."""

    definition: str
    line: int
    reply: ReplyAnswer


class FormAnswer(msgspec.Struct, frozen=True):
    """The form and the text, which say the same; `secrets`: variables that stand for what was typed."""

    fields: FormFields
    definition: str
    secrets: tuple[str, ...] = ()


class ShippedAnswer(msgspec.Struct, frozen=True):
    """One of the catalogue. `fake`: whether a fake of it can be simulated."""

    name: str
    title: str
    text: str
    about: dict[str, Any]
    fake: bool


class CatalogueAnswer(msgspec.Struct, frozen=True):
    """Those that are shipped, and the fakes there are."""

    definitions: list[ShippedAnswer]


class PatchAnswer(msgspec.Struct, frozen=True):
    """A unified diff, and how many lines it adds and takes away."""

    patch: str
    added: int
    removed: int


class CompleteAnswer(msgspec.Struct, frozen=True):
    """What may stand there."""

    completions: list[Completion]


class ImportAnswer(msgspec.Struct, frozen=True):
    """A draft, and what `check` says of it."""

    draft: Imported
    checked: CheckAnswer


AnyAnswer = (
    CheckAnswer
    | RenderAnswer
    | ReplyAnswer
    | RuleAnswer
    | FormAnswer
    | CatalogueAnswer
    | CompleteAnswer
    | ImportAnswer
    | PatchAnswer
)
