"""One provider's way out: messages wait in windows, free slots pull them, HTTP takes them, every one ends in a result.

`lane` puts together what each stand alone: what waits (`windows`, `backlog`, `dismissal`), what says wait (`gate`:
`limiter`, `breaker`, `concurrency`, `hours`), one request before (`preparation`) and after (`settlement`, `retry`), and
HTTP (`http`, `oauth2`, `addresses`, `failures`, `dry_run`). All but HTTP is pure logic with an injected clock.
"""
