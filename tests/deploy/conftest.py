"""What renders and validates the Helm chart."""

from __future__ import annotations

import os

import pytest

from tests.deploy import tools


@pytest.fixture(scope="session")
def helm_built() -> None:
    """helm and kubeconform, from their Go modules. Where Go is and CI is set, they have to be there."""
    if tools.built():
        return
    if tools.go() is None:
        pytest.skip("the Helm chart is not rendered: there is no Go to build helm and kubeconform with")
    if not os.environ.get("CI"):
        pytest.skip("the Helm chart is not rendered: `make tools` builds helm and kubeconform (some minutes, once)")
    for tool in tools.TOOLS:
        tools.build(tool)
