"""The stream: the only room that knows Faust.

Records come in one batch per fetched partition (`app`), become messages (`intake`), wait in their lanes, and end as
results (`writer`). A `ledger` per partition says what may be committed (`committer`); `tail` tells a new owner what is
settled already; `worker` opens and closes epochs around all of it.
"""

# First, and for its effect: every import of Faust comes after it.
from connector.stream import environment as environment
