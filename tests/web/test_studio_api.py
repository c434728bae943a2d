"""Studio over HTTP: who may ask what, hostile drafts, and definitions that are saved whole, checked, or not at all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from connector.errors import ConnectorError
from connector.settings.web import Web
from connector.web.deeds import Deed, DeedLog
from connector.web.definition_files import DefinitionFiles
from connector.web.studio_api import StudioApi, StudioPlaces
from connector.workbench.child.studio_children import StudioChildren
from tests.web.serving import BROWSER, TOKENS, Asker, served, with_tokens
from tests.workbench.test_studio import DEFINITION

EVENT = {"message_id": "m1", "to": "+919812345671", "template_id": "1", "custom": {"hid": "A", "name": "x", "n": 1}}
JSON = {"Content-Type": "application/json"}
PATIENT = 60.0


class KeptDeeds(DeedLog):
    """Remembers; refuses to write anything down where it is told so."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str]] = []
        self.away = False

    async def asked(self, deed: Deed) -> None:
        if self.away:
            raise ConnectorError("the audit log cannot be written")
        self.lines.append(("asked", deed.what, deed.caller.name))

    async def ended(self, deed: Deed, *, done: bool) -> None:
        self.lines.append(("done" if done else "failed", deed.what, deed.caller.name))


@asynccontextmanager
async def studio(
    folder: Path | None = None, *, places: Sequence[Path] = (), deeds: DeedLog | None = None, **more: Any
) -> AsyncIterator[Asker]:
    settings = with_tokens(**({} if folder is None else {"definitions": str(folder)}), **more)
    children = StudioChildren(folder, seconds=PATIENT, count=1)
    await children.start()
    try:
        files = DefinitionFiles(places, settings.definitions_folder)
        async with served(settings, [StudioApi(children, StudioPlaces(settings, files), deeds or KeptDeeds())]) as ask:
            yield ask
    finally:
        await children.stop()


def body(**fields: Any) -> str:
    return json.dumps(fields)


ASKS = {
    "check": {"definition": DEFINITION},
    "render": {"definition": DEFINITION, "events": [EVENT]},
    "reply": {"definition": DEFINITION, "events": [EVENT], "body": '{"type": "queued"}'},
    "rule": {"definition": DEFINITION, "events": [EVENT], "body": '{"type": "queued"}', "choice": 0},
    "import": {"command": "curl https://sms.example.com/send -d to=+919812345678 -d text=Hi"},
    "form": {"definition": DEFINITION},
    "complete": {"definition": "res", "line": 1, "column": 4},
    "patch": {"definition": DEFINITION, "before": ""},
}


async def test_every_question_is_answered_to_a_viewer_and_to_nobody_without_a_token_or_from_another_page() -> None:
    async with studio() as ask:
        for path, given in ASKS.items():
            answer = await ask.as_role("viewer", "POST", f"/api/studio/{path}", body(**given))
            assert (path, answer.status) == (path, 200)
            for headers, status in (
                (BROWSER | JSON, 401),
                (JSON | {"Sec-Fetch-Site": "cross-site", "X-Console": "1"}, 403),
                (JSON | {"Sec-Fetch-Site": "same-origin"}, 403),
                (BROWSER | JSON | {"Host": "evil.example"}, 421),
                (BROWSER | {"Content-Type": "text/plain"}, 415),
            ):
                refused = await ask("POST", f"/api/studio/{path}", headers, body(**given))
                assert (path, refused.status) == (path, status)
        catalogue = await ask.as_role("viewer", "GET", "/api/catalogue")
        assert "plivo" in {each["name"] for each in json.loads(catalogue.text)["definitions"]}


