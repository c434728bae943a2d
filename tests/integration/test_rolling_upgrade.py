"""A rolling upgrade: workers of connector 0.1.0 and of this version in one group, handing over to each other.

They read what the other one wrote: results, retry records, the journal, commit metadata.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.crash.scene import Scene
from tests.crash.size import Size
from tests.earlier_release import release
from tests.kafka.find import Kafka

__all__ = ["release"]

pytestmark = [pytest.mark.kafka, pytest.mark.crash, pytest.mark.timeout(300)]

# Records in retry topics and in the journal, and messages in memory, at every hand-over. One that stays refused ends
# `failed` after some seconds, by the count that went through both versions.
SIZE = Size(messages=2_000, partitions=4, temporary=100, on_uncertain="report", session=10.0)


def for_both(scene: Scene) -> None:
    """One settings file for workers of both versions: this one reads the names of 0.1.0 as well."""
    file = scene.folder / "connector.yaml"
    settings = json.loads(file.read_text())
    settings["console"] = settings.pop("health")
    way_back = ("receipts_matched", "receipts_unmatched", "inbound", "receipts_in", "receipts_index", "suppressions")
    for name in (*way_back, "audit"):  # which 0.1.0 does not have
        settings["topics"].pop(name, None)
    settings.pop("receive", None)
    settings.pop("receipts", None)
    settings.pop("web", None)
    file.write_text(json.dumps(settings))


def test_workers_of_both_versions_hand_over_to_each_other(
    kafka: Kafka, unique: str, tmp_path: Path, release: Path
) -> None:
    with Scene(kafka, tmp_path / "scene", f"rolling-{unique}", SIZE, seed=1) as scene:
        for_both(scene)

        def joined(name: str, **options: Path) -> None:
            """It owns partitions beside the one that runs, and both have sent some of these."""
            scene.start(name, **options).wait_for("partitions opened", within=60)
            scene.produce()
            scene.until_sent(1, worker=name)

        joined("old-0", source=release)
        for name, before, options in (
            ("new-0", "old-0", {}),
            ("old-1", "new-0", {"source": release}),
            ("new-1", "old-1", {}),
        ):
            joined(name, **options)
            scene.stop(before)
            scene.produce(500)
        findings = scene.finish()
        assert scene.topics.moved() > 0, "nothing waited in a retry topic"
        assert not scene.failures, scene.failures
        assert not list(findings.complaints()), list(findings.complaints())
        assert findings.duplicated_sends == 0
        assert findings.unknown == 0


def test_what_a_killed_worker_left_is_read_by_one_of_the_other_version(
    kafka: Kafka, unique: str, tmp_path: Path, release: Path
) -> None:
    size = Size(messages=3_000, partitions=4, temporary=100, on_uncertain="report", session=3.0)
    with Scene(kafka, tmp_path / "scene", f"killed-{unique}", size, seed=1) as scene:
        for_both(scene)
        for name, options in (("old-0", {"source": release}), ("new-0", {}), ("old-1", {"source": release})):
            scene.start(name, **options).wait_for("partitions opened", within=60)
            scene.produce()
            scene.until_sent(scene.produced - size.messages // 2)
            if name != "old-1":
                scene.kill(name)
        findings = scene.finish()
        assert not scene.failures, scene.failures
        assert not list(findings.complaints()), list(findings.complaints())
        assert findings.duplicated_sends == 0, "what may have been taken is `unknown` (on_uncertain: report)"
