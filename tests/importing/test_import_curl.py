"""`import-curl`: what curl sends is what the definition sends, and what was guessed is said."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connector.cli.main import group
from connector.errors import UsageError
from connector.tools.importing.curl import read_command
from connector.tools.importing.draft import from_call
from connector.tools.importing.shell import words
from tests.thorough import examples

from .sent import CURL, imported, listening, rendered, sent_by_curl

TO = "+919812345678"

# Commands as providers' documentation shows them → the event that means the same.
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "twilio": (
        r"""
        $ curl -X POST https://api.twilio.com/2010-04-01/Accounts/AC0000000000000000001/Messages.json \
            --data-urlencode "To=+919812345678" \
            --data-urlencode "From=+15017122661" \
            --data-urlencode "Body=Hi there, O'Brien & co + 100%" \
            -u AC0000000000000000001:0123456789abcdef0123456789abcdef
        """,
        {"to": TO, "body": "Hi there, O'Brien & co + 100%"},
    ),
    "vonage": (
        """curl -X "POST" "https://rest.nexmo.com/sms/json" \\
  -d "from=$VONAGE_BRAND_NAME" -d "text=A text message" \\
  -d "to=919812345678" -d "api_key=$VONAGE_API_KEY" \\
  -d "api_secret=${VONAGE_API_SECRET}" | cat > /dev/null""",
        {"to": TO, "body": "A text message"},
    ),
    "msg91": (
        """curl --request POST --url https://control.msg91.com/api/v5/flow \\
  --header 'authkey: 123456AbCdEfGh78901234' --header 'content-type: application/JSON' \\
  --data '{"template_id": "EntertemplateID", "short_url": "0", "recipients": [
    {"mobiles": "919812345678", "VAR1": "VALUE 1", "VAR2": "VALUE 2"}]}'""",
        {"to": TO, "template_id": "EntertemplateID", "template_variables": {"VAR1": "VALUE 1", "VAR2": "VALUE 2"}},
    ),
    "infobip": (
        """curl -L -X POST 'https://xyz.api.infobip.com/sms/2/text/advanced' \\
  -H 'Authorization: App 0a1b2c3d4e5f-secret' -H 'Content-Type: application/json' -H 'Accept: application/json' \\
  --data-raw '{"messages":[{"destinations":[{"to":"919812345678"}],"from":"Info","text":"Sample \\u2713"}]}'""",
        {"to": TO, "body": "Sample ✓"},
    ),
    "plivo": (
        """curl -i --user MAXXXXXXXXXXXXXXXXXX:secret-token -H "Content-Type: application/json" \\
 -d '{"src": "14155550100","dst": "919812345678", "text": "Hello, \\"you\\"", "log": false, "powerpack_uuid": null}' \\
 https://api.plivo.com/v1/Account/MAXXXXXXXXXXXXXXXXXX/Message/""",
        {"to": TO, "body": 'Hello, "you"'},
    ),
    "messagebird": (
        """curl -X POST https://rest.messagebird.com/messages -H "Authorization: AccessKey live_aBcDeF" \\
-d "recipients=919812345678" -d "originator=YourName" -d "body=This is a test message\"""",
        {"to": TO, "body": "This is a test message"},
    ),
    "bulksms": (
        """curl -u "id:token-secret" https://api.bulksms.com/v1/messages?auto-unicode=true \\
           -H 'Content-Type: application/json; charset=utf-8' -d '[{"to":"+919812345678","body":"Hello"}]'""",
        {"to": TO, "body": "Hello"},
    ),
    "textlocal": (
        """curl https://api.textlocal.in/bulk_json/ -d apikey=yourapiKey1 \\
  -d 'data={"sender":"TXTLCL","messages":[{"number":919812345678,"text":"Hello%20there"}],"test":1.50}'""",
        {"to": TO, "body": "Hello you"},
    ),
    "exotel": (
        """curl -X POST 'https://api.exotel.com/v1/Accounts/exo1/Sms/bulksend.json' -u KEY:TOKEN-1 -d 'From=HDR' \\
 -d 'Messages[0][To]=9812345678' -d 'Messages[0][Body]=hello you'""",
        {"to": TO, "body": "hello you"},
    ),
    "nimbus": (
        """curl -G "https://nimbusit.net/api/pushsms" --data-urlencode "user=d" --data-urlencode 'authkey=92wJP+fxk' \\
 -d sender=NIMBUS -d mobile=919812345678 --data-urlencode "text=Hello = you & me" -d templateid=1107 -d rpt=1""",
        {"to": TO, "body": "Hello = you & me", "template_id": "1107"},
    ),
    "a URL alone": (
        """curl 'https://cloud.smsindiahub.in/vendorsms/pushsms.aspx?user=abc&password=xyz123&msisdn=919812345678\
&sid=SenderId&msg=test%20message&fl=0&gwid=2&empty='""".replace("\\\n", ""),
        {"to": TO, "body": "test message"},
    ),
    "xml": (
        """curl -H 'Content-Type: application/xml' https://api.valuefirst.example/send -d '<?xml version="1.0"?>
  <MESSAGE VER="1.2"><USER USERNAME="acme1234" PASSWORD="secret-1"/>
  <SMS TEXT="hi &lt;there&gt;" ID="1"><ADDRESS FROM="ME" TO="919812345678" SEQ="1"/></SMS></MESSAGE>'""",
        {"to": TO, "body": "hi <there>"},
    ),
    "pinpoint": (
        """curl --json '{"Addresses":{"+919812345678":{"ChannelType":"SMS"}},
  "MessageConfiguration":{"SMSMessage":{"Body":"Hi","MessageType":"TRANSACTIONAL"}}}' https://pinpoint.example/v1""",
        {"to": TO, "body": "Hi"},
    ),
    "the shell's own strings": (
        r"""curl $'https://sms.example.com/send' -H $'apikey: a\'b\x21cd' -H 'Content-Type: application/json' \
  --data-raw $'{"to":"919812345678","text":"a\\tb\\n\u263a"}'""",
        {"to": TO, "body": "a\tb\n☺"},
    ),
    "credentials in the URL": (
        "curl -d to=919812345678 -d text=Hello+you 'https://me:p%40ss-word@sms.example.com/send'",
        {"to": TO, "body": "Hello you"},
    ),
    "values that look like options": (
        "curl https://sms.example.com/send -d -1=x -d to=919812345678 -d text=-d --data-raw @=y",
        {"to": TO, "body": "-d"},
    ),
    "names that repeat": (
        "curl https://sms.example.com/send -d 'to[]=919812345678' -d text=Hello",
        {"to": TO, "body": "Hello"},
    ),
    "marks of the language": (
        """curl https://sms.example.com/send -d to=919812345678 --data-urlencode 'text=Hi' \\
 --data-urlencode 'note=costs $$5, ${NOBODY} and $${x' --data-urlencode 'x${y}=1'""",
        {"to": TO, "body": "Hi"},
    ),
}  # fmt: skip
ENVIRONMENT = {"VONAGE_BRAND_NAME": "Acme co", "VONAGE_API_KEY": "k-1", "VONAGE_API_SECRET": "s-1"}


