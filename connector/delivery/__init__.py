"""One provider's way out: messages wait in windows, free slots pull them, HTTP takes them, every one ends in a result.

`lane` puts the rooms together. A message is offered to it and waits (`queue`); a free request slot that nothing holds
back (`limits`) takes its window, makes a request of it and follows that (`sending`) over HTTP (`http`); what the reply
said of each message becomes a result, or a later try (`outcomes`). `route` is an operation of a definition, compiled.
What a lane is given and gives away goes through its `lane_host`.
All but HTTP is pure logic with an injected clock.
"""