async def test_what_is_wrong_with_a_draft_comes_with_its_place() -> None:
    async with studio() as ask:
        given = body(definition="method: POST\nurl: nowhere\n", events=[EVENT])
        answer = await ask.as_role("viewer", "POST", "/api/studio/render", given)
        assert answer.status == 422
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert {problem["line"] for problem in json.loads(answer.text)["problems"]} == {1, 2}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"definition": "a: &a [x, x]\n" + "".join(f"b{i}: &b{i} [*a, *a]\n" for i in range(20_000))}, {413, 422, 200}),
        ({"definition": "x: " + "y" * 10_000_000}, {413}),
        ({"definition": "[" * 200_000}, {422, 200}),
        ({"definition": "extends: ../../../../etc/passwd\n"}, {200}),
        ({"definition": "x: \x00"}, {200}),
        ({"definition": DEFINITION, "name": "../etc/passwd"}, {422}),
        ({"definition": DEFINITION, "more": 1}, {422}),
        ({"definition": 3}, {422}),
    ],
)
async def test_a_hostile_draft_is_refused_and_the_next_question_answered(
    given: dict[str, Any], status: set[int]
) -> None:
    async with studio() as ask:
        answer = await ask.as_role("viewer", "POST", "/api/studio/check", json.dumps(given))
        assert answer.status in status
        if answer.status == 200:
            assert not json.loads(answer.text)["ok"]
            assert "root:" not in answer.text
        again = await ask.as_role("viewer", "POST", "/api/studio/check", body(definition=DEFINITION))
        assert json.loads(again.text)["ok"]


async def test_nesting_that_no_decoder_should_meet_is_refused_before_it_is_decoded() -> None:
    async with studio() as ask:
        answer = await ask.as_role("viewer", "POST", "/api/studio/check", "[" * 100_000)
        assert answer.status == 400


async def test_an_expression_that_backtracks_elsewhere_is_answered() -> None:
    text = DEFINITION + "    - {text: '^(a+)+$', then: accept}\n"
    async with studio() as ask:
        given = body(definition=text, events=[EVENT], body="a" * 50_000 + "!")
        assert (await ask.as_role("viewer", "POST", "/api/studio/reply", given)).status == 200


# ---- simulate -------------------------------------------------------------------------------------------------------


async def test_a_simulation_streams_progress_and_ends_with_its_result_for_editors_only() -> None:
    given = body(definition=DEFINITION.partition("response:")[0], fake="generic", count=100, event=EVENT)
    async with studio() as ask:
        for role in ("viewer", "operator"):
            assert (await ask.as_role(role, "POST", "/api/studio/simulate", given)).status == 403
        answer = await ask.as_role("editor", "POST", "/api/studio/simulate", given)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        *progress, result = [part for part in answer.text.split("\n\n") if part]
        assert all(part.startswith("event: progress\n") for part in progress)
        assert json.loads(result.removeprefix("event: result\ndata: "))["results"] == {"accepted": 100}
        refused = await ask.as_role(
            "editor", "POST", "/api/studio/simulate", body(definition=DEFINITION, fake="nobody")
        )
        assert refused.status == 422


async def test_where_simulations_are_switched_off_there_are_none() -> None:
    async with studio(simulate=False) as ask:
        assert not json.loads((await ask.as_role("editor", "GET", "/api/studio")).text)["simulates"]
        assert (await ask.as_role("editor", "POST", "/api/studio/simulate", body(definition=""))).status == 404


# ---- saving ---------------------------------------------------------------------------------------------------------


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


async def saved(ask: Asker, name: str, text: str, etag: str | None = None, role: str = "editor") -> Any:
    headers = JSON | {"Authorization": f"Bearer {TOKENS[role]}"} | ({"If-Match": etag} if etag else {})
    return await ask("PUT", f"/api/studio/definitions/{name}", headers, body(definition=text, reason="a new provider"))


async def test_a_definition_is_saved_read_changed_and_taken_back(tmp_path: Path) -> None:
    deeds = KeptDeeds()
    async with studio(tmp_path, deeds=deeds) as ask:
        made = await saved(ask, "acme", DEFINITION)
        assert made.status == 200
        assert (tmp_path / "acme.yaml").read_text() == DEFINITION
        assert json.loads((await ask.as_role("viewer", "GET", "/api/studio/definitions")).text) == [
            {"name": "acme", "writable": False}
        ]
        changed = await saved(ask, "acme", DEFINITION + "limits: {concurrency: 2}\n", made.headers["ETag"])
        assert changed.status == 200
        assert (await saved(ask, "acme", DEFINITION, made.headers["ETag"])).status == 412, "somebody was first"
        headers = {"Authorization": "Bearer editor-hunter2", "If-Match": changed.headers["ETag"]} | JSON
        undone = await ask("POST", "/api/studio/definitions/acme/undo", headers, "{}")
        assert json.loads(undone.text)["definition"] == DEFINITION
        assert (tmp_path / "acme.yaml").read_text() == DEFINITION
    assert deeds.lines == [
        ("asked", "definition.save", "editor"),
        ("done", "definition.save", "editor"),
        ("asked", "definition.save", "editor"),
        ("done", "definition.save", "editor"),
        ("asked", "definition.save", "editor"),
        ("failed", "definition.save", "editor"),
        ("asked", "definition.undo", "editor"),
        ("done", "definition.undo", "editor"),
    ]