@pytest.mark.skipif(CURL is None, reason="no curl")
@pytest.mark.parametrize("name", COMMANDS)
def test_the_definition_sends_what_curl_sends(name: str, tmp_path: Path) -> None:
    command, event = COMMANDS[name]
    command = command.strip()
    url = imported(command).call.url
    origin = next(part for part in words(command) if "://" in part).split("/")[2].split("@")[-1]
    assert origin in url
    ours = rendered(command, tmp_path, environment=ENVIRONMENT, **event)
    runnable = command.removeprefix("$ ").replace("https://", "http://", 1)
    with listening() as (address, asked):
        sent_by_curl(runnable, origin, address.removeprefix("http://"), ENVIRONMENT)
    (theirs,) = asked
    if name == "textlocal":  # JSON in a field, written with and without spaces
        assert dict(ours["body"])["data"] == (
            '{"sender":"TXTLCL","messages":[{"number":919812345678,"text":"Hello you"}],"test":1.50}'
        )
        assert ours["method"] == theirs["method"]
    else:
        assert ours == theirs


def test_what_was_recognised_and_what_was_not_is_said() -> None:
    result = run(COMMANDS["twilio"][0])
    assert result.exit_code == 0
    assert result.stdout == (
        """\
# There is a finished definition of this provider, `twilio`, that knows what its replies mean:
# write `extends: twilio` and what differs, in place of this draft.
# Guessed:
#   parameters.pairs.To: $$To
#   parameters.pairs.Body: $$Body
#   auth: basic, from the command's user and password
# To look at:
#   parameters.pairs.From: kept as it is; $$sender would choose it per campaign
# Set in the environment:
#   TWILIO_USER
#   TWILIO_PASSWORD
# What replies mean is not known yet: without `response`, every 2xx counts as accepted.
method: POST
url: "https://api.twilio.com/2010-04-01/Accounts/${TWILIO_USER}/Messages.json"
auth:
  basic:
    username: "${TWILIO_USER}"
    password: "${TWILIO_PASSWORD}"
parameters:
  pairs:
    To: $$To
    From: "+15017122661"
    Body: $$Body
"""
    )
    assert "twilio.yaml: ok (twilio)" in result.stderr
    assert "write `extends: twilio` and what differs" in result.stderr
    assert "it goes before the definition `twilio` that comes with the connector" in result.stderr
    assert "warning: twilio.yaml" in result.stderr
    assert "`response` is missing" in result.stderr


