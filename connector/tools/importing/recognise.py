"""What in a request is the recipient, the text, a template, a secret: by the names of keys, else by the look of values.

Nothing is certain here, so everything that is decided is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from connector.definition.check_request import secret_name
from connector.tools.importing.constants import doubt, for_once, shown, signed
from connector.tools.importing.http_call import HttpCall, Number, Tree
from connector.tools.importing.leaves import Leaf, LeafPath, dotted, keyed, leaves
from connector.tools.importing.literal import plain_name, variable, written
from connector.tools.importing.phone_numbers import (
    as_recipient,
    by_phone,
    certainly_phone,
    is_phone,
    listed,
    phone_key,
)
from connector.tools.importing.shell import OPEN
from connector.tools.importing.usual_names import BODY, CAMPAIGN, SENDER, TEMPLATE, TO, USER, VARIABLES

_numbered_variable = re.compile(r"VAR_?[0-9]+", re.IGNORECASE).fullmatch

_reference = re.compile(r"ref|trace|custom|batch|correlation")  # long, random, and no secret
_token = re.compile(r"eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_.-]+|(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_]{32,}")
_blank = re.compile(
    r"\{+\s*([\w -]+?)\s*\}+|<([\w -]+)>|\[([\w -]+)\]|:([A-Za-z]\w*)|(?:YOUR|MY)[_-]?(\w+)|[A-Z]{0,3}X{6,}()",
    re.IGNORECASE,
)


def _blank_name(text: str) -> str:
    match = _blank.fullmatch(text)
    return next(filter(None, match.groups()), "") if match is not None else ""


_USUAL_HEADERS: Final = {"accept", "contenttype", "useragent", "cachecontrol", "acceptlanguage", "acceptcharset"}

SECRET_LENGTH: Final = 6
"""Shorter values are switches; of longer ones every other occurrence (an account id in the path) is replaced too."""


@dataclass(slots=True)
class BatchLayout:
    """Where records stand, as paths below the parameters, and what joins them."""

    paths: list[LeafPath] = field(default_factory=list)
    join: str | None = None


@dataclass(slots=True)
class Hints:
    """Keys that are known to hold something, whatever their name says."""

    to: tuple[str, ...] = ()
    body: tuple[str, ...] = ()
    template: tuple[str, ...] = ()


@dataclass(slots=True)
class Recognised:
    """A request whose changing parts are replacements, in the texts of the language.

    Attributes:
        guessed: what was decided, a line each.
        open: what could not be decided.
        kept: constants of the sample that every message will be sent with.
        secrets: environment variable → the value it stood for. Never to be printed.
    """

    call: HttpCall
    batch: BatchLayout | None = None
    guessed: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)


def recognise(call: HttpCall, name: str, hints: Hints | None = None) -> Recognised:
    """Put replacements and references into `call` (it is changed)."""
    found = Recognised(call, open=list(call.notes))
    _Recogniser(found, name, hints or Hints()).run()
    return found


class _Recogniser:
    def __init__(self, found: Recognised, provider: str, hints: Hints) -> None:
        self.found = found
        self.call = found.call
        self.provider = provider
        self.hints = hints
        self.taken: set[LeafPath] = set()
        self.whole: dict[str, dict[str, Tree]] = {
            "parameters": {found.call.kind: found.call.body},
            "query": found.call.query,
            "headers": found.call.headers,
        }

    def run(self) -> None:
        to = self.recipient()
        self.content()
        self.authentication()
        self.secrets()
        self.leftovers(to)
        self.phone_keys(self.whole["parameters"], ("parameters",))
        self.finish()

    # ---- recipient --------------------------------------------------------------------------------------------------

    def recipient(self) -> Leaf | None:
        leaf = self.replaced("To") or self.choose(TO, self.hints.to, is_phone)
        if leaf is None or not (self.hints.to or is_phone(leaf) or "$$" in leaf.text):
            if self.keyedby_phone(self.whole, ()):
                return None
            leaf = next((each for each in self.leaves() if certainly_phone(each)), leaf)
        if leaf is None:
            self.found.open.append("nothing looks like the recipient: say which key it is with --to KEY")
            return None
        leaf = self.batched(leaf)
        if "$$" not in leaf.text:
            text = leaf.text
            if (several := listed(leaf)) is not None:
                text, separator = several
                self.batch(leaf.path, separator)
                self.found.guessed.append(f"{dotted(leaf.path)}: numbers joined with `{separator}`, up to {RECORDS}")
            replaced, note = as_recipient(text, number=isinstance(leaf.value, Number), leaf=leaf)
            self.found.open += [note] if note else []
            self.become(leaf, replaced)
        self.taken.add(leaf.path)
        return leaf

    def batched(self, leaf: Leaf) -> Leaf:
        """The outermost list around the recipient holds the records: one of them stays."""
        if leaf.path[0] != "parameters":
            return leaf
        node: Tree = self.whole
        for depth, segment in enumerate(leaf.path):
            if isinstance(node, list):
                count, index = len(node), int(segment)
                if count > 1:
                    self.found.guessed.append(f"{dotted(leaf.path[:depth])}: the first of {count} records is kept")
                node[:] = [node[index]]
                self.batch(leaf.path[:depth])
                self.found.guessed.append(
                    f"{dotted(leaf.path[:depth])}: a list of records, up to {RECORDS} in a request"
                )
                path = (*leaf.path[:depth], "0", *leaf.path[depth + 1 :])
                return next(each for each in self.leaves() if each.path == path)
            node = node[segment]
        return leaf

    def batch(self, path: LeafPath, join: str | None = None) -> None:
        if path[0] == "parameters":
            batch = self.found.batch or BatchLayout()
            batch.paths.append(tuple(segment for segment in path[2:] if segment not in ("$json", "$xml")))
            batch.join = join or batch.join
            self.found.batch = batch

    def keyedby_phone(self, node: Tree, path: LeafPath) -> bool:
        """A map whose keys are phone numbers: one of them becomes `$$To`, and the map holds the records."""
        if isinstance(node, list):
            return any(self.keyedby_phone(item, (*path, str(index))) for index, item in enumerate(node))
        if not isinstance(node, dict):
            return False
        if path and by_phone(node):
            key, value = next(iter(node.items()))
            replaced = "$$To" if key.startswith("+") else "$${To|digits}"
            node.clear()
            node[replaced] = value
            self.batch(path)
            self.found.guessed.append(f"{dotted(path)}: a map by phone number, up to {RECORDS} in a request")
            return True
        return any(self.keyedby_phone(value, (*path, key)) for key, value in node.items())

    # ---- content ----------------------------------------------------------------------------------------------------

    def content(self) -> None:
        body = self.replaced("Body") or self.choose(BODY, self.hints.body, lambda leaf: bool(leaf.text))
        if body is None and not self.hints.template:
            texts = [leaf for leaf in self.leaves() if leaf.path[0] != "headers" and " " in leaf.text.strip()]
            texts = [leaf for leaf in texts if leaf.path not in self.taken and not secret_name(leaf.name)]
            named = self.choose(TEMPLATE, (), lambda leaf: bool(leaf.text), look_only=True)
            body = max(texts, key=lambda leaf: len(leaf.text), default=None) if named is None else None
        if body is not None and not self.replaced("Body"):
            twice = re.search("%[0-9A-Fa-f]{2}", body.text) and " " not in body.text
            self.become(body, "$${Body|urlencode}" if twice else "$$Body")
        mark = "?" if body is not None else ""
        template = self.replaced("TemplateID") or self.choose(TEMPLATE, self.hints.template, lambda leaf: True)
        if template is not None:
            self.become(template, f"$${{TemplateID{mark}}}" if mark else "$$TemplateID")
        if template is None and body is None:
            self.found.open.append("nothing looks like the text or a template's id: --body KEY or --template KEY")
        self.variables(self.whole["parameters"], ("parameters",), mark)
        campaign = self.replaced("CampaignID") or self.choose(CAMPAIGN, (), lambda leaf: bool(leaf.text))
        if campaign is not None:
            self.become(campaign, "$${CampaignID?}")

    def variables(self, node: Tree, path: LeafPath, mark: str) -> None:
        if isinstance(node, list):
            for index, item in enumerate(node):
                self.variables(item, (*path, str(index)), mark)
        if not isinstance(node, dict):
            return
        numbered = [key for key in node if _numbered_variable(key) and isinstance(node[key], str | Number)]
        if numbered and "..." not in node:
            for key in numbered:
                del node[key]
            node["..."] = f"$${{TemplateVariables{mark}}}" if mark else "$$TemplateVariables"
            self.found.guessed.append(f"{dotted(path)}: {', '.join(numbered)} are variables of a template")
        for key, value in list(node.items()):
            below = (*path, key)
            unwrapped = value.get("$json", value) if isinstance(value, dict) else value
            by_number = isinstance(unwrapped, dict) and bool(unwrapped) and all(map(by_phone, unwrapped.values()))
            if by_number or (plain_name(key) in VARIABLES and isinstance(unwrapped, dict | list)):
                listed = isinstance(unwrapped, dict) and all(isinstance(item, list) for item in unwrapped.values())
                filters = f"{'|under(To)' if by_number else '|lists' if listed else ''}{mark}"
                if by_number and self.found.batch is not None:
                    self.batch(below)
                node[key] = f"$${{TemplateVariables{filters}}}" if filters else "$$TemplateVariables"
                self.taken.add(below)
                self.found.guessed.append(f"{dotted(below)}: {node[key]}")
            else:
                self.variables(value, below, mark)

    # ---- secrets ----------------------------------------------------------------------------------------------------

    def authentication(self) -> None:
        if self.call.user is not None:
            name, password = self.call.user
            self.call.user = (self.reference("user", name), self.reference("password", password))
            self.found.guessed.append("auth: basic, from the command's user and password")
        for name, value in self.call.headers.items():
            if name.lower() != "authorization":
                continue
            scheme, space, token = value.partition(" ")
            if signed(name, value):
                continue  # told, and taken out, with the rest that is no constant
            kept, secret = (f"{scheme} ", token) if space else ("", value)
            self.become(Leaf(("headers", name), self.call.headers, name, name), kept + self.reference("token", secret))
            if scheme.lower() == "bearer":
                self.found.open.append(
                    "headers.Authorization: a token that expires is fetched by `auth: {oauth2: …}` instead"
                )

    def secrets(self) -> None:
        for leaf in self.leaves():
            if leaf.path in self.taken or not leaf.text or "$$" in leaf.text or for_once(leaf.name, leaf.text):
                continue
            text = isinstance(leaf.value, str)
            name = plain_name(leaf.name)
            random = _token.fullmatch(leaf.text) is not None and not _reference.search(name)
            if secret_name(leaf.name) or (text and (name in USER or random)):
                self.become(leaf, self.reference(leaf.name, leaf.text), said=not leaf.text.startswith(OPEN))

    def reference(self, name: str, value: str) -> str:
        """`value` as `${NAME}`; as it is where it is empty or a variable already. One value has one name."""
        if not value or OPEN in value:
            return written(value)
        for known, secret in self.found.secrets.items():
            if secret == value:
                return f"${{{known}}}"
        wanted = unique = variable(self.provider, name)
        number = 2
        while unique in self.found.secrets:
            unique, number = f"{wanted}_{number}", number + 1
        self.found.secrets[unique] = value
        return f"${{{unique}}}"

    # ---- the rest ---------------------------------------------------------------------------------------------------

    def leftovers(self, to: Leaf | None) -> None:
        """Say what stays as it is, and write all of it as the language does."""
        for leaf in list(self.leaves()):
            if isinstance(leaf.value, bool):
                self.found.kept.append(shown(leaf))
            if leaf.path in self.taken or not isinstance(leaf.value, str | Number):
                continue
            if leaf.path[0] == "headers" and signed(leaf.name, leaf.text):
                self.found.open.append(f"{dotted(leaf.path)} is left out: {doubt(leaf)}")
                del leaf.holder[leaf.at]
                continue
            if plain_name(leaf.name) in SENDER and "$$" not in leaf.text:
                self.found.open.append(f"{dotted(leaf.path)}: kept as it is; $$sender would choose it per campaign")
            elif certainly_phone(leaf):
                self.found.open.append(f"{dotted(leaf.path)}: looks like a phone number, and is kept as it is")
            elif _blank.fullmatch(leaf.text):
                self.become(leaf, self.reference(_blank_name(leaf.text) or leaf.name, leaf.text))
            else:
                self.constant(leaf)
            if isinstance(leaf.value, str) and leaf.path not in self.taken:
                leaf.put(self.hidden(written(leaf.text)))

    def constant(self, leaf: Leaf) -> None:
        if not leaf.text or "$$" in leaf.text or OPEN in leaf.text:
            return
        why = doubt(leaf)
        if why is not None:
            self.found.open.append(f"{dotted(leaf.path)}: {why}")
        elif leaf.path[0] != "headers" or plain_name(leaf.name) not in _USUAL_HEADERS:
            self.found.kept.append(self.hidden(shown(leaf)))

    def phone_keys(self, node: Tree, path: LeafPath) -> None:
        """Say which maps still hold a sample's phone number as a key."""
        for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
            if isinstance(key, str) and phone_key(key):
                message = "a key looks like a phone number, and is kept as it is; `$$To: …` makes a map by number"
                self.found.open.append(f"{dotted(path)}: {message}")
            self.phone_keys(value, (*path, str(key)))

    def finish(self) -> None:
        """The URL, whose path may hold what was recognised elsewhere or left blank."""
        self.call.body = keyed(self.whole["parameters"][self.call.kind])
        self.call.query, self.call.headers = keyed(self.call.query), keyed(self.call.headers)
        scheme, _, rest = self.call.url.partition("://")
        host, slash, path = rest.partition("/")
        segments = [self.segment(segment) for segment in path.split("/")]
        self.call.url = f"{scheme}://{self.segment(host)}{slash}{'/'.join(segments)}"

    def segment(self, text: str) -> str:
        head = re.match(r"[^.]*", text)
        blank = head.group() if head is not None else ""
        if not _blank.fullmatch(blank):
            return self.hidden(written(text))
        self.found.guessed.append(f"url: {blank} is to be filled in")
        return self.reference(_blank_name(blank) or "account", blank) + text[len(blank) :]

    def hidden(self, text: str) -> str:
        """`text` with every secret in it by name."""
        for name, secret in self.found.secrets.items():
            if len(secret) >= SECRET_LENGTH:
                text = text.replace(secret, f"${{{name}}}")
        return text

    def become(self, leaf: Leaf, text: str, *, said: bool = True) -> None:
        self.taken.add(leaf.path)
        if leaf.value == text:
            return
        leaf.put(text)
        if said:
            self.found.guessed.append(f"{dotted(leaf.path)}: {text}")

    # ---- looking ----------------------------------------------------------------------------------------------------

    def leaves(self) -> Iterator[Leaf]:
        return leaves(self.whole)

    def replaced(self, name: str) -> Leaf | None:
        """Where the replacement stands already, as in the payloads of the form this language replaces."""
        mark = re.compile(rf"\$\$(?:{name}\b|\{{\s*{name}\b)")
        return next((leaf for leaf in self.leaves() if mark.search(leaf.text)), None)

    def choose(self, names: Any, hinted: tuple[str, ...], fits: Any, *, look_only: bool = False) -> Leaf | None:
        """The scalar with the best name; of those with one name, one that looks right."""
        wanted = [plain_name(name) for name in hinted] or names
        found = [
            leaf
            for leaf in self.leaves()
            if leaf.path not in self.taken and _called(leaf) in wanted and isinstance(leaf.value, str | Number)
        ]
        found = [leaf for leaf in found if hinted or leaf.path[0] != "headers" or fits(leaf)]
        found.sort(key=lambda leaf: (not fits(leaf), wanted.index(_called(leaf))))
        if not found and hinted and not look_only:
            self.found.open.append(f"no key is called {' or '.join(hinted)}")
        return found[0] if found else None


def _called(leaf: Leaf) -> str:
    """A leaf's plain name; of a header like `X-Vendor-To` without what names the vendor."""
    vendors = re.match(r"x-[^-]+-(.+)", leaf.name, re.IGNORECASE) if leaf.path[0] == "headers" else None
    return plain_name(leaf.name if vendors is None else vendors[1])


RECORDS: Final = 100
"""Records in a request until somebody has looked up the provider's bound."""
