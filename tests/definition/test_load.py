"""Loading: the drafts, the seed's payloads, extends, operations, names and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from connector.config_text.environment import Environment
from connector.definition.load import CATALOGUE, find, load, load_all
from connector.definition.tree import (
    Array,
    BasicAuth,
    Constant,
    Encoded,
    Hours,
    Http,
    Limits,
    Node,
    OAuth2,
    Object,
    ObjectMember,
    Rate,
    Replacement,
    Retry,
    SigV4,
    Spread,
    Text,
)
from connector.errors import DefinitionError

from .write import ALL_SET, EMPTY, FIXTURES, SOUND, loaded, problems_of

DRAFTS = sorted(FIXTURES.glob("*.yaml"))


def shown(node: Node | None) -> Any:
    """A node as plain data, replacements as written."""
    match node:
        case Constant(value):
            return value
        case Replacement(expression):
            return expression.written
        case Text(parts):
            return "".join(part if isinstance(part, str) else part.written for part in parts)
        case Array(items):
            return [shown(item) for item in items]
        case Encoded(encoding, inner):
            return {f"${encoding}": shown(inner)}
        case Object(members):
            return dict(_member(member) for member in members)
        case None:
            return None


def _member(member: ObjectMember | Spread) -> tuple[str, Any]:
    if isinstance(member, Spread):
        return "...", member.expression.written
    return member.key if isinstance(member.key, str) else str(shown(member.key)), shown(member.value)


@pytest.mark.parametrize("file", DRAFTS, ids=lambda file: file.stem)
@pytest.mark.parametrize("environment", [ALL_SET, Environment.placeholders()], ids=["set", "shown"])
def test_every_draft_loads(file: Path, environment: Environment) -> None:
    definition = load(file, environment=environment)
    assert definition.name == file.stem
    assert definition.operations


def test_there_are_ten_drafts() -> None:
    assert len(DRAFTS) == 10


@pytest.mark.parametrize("name", ["seed-batched", "seed-single"])
def test_the_payloads_of_the_form_are_taken_byte_for_byte(tmp_path: Path, name: str) -> None:
    payload = (FIXTURES / f"{name}.jsonc").read_text()
    indented = "".join(f"    {line}\n" for line in payload.splitlines())
    text = f"method: POST\nurl: https://sms.example.com/send\nparameters:\n  json: |\n{indented}"
    body = loaded(tmp_path, text).operations[0].body
    record = {"seq": 1, "to": "$$To", "uid": "$$uid", "variables": "$$TemplateVariables", "enc": "utf8"}
    outside = {"hid": "$$hid", "tid": "$$TemplateID", "cid": "$$CampaignID", "type": "template"}
    expected = {**outside, "msgs": [record]} if name == "seed-batched" else {**outside, **record}
    assert shown(body) == expected
    assert list(shown(body)) == list(expected)  # the order of the file


def test_everything_the_language_says_reaches_the_tree(tmp_path: Path) -> None:
    definition = loaded(
        tmp_path,
        """
