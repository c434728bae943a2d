"""`make site`: the pages of `docs/` as a site that needs no network, neither to be built nor to be read."""