async def test_taking_back_a_new_definition_removes_it(tmp_path: Path) -> None:
    async with studio(tmp_path) as ask:
        made = await saved(ask, "acme", DEFINITION)
        headers = {"Authorization": "Bearer editor-hunter2", "If-Match": made.headers["ETag"]} | JSON
        assert (await ask("POST", "/api/studio/definitions/acme/undo", headers, "{}")).status == 204
        assert names_in(tmp_path) == []


async def test_nothing_wrong_is_saved(tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("name: taken\n" + DEFINITION)
    async with studio(tmp_path) as ask:
        for text in ("method: POST\n", "name: taken\n" + DEFINITION, DEFINITION + "failover: [nobody]\n"):
            answer = await saved(ask, "acme", text)
            assert answer.status == 422
            assert json.loads(answer.text)["problems"]
        assert names_in(tmp_path) == ["other.yaml"]


@pytest.mark.parametrize("role", ["viewer", "operator"])
async def test_only_editors_save(tmp_path: Path, role: str) -> None:
    async with studio(tmp_path) as ask:
        assert (await saved(ask, "acme", DEFINITION, role=role)).status == 403
        assert names_in(tmp_path) == []


async def test_what_cannot_be_written_down_is_not_done(tmp_path: Path) -> None:
    deeds = KeptDeeds()
    deeds.away = True
    async with studio(tmp_path, deeds=deeds) as ask:
        assert (await saved(ask, "acme", DEFINITION)).status == 503
        assert names_in(tmp_path) == []


@pytest.mark.parametrize("name", ["..%2Fouter", ".hidden", "a%00b", "x" * 65])
async def test_a_name_leads_nowhere_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    async with studio(folder) as ask:
        assert (await saved(ask, name, DEFINITION)).status in {404, 422}
        assert names_in(folder) == []
        assert names_in(tmp_path) == ["definitions"]


async def test_read_only_definitions_can_be_opened_and_not_saved(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(DEFINITION)
    (tmp_path.parent / "outer.yaml").write_text("about: {title: hunter2}\n")
    (tmp_path / "link.yaml").symlink_to(tmp_path.parent / "outer.yaml")
    async with studio(places=[tmp_path]) as ask:
        answer = await ask.as_role("editor", "GET", "/api/studio/definitions/acme")
        assert json.loads(answer.text)["definition"] == DEFINITION
        assert not json.loads(answer.text)["writable"]
        assert (await saved(ask, "acme", DEFINITION, answer.headers["ETag"])).status == 409
        assert (await ask.as_role("editor", "GET", "/api/studio/definitions/link")).status == 404
        assert not json.loads((await ask.as_role("editor", "GET", "/api/studio")).text)["saves"]


async def test_test_numbers_are_masked_and_shown_to_editors_only() -> None:
    async with studio(test_numbers=["+919812345671"], propose="https://git.example.com/edit/{file}") as ask:
        facts = json.loads((await ask.as_role("editor", "GET", "/api/studio")).text)
        assert facts["test_numbers"] == ["+91••••••••71"] or facts["test_numbers"][0].endswith("71")
        assert "98123456" not in json.dumps(facts)
        assert facts["propose"] == "https://git.example.com/edit/{file}"
        assert json.loads((await ask.as_role("viewer", "GET", "/api/studio")).text)["test_numbers"] == []


def test_an_address_to_propose_changes_at_is_one() -> None:
    with pytest.raises(ValueError, match=r"\{file\}"):
        Web(propose="javascript:alert(1)//{file}")
    with pytest.raises(ValueError, match="phone number"):
        Web(test_numbers=("nobody",))
