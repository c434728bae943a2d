"""Where the worker is put together, each part made once and after those it needs: nothing is set or bound later.

`dependencies` is what a worker is put into; `output` makes what writes, `input` what lets events in, `parts` the rest,
from the end of a message's way to its beginning.
"""
