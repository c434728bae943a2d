"""Offsets and topics that are deleted, renamed, changed."""

from __future__ import annotations

from tests.crash.scenarios.table import CLEAN, scenario
from tests.crash.scene import Scene


def _half_done(scene: Scene) -> None:
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.stop("w0")


@scenario("offsets", size=CLEAN)
def offsets_deleted(scene: Scene) -> None:
    """The group's offsets are deleted while no worker runs."""
    _half_done(scene)
    scene.topics.delete_group(scene.group)
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def offsets_deleted_after_kill(scene: Scene) -> None:
    """A worker is killed and the group's offsets are deleted."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.5)
    scene.kill("w0")
    scene.topics.delete_group(scene.group)
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def group_renamed(scene: Scene) -> None:
    """The next worker runs under another group name."""
    _half_done(scene)
    scene.group += "-renamed"
    scene.configure()
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def wrong_partition_count(scene: Scene) -> None:
    """The results topic has fewer partitions than the source: nothing is sent (exit 78) until that is mended."""
    scene.produce()
    scene.topics.delete(scene.topics.results)
    scene.topics.create_results(scene.size.partitions - 1)
    scene.start("w0")
    scene.ended("w0", 78)
    scene.check(scene.sent() == 0, f"{scene.sent()} messages were sent")
    scene.topics.add_partitions(scene.topics.results, scene.size.partitions)
    scene.start("w1")


@scenario("offsets", size=CLEAN)
def results_deleted(scene: Scene) -> None:
    """The results topic is deleted under a running worker and created again."""
    scene.produce()
    scene.start("w0")
    scene.until_committed()
    scene.spare_results()
    with scene.unwritable():
        scene.topics.delete(scene.topics.results)
        scene.produce(2_000)
        scene.until_sent(scene.size.messages + scene.size.records)
        scene.topics.create_results(scene.size.partitions)


@scenario("offsets", size=CLEAN)
def source_recreated(scene: Scene) -> None:
    """The source topic is deleted and created anew: nothing is sent from it (exit 78) until a person has decided."""
    _half_done(scene)
    scene.start("w1")
    scene.conclude()
    before = scene.sent()
    scene.topics.delete(scene.topics.source)
    scene.create_topics()
    scene.produce(500)
    scene.start("w2")
    scene.ended("w2", 78)
    scene.check(scene.sent() == before, f"{scene.sent() - before} messages of the new topic were sent")


@scenario("offsets", size=CLEAN)
def partitions_added(scene: Scene) -> None:
    """Partitions are added to the source under a running worker, and to the other topics afterwards."""
    scene.produce()
    scene.start("w0")
    scene.until_sent(0.3)
    more = scene.size.partitions + 2
    scene.topics.add_partitions(scene.topics.source, more)
    scene.produce(1_000, partitions=more)
    scene.start("w1")
    scene.ended("w1", 78)  # its topics do not fit any more
    for topic in scene.topics.numbered:
        scene.topics.add_partitions(topic, more)
    scene.start("w2")
