"""A pod of deploy/kubernetes as Kubernetes would run it, played by the engine: what an engine can do of its spec.

The settings are mounted as a kubelet mounts a ConfigMap: files are links to `..data/…`, which is a link to a folder
of its own per version, and an update swaps that one link.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.containers.engine import Engine
from tests.containers.sandbox import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "kubernetes"
# What every pod has, whatever its services are.
ENVIRONMENT = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
}
UNITS = {"Ki": "k", "Mi": "m", "Gi": "g"}
Object = dict[str, Any]


def manifests(kind: str) -> list[Object]:
    """The objects of that kind under deploy/kubernetes."""
    documents = [it for path in sorted(FOLDER.rglob("*.yaml")) for it in YAML(typ="safe").load_all(path)]
    return [it for it in documents if it and it.get("kind") == kind]


class MountedConfigMap:
    """A ConfigMap as a kubelet mounts it for a volume's `items` (key → path)."""

    def __init__(self, folder: Path, items: Mapping[str, str], data: Mapping[str, str]) -> None:
        self.folder = folder
        self._items = items
        self._versions = 0
        folder.mkdir()
        self.update(data)
        for top in {Path(path).parts[0] for path in items.values()}:
            (folder / top).symlink_to(Path("..data") / top)

    def update(self, data: Mapping[str, str]) -> None:
        """Swap all files at once, as a kubelet does; what is not mounted any more goes."""
        self._versions += 1
        version = self.folder / f"..2026_11_27_00_00_{self._versions:02}.1"
        for key, path in self._items.items():
            (version / path).parent.mkdir(parents=True, exist_ok=True)
            (version / path).write_text(data[key])
        before = (self.folder / "..data").resolve() if self._versions > 1 else None
        link = self.folder / "..data_tmp"
        link.symlink_to(version.name)
        link.replace(self.folder / "..data")
        if before is not None:
            shutil.rmtree(before)


class Pod:
    """The containers of a Deployment's or Job's template, one after the other.

    Args:
        change: what the user writes into the ConfigMap: its data → the data that is mounted.
        secret: what the secret holds that the pod names.
    """

    def __init__(
        self,
        engine: Engine,
        owner: Object,
        *,
        change: Callable[[Object], Object],
        secret: Mapping[str, str],
        network: str,
    ) -> None:
        self._engine = engine
        self._spec: Object = owner["spec"]["template"]["spec"]
        (self._container,) = self._spec["containers"]
        self.name = f"pod-{owner['kind'].lower()}"
        self._secret = secret
        self._network = network
        volumes = {it["name"]: it for it in self._spec["volumes"]}
        (source,) = [it["configMap"] for it in volumes.values() if "configMap" in it]
        (found,) = [it for it in manifests("ConfigMap") if it["metadata"]["name"] == source["name"]]
        self.data = change(found["data"])
        items = {it["key"]: it["path"] for it in source["items"]}
        folder = Path(tempfile.mkdtemp(dir=engine.place)) / "settings"
        folder.parent.chmod(0o755)
        self.settings = MountedConfigMap(folder, items, self.data)
        self._volumes: dict[str, Object] = volumes

    @property
    def grace(self) -> int:
        return int(self._spec.get("terminationGracePeriodSeconds", 30))

    @property
    def limit(self) -> int:
        """Bytes of memory that it may have."""
        return int(self._engine.inspect(self.name)["HostConfig"]["Memory"])

    def start(self) -> None:
        """Start the pod: its init containers to their end, then its container."""
        for container in self._spec.get("initContainers", ()):
            self._engine.docker("run", "--rm", *self._command(container))
        self._engine.docker("run", "--detach", f"--name={self.name}", *self._command(self._container))

    def run(self) -> str:
        """Start it and wait; it has to succeed. Returns what it said."""
        self.start()
        code = self._engine.docker("wait", self.name).strip()
        said = self._engine.docker("logs", self.name)
        assert code == "0", said
        self._engine.docker("rm", self.name)
        return said

    def probe(self, name: str) -> str:
        """The URL that a probe of the container asks, from outside of it."""
        asked = self._container[name]["httpGet"]
        (port,) = [it["containerPort"] for it in self._container["ports"] if it["name"] == asked["port"]]
        networks = self._engine.inspect(self.name)["NetworkSettings"]["Networks"]
        return f"http://{networks[self._network]['IPAddress']}:{port}{asked['path']}"

    def stop(self) -> int:
        """End it as Kubernetes does: SIGTERM, SIGKILL after the grace period; returns its exit code."""
        self._engine.docker("stop", "--time", str(self.grace), self.name)
        return int(self._engine.inspect(self.name)["State"]["ExitCode"])

    def _command(self, container: Object) -> list[str]:
        """Options, image and arguments of `docker run`."""
        context = {**self._spec["securityContext"], **container["securityContext"]}
        limits = container["resources"]["limits"]
        assert set(limits) == {"memory"}, "a worker that is throttled loses its partitions"
        assert container["imagePullPolicy"] == "IfNotPresent"
        values = {**ENVIRONMENT, "HOSTNAME": self.name, **self._secret}
        options = [
            "--no-healthcheck",  # Kubernetes knows no image's
            f"--network={self._network}",
            f"--hostname={self.name}",
            f"--user={context['runAsUser']}:{context['runAsGroup']}",
            *(f"--env={name}={value}" for name, value in values.items()),
            *(f"--cap-drop={it}" for it in context["capabilities"]["drop"]),
            f"--memory={_size(limits['memory'])}",
            f"--memory-swap={_size(limits['memory'])}",
        ]
        if context["readOnlyRootFilesystem"]:
            options.append("--read-only")
        if context["allowPrivilegeEscalation"] is False:
            options.append("--security-opt=no-new-privileges")
        options += [self._mount(mount) for mount in container["volumeMounts"]]
        return [*options, container["image"], *container["args"]]

    def _mount(self, mount: Object) -> str:
        volume = self._volumes[mount["name"]]
        if "configMap" in volume:
            assert mount["readOnly"] is True
            return f"--volume={self.settings.folder}:{mount['mountPath']}:ro"
        empty = volume["emptyDir"]
        assert empty["medium"] == "Memory"
        return f"--tmpfs={mount['mountPath']}:rw,mode=1777,size={_size(empty['sizeLimit'])}"


def _size(quantity: str) -> str:
    """`64Mi` as the engine writes it."""
    return f"{quantity[:-2]}{UNITS[quantity[-2:]]}"