@pytest.mark.parametrize(
    ("command", "key", "lines"),
    [
        ('-d \'{"to":["15551231234","15551256344"],"text":"a b"}\'', "to", ["records: 100"]),
        ("-d 'dst=14156667777<14157778888' -d text=a", "dst", ['join: "<"', 'dst: "$${To|digits}"']),
        ('-d \'[{"to":"15551231234","text":"a b"},{"to":"15551231235","text":"c"}]\'', '"."', []),
        ('-d \'{"a":{"b.c":[{"msisdn":"+15551231234"}]},"text":"a"}\'', '"a.\\"b.c\\""', []),
        ('-d \'{"data":{"+15551231234":{"t":1}},"text":"a"}\'', "data", ['"$$To": {']),
        ("-d 'to[]=15551231234' -d 'to[]=15551231235' -d text=a", '"\\"to[]\\""', []),
    ],
)
def test_lists_maps_and_joined_numbers_become_batches(command: str, key: str, lines: list[str]) -> None:
    result = run(f"curl https://sms.example.com/send {command}")
    assert result.exit_code == 0, result.stderr
    assert f"batching:\n  key: {key}\n" in result.stdout
    for line in lines:
        assert line in result.stdout


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("+447700900123", "$$To"),
        ("447700900123", '"$${To|digits}"'),
        ("00447700900123", '"00$${To|digits}"'),
        ("tel:+447700900123", '"tel:$$To"'),
        ("7700900123", '"$${To|digits|last(10)}"'),
        ("91XXXXXXXXXX", '"$${To|digits}"'),
        ("+1 (415) 555-0100", "$$To"),
        ("<phone number>", "$$To"),
        ("{{phone}}", "$$To"),
        ("$$To", "$$To"),
        ("$${To|digits|last(10)}", '"$${To|digits|last(10)}"'),
    ],
)
def test_the_form_of_the_number_is_kept(value: str, written: str) -> None:
    result = run(f"curl https://sms.example.com/send --data-urlencode to={shlex.quote(value)} -d text=a")
    assert f"    to: {written}\n" in result.stdout
    assert result.exit_code == 0


def test_values_tell_where_names_do_not() -> None:
    result = run("curl https://sms.example.com/send -d x=447700900123 -d 'z=Hello to you' -d from=447700900999")
    assert 'x: "$${To|digits}"\n    z: $$Body\n    from: "447700900999"\n' in result.stdout


def test_a_header_is_known_without_what_names_its_vendor() -> None:
    result = run("curl https://sms.example.com/send -H 'X-Acme-To: +447700900123' -H 'X-To-Do: later' -d text=Hello")
    assert "  X-Acme-To: $$To\n  X-To-Do: later\n" in result.stdout


