"""Studio's chapter of the API: every question about a draft goes to a child; what is saved is written down first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from aiohttp import web

from connector.definition.keys import NAME_HINT, is_name
from connector.errors import Problem
from connector.masking import mask_number
from connector.operating.audit_trail import REASON_CHARACTERS
from connector.settings.web import Web
from connector.tools.simulator import PROVIDERS
from connector.tools.simulator.in_memory import magic_numbers
from connector.web.callers import Role
from connector.web.deeds import Deed, DeedLog
from connector.web.definition_files import DefinitionFiles, etag_of
from connector.web.endpoints import ApiCall, Endpoint, QueryParameter
from connector.web.event_stream import begin_events, event_bytes
from connector.web.problems import HttpProblemError
from connector.web.serving import Chapter
from connector.web.web_app import Tagged
from connector.workbench import asks
from connector.workbench.child.studio_children import BusyError, StudioChildren, TooLongError, UnanswerableError
from connector.workbench.simulation import Simulated

DEFINITION_BYTES = 2 * 1024**2
"""Of a request that holds a definition: characters beyond ASCII take up to four bytes, escaped ones six."""

EVENTS_BYTES = 4 * 1024**2

SEEN = QueryParameter("If-Match", "The ETag of the text that was seen; left out where there was none.", place="header")


class StudioFacts(msgspec.Struct):
    """What Studio can do here.

    Attributes:
        saves: definitions can be saved.
        propose: address at which a change is proposed, with `{file}`; empty where there is none.
        test_numbers: masked, in the order of the setting; empty where nothing can be sent.
        simulates: simulations are run.
        fakes: name → what it is, and its knobs as JSON Schema.
        outcomes: that numbers of a simulation may ask for.
        callback_url: where providers report, without a secret; empty where nobody takes reports.
    """

    saves: bool
    propose: str
    test_numbers: list[str]
    simulates: bool
    fakes: dict[str, FakeFacts]
    outcomes: list[str]
    callback_url: str


class FakeFacts(msgspec.Struct):
    """A fake provider: what it is, and its faults as JSON Schema."""

    about: str
    knobs: dict[str, Any]


class SavedDefinition(msgspec.Struct):
    """A definition as it stands in the folder; its ETag comes with it.

    Attributes:
        file: its name.
        definition: the text.
        undo: whether there is one step back.
        writable: whether it can be saved.
    """

    name: str
    file: str
    definition: str
    undo: bool
    writable: bool


class ListedDefinition(msgspec.Struct):
    """One definition of the folder."""

    name: str
    writable: bool


Reason = Annotated[str, msgspec.Meta(max_length=REASON_CHARACTERS)]


class SaveBody(msgspec.Struct, forbid_unknown_fields=True):
    """A text to be saved, and why."""

    definition: asks.Text
    reason: Reason = ""


class UndoBody(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is taken back."""

    reason: Reason = ""


@dataclass(frozen=True, slots=True)
class StudioPlaces:
    """Where Studio is.

    Attributes:
        settings: the section `web`.
        files: definitions that can be opened.
        callback_url: where providers report.
    """

    settings: Web
    files: DefinitionFiles
    callback_url: str = ""


