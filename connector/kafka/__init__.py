"""The cluster: one mapping of `kafka:` for every client, and the topics as they should be."""

from connector.kafka.admin import create_topics, describe_topics
from connector.kafka.clients import Connection, admin, client_options, connect, consumer, producer
from connector.kafka.topics import ActualTopic, Topic, TopicPlan, check, plan

__all__ = [
    "ActualTopic",
    "Connection",
    "Topic",
    "TopicPlan",
    "admin",
    "check",
    "client_options",
    "connect",
    "consumer",
    "create_topics",
    "describe_topics",
    "plan",
    "producer",
]
