"""The shipped definitions as a whole: sound, complete about themselves, documented, and changed with `extends`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from connector.cli.main import group
from connector.config_text.environment import Environment
from connector.definition.files import CATALOGUE
from connector.definition.load import load, load_all
from connector.definition.tree import BasicAuth, Constant, Rate
from connector.model import Batch, Reply
from connector.request.renderer import compile_operation
from connector.response.reply_reader import compile_response
from connector.tools.simulator import PROVIDERS
from connector.workbench.catalogue import page, summarise
from connector.workbench.checking import check_file

from .shipped import DEMO, NAMES, message, provided, shipped

ROOT = Path(__file__).parents[2]
every_provider = pytest.mark.parametrize("name", NAMES)

REQUESTED = {  # the seed's eight, AWS's successor of Pinpoint, three that users ask for next, gateways of one's own,
    # three that are signed, one with a login, one that names only whom it refused
    *("bulksms", "exotel", "msg91", "nimbus", "nimbus-biz", "plivo", "smsindiahub", "smsindiahub-legacy", "textlocal"),
    *("aws-pinpoint", "aws-eum", "twilio", "vonage", "infobip", "kannel", "jasmin", "tencent", "aliyun", "ovh"),
    *("skebby", "speedsms"),
}


def ran(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(group, arguments, env=dict.fromkeys(DEMO))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


# ---- sound ----------------------------------------------------------------------------------------------------------


def test_what_was_asked_for_is_there_and_has_a_fake() -> None:
    assert set(NAMES) >= REQUESTED
    assert set(PROVIDERS) >= set(NAMES)


@every_provider
def test_it_passes_the_strict_check(name: str) -> None:
    """Nimbus has no https that anybody has seen: the one warning there is, and it is right."""
    checked = check_file(str(CATALOGUE / f"{name}.yaml"), Environment(DEMO))
    assert checked.errors == []
    warnings = [problem.message for problem in checked.warnings]
    assert warnings == (["http sends phone numbers, texts and credentials unencrypted"] if name == "nimbus" else [])


def test_all_can_be_loaded_together() -> None:
    assert sorted(load_all([CATALOGUE], Environment(DEMO))) == NAMES


@every_provider
def test_it_says_where_it_comes_from_and_what_is_not_known(name: str) -> None:
    summary = summarise(name)
    for text in (summary.title, summary.source, summary.limits):
        assert len(text) > 5
    assert summary.notes
    assert summary.unverified
    text = (CATALOGUE / f"{name}.yaml").read_text()
    assert text.startswith("# "), "a line that says what it is"


@every_provider
def test_it_names_every_variable_it_reads_and_no_other(name: str) -> None:
    """AWS credentials are read by botocore, not by the definition."""
    read = {key[2:-1] for key in load(name, environment=Environment.placeholders()).secrets}
    assert set(summarise(name).env) - {"AWS_ACCESS_KEY_ID"} == read


@every_provider
def test_credentials_in_the_environment_are_all_it_needs(name: str) -> None:
    """What is optional is not asked for; what is secret stands nowhere in the file."""
    optional = [key for key, text in summarise(name).env.items() if text.startswith("optional")]
    assert load(name, environment=Environment({key: value for key, value in DEMO.items() if key not in optional}))
    assert not re.search(
        r"(?i)(password|secret|token|key): (?!\"?\$\{)[\w-]{6,}$", (CATALOGUE / f"{name}.yaml").read_text()
    )


@every_provider
def test_its_secrets_stand_in_no_result(name: str) -> None:
    """Some providers echo what they were sent."""
    definition = shipped(name)
    operation = definition.operations[-1]
    reader = compile_response(operation, definition.secrets)
    body = json.dumps({"error": {"message": "demo-secret"}, "type": "error", "status": "demo-secret"}).encode()
    reading = reader.read(Reply(400, {}, body), [message(1)], Batch("0" * 32, 0.0), 0.0)
    assert "demo-secret" not in repr(reading)


# ---- extends --------------------------------------------------------------------------------------------------------

MINE = """\
extends: bulksms
url: https://bulksms.example.com/v1/messages
auth: {basic: {username: "${MY_ID}", password: "${MY_SECRET}"}}
query: {auto-unicode: "true"}
parameters: {json: [{to: $$To, body: $$Body, from: SHOP}]}
batching: {records: 50}
limits: {requests: 5/s, concurrency: 2}
idempotent: null
response:
  rules: [{status: 403, when: "title == 'Forbidden'", then: reject}]
