"""What operators change while workers run.

`topic_reader` reads the control topic, `table` is what it says of campaigns and providers, `apply` brings that to
messages that wait, `reload` takes over changed definitions, `failover` chooses another provider while one refuses.
"""
