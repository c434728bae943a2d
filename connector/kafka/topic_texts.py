"""The topics as others are to make them: commands for Kafka's own tools, Terraform, Strimzi. Pure.

For clusters on which this principal may create nothing.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Literal, get_args

from connector.kafka.topic_plan import Topic, TopicPlan

TopicText = Literal["commands", "terraform", "strimzi"]
TOPIC_TEXTS: tuple[TopicText, ...] = get_args(TopicText)


def written(plan: TopicPlan, form: TopicText) -> str:
    """All topics of the plan, with their settings."""
    make = {"commands": _commands, "terraform": _terraform, "strimzi": _strimzi}[form]
    return "\n".join(make(plan)) + "\n"


def _commands(plan: TopicPlan) -> Iterator[str]:
    yield "# BOOTSTRAP names the brokers, CONFIG a file with the credentials of who may create topics."
    for topic in plan.topics:
        words = ["kafka-topics.sh", "--create", "--if-not-exists", "--topic", topic.name]
        words += ["--partitions", str(topic.partitions), "--replication-factor", str(plan.replication)]
        words += [part for name, value in topic.configs.items() for part in ("--config", f"{name}={value}")]
        yield f'{shlex.join(words)} --bootstrap-server "$BOOTSTRAP" --command-config "$CONFIG"'


def _terraform(plan: TopicPlan) -> Iterator[str]:
    yield "# For the provider Mongey/kafka. Confluent's has the same values under other names."
    for topic in plan.topics:
        yield ""
        yield f'resource "kafka_topic" "{_identifier(topic)}" {{'
        yield f"  name               = {_quoted(topic.name)}"
        yield f"  partitions         = {topic.partitions}"
        yield f"  replication_factor = {plan.replication}"
        yield "  config = {"
        yield from (f"    {_quoted(name)} = {_quoted(value)}" for name, value in topic.configs.items())
        yield "  }"
        yield ""
        yield "  lifecycle {"
        yield "    prevent_destroy = true # with a topic its messages would go"
        yield "  }"
        yield "}"


def _strimzi(plan: TopicPlan) -> Iterator[str]:
    yield "# Put the name of your Kafka resource in place of CLUSTER."
    for topic in plan.topics:
        yield "---"
        yield "apiVersion: kafka.strimzi.io/v1beta2"
        yield "kind: KafkaTopic"
        yield "metadata:"
        yield f"  name: {_resource_name(topic)}"
        yield "  labels: {strimzi.io/cluster: CLUSTER}"
        yield "spec:"
        yield f"  topicName: {_quoted(topic.name)}"
        yield f"  partitions: {topic.partitions}"
        yield f"  replicas: {plan.replication}"
        yield "  config:"
        yield from (f"    {name}: {_quoted(value)}" for name, value in topic.configs.items())


def _identifier(topic: Topic) -> str:
    return re.sub(r"[^A-Za-z0-9]", "_", re.sub(r"^(?=[0-9])", "t_", topic.name))


def _resource_name(topic: Topic) -> str:
    """As Kubernetes wants names: lower case, dots and dashes."""
    return re.sub(r"[^a-z0-9.-]", "-", topic.name.lower()).strip(".-")


def _quoted(value: str) -> str:
    return json.dumps(value)
