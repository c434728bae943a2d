"""Health and metrics over HTTP: one aiohttp app on one port, for one worker or for several and their parent.

`server` serves, `metrics` turns what a worker has counted into Prometheus's families when it is scraped, `merged` puts
the pages of several workers together.
"""