name: acme
about: {source: docs, unverified: [429]}
method: GET
url: https://${HOST:-a}/v1/$$CampaignID
query: {dlr: 1, flag: "${NONE?}"}
headers: {X-Key: "k-${KEY}", X-Count: 5}
auth: {oauth2: {url: https://t/, client_id: "${ID}", secret: "${SECRET}", pairs: {scope: sms}, send: basic}}
parameters: {pairs: {to: "$${To|digits}", text: $$Body, amount: 1.10, "...": $$TemplateVariables}}
batching: {key: [to], records: {min: 1, max: 50}, join: "<", wait: 500ms}
idempotent: 12h
on_uncertain: report
response:
  decode: [json, none]
  rules:
    - {status: [200, 4xx, 500-502], header: {X-A: b}, text: "(?P<i>x)", when: a == 'b',
       then: defer, until: 09:00 Asia/Kolkata, id: i, after: 5}
limits: {requests: [10/s, 300/5m], records: 100/2s, concurrency: 3}
retry: {attempts: 2, base: 250ms, cap: 1m}
http: {connect: 2s, total: 5s, reply: 64KiB, verify: false, ca: a, certificate: b, key: c, proxy: http://p,
       private_hosts: true}
account: shared
hours: 21:00-08:30 Asia/Kolkata
failover: other
receipts: {state: s, states: {delivered: 1}}
""",
        environment=Environment({"KEY": "secret$$To", "ID": "id", "SECRET": "s"}),
    )
    (operation,) = definition.operations
    assert (definition.name, operation.name, operation.path) == ("acme", "send", "")
    assert shown(operation.url) == "https://a/v1/$$CampaignID"
    assert shown(operation.query) == {"dlr": 1}
    assert shown(operation.headers) == {"X-Key": "k-secret$$To", "X-Count": 5}
    assert operation.headers.members[0].value == Constant("k-secret$$To")  # type: ignore[union-attr]
    assert operation.auth == OAuth2("https://t/", "id", "s", {"scope": "sms"}, "basic")
    assert operation.kind == "pairs"
    assert operation.body.members[2] == ObjectMember("amount", Constant(1.1, "1.10"))  # type: ignore[union-attr]
    batching = operation.batching
    assert batching is not None
    assert (batching.keys, batching.min_records, batching.max_records) == ((("to",),), 1, 50)
    assert (batching.join, batching.wait, batching.max_bytes) == ("<", 0.5, 7500)
    assert (operation.idempotent, operation.on_uncertain) == (43200.0, "report")
    assert operation.response is not None
    assert operation.response.decode == ("json", "none")
    (rule,) = operation.response.rules
    assert rule.status == ((200, 200), (400, 499), (500, 502))
    assert (rule.header, rule.text, rule.when) == ((("x-a", "b"),), "(?P<i>x)", "a == 'b'")
    assert (rule.then, rule.id, rule.after, rule.until) == ("defer", "i", "5", "09:00 Asia/Kolkata")
    assert rule.path == "response.rules[0]"
    assert definition.limits == Limits((Rate(10, 1.0), Rate(300, 300.0)), (Rate(100, 2.0),), 3)
    assert definition.retry == Retry(2, 0.25, 60.0)
    assert definition.http == Http(2.0, 5.0, 65536, False, "a", "b", "c", "http://p", True)
    assert (definition.account, definition.failover) == ("shared", ("other",))
    assert definition.hours == Hours(21 * 60, 8 * 60 + 30, "Asia/Kolkata")
    assert definition.secrets == {"${KEY}": "secret$$To", "${ID}": "id", "${SECRET}": "s"}
    assert definition.receipts is not None
    assert (definition.receipts.state, definition.receipts.states) == ("s", {"1": "delivered"})
    assert definition.about == {"source": "docs", "unverified": [429]}


def test_secrets_do_not_show_in_a_representation() -> None:
    definition = load(FIXTURES / "bulksms.yaml", environment=Environment(dict.fromkeys(_names("BULKSMS"), "hush-hush")))
    assert isinstance(definition.operations[0].auth, BasicAuth)
    assert definition.operations[0].auth.password == "hush-hush"
    assert "password" not in repr(definition.operations[0].auth)


def _names(prefix: str) -> list[str]:
    return [f"{prefix}_TOKEN_ID", f"{prefix}_TOKEN_SECRET"]


def test_an_optional_reference_leaves_out_its_key_and_a_container_thus_emptied(tmp_path: Path) -> None:
    text = """
method: POST
url: https://a/b
parameters:
  json: {to: $$To, text: $$Body, a: "${A?}", b: {c: "${A?}"}, d: ["${A?}"], e: {}, f: "x${A?}y", g: ["${A?}", 1]}
"""
    assert shown(loaded(tmp_path, text, environment=EMPTY).operations[0].body) == {
        "to": "$$To", "text": "$$Body", "e": {}, "f": "xy", "g": [1],
    }  # fmt: skip


def test_a_field_that_is_null_is_not_there_but_in_json_null_is_a_value(tmp_path: Path) -> None:
    text = """
method: POST
url: https://a/b
headers: {X-A: null, X-B: 1}
query: {a: }
parameters: {json: {to: $$To, text: $$Body, nothing: null}}
"""
    (operation,) = loaded(tmp_path, text).operations
    assert shown(operation.headers) == {"X-B": 1}
    assert shown(operation.query) == {}
    assert shown(operation.body) == {"to": "$$To", "text": "$$Body", "nothing": None}


def test_encodings_spreads_and_replaced_keys(tmp_path: Path) -> None:
    text = """
method: POST
url: https://a/b
parameters:
  pairs:
    data: {$json: {messages: [{$$To: {text: $$Body, "...": $$TemplateVariables}}]}}
    more: {$form: {a: 1}}
batching: {key: data.messages, records: 10}
"""
    (operation,) = loaded(tmp_path, text).operations
    assert shown(operation.body) == {
        "data": {"$json": {"messages": [{"$$To": {"text": "$$Body", "...": "$$TemplateVariables"}}]}},
        "more": {"$form": {"a": 1}},
    }
    assert operation.batching is not None
    assert operation.batching.keys == (("data", "messages"),)


@pytest.mark.parametrize(
    ("key", "path"),
    [
        (".", ()),
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a.b[0].c", ("a", "b", "0", "c")),
        ('"x.y".z', ("x.y", "z")),
    ],
)
def test_key_paths(tmp_path: Path, key: str, path: tuple[str, ...]) -> None:
    text = f"""
method: POST
url: https://a/b
parameters: {{json: {{a: {{b: [{{c: [$$To, $$Body]}}]}}, x.y: {{z: [$$To]}}}}}}
batching: {{key: '{key}', records: 10}}
"""
    if path in ((), ("a",), ("a", "b")):
        text = text.replace(", x.y: {z: [$$To]}", "")
    elif path[0] == "a":
        text = text.replace("z: [$$To]", "z: 1")
    else:
        text = text.replace("[$$To, $$Body]", "[$$Body]")
    (operation,) = loaded(tmp_path, text).operations
    assert operation.batching is not None
    assert operation.batching.keys == (path,)


# ---- operations ----------------------------------------------------------------------------------------------------


def test_an_operation_inherits_what_it_leaves_out_and_its_rules_come_first(tmp_path: Path) -> None:
    definition = loaded(
        tmp_path,
        """
method: POST
url: https://a/b
headers: {X-A: 1, X-B: 2}
auth: {basic: {username: u, password: "${P}"}}
parameters: {json: {to: $$To, text: $$Body, kind: top}}
response: {decode: json, rules: [{status: 500, then: retry}]}
operations:
  - {name: one, when: custom.x == '1', headers: {X-A: null, X-C: 3}, response: {rules: [{status: 400, then: reject}]}}
  - {name: two, when: campaign_id, url: https://c/d, parameters: {json: {kind: null, extra: 1}}, auth: none,
     response: null}
  - {name: three, parameters: {pairs: {to: $$To, text: $$Body}}, auth: {sigv4: {service: s, region: r}}}
""",
    )
    one, two, three = definition.operations
    assert shown(one.headers) == {"X-B": 2, "X-C": 3}
    assert one.response is not None
    assert [rule.path for rule in one.response.rules] == ["operations[0].response.rules[0]", "response.rules[0]"]
    assert isinstance(one.auth, BasicAuth)
    assert shown(two.url) == "https://c/d"
    assert shown(two.body) == {"to": "$$To", "text": "$$Body", "extra": 1}
    assert two.response is None
    assert (three.kind, shown(three.body)) == ("pairs", {"to": "$$To", "text": "$$Body"})
    assert isinstance(three.auth, SigV4)
    assert [operation.path for operation in definition.operations] == [
        "operations[0]",
        "operations[1]",
        "operations[2]",
    ]


def test_a_fault_that_operations_inherit_is_named_once(tmp_path: Path) -> None:
    text = """
method: POST
url: https://a/b
parameters: {json: {to: $$To, text: "$${Body|nope}"}}
operations: [{name: a, when: campaign_id}, {name: b}]
"""
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, text)
    assert len(caught.value.problems) == 1


# ---- extends -------------------------------------------------------------------------------------------------------


def test_a_definition_changes_another(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SOUND + "limits: {requests: 10/s, concurrency: 2}\nname: base\n")
    definition = loaded(
        tmp_path,
        """
extends: base
url: https://other.example.com/
parameters: {json: {sender: null, added: [1, 2]}}
response: {rules: [{status: 201, then: accept}]}
limits: {concurrency: 5}
""",
        name="mine.yaml",
    )
    (operation,) = definition.operations
    assert definition.name == "mine"
    assert shown(operation.url) == "https://other.example.com/"
    assert shown(operation.body) == {"msgs": [{"to": "$$To", "text": "$$Body"}], "added": [1, 2]}
    assert operation.response is not None
    assert [rule.path for rule in operation.response.rules] == ["response.rules[0]", "base.yaml: response.rules[0]"]
    assert definition.limits == Limits((Rate(10, 1.0),), (), 5)


def test_another_kind_of_body_replaces_the_body(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SOUND)
    text = "extends: base\nbatching: null\nparameters: {pairs: {to: $$To, text: $$Body}}\nresponse: null\n"
    (operation,) = loaded(tmp_path, text, name="mine.yaml").operations
    assert (operation.kind, shown(operation.body)) == ("pairs", {"to": "$$To", "text": "$$Body"})
    assert operation.batching is None


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("extends: base\nretrry: null\n", "retrry"),
        ("extends: base\nlimits: {rat: null}\n", "limits.rat"),
        ("extends: base\nresponse: {ruls: null}\n", "response.ruls"),
        (SOUND + "operations: [{name: one, retrry: null}]\n", "operations[0].retrry"),
    ],
)
def test_a_misspelt_key_is_found_though_its_value_is_null(tmp_path: Path, text: str, path: str) -> None:
    (tmp_path / "base.yaml").write_text(SOUND)
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, text, name="mine.yaml")
    assert [problem.path for problem in caught.value.problems] == [path]


def test_null_for_a_key_that_nobody_has_set_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SOUND)
    assert loaded(tmp_path, "extends: base\nauth: null\nidempotent: null\n", name="mine.yaml").operations


def test_a_pasted_payload_can_be_changed(tmp_path: Path) -> None:
    (tmp_path / "seed-batched.yaml").write_bytes((FIXTURES / "seed-batched.yaml").read_bytes())
    definition = loaded(tmp_path, "extends: ./seed-batched.yaml\nparameters: {json: {type: null, hid: fixed}}\n")
    body = shown(definition.operations[0].body)
    assert list(body) == ["hid", "tid", "cid", "msgs"]
    assert body["hid"] == "fixed"


def test_a_problem_in_what_is_extended_names_its_own_file(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SOUND.replace("$$Body", "'$${Body|nope}'"))
    with pytest.raises(DefinitionError) as caught:
        loaded(tmp_path, "extends: base\nmethod: BREW\n", name="mine.yaml")
    assert [(Path(problem.file).name, problem.line) for problem in caught.value.problems] == [
        ("base.yaml", 7),
        ("mine.yaml", 2),
    ]


def test_a_file_may_extend_its_namesake_in_the_catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = tmp_path / "catalogue"
    catalogue.mkdir()
    (catalogue / "acme.yaml").write_text(SOUND)
    monkeypatch.setattr("connector.definition.files.CATALOGUE", catalogue)
    definition = loaded(tmp_path, "extends: acme\nlimits: {concurrency: 1}\n")
    assert definition.limits.concurrency == 1
    assert load("acme", environment=ALL_SET).file == str(catalogue / "acme.yaml")
    assert load("acme", environment=ALL_SET, folder=tmp_path).file == str(tmp_path / "acme.yaml")


def test_an_operation_is_changed_by_its_name(tmp_path: Path) -> None:
    """What the patch leaves out stays, others keep their place, and a new one is asked first."""
    (tmp_path / "base.yaml").write_text(
        "method: POST\nparameters: {json: {to: $$To, text: $$Body}}\noperations:\n"
        "  - {name: bulk, when: custom.bulk == 'yes', url: https://a.example.com/, headers: {k: v}}\n"
        "  - {name: single, url: https://b.example.com/}\n"
    )
    definition = loaded(
        tmp_path,
        "extends: base\noperations:\n"
        "  - {name: single, url: https://c.example.com/}\n"
        "  - {name: urgent, when: priority == 'high', url: https://d.example.com/}\n"
        "  - {name: bulk, headers: {k: null, x: w}}\n",
    )
    assert [(each.name, each.url.value) for each in definition.operations if isinstance(each.url, Constant)] == [
        ("urgent", "https://d.example.com/"),
        ("bulk", "https://a.example.com/"),
        ("single", "https://c.example.com/"),
    ]
    assert [member.key for member in definition.operations[1].headers.members if isinstance(member, ObjectMember)] == [
        "x"
    ]
    assert definition.operations[1].when == "custom.bulk == 'yes'"


def test_an_operation_named_twice_in_one_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SOUND + "operations: [{name: one}]\n")
    errors, _ = problems_of(tmp_path, "extends: base\noperations: [{name: one}, {name: one, when: to == 'x'}]\n")
    assert any("two operations are called `one`" in error for error in errors)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: b\n", "definitions extend each other: a.yaml → b.yaml → a.yaml"),
        ("extends: ./a.yaml\n", "definitions extend each other"),
        ("extends: nobody\n", "no definition is called `nobody`"),
        ("extends: ./none.yaml\n", "there is no such file"),
        ("extends: [b]\n", "names one definition"),
    ],
)
def test_extends_that_leads_nowhere_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "b.yaml").write_text("extends: a\n")
    with pytest.raises(DefinitionError, match=message):
        loaded(tmp_path, text, name="a.yaml")


# ---- many ----------------------------------------------------------------------------------------------------------


def test_files_and_folders_are_loaded_by_name() -> None:
    definitions = load_all([FIXTURES, FIXTURES / "plivo.yaml"], ALL_SET)
    assert sorted(definitions) == [file.stem for file in DRAFTS]


def test_the_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("method: POST\n")
    (tmp_path / "b.yaml").write_text("a: 'x\n")
    (tmp_path / "c.yaml").write_text(SOUND + "name: same\n")
    (tmp_path / "d.yml").write_text(SOUND + "name: same\n")
    with pytest.raises(DefinitionError) as caught:
        load_all([tmp_path, "nobody-has-this", tmp_path / "none.yaml"], ALL_SET)
    text = str(caught.value)
    for part in (
        "the key `url` is missing",
        "the quote ' that opens",
        "no definition is called",
        "there is no such file",
    ):
        assert part in text


def test_two_definitions_of_one_name_and_an_unknown_failover_are_refused(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SOUND + "name: same\n")
    (tmp_path / "d.yml").write_text(SOUND + "name: same\n")
    with pytest.raises(DefinitionError, match=r"`same` is defined in .*c\.yaml as well"):
        load_all([tmp_path], ALL_SET)
    (tmp_path / "d.yml").write_text(SOUND + "failover: [sam]\n")
    with pytest.raises(DefinitionError, match="no definition is called `sam`; known: same"):
        load_all([tmp_path], ALL_SET)


def test_a_name_is_found_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "plivoo.yaml").write_text(SOUND)
    with pytest.raises(DefinitionError, match="did you mean `plivoo`"):
        find("plivooo", [tmp_path])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DefinitionError, match="holds no definition"):
        load_all([tmp_path / "empty"], ALL_SET)


def test_the_catalogue_is_part_of_the_package() -> None:
    assert CATALOGUE.name == "providers"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"- a\n", "the file holds no map"),
        (b"a: \xff\n", "not UTF-8 text"),
        (b"\xef\xbb\xbfa: 1", "`a` is not known"),
    ],
)
def test_a_file_that_is_no_definition_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(DefinitionError, match=message):
        load(tmp_path / "a.yaml", environment=ALL_SET)


def test_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes((FIXTURES / "seed-batched.yaml").read_bytes().replace(b"\n", b"\r\n"))
    assert load(tmp_path / "a.yaml", environment=ALL_SET).operations[0].body is not None


@pytest.mark.parametrize("stem", ["acme\n", "ac me", "acmé", "\uff11", "-acme", "a" * 65, "acme\u2028"])
def test_the_name_of_a_file_is_a_name_like_any_other(tmp_path: Path, stem: str) -> None:
    """Events could hardly say it, and metrics and logs would carry its line break."""
    file = tmp_path / f"{stem}.yaml"
    file.write_text(SOUND)
    with pytest.raises(DefinitionError) as caught:
        load(file, environment=EMPTY)
    assert "not a valid name for a definition; rename it, or add `name`" in str(caught.value)
    file.write_text("name: acme\n" + SOUND)
    assert load(file, environment=EMPTY).name == "acme"


@pytest.mark.parametrize("name", ["acme\\n", "acme\\r", "acme\\0", "acme\\u2028", "\\uFF11"])
def test_a_name_ends_where_its_line_ends(tmp_path: Path, name: str) -> None:
    for key in (f'name: "{name}"', f'account: "{name}"', f'failover: "{name}"'):
        file = tmp_path / "acme.yaml"
        file.write_text(f"{key}\n{SOUND}")
        with pytest.raises(DefinitionError, match="cannot stand here"):
            load(file, environment=EMPTY)


@pytest.mark.parametrize("key", ["\uff10", "0\n", "1" * 5000])
def test_an_index_in_a_batching_key_is_written_in_plain_digits(tmp_path: Path, key: str) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(
        "method: POST\nurl: https://sms.example.com/send\n"
        "parameters: {json: {lists: [[{to: $$To, text: $$Body}]]}}\n"
        f"batching: {{key: {msgspec.json.encode(f'lists.{key}').decode()}, records: 10}}\n"
    )
    with pytest.raises(DefinitionError, match="names nothing in the parameters"):
        load(file, environment=EMPTY)
