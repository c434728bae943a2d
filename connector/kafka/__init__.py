"""The cluster: one mapping of `kafka:` for every client, the topics as they should be, and asking about them."""