class StudioApi(Chapter):
    """The endpoints.

    Args:
        children: answer.
        places: where definitions stand.
        deeds: where what people do is written down.
    """

    def __init__(self, children: StudioChildren, places: StudioPlaces, deeds: DeedLog) -> None:
        self._children = children
        self._places = places
        self._files = places.files
        self._deeds = deeds
        self._fakes = _fakes()
        self._shipped: msgspec.Raw | None = None

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return [*self._questions(), *self._simulations(), *self._definitions()]

    # ---- questions --------------------------------------------------------------------------------------------------

    def _questions(self) -> list[Endpoint]:
        asked: tuple[tuple[str, str, Any, Any, str], ...] = (
            (
                "check",
                "check",
                asks.CheckAsk,
                asks.CheckAnswer,
                "What is wrong, and where each replacement stands.",
            ),
            ("render", "render", asks.RenderAsk, asks.RenderAnswer, "The exact requests, and whose each value is."),
            ("reply", "reply", asks.ReplyAsk, asks.ReplyAnswer, "What a reply means for each message, and why."),
            ("makeRule", "rule", asks.RuleAsk, asks.RuleAnswer, "The definition with a rule made of a reply."),
            ("importDraft", "import", asks.CurlAsk, asks.ImportAnswer, "A draft of a curl command."),
            ("form", "form", asks.FormAsk, asks.FormAnswer, "The form as the text says it, or the text as the form."),
            ("complete", "complete", asks.CompleteAsk, asks.CompleteAnswer, "What may stand at a place of the text."),
            ("patch", "patch", asks.PatchAsk, asks.PatchAnswer, "What differs from another text, as a patch."),
        )
        found = [
            Endpoint(
                operation,
                "POST",
                f"/api/studio/{path}",
                self._asked,
                about,
                takes=takes,
                gives=gives,
                most=EVENTS_BYTES if takes in (asks.RenderAsk, asks.ReplyAsk, asks.RuleAsk) else DEFINITION_BYTES,
                tag="studio",
                statuses=(422, 429),
            )
            for operation, path, takes, gives, about in asked
        ]
        catalogue = "The definitions that are shipped."
        return [
            *found,
            Endpoint(
                "studio", "GET", "/api/studio", self._facts, "What Studio can do here.", gives=StudioFacts, tag="studio"
            ),
            Endpoint(
                "catalogue",
                "GET",
                "/api/catalogue",
                self._catalogue,
                catalogue,
                gives=asks.CatalogueAnswer,
                tag="studio",
            ),
        ]

    async def _asked(self, call: ApiCall) -> msgspec.Raw:
        return await answered(lambda: self._children.ask(call.body))

    async def _catalogue(self, call: ApiCall) -> msgspec.Raw:
        """Read once: it comes with the connector."""
        del call
        if self._shipped is None:
            self._shipped = await answered(lambda: self._children.ask(asks.SummaryAsk()))
        return self._shipped

    async def _facts(self, call: ApiCall) -> StudioFacts:
        settings = self._places.settings
        editor = call.who.role >= Role.EDITOR
        return StudioFacts(
            saves=editor and self._files.folder is not None,
            propose=settings.propose or "",
            test_numbers=[mask_number(number) for number in settings.test_numbers] if editor else [],
            simulates=editor and settings.simulate,
            fakes=self._fakes,
            outcomes=list(magic_numbers()),
            callback_url=self._places.callback_url,
        )

    # ---- simulations ------------------------------------------------------------------------------------------------

    def _simulations(self) -> list[Endpoint]:
        if not self._places.settings.simulate:
            return []
        return [
            Endpoint(
                "simulate",
                "POST",
                "/api/studio/simulate",
                self._simulate,
                "Run events through a lane against a fake with faults: `progress` events, then `result` or `problem`.",
                role=Role.EDITOR,
                takes=asks.SimulateAsk,
                gives=Simulated,
                media="text/event-stream",
                most=DEFINITION_BYTES,
                tag="studio",
                statuses=(422, 429),
            )
        ]

    async def _simulate(self, call: ApiCall) -> web.StreamResponse:
        """A stream that begins with the first event, so that what is refused at once has its status."""
        told = self._children.simulate(call.body)
        response: web.StreamResponse | None = None
        try:
            async for each in told:
                if response is None:
                    response = await begin_events(call)
                await response.write(_event(each))
        except (UnanswerableError, TooLongError, BusyError) as error:
            problem = _problem(error)
            if response is None:
                raise problem from None
            await response.write(event_bytes("problem", {"title": problem.title, "status": problem.status}))
        finally:
            await told.aclose()
        assert response is not None
        await response.write_eof()
        return response

    # ---- definitions ------------------------------------------------------------------------------------------------

    def _definitions(self) -> list[Endpoint]:
        path = "/api/studio/definitions"
        one = path + "/{name}"
        listed = Endpoint(
            "savedDefinitions",
            "GET",
            path,
            self._list,
            "Definitions that can be opened.",
            gives=list[ListedDefinition],
            tag="studio",
        )
        read = Endpoint(
            "savedDefinition",
            "GET",
            one,
            self._read,
            "A definition as it stands.",
            gives=SavedDefinition,
            tag="studio",
            statuses=(404,),
        )
        save = Endpoint(
            "saveDefinition",
            "PUT",
            one,
            self._save,
            "Save a text where `web.definitions` is a folder: checked with all others first, whole or not at all.",
            role=Role.EDITOR,
            takes=SaveBody,
            gives=SavedDefinition,
            most=DEFINITION_BYTES,
            tag="studio",
            parameters=(SEEN,),
            statuses=(409, 412, 422),
        )
        undo = Endpoint(
            "undoDefinition",
            "POST",
            one + "/undo",
            self._undo,
            "Take the last save back; 204 where it had made the file.",
            role=Role.EDITOR,
            takes=UndoBody,
            gives=SavedDefinition,
            empty=True,
            tag="studio",
            parameters=(SEEN,),
            statuses=(409, 412, 422),
        )
        return [listed, read, save, undo]

    async def _list(self, call: ApiCall) -> list[ListedDefinition]:
        writable = call.who.role >= Role.EDITOR and self._files.folder is not None
        return [ListedDefinition(name, writable) for name in self._files.names()]

    async def _read(self, call: ApiCall) -> Tagged:
        found = self._files.read(call.path["name"])
        if found is None:
            raise HttpProblemError(404, "there is no definition of this name")
        writable = call.who.role >= Role.EDITOR and self._files.folder is not None
        return Tagged(SavedDefinition(found.name, found.file, found.text, found.undo, writable), found.etag)

    async def _save(self, call: ApiCall) -> Tagged:
        name, text = call.path["name"], call.body.definition
        if self._files.folder is None:
            raise HttpProblemError(409, "definitions are not saved here: web.definitions is read-only")
        if not is_name(name):
            raise HttpProblemError(422, f"no name of a definition: {NAME_HINT}")
        ask = asks.TogetherAsk(definition=text, name=name)
        checked = msgspec.json.decode(await answered(lambda: self._children.ask(ask)), type=asks.CheckAnswer)
        if not checked.ok:
            raise HttpProblemError(422, "it is not saved: something has to be mended first", _problems(checked.errors))
        seen = _seen(call)
        deed = Deed(call.who, "definition.save", name, call.body.reason, seen or "", etag_of(text), call.id)
        saved = await self._done(deed, lambda: self._files.save(name, text, seen))
        return Tagged(SavedDefinition(saved.name, saved.file, saved.text, saved.undo, writable=True), saved.etag)

    async def _undo(self, call: ApiCall) -> Tagged | None:
        name, seen = call.path["name"], _seen(call)
        if not is_name(name):
            raise HttpProblemError(422, f"no name of a definition: {NAME_HINT}")
        deed = Deed(call.who, "definition.undo", name, call.body.reason, seen or "", "", call.id)
        found = await self._done(deed, lambda: self._files.undo(name, seen))
        if found is None:
            return None
        return Tagged(SavedDefinition(found.name, found.file, found.text, found.undo, writable=True), found.etag)

    async def _done(self, deed: Deed, do: Callable[[], Awaitable[Any]]) -> Any:
        """Do it, written down before and after; what cannot be written down is not done."""
        await self._deeds.asked(deed)
        done = False
        try:
            result = await do()
            done = True
            return result
        finally:
            await self._deeds.ended(deed, done=done)


