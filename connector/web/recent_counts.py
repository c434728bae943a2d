"""What became of the messages of the last quarter of an hour, by campaign and provider: counts of a sample. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

WINDOW_SECONDS = 900.0
BUCKET_SECONDS = 60
MOST_KEYS = 5_000
"""Campaigns of a minute; of further ones only the provider is counted."""
MOST_CODES = 1_000

CampaignKey = tuple[str, str]
"""Campaign and provider."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is counted of one record: a result, or a state of a receipt.

    Attributes:
        at: when it was written, wall seconds.
        code: the provider's, of a message that it refused.
    """

    at: float
    provider: str
    status: str
    campaign: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class CampaignCounts:
    """One campaign at one provider.

    Attributes:
        looked: results of it that were looked at; the other numbers are estimated from them.
        code, code_share: which code most of the rejected ones have, and what part of them.
    """

    campaign: str
    provider: str
    looked: int
    ended: float
    rejected: float
    code: str = ""
    code_share: float = 0.0


@dataclass(slots=True)
class _Minute:
    looked: Counter[CampaignKey] = field(default_factory=Counter)
    ended: defaultdict[CampaignKey, float] = field(default_factory=lambda: defaultdict(float))
    rejected: defaultdict[CampaignKey, float] = field(default_factory=lambda: defaultdict(float))
    codes: defaultdict[tuple[CampaignKey, str], float] = field(default_factory=lambda: defaultdict(float))
    statuses: defaultdict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    providers: Counter[str] = field(default_factory=Counter)
    records: int = 0
    came: float = 0.0


class RecentCounts:
    """Counts by minute; older ones than a quarter of an hour are forgotten."""

    def __init__(self) -> None:
        self._minutes: dict[int, _Minute] = {}
        self._campaigns: list[CampaignCounts] | None = None

    def note(self, seen: list[Seen], came: int, now: float) -> None:
        """Records of one look, out of `came` that there were."""
        self._campaigns = None
        weight = came / len(seen) if seen else 0.0
        first = now - WINDOW_SECONDS
        for minute in [it for it in self._minutes if (it + 1) * BUCKET_SECONDS <= first]:
            del self._minutes[minute]
        for it in seen:
            # Producers write any time they like: what is no time of this window is taken to be of now.
            at = it.at if first <= it.at <= now else now
            self._count(self._minutes.setdefault(int(at // BUCKET_SECONDS), _Minute()), it, weight)

    @staticmethod
    def _count(minute: _Minute, it: Seen, weight: float) -> None:
        minute.statuses[it.provider, it.status] += weight
        minute.providers[it.provider] += 1
        minute.records += 1
        minute.came += weight
        key = (it.campaign, it.provider)
        if not it.campaign or (key not in minute.looked and len(minute.looked) >= MOST_KEYS):
            return
        minute.looked[key] += 1
        minute.ended[key] += weight
        if it.status == "rejected":
            minute.rejected[key] += weight
            coded = (key, it.code)
            if coded in minute.codes or len(minute.codes) < MOST_CODES:
                minute.codes[coded] += weight

    def campaigns(self) -> list[CampaignCounts]:
        """All that had a result; added up once for each look, as there may be thousands."""
        if self._campaigns is None:
            self._campaigns = list(self._added_up())
        return self._campaigns

    def _added_up(self) -> Iterator[CampaignCounts]:
        looked: Counter[CampaignKey] = Counter()
        ended: defaultdict[CampaignKey, float] = defaultdict(float)
        rejected: defaultdict[CampaignKey, float] = defaultdict(float)
        codes: defaultdict[CampaignKey, defaultdict[str, float]] = defaultdict(lambda: defaultdict(float))
        for minute in self._minutes.values():
            looked.update(minute.looked)
            for sums, numbers in ((ended, minute.ended), (rejected, minute.rejected)):
                for key, number in numbers.items():
                    sums[key] += number
            for (key, code), number in minute.codes.items():
                codes[key][code] += number
        for key, times in looked.items():
            code, most = max(codes[key].items(), key=lambda it: it[1]) if key in codes else ("", 0.0)
            share = most / rejected[key] if rejected[key] else 0.0
            yield CampaignCounts(*key, times, ended[key], rejected[key], code, share)

    def of_provider(self, provider: str, status: str, *, after: float, until: float) -> float:
        """Messages of a provider and status in the minutes between these wall seconds: an estimate."""
        return sum(
            minute.statuses.get((provider, status), 0.0)
            for number, minute in self._minutes.items()
            if after <= number * BUCKET_SECONDS < until
        )

    @property
    def fraction(self) -> float:
        """What part of all records was looked at."""
        came = sum(it.came for it in self._minutes.values())
        return sum(it.records for it in self._minutes.values()) / came if came else 1.0

    def looked_at(self, provider: str) -> int:
        """Records of a provider that were looked at."""
        return sum(minute.providers[provider] for minute in self._minutes.values())

    def share(self, provider: str, status: str, *among: str) -> float | None:
        """What part of a provider's records of these statuses has this one; None where there are none."""
        sums = {each: sum(it.statuses.get((provider, each), 0.0) for it in self._minutes.values()) for each in among}
        whole = sum(sums.values())
        return sums[status] / whole if whole else None
