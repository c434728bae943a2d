"""When whom is told what: from the messages a fake took, its knobs and a seed, to callbacks with their times. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from urllib.parse import urlsplit, urlunsplit

from connector.tools.simulator.receipts.fate import FINAL, Fate, NetworkState, News, NewsKind, SentMessage, course, fate
from connector.tools.simulator.receipts.outbox import Parcel
from connector.tools.simulator.receipts.receipt_knobs import ReceiptKnobs
from connector.tools.simulator.receipts.reporter import Reporter

COPIES_OF_FIVE = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """`early` is sent before the request is answered, `later` when its time has come."""

    early: tuple[Parcel, ...]
    later: tuple[Parcel, ...]


@dataclass(frozen=True, slots=True)
class _Planned:
    due: float
    url: str
    news: News
    early: bool = False
    forged: bool = False


def plan(reporter: Reporter, messages: Iterable[SentMessage], knobs: ReceiptKnobs, now: float) -> Plan:
    """Callbacks about `messages`, taken at `now`.

    Chance is drawn from the seed, the number, the caller's reference and URL: the same messages meet the same in every
    run, whatever order they come in.
    """
    entries = [entry for sent in messages for entry in _entries(reporter, sent, knobs, now)]
    most = reporter.together(knobs)
    bunch = min(knobs.split or most, most)
    parcels = list(_parcels(entries, bunch))
    return Plan(
        early=tuple(parcel for parcel, early in parcels if early),
        later=tuple(parcel for parcel, early in parcels if not early),
    )


def _entries(reporter: Reporter, sent: SentMessage, knobs: ReceiptKnobs, now: float) -> Iterator[_Planned]:
    if all(reporter.url(sent, kind, knobs) is None for kind in NewsKind):
        return  # the usual case, and dice cost some 10 us
    dice = random.Random(f"{knobs.seed}|{sent.to}|{sent.ref}|{sent.url}")  # noqa: S311  faults, not secrets
    steps = [step for step in course(sent.to) if reporter.tells(step, sent, knobs)]
    times = list(_times(dice, knobs, now, len(steps)))
    dues = list(reversed(times)) if dice.random() < knobs.disorder else list(times)
    late = dice.random() < knobs.late
    early = dice.random() < knobs.before_reply or fate(sent.to) is Fate.EARLY
    for index, (step, at, due) in enumerate(zip(steps, times, dues, strict=True)):
        url = reporter.url(sent, step.kind, knobs)
        dropped, doubled, forged = dice.random() < knobs.drop, dice.random() < knobs.duplicate, dice.random()
        again = due + _between(dice, knobs)
        if url is None or dropped:
            continue
        behind = knobs.late_by if late and step is steps[-1] else 0.0
        for part in range(len(sent.parts) or 1):
            news = News(sent, step.kind, step.state, at, index + 1, part)
            if forged < knobs.bad_signature and step.state in FINAL:
                yield _forgery(reporter, news, url, due + behind, knobs)
            yield _Planned(due + behind, url, news, early=early and index == 0)
            copies = COPIES_OF_FIVE - 1 if fate(sent.to) is Fate.FIVE else int(doubled)
            yield from (_Planned(again + behind, url, news) for _ in range(copies))


def _times(dice: random.Random, knobs: ReceiptKnobs, now: float, count: int) -> Iterator[float]:
    for _ in range(count):
        now += _between(dice, knobs)
        yield now


def _between(dice: random.Random, knobs: ReceiptKnobs) -> float:
    first, last = knobs.delay
    return first + dice.random() * (last - first)


def _forgery(reporter: Reporter, news: News, url: str, due: float, knobs: ReceiptKnobs) -> _Planned:
    """Somebody else says the opposite, a moment before the provider says what is true."""
    opposite = NetworkState.UNDELIVERED if news.state is NetworkState.DELIVERED else NetworkState.DELIVERED
    lie = News(news.sent, news.kind, opposite, news.at, news.sequence, news.part)
    return _Planned(due, url if reporter.signs(knobs) else _elsewhere(url), lie, forged=True)


def _elsewhere(url: str) -> str:
    scheme, host, path, query, fragment = urlsplit(url)
    return urlunsplit((scheme, host, path[:-1] + ("B" if path.endswith("A") else "A"), query, fragment))


def _parcels(entries: Sequence[_Planned], bunch: int) -> Iterator[tuple[Parcel, bool]]:
    """Callbacks, in the order of time; those that a provider sends together wait for the last of them."""
    together = attrgetter("early", "forged", "url", "news.kind", "news.sent.media")
    for (early, forged, url, *_), group in groupby(sorted(entries, key=together), key=together):
        ordered = sorted(group, key=attrgetter("due"))
        for start in range(0, len(ordered), bunch):
            chunk = ordered[start : start + bunch]
            yield Parcel(chunk[-1].due, url, tuple(entry.news for entry in chunk), forged), early