"""


def test_a_user_changes_what_differs_and_nothing_else(tmp_path: Path) -> None:
    """Address, credentials, sender, limits, a rule: `extends: bulksms`, and the rest is the catalogue's."""
    (tmp_path / "shop.yaml").write_text(MINE)
    mine = load(tmp_path / "shop.yaml", environment=Environment({**DEMO, "MY_ID": "i", "MY_SECRET": "s"}))
    base = shipped("bulksms")
    (operation,), (theirs,) = mine.operations, base.operations
    assert mine.name == "shop"
    assert operation.url == Constant("https://bulksms.example.com/v1/messages")
    assert operation.auth == BasicAuth("i", "s")
    assert operation.batching is not None
    assert (operation.batching.max_records, operation.batching.max_bytes) == (50, 1_000_000)
    assert (mine.limits.requests, mine.limits.concurrency) == ((Rate(5, 1.0),), 2)
    assert operation.idempotent is None
    assert operation.response is not None
    assert theirs.response is not None
    assert [rule.then for rule in operation.response.rules] == [
        "reject",
        *(rule.then for rule in theirs.response.rules),
    ]
    (compared,) = (expression.source for expression, _ in operation.response.entries[0].match.pairs)
    assert compared == "message_id()|ref(20)"  # their record holds no reference that could be compared
    made = compile_operation(operation).render([message(1)], Batch("0" * 32, 0.0)).request
    assert made is not None
    assert "auto-unicode=true" in made.url
    assert "deduplication-id=" in made.url
    assert json.loads(made.body or b"") == [{"to": "+919800000019", "body": "Hello Asha", "from": "SHOP"}]


EXTENSIONS = {
    "bulksms": "parameters: {json: [{to: $$To, body: $$Body, from: SHOP, userSuppliedId: '$${message_id()|ref(20)}'}]}",
    "plivo": "parameters: {json: {src: SHOP}}",
    "exotel": "operations: [{name: bulk, parameters: {pairs: {From: SHOP}}}, "
    "{name: single, parameters: {pairs: {From: SHOP}}}]",
    "textlocal": "parameters: {pairs: {data: {$json: {sender: SHOP}}}}",
    "twilio": "parameters: {pairs: {From: null, MessagingServiceSid: SHOP}}",
    "smsindiahub": "parameters: {json: {Account: {SenderId: SHOP, Channel: OTP}}}",
}


@pytest.mark.parametrize("name", EXTENSIONS)
async def test_a_definition_with_its_own_sender_is_taken(name: str, tmp_path: Path) -> None:
    """A deployment with one sender needs no custom value in its events."""
    (tmp_path / "mine.yaml").write_text(f"extends: {name}\n{EXTENSIONS[name]}\n")
    mine = load(tmp_path / "mine.yaml", environment=Environment(DEMO))
    assert mine.warnings == ()
    async with provided(name, definition=mine) as provider:
        for count in (2, 1):
            exchange = await provider.exchange(*(message(n, custom=None) for n in range(count)))
            assert set(exchange.words) == {"accept"}
            assert "SHOP" in f"{exchange.request.url}{exchange.request.body!r}"


# ---- documents and commands -----------------------------------------------------------------------------------------


def test_the_page_is_made_from_the_definitions() -> None:
    written = (ROOT / "docs" / "providers.md").read_text()
    assert written == page(), "python -m connector.workbench.catalogue docs/providers.md"


@every_provider
def test_the_page_has_a_row_and_a_section(name: str) -> None:
    text = (ROOT / "docs" / "providers.md").read_text()
    assert f"| [{name}](#{name}) |" in text
    assert f"\n## {name}\n" in text


def test_the_definition_shown_on_the_page_is_sound(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "providers.md").read_text(), re.DOTALL)
    (tmp_path / "plivo-otp.yaml").write_text(block)
    definition = load(tmp_path / "plivo-otp.yaml", environment=Environment(DEMO))
    assert (definition.warnings, definition.account) == ((), "plivo")


def test_list_names_every_provider() -> None:
    code, output = ran("providers", "list")
    assert code == 0
    head, *rows = output.splitlines()
    assert head.split()[0] == "provider"
    assert [line.split()[0] for line in rows] == NAMES
    assert "Plivo Message API v1" in output


def test_list_as_json() -> None:
    code, output = ran("providers", "list", "--json")
    summaries = [json.loads(line) for line in output.splitlines()]
    assert code == 0
    assert [summary["name"] for summary in summaries] == NAMES
    assert summaries[NAMES.index("textlocal")]["custom"] == ["sender"]


def test_show_says_what_is_needed_and_what_is_not_known() -> None:
    code, output = ran("providers", "show", "plivo")
    assert code == 0
    for text in ("PLIVO_AUTH_ID", "(not set)", "sender", "1,000, one text", "throttle: 429", "not verified"):
        assert text in output


def test_show_the_file_as_it_is_shipped() -> None:
    assert ran("providers", "show", "plivo", "--file") == (0, (CATALOGUE / "plivo.yaml").read_text())


def test_show_of_a_name_that_is_not_there_guesses_what_was_meant() -> None:
    result = CliRunner().invoke(group, ["providers", "show", "plivoo"])
    assert "did you mean `plivo`?" in str(result.exception)