def test_hints_win_over_names() -> None:
    result = run("curl https://sms.example.com/send -d to=1 -d r=5 -d t=a -d text=b", "--to", "r", "--body", "t")
    assert '    to: "1"\n    r: $$To\n    t: $$Body\n    text: b\n' in result.stdout
    assert result.exit_code == 0


def test_a_secret_is_never_printed() -> None:
    secrets = ["eyJhbGciOi.JIUzI1NiJ9", "hunter2-k3y-1", "hunter2-word-2", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF"]
    result = run(
        f"curl https://u:{secrets[2]}@sms.example.com/{secrets[1]}/send -H 'Authorization: Bearer {secrets[0]}' "
        f"-d to=447700900123 -d text=a -d apiKey={secrets[1]} -d other={secrets[3]}"
    )
    assert result.exit_code == 1  # two authentications: `check` says so
    for secret in secrets:
        assert secret not in result.output + result.stderr
    assert "https://sms.example.com/${EXAMPLE_API_KEY}/send" in result.stdout


def test_nothing_to_recognise_is_said_and_fails() -> None:
    result = run("curl https://sms.example.com/send -d a=b")
    assert result.exit_code == 1
    assert "--to KEY" in result.stdout
    assert "--body KEY or --template KEY" in result.stdout
    assert "`$$To` is missing" in result.stderr
    assert "no key is called nope" in run("curl https://sms.example.com/send -d a=b", "--to", "nope").stdout


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("", "there is no curl command"),
        ("curl", "there is no curl command"),
        ("curl -d to=1", "no URL"),
        ("curl https://a.example https://b.example", "2 words that may be the URL"),
        ("curl ftp://a.example/x", "no HTTP URL"),
        ("curl https://a.example -d 'to=1", "a quote or `\\` is left open"),
        ("curl https://a.example -X DELETE -d to=1", "the method is DELETE"),
        ("curl https://a.example --nonsense", "option --nonsense not recognized"),
        ("curl https://a.example -d", "option -d requires argument"),
        ("curl https://a.example -d @body.json", "reads a file (@body.json)"),
        ("curl https://a.example -F to=@list.csv", "reads a file"),
        ("curl https://a.example -d @- <<EOF\n{}\nEOF", "here-document"),
        ('curl https://a.example -H "Content-Type: application/json" -d \'{"to": }\'', "the body:1:8"),
        ("curl https://a.example -H 'Content-Type: text/xml' -d '<a>'", "no XML"),
        ("curl https://a.example -X GET --json '{}'", "a GET with a body of json"),
        ('curl "https://a.example" ^\n -d "to=1"', "as in cmd"),
        ("curl https://a.example `\n -d to=1", "as in PowerShell"),
        ("curl https://a.example -d “to=1”", "typographic"),
        ("curl --digest -u a:b https://a.example", "digest"),
        ("curl https://a.example -d to=1 --next https://b.example", "two commands"),
    ],
)
def test_what_cannot_be_read_is_said_with_what_to_do(command: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        read_command(command)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("curl a \\\n b", ["curl", "a", "b"]),
        ("curl a \\  \r\n  b", ["curl", "a", "b"]),
        ("curl 'a \\\n b'", ["curl", "a \\\n b"]),
        (r"""curl "a\"b\\c\$HOME" 'it'\''s' a\ b""", ["curl", 'a"b\\c$HOME', "it's", "a b"]),
        (r"curl $'a\'b\x41\u00e9\101\n'", ["curl", "a'bAéA\n"]),
        ("curl x | jq '.a | b' > /dev/null", ["curl", "x"]),
        ("curl 'x' -d 'a|b;c>d&e'; echo", ["curl", "x", "-d", "a|b;c>d&e"]),
        ("curl https://x/?a=1&b=2", ["curl", "https://x/?a=1&b=2"]),
        ("# first this\ncurl x # then that\n", ["curl", "x"]),
        ("curl -d 'a#b' c#d", ["curl", "-d", "a#b", "c#d"]),
        ("curl ''", ["curl", ""]),
    ],
)
def test_words_are_the_shells(command: str, expected: list[str]) -> None:
    assert words(command) == expected


