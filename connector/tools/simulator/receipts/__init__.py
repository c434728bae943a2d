"""Receipts, replies and clicks as providers send them: what is told when (pure), and the client that calls.

`fate` says what becomes of a message, `plan` when whom is told, `outbox` what waits, `reporter` what is repeated,
`callback_signing` how it is signed; `courier` sends. What a provider's callbacks look like is in
`simulator/callbacks/`.
"""
