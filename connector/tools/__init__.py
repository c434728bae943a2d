"""What stands beside the way of the data: nothing of a worker imports it.

`simulator` plays providers and a Kafka cluster, for tests, for the demo and for trying a definition; `importing` makes
a draft of a definition from what a provider shows.
"""
