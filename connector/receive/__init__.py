"""Callbacks of providers: verified, divided, written to Kafka, and only then answered. Stateless: any number of them.

`handler` decides, in the order that keeps it safe; `group_commit` writes what several requests bring at once.
"""