# ---- answers --------------------------------------------------------------------------------------------------------


async def answered(ask: Callable[[], Awaitable[msgspec.Raw]]) -> msgspec.Raw:
    """What a child says. Raises HttpProblemError."""
    try:
        return await ask()
    except (UnanswerableError, TooLongError, BusyError) as error:
        raise _problem(error) from None


def _problem(error: UnanswerableError | TooLongError | BusyError) -> HttpProblemError:
    if isinstance(error, BusyError):
        return HttpProblemError(429, str(error), headers={"Retry-After": "2"})
    if isinstance(error, TooLongError):  # not 408: browsers ask again by themselves after that
        return HttpProblemError(422, str(error))
    return HttpProblemError(422, "something has to be mended first", _problems(error.problems))


def _problems(told: list[asks.Told]) -> list[Problem]:
    return [Problem(it.message, it.remedy, it.file, it.path, it.line, it.column) for it in told]


def _seen(call: ApiCall) -> str | None:
    value = call.http.headers.get("If-Match")
    return None if value is None else value.strip().removeprefix("W/").strip('"')


def _event(each: tuple[int, int] | msgspec.Raw) -> bytes:
    if isinstance(each, tuple):
        return event_bytes("progress", {"done": each[0], "of": each[1]})
    return event_bytes("result", each)


def _fakes() -> dict[str, FakeFacts]:
    found: dict[str, FakeFacts] = {}
    for name, fake in PROVIDERS.items():
        schema = msgspec.json.schema(fake.options)
        definition = schema["$defs"][fake.options.__name__]
        knobs = {knob: about for knob, about in definition["properties"].items() if knob != "receipts"}
        found[name] = FakeFacts(fake.about, knobs)
    return found
