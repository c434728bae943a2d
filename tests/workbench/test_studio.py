"""What Studio is told: places, colours, reasons, rules and the form, as the text says them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.definition.files import CATALOGUE
from connector.errors import DefinitionError, UsageError
from connector.workbench import asks
from connector.workbench.form import Authentication, BatchFields, FormFields, Pair, Parameters
from connector.workbench.studio_answers import Studio

DEFINITION = """\
# the seed's payload
method: POST
url: https://sms.example.com/send
headers: {authkey: "${ACME_AUTHKEY}"}
parameters:
  json: |
    {
      "hid": "$$hid",  //Global Key-Value pair
      "tid": "$$TemplateID",
      "msgs": [
        {"to": "$${To|digits}", "n": "$$n", "name": "Hi $$name, $$name"}
      ]
    }
batching: {key: msgs, records: 2}
response:
  rules:
    - {when: "type == 'success'", then: accept, id: message}
    - {status: 418, then: throttle, after: 30s}
"""


def event(number: int, **changes: Any) -> msgspec.Raw:
    document = {
        "message_id": f"m{number}",
        "to": f"+91981234567{number}",
        "template_id": "1107",
        "custom": {"hid": "A", "name": "Ashä 😀", "n": number, **changes},
    }
    return msgspec.Raw(msgspec.json.encode(document))


def rendered(definition: str, *events: msgspec.Raw) -> asks.RenderAnswer:
    answer = Studio().answer(asks.RenderAsk(definition=definition, events=list(events), time=0.0))
    assert isinstance(answer, asks.RenderAnswer)
    return answer


def coloured(request: asks.RequestAnswer) -> list[tuple[str, str, bool]]:
    units = request.text.encode("utf-16-le")
    return [
        (each.name, units[2 * each.start : 2 * each.end].decode("utf-16-le"), each.shared) for each in request.segments
    ]


# ---- places and colours ---------------------------------------------------------------------------------------------


def test_every_replacement_has_its_place_in_pasted_json_and_says_whether_a_request_shares_it() -> None:
    checked = Studio().check(DEFINITION, "acme")

    lines = DEFINITION.split("\n")
    found = [(lines[use.line - 1][use.column - 1 :][: use.length], use.shared) for use in checked.uses]
    expected = [("$$hid", True), ("$$TemplateID", True), ("$${To|digits}", False), ("$$n", False)]
    assert found == [*expected, ("$$name", False), ("$$name", False)]
    assert checked.campaign["required"] == ["template_id", "custom"]
    assert checked.campaign["properties"]["custom"]["required"] == ["hid"]
    assert checked.secrets == ["ACME_AUTHKEY"]


def test_a_place_is_in_the_text_itself_and_not_in_what_it_extends() -> None:
    text = 'extends: plivo\nheaders: {X-Own: "$$own"}\n'
    checked = Studio().check(text, "mine")
    assert [(use.names, use.line) for use in checked.uses] == [(("own",), 2)]


def test_values_of_a_request_are_coloured_as_what_all_share_and_what_each_message_brings() -> None:
    first = rendered(DEFINITION, event(1), event(2)).requests[0]
    assert coloured(first) == [
        ("$$hid", "A", True),
        ("$$TemplateID", "1107", True),
        ("$${To|digits}", "919812345671", False),
        ("$$n", "1", False),
        ("$$name", "Ashä 😀", False),
        ("$$name", "Ashä 😀", False),
        ("$${To|digits}", "919812345672", False),
        ("$$n", "2", False),
        ("$$name", "Ashä 😀", False),
        ("$$name", "Ashä 😀", False),
    ]


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ("{pairs: {to: $$To, text: 'Hi $$name', n: $$n}}", ["%2B919812345671", "Ash%C3%A4+%F0%9F%98%80", "1"]),
        ("{multipart: {to: $$To, text: 'Hi $$name', n: $$n}}", ["+919812345671", "Ashä 😀", "1"]),
        ("{xml: {sms: {'@to': $$To, text: '<$$name>', n: $$n}}}", ["+919812345671", "Ashä 😀", "1"]),
        ("{text: '$$To;$$name;$$n'}", ["+919812345671", "Ashä 😀", "1"]),
        ("{pairs: {to: $$To, doc: {$json: {t: $$name, n: $$n}}}}", ["%2B919812345671", "Ash%C3%A4+%F0%9F%98%80"]),
        ("{json: {to: $$To, '$$name': $$n}}", ["+919812345671", "Ashä 😀", "1"]),
        ("{json: {to: [$$To], '...': $$all}}", ["+919812345671", "x", "7"]),
    ],
)
def test_colours_pass_through_every_format(parameters: str, values: list[str]) -> None:
    text = f"method: POST\nurl: https://sms.example.com/s/$$n\nparameters: {parameters}\n"
    text += "content: name\n" if "all" not in parameters else "content: all\n"
    request = rendered(text, event(1, all={"t": "x", "n": 7})).requests[0]

    found = [value for _, value, _ in coloured(request)]
    assert sorted(found) == sorted(["1", *values])


def test_what_cannot_be_marked_is_not_coloured_wrong() -> None:
    text = (
        "method: POST\nurl: https://sms.example.com/send\nheaders: {Content-Type: text/plain; charset=iso-8859-1}\n"
        "parameters: {text: '$$To;$$Body'}\n"
    )
    message = msgspec.Raw(b'{"message_id": "m", "to": "+919812345671", "body": "\xc3\xa4"}')
    request = rendered(text.replace("text/plain; charset", '"text/plain; charset').replace("1}", '1"}'), message)
    assert request.requests[0].segments == []


def test_a_value_that_holds_the_marks_characters_is_not_coloured_wrong() -> None:
    request = rendered(DEFINITION, event(1, hid="a\ue100b\ue0ff")).requests[0]
    assert all(not name.startswith("$$hid") for name, _, _ in coloured(request))


def test_a_request_says_why_it_does_not_share_the_one_before() -> None:
    answer = rendered(DEFINITION, event(1), event(2), event(3), event(4, hid="B"))
    assert [request.apart for request in answer.requests] == [
        "",
        "Request 1 is full: 2 messages.",
        "m4 cannot share request 1: `$$hid` is `B`, there `A`.",
    ]
    assert answer.shares == ["$$hid", "$$TemplateID"]


def test_an_event_that_is_no_message_says_why_beside_the_others() -> None:
    answer = rendered(DEFINITION, event(1), msgspec.Raw(b'{"message_id": "m2"}'))
    assert [(each.message, each.reason) for each in answer.invalid] == [("event 2", "not a message: to: missing")]


# ---- replies --------------------------------------------------------------------------------------------------------


def replied(body: str, status: int = 200, definition: str = DEFINITION) -> asks.ReplyAnswer:
    ask = asks.ReplyAsk(definition=definition, events=[event(1)], body=body, status=status, time=0.0)
    answer = Studio().answer(ask)
    assert isinstance(answer, asks.ReplyAnswer)
    return answer


@pytest.mark.parametrize(
    ("when", "body", "why"),
    [
        ("type == 'success'", '{"type": "queued"}', "`type` is `queued`, not `success`"),
        ("type == 'success'", "{}", "there is no `type`"),
        ("a.b && c == `1`", '{"a": {"b": 1}, "c": 2}', "`c` is `2`, not `1`"),
        ("a || b == 'x'", '{"a": "", "b": "y"}', "`a` is empty, which does not count as true; and `b` is `y`, not `x`"),
        ("!error", '{"error": "no"}', "`error` is `no`"),
        ("n > `3`", '{"n": 2}', "`n` is `2`, not above `3`"),
        ("list[0].s == 'ok'", '{"list": [{"s": "no"}]}', "`list[0].s` is `no`, not `ok`"),
        ("contains(keys(@), 'x')", '{"y": 1}', "`contains(keys(@), 'x')` is not true of it"),
        ("type == 'success'", "<html>", "the reply cannot be decoded"),
    ],
)
def test_a_rule_says_why_it_did_not_hold(when: str, body: str, why: str) -> None:
    definition = DEFINITION.replace("type == 'success'", when)
    assert replied(body, definition=definition).considered[0].why.startswith(why)


def test_status_headers_and_text_say_why_they_did_not_hold() -> None:
    definition = DEFINITION.replace("{status: 418, then: throttle, after: 30s}", "{header: {X-E: quota}, then: pause}")
    definition += "    - {text: '^OK', then: accept}\n"
    why = [each.why for each in replied("ERR", 200, definition).considered]
    assert why[1:] == ["there is no header `x-e`", "the text holds nothing like `^OK`"]
    assert replied("ERR", 503).considered[1].why == "the status is 503, not 418"


def test_rules_of_entries_say_why_entry_by_entry() -> None:
    definition = DEFINITION.partition("response:")[0] + (
        "response:\n  rules: [{when: results, then: entries}]\n"
        "  entries:\n    - {each: results, match: index, rules: [{when: \"s == 'ok'\", then: accept}], then: reject}\n"
    )
    answer = replied('{"results": [{"s": "no"}]}', definition=definition)
    assert [(each.entry, each.held, each.why) for each in answer.considered] == [
        (None, True, ""),
        (1, False, "`s` is `no`, not `ok`"),
    ]
    assert answer.messages[0].then == "reject"


@pytest.mark.parametrize(
    ("body", "status", "rule"),
    [
        ('{"type": "queued", "message": "376364"}', 200, "{when: \"type == 'queued'\", then: accept, id: message}"),
        ('{"error": {"code": 21, "text": "no such"}}', 400, None),
        ("OK 12345", 200, '{text: "^\\\\s*OK", then: accept}'),
        ("", 503, "{status: 503, then: reject}"),
        ("[1, 2]", 200, None),
    ],
)
def test_a_rule_is_made_of_a_reply_and_decides_it(body: str, status: int, rule: str | None) -> None:
    offered = replied(body, status).proposals
    if rule is not None:
        assert offered[0].rule == rule
    for choice, proposal in enumerate(offered):
        ask = asks.RuleAsk(definition=DEFINITION, events=[event(1)], body=body, status=status, choice=choice, time=0.0)
        answer = Studio().answer(ask)
        assert isinstance(answer, asks.RuleAnswer)
        assert answer.reply.messages[0].then == proposal.then
        assert proposal.rule in answer.definition.split("\n")[answer.line - 1]
        assert answer.definition.startswith("# the seed's payload\n"), "the rest stays as it stands"


@pytest.mark.parametrize(
    "response",
    [
        "",
        "response: {rules: []}\n",
        "response: {decode: json}\n",
        "response:\n  decode: json\n",
        "response: {rules: [{status: 418, then: throttle}]}\n",
        "response:\n  rules:\n  - status: 418\n    then: throttle\n  # behind\nlimits: {concurrency: 2}\n",
        "operations:\n  - {name: one, response: {rules: [{status: 418, then: throttle}]}}\n",
    ],
)
def test_a_rule_finds_its_place_however_the_text_is_written(response: str) -> None:
    text = DEFINITION.partition("response:")[0] + response
    body = '{"type": "queued", "message": "376364"}'
    answer = Studio().answer(asks.RuleAsk(definition=text, events=[event(1)], body=body, time=0.0))
    assert isinstance(answer, asks.RuleAnswer)
    assert answer.reply.messages[0].then == "accept"
    assert answer.reply.messages[0].rule != "built-in 2xx"


def test_a_rule_that_changes_what_another_one_says_goes_before_it() -> None:
    body = '{"type": "success", "message": "376364"}'
    ask = asks.RuleAsk(definition=DEFINITION, events=[event(1)], body=body, choice=0, time=0.0)
    answer = Studio().answer(ask)
    assert isinstance(answer, asks.RuleAnswer)
    assert answer.reply.messages[0].then == "reject"
    assert answer.line == DEFINITION[: DEFINITION.index("- {when")].count("\n") + 1


# ---- the form -------------------------------------------------------------------------------------------------------


def formed(text: str, fields: FormFields | None = None) -> asks.FormAnswer:
    answer = Studio().answer(asks.FormAsk(definition=text, name="acme", fields=fields))
    assert isinstance(answer, asks.FormAnswer)
    return answer


def test_the_form_reads_the_seeds_fields_and_writes_back_only_what_changed() -> None:
    fields = formed(DEFINITION).fields
    assert (fields.provider, fields.method, fields.endpoint) == ("acme", "POST", "https://sms.example.com/send")
    assert fields.headers == (Pair("authkey", "${ACME_AUTHKEY}"),)
    assert fields.parameters.kind == "json"
    assert fields.batching == BatchFields("msgs", 2)
    assert fields.beyond == ("response",)
    assert formed(DEFINITION, fields).definition == DEFINITION

    changed = msgspec.structs.replace(fields, endpoint="https://sms.example.com/v2")
    assert formed(DEFINITION, changed).definition == DEFINITION.replace("com/send", "com/v2")


def test_a_form_from_nothing_is_a_definition_and_its_secrets_are_named() -> None:
    fields = FormFields(
        provider="acme",
        nickname="Acme SMS",
        endpoint="https://sms.example.com/send",
        authentication=Authentication("basic", username="me", password="hunter2-basic"),
        headers=(Pair("X-Api-Key", "hunter2-key"),),
        parameters=Parameters("json", json='{"msgs": [{"to": "$$To", "text": "$$Body"}]} // pasted'),
        batching=BatchFields("msgs", 1000),
        reports=True,
    )
    answer = formed("", fields)
    assert "hunter2" not in answer.definition
    assert set(answer.secrets) == {"ACME_PASSWORD", "ACME_X_API_KEY"}
    assert "// pasted" in answer.definition
    expected = msgspec.structs.replace(
        fields,
        authentication=Authentication("basic", username="me", password="${ACME_PASSWORD}"),
        headers=(Pair("X-Api-Key", "${ACME_X_API_KEY}"),),
        parameters=Parameters("json", json=fields.parameters.json + "\n"),
    )
    assert answer.fields == expected
    assert formed(answer.definition, answer.fields).definition == answer.definition


@pytest.mark.parametrize("name", sorted(file.stem for file in CATALOGUE.glob("*.yaml")))
def test_the_form_leaves_every_shipped_definition_as_it_is_and_a_changed_field_alone(name: str) -> None:
    text = (CATALOGUE / f"{name}.yaml").read_text("utf-8")
    fields = formed(text).fields
    assert formed(text, fields).definition == text

    changed = formed(text, msgspec.structs.replace(fields, nickname="Another")).definition
    again = formed(changed, msgspec.structs.replace(fields, nickname=fields.nickname)).definition
    assert formed(again).fields == fields
    assert Studio().check(again, name).errors == []


def test_what_the_form_does_not_know_is_named_and_kept() -> None:
    text = 'method: POST\nurl: https://x.example.com\nparameters: {text: "$$To;$$Body"}\n'
    text += "auth: {sigv4: {service: a, region: b}}\n"
    fields = formed(text).fields
    assert set(fields.beyond) == {"auth", "parameters"}
    assert "sigv4" in formed(text, msgspec.structs.replace(fields, method="PUT")).definition


# ---- curl, catalogue, completion ------------------------------------------------------------------------------------


def test_a_curl_command_becomes_a_text_that_holds_no_secret_and_is_checked() -> None:
    command = "curl https://api.acme.example/send -H 'X-Api-Key: hunter2secretvalue' -d to=+919812345678 -d text=Hi"
    answer = Studio().answer(asks.CurlAsk(command=command))
    assert isinstance(answer, asks.ImportAnswer)
    assert answer.checked.ok
    assert answer.draft.name == "acme"
    assert "hunter2" not in msgspec.json.encode(answer).decode()


def test_the_catalogue_says_which_of_it_have_a_fake() -> None:
    answer = Studio().answer(asks.SummaryAsk())
    assert isinstance(answer, asks.CatalogueAnswer)
    names = {each.name: each for each in answer.definitions}
    assert names["plivo"].fake
    assert names["plivo"].text.startswith("#")


@pytest.mark.parametrize(
    ("ending", "inserts", "sample"),
    [
        ("url: https://x/$${To|la", "last(12)", "919812345671"),
        ("url: https://x/$$Bo", "Body", ""),
        ("url: https://x/$${hi", "hid", "A"),
        ("respo", "response: ", ""),
        ("method: PO", "POST", ""),
        ("extends: pli", "plivo", ""),
        ("response:\n  rules:\n    - {th", "then: ", ""),
        ("response:\n  rules:\n    - then: acc", "accept", ""),
        ("batching:\n  re", "records: ", ""),
        ("auth:\n  basic:\n    user", "username: ", ""),
        ('headers: {a: "${ACME_', "ACME_AUTHKEY}", ""),
    ],
)
def test_completion_knows_keys_words_names_and_filters(ending: str, inserts: str, sample: str) -> None:
    text = DEFINITION + ending
    lines = text.split("\n")
    ask = asks.CompleteAsk(definition=text, line=len(lines), column=len(lines[-1]) + 1, event=event(1))
    answer = Studio().answer(ask)
    assert isinstance(answer, asks.CompleteAnswer)
    found = {each.insert: each for each in answer.completions}
    assert inserts in found
    assert sample in found[inserts].sample


# ---- what a draft may read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["../../etc/passwd", "/etc/passwd", "../secret.yaml", "./outside.yaml", "link"])
def test_a_draft_extends_nothing_but_the_catalogue_and_its_folder(named: str, tmp_path: Path) -> None:
    folder = tmp_path / "definitions"
    folder.mkdir()
    (tmp_path / "secret.yaml").write_text("about: {title: hunter2}\n")
    (folder / "link.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "outside.yaml").symlink_to(tmp_path / "secret.yaml")
    (folder / "notes").write_text("about: {title: hunter2}\n")
    for where in (None, folder):
        checked = Studio(where).check(f"extends: {named}\n", "draft")
        assert not checked.ok
        assert "hunter2" not in msgspec.json.encode(checked).decode()
        assert str(tmp_path) not in msgspec.json.encode(checked).decode()


def test_a_draft_extends_its_neighbours_where_it_has_a_folder(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(DEFINITION)
    for named in ("base", "./base.yaml"):
        assert Studio(tmp_path).check(f"extends: {named}\n", "draft").ok
        assert not Studio().check(f"extends: {named}\n", "draft").ok


def test_a_draft_reads_no_file_that_its_http_names(tmp_path: Path) -> None:
    pipe = tmp_path / "ca.pem"
    pipe.write_text("one")
    text = DEFINITION + f"http: {{ca: {pipe}}}\n"
    from connector.config_text.environment import Environment
    from connector.definition.load import load_text

    assert load_text(text, "acme", environment=Environment.placeholders()).http.tls == ""


def test_a_file_reference_stays_a_reference() -> None:
    text = DEFINITION.replace("${ACME_AUTHKEY}", "${file:/etc/hostname}")
    assert "${file:/etc/hostname}" in rendered(text, event(1)).requests[0].text


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\n" + "\n".join(f"b{i}: &b{i} [*{'a' if i == 0 else f'b{i - 1}'}, *a]" for i in range(3000)),
        "[" * 5_000,
        "{a: " * 2_000,
        "method: POST\n" * 10_000,
        "x: " + "y" * 300_000,
        "\x00",
        "a: \ud800",
        "- 1\n",
        "",
    ],
)
def test_a_hostile_text_is_a_problem_and_nothing_worse(text: str) -> None:
    checked = Studio().check(text, "draft")
    assert not checked.ok
    assert checked.errors


def test_no_event_is_said_in_words() -> None:
    with pytest.raises(UsageError, match="there is no event"):
        rendered(DEFINITION)


def test_a_form_cannot_name_a_key_twice() -> None:
    with pytest.raises(DefinitionError, match="twice"):
        formed("", FormFields(headers=(Pair("a", "1"), Pair("a", "2"))))
