"""`make release`: wheel, sdist and SBOM of this commit, in `dist/`; or one plain line that says why not.

In this order: the tree is committed (`checkout`) → wheel and sdist are built twice and are equal byte for byte, and the
wheel holds the whole package and nothing else (`build`) → it is installed with every extra into an empty environment,
where its commands and the demo work (`installed`) → everything that environment and the browser pages hold may be
passed on (`licences`) → the SBOM names it (`sbom`).
"""

from __future__ import annotations


class ReleaseError(Exception):
    """Why there is no release; the text says what to do."""
