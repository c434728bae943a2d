# ruff: noqa: E501 - a table is read across
"""`sign` and `login`: what is written wrongly is told at once, each with its place and what to write."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from connector.config_text.environment import Environment
from connector.definition.tree import Login, Sign
from connector.workbench.checking import check_file

from .write import ALL_SET, loaded, problems_of

SIGNED = """\
method: POST
url: https://sms.example.com/send
headers: {X-Api: a}
query: {v: 1}
auth:
  sign:
    values:
      secret: "${SECRET}"
      text: "$${method()}$${body()}"
    headers: {X-Signature: "$${text|hmac(secret)}"}
parameters: {json: {to: $$To, text: $$Body}}
response: {rules: [{when: "status == 'ok'", then: accept}]}
"""

LOGIN = """\
method: POST
url: https://sms.example.com/send
auth:
  login:
    request:
      url: https://sms.example.com/login
      json: {user: "${USER}", password: "${PASSWORD}"}
    token: data.token
    use: {headers: {Authorization: "Bearer $$token"}}
parameters: {json: {to: $$To, text: $$Body}}
response: {rules: [{when: "status == 'ok'", then: accept}]}
"""
HEADERS = '{X-Signature: "$${text|hmac(secret)}"}'

# (what is replaced, what stands there instead, where, a part of the message and of the remedy)
SIGN_ERRORS = [
    ("$${method()}", "$${secrte}", "9: auth.sign.values.text", "`$$secrte` is no name of `values`; did you mean `secret`?"),
    ("$${method()}", "$$To", "9: auth.sign.values.text", "its messages are in body(), fields() or query()"),
    ("$${method()}", "$${mehtod()}", "9: auth.sign.values.text", "`mehtod()` is not known; did you mean `method()`?"),
    ("$${method()}", "$${seq()}", "9: auth.sign.values.text", "`seq()` is not known; known: batch_id()"),
    ("$${method()}", "$${body()|sha3}", "9: auth.sign.values.text", "did you mean `sha"),
    ("$${method()}", "$${body()|hmac}", "9: auth.sign.values.text", "`hmac` lacks its argument `key`"),
    ("$${method()}", "$${body()|hmac('k', 'sha3')}", "9: auth.sign.values.text", "`hash` of `hmac` cannot be 'sha3'; write one of: md5"),
    ("$${method()}", "$${body()|raw|md5}", "9: auth.sign.values.text", "`raw` is not the last filter"),
    ("$${method()}", "$${headers()|only('')}", "9: auth.sign.values.text", "no name is given"),
    ('secret: "${SECRET}"', 'secret: "$$secret"', "8: auth.sign.values.secret", "made of one another: secret → secret"),
    ("text:", "te-xt: a\n      text:", "9: auth.sign.values.te-xt", "`te-xt` is no name of a value"),
    ("text:", "list: [a]\n      text:", "9: auth.sign.values.list", "a text belongs here"),
    (HEADERS, '{X-Api: "$${text|hmac(secret)}"}', "10: auth.sign.headers.X-Api", "`X-Api` stands in headers as well; keep one"),
    (HEADERS, '{x-api: "$$text"}', "10: auth.sign.headers.x-api", "`x-api` stands in headers as well"),
    (HEADERS, '{a: "$$text", A: "$$secret"}', "10: auth.sign.headers.A", "stands here twice"),
    (HEADERS, '{Host: "$$text"}', "10: auth.sign.headers.Host", "the client writes `Host` itself"),
    (HEADERS, '{"a b": "$$text"}', '10: auth.sign.headers."a b"', "is no name of a header"),
    (HEADERS, '{a: "x\\ny$$text"}', "10: auth.sign.headers.a", "a line break or control character"),
    (HEADERS, "{$$text: a}", "10: auth.sign.headers", "a replacement stands in a name of `headers`"),
    ("headers: {X-S", "header: {X-S", "10: auth.sign.header", "did you mean `headers`?"),
    ("    headers: " + HEADERS, "", "7: auth.sign", "nothing is added to requests"),
    ("    headers: " + HEADERS, '    query: {v: "$$text"}', "10: auth.sign.query.v", "`v` stands in query as well"),
    ("    headers: " + HEADERS, '    pairs: {s: "$$text"}', "10: auth.sign.pairs", "fields are added to a form only"),
    ("    headers: " + HEADERS, '    json: {to: "$$text"}', "10: auth.sign.json.to", "`to` stands in parameters.json as well"),
]  # fmt: skip


def without_columns(error: str) -> str:
    return re.sub(r"yaml:([0-9]+):[0-9]+", r"yaml:\1", error)


@pytest.mark.parametrize(("old", "new", "place", "told"), SIGN_ERRORS)
def test_what_is_wrong_in_a_signature_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, told: str
) -> None:
    assert old in SIGNED
    errors, _ = problems_of(tmp_path, SIGNED.replace(old, new, 1))
    assert any(f"acme.yaml:{place}" in without_columns(error) and told in error for error in errors), errors


def test_a_sound_signature_says_nothing(tmp_path: Path) -> None:
    assert problems_of(tmp_path, SIGNED) == ([], [])
    assert isinstance(loaded(tmp_path, SIGNED).operations[0].auth, Sign)


def test_circles_are_told_once_each(tmp_path: Path) -> None:
    values = "secret: $$a\n      a: '$${b|md5}'\n      b: '$${text|hmac(a)}'\n      own: $$own\n"
    errors, _ = problems_of(tmp_path, SIGNED.replace('secret: "${SECRET}"\n', values))
    assert [error.partition("; ")[0] for error in errors] == [
        "acme.yaml:9:10: auth.sign.values.a: values are made of one another: a → b → a",
        "acme.yaml:11:12: auth.sign.values.own: values are made of one another: own → own",
    ]


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    text = (
        SIGNED.replace("$${method()}", "$${nobody}")
        .replace("hmac(secret)", "hmac(nothing)")
        .replace("X-Signature", "X-Api")
    )
    errors, _ = problems_of(tmp_path, text.replace("url: https", "url: ftp"))
    assert [error.split(": ")[1] for error in errors] == [
        "url",
        "auth.sign.values.text",
        "auth.sign.headers.X-Api",
        "auth.sign.headers.X-Api",
    ]


def test_a_value_that_nothing_uses_is_a_warning(tmp_path: Path) -> None:
    errors, warnings = problems_of(tmp_path, SIGNED.replace("values:", "values:\n      spare: a"))
    assert errors == []
    assert warnings == ["acme.yaml:8:14: auth.sign.values.spare: `spare` is not used; use it, or take it away"]


def test_a_secret_typed_into_the_file_is_a_warning(tmp_path: Path) -> None:
    _, warnings = problems_of(tmp_path, SIGNED.replace("${SECRET}", "hunter2-typed"))
    (warning,) = warnings
    assert warning.startswith(
        "acme.yaml:8:15: auth.sign.values.secret: `secret` looks like a secret typed into the file"
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("$${method()}", "$${method()|sort}", "takes pairs: query(), fields(), params() or headers()"),
        ("$${method()}", "$${path()|sort|hmac(secret)}", "takes pairs"),
        ("$${method()}", "$${method()|unhex}", "takes hexadecimal digits"),
        ("$${method()}", "$${host()|date('utc')}", "takes seconds since 1970 or an RFC 3339 time"),
        ("$${method()}", "$${method()|map(a=1)|uuid}", "takes 32 hexadecimal digits"),
        (HEADERS, '{X: "$${text|md5}$${headers()|lines}"}', "a control character, which a header cannot hold"),
    ],
)
def test_check_finds_what_fails_for_any_request(tmp_path: Path, old: str, new: str, told: str) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(SIGNED.replace(old, new, 1))
    for environment in (ALL_SET, Environment.placeholders()):
        (error,) = check_file(str(file), environment).errors
        assert error.path == "auth.sign"
        assert (error.line, told in error.message) == (7, True), error


def test_an_extending_definition_changes_single_values(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(SIGNED)
    text = "extends: ./base.yaml\nauth: {sign: {values: {text: '$${url()}'}}}\n"
    auth = loaded(tmp_path, text).operations[0].auth
    assert isinstance(auth, Sign)
    assert set(auth.additions.values) == {"secret", "text"}


def test_operations_sign_each_in_their_own_way(tmp_path: Path) -> None:
    text = SIGNED + "operations:\n  - {name: a, when: \"custom.a == 'b'\", auth: none}\n  - {name: b}\n"
    a, b = loaded(tmp_path, text).operations
    assert not isinstance(a.auth, Sign)
    assert isinstance(b.auth, Sign)


# ---- logins ---------------------------------------------------------------------------------------------------------

LOGIN_ERRORS = [
    ("url: https://sms.example.com/login", "url: ftp://a", "6: auth.login.request.url", "not an absolute URL"),
    ("url: https://sms.example.com/login", "url: https://127.0.0.1/a", "6: auth.login.request.url", "is not a public address"),
    ("url: https://sms.example.com/login", "method: GET\n      url: https://a/b", "6: auth.login.request", "a GET has no body"),
    ("json: {user", "pairs: {a: b}\n      json: {user", "6: auth.login.request", "pairs and json stand here"),
    ("${USER}", "$${nobody}", "7: auth.login.request.json", "`$$nobody` is no name of `values`"),
    ("${USER}", "$$Body", "7: auth.login.request.json", "is no name of `values`"),
    ("${USER}", "$${body()|md5}", "7: auth.login.request.json", "`body()` is a part of the request that is made here"),
    ("${USER}", "$${batch_id()}", "7: auth.login.request.json", "a login belongs to no batch"),
    ("    token: data.token\n", "", "5: auth.login", "nothing says where the token is"),
    ("data.token", "data..token", "8: auth.login.token", ""),
    ("token: data.token", "token: {a b: x}", "8: auth.login.token", ""),
    ("token: data.token", "text: '(?=a)'", "8: auth.login.text", "the regular expression"),
    ("$$token", "$$tken", "9: auth.login.use.headers.Authorization", "did you mean `token`?"),
    ("$$token", "nothing", "9: auth.login.use", "what the login brings is not used; write it where it goes: $$token"),
    ("    use:", "    expires: 5x\n    use:", "9: auth.login.expires", "write a number and a unit"),
    ("    use:", "    renew: [{}]\n    use:", "9: auth.login.renew", "would hold of every reply"),
    ("    use:", "    renew: {then: retry}\n    use:", "9: auth.login.renew.then", "the key `then` is not known"),
    ("    use:", "    renew: {when: 'a = b'}\n    use:", "9: auth.login.renew.when", ""),
    ("use: {", "use: {values: {token: a}, ", "9: auth.login.use.values.token", "the login brings `token` as well"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "place", "told"), LOGIN_ERRORS)
def test_what_is_wrong_in_a_login_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, place: str, told: str
) -> None:
    assert old in LOGIN
    errors, _ = problems_of(tmp_path, LOGIN.replace(old, new, 1))
    assert any(f"acme.yaml:{place}" in without_columns(error) and told in error for error in errors), errors


def test_a_sound_login_says_nothing(tmp_path: Path) -> None:
    assert problems_of(tmp_path, LOGIN) == ([], [])
    assert isinstance(loaded(tmp_path, LOGIN).operations[0].auth, Login)


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("username: me", "the key `password` is missing; the grant of a user has both"),
        ("password: '${P}'", "the key `username` is missing"),
        ("headers: {Host: x}", "the client writes `Host` itself"),
        ("send: basic, headers: {authorization: '${A}'}", "`send: basic` writes this header as well"),
    ],
)
def test_what_is_wrong_in_oauth2_is_told(tmp_path: Path, more: str, told: str) -> None:
    auth = f"auth: {{oauth2: {{url: 'https://a.example/t', client_id: a, secret: '${{S}}', {more}}}}}"
    errors, _ = problems_of(tmp_path, re.sub(r"(?s)auth:.*?\nparameters", f"{auth}\nparameters", LOGIN))
    assert len(errors) == 1
    assert told in errors[0]


@pytest.mark.parametrize(
    "values",
    [
        "".join(f"      v{n}: $$v{n + 1}$$v{n + 1}\n" for n in range(90)) + "      v90: xxxxxxxx\n",
        "".join(f"      v{n}: '$${{v{n + 1}|replace(''x'', ''xxxxxxxxxx'')}}'\n" for n in range(60)) + "      v60: x\n",
    ],
    ids=["doubled", "replaced"],
)
def test_values_that_grow_without_end_are_an_error_of_check(tmp_path: Path, values: str) -> None:
    file = tmp_path / "acme.yaml"
    file.write_text(SIGNED.replace("    values:\n", "    values:\n" + values).replace("$${method()}", "$$v0"))
    (error,) = check_file(str(file), ALL_SET).errors
    assert "longer than" in error.message


def test_values_have_a_bound(tmp_path: Path) -> None:
    values = "".join(f"      v{n}: $$v{n + 1}\n" for n in range(5_000)) + "      v5000: x\n"
    errors, _ = problems_of(tmp_path, SIGNED.replace("    values:\n", "    values:\n" + values))
    assert any("more than 100 values; say it in fewer steps" in error for error in errors)