def test_the_command_may_stand_on_the_command_line_or_in_a_file(tmp_path: Path) -> None:
    given = [
        "curl",
        "-X",
        "POST",
        "https://sms.example.com/send",
        "-d",
        "to=447700900123",
        "-d",
        "text=a -o b",
        "-o",
        "x",
    ]
    by_words = CliRunner().invoke(group, ["import-curl", "--name", "acme", *given])
    assert by_words.exit_code == 0
    file, made = tmp_path / "command.txt", tmp_path / "made.yaml"
    file.write_text(shlex.join(given))
    by_file = CliRunner().invoke(group, ["import-curl", "--name", "acme", "-o", str(made), str(file)])
    assert by_file.exit_code == 0
    assert made.read_text() == by_words.stdout
    assert f"{made}: ok (acme)" in by_file.stderr
    again = CliRunner().invoke(group, ["import-curl", "-o", str(made), str(file)], standalone_mode=False)
    assert "File exists" in str(again.exception)


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufdd0\ufdd1"), max_size=30)


@settings(max_examples=examples(60), deadline=None)
@given(constant=TEXTS, body=TEXTS.filter(bool), name=st.text("abxyz$ {}.-", min_size=1, max_size=8))
def test_any_constant_comes_back_as_it_was_quoted(
    constant: str, body: str, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("import")
    pieces = ["curl", "https://sms.example.com/send", "-d", "to=447700900123", "--data-urlencode", "text=Hello you"]
    note = f"note-{name}".replace("$$", "$")  # a doubled mark with a name behind it is a replacement, on purpose
    constant = constant.replace("$$", "$")
    assume(not constant or constant not in note)  # `rendered` takes what was found for a secret
    command = shlex.join([*pieces, "--data-urlencode", f"{note}={constant}"])
    sent = dict(rendered(command, folder, to="+447700900123", body=body)["body"])
    assert sent == {"to": "447700900123", "text": body, note: constant}


def run(command: str, *options: str) -> Any:
    return CliRunner().invoke(group, ["import-curl", *options], input=command)


OPTIONS = ["-d", "-H", "-F", "-u", "--json", "-X", "--data-urlencode", "--data-raw", "--url-query"]
VALUES = [
    *(
        "GET",
        "to=+447700900123",
        "text=a b",
        '{"to":["+447700900123"],"m":[{"t":1.50}]}',
        "<a b='c'>d</a>",
        "a: b",
        ":",
        "=",
    ),
    *(
        "[]",
        "[[1]]",
        "a[=b",
        "x[]=1",
        "x=2",
        "x[y]=3",
        "x[0]=3",
        "$'",
        "'",
        '"',
        "\\",
        "$X",
        "$$To",
        "$${",
        "|",
        "\n",
        "{}",
    ),
    *(
        "Content-Type: application/json",
        "Content-Type: text/xml",
        "Authorization: Basic !",
        "Authorization:",
        "a=[1,{}]",
    ),
    *(
        '[{"to":1},{"to":2}]',
        '{"+447700900123":{}}',
        "to=+447700900123,+447700900124",
        "<a><b/><b/>t</a>",
        '{"variables":[]}',
    ),
]
SOUP = st.lists(st.tuples(st.sampled_from(OPTIONS), st.sampled_from(VALUES) | st.text(max_size=8)), max_size=6)
PLACES = [
    "https://a.example/{x}/send?to=1&a[]=b&a[0][c]=d",
    "http://b:c@[::1]:80/",
    "a.example",
    "//",
    "https://$HOST/x#y",
]


@settings(max_examples=examples(400), deadline=None)
@given(st.sampled_from(PLACES), SOUP, st.booleans(), st.booleans())
def test_any_command_is_imported_or_refused_with_a_reason(
    place: str, soup: list[tuple[str, str]], get: bool, quoted: bool
) -> None:
    pieces = [place, *(word for pair in soup for word in pair), *(["-G"] if get else [])]
    command = "curl " + (shlex.join(pieces) if quoted else " ".join(pieces))
    text, reason = "", ""
    try:
        text = from_call(imported(command), "acme").yaml()
    except UsageError as error:
        reason = str(error)
    assert reason or "\nmethod:" in text
