"""The only folder that imports Faust, and what is changed of it and of aiokafka inside it.

`app` makes the app and its agents, `consumer` fetches on a thread of its own, `coordinator` is the group's coordinator
there, `group` asks that thread from the worker's loop, `subscription` says when the app subscribes, `quiet_worker` is
Faust's worker without its signals, `quiet_thread` crashes into the log only.
"""

# First, and for its effect: every import of Faust comes after it.
from connector.stream.faust import environment_guard as environment_guard
