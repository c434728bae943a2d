"""What waits in a lane.

An `item` is a message that waits, as the event's bytes. `windows` groups those that may share a request and chooses
which group leaves next; `attempt` names a group on its way (`Part`) and the request it became; `backlog` is everything
that is not in a request: windows, parts to be sent next, parts to be sent later. `expiry` finds messages whose time is
over, `fragmentation` says what keeps open windows apart.
"""
