"""Kafka to HTTP SMS: message events in, provider requests out, one durable delivery result per message."""

__version__ = "0.2.0.dev0"
