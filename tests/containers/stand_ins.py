"""Images under the names our files use, made here: no image registry is needed.

| image | what it is here |
|---|---|
| `python:3.13-slim-bookworm` | Debian 13's Python 3.13 |
| `apache/kafka`, `confluentinc/cp-kafka` | Apache Kafka of that release, from Maven's jars, on Debian's Java 21 |
| `prom/prometheus` | Prometheus as Debian 13 ships it |
| `grafana/grafana`, `kafka-ui` | a page on the real one's port, nothing more: it shows that what they mount is there |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.containers.engine import Engine
from tests.containers.sandbox import REPOSITORY
from tests.kafka import find
from tests.kafka.jars import KAFKA_3, jars

FILES = Path(__file__).parent / "images"
JVM = "/usr/lib/jvm/java-21-openjdk-amd64"

KAFKA = """\
FROM {base}
COPY --from=jvm / {jvm}/
COPY --from=jvm-settings / /etc/java-21-openjdk/
COPY --from=jars / /opt/kafka/libs/
COPY --chmod=755 kafka-tool configure launch run bash-config /etc/confluent/docker/
RUN ln -s {jvm}/bin/java /usr/local/bin/java \\
 && mkdir -p /opt/kafka/bin /etc/kafka /var/lib/kafka/data \\
 && for name in console-producer storage; do \\
      ln -s /etc/confluent/docker/kafka-tool /opt/kafka/bin/kafka-$name.sh; \\
      ln -s /etc/confluent/docker/kafka-tool /usr/local/bin/kafka-$name; done \\
 && chown -R 1000:0 /opt/kafka/bin /etc/kafka /var/lib/kafka /etc/confluent
USER 1000
EXPOSE 9092
CMD ["/etc/confluent/docker/run"]
"""
PROMETHEUS = """\
FROM {base}
COPY --from=programs prometheus /bin/prometheus
RUN mkdir /prometheus && chown 65534 /prometheus
USER 65534
EXPOSE 9090
ENTRYPOINT ["/bin/prometheus"]
"""
PAGE = """\
FROM {base}
COPY page.py /page.py
USER 472
EXPOSE {port}
CMD ["python", "/page.py", "{port}"{folders}]
"""


def names() -> dict[str, str]:
    """Service of the compose file → its image, as users get it; and the base image of the Dockerfile as `base`."""
    document: Mapping[str, Any] = YAML(typ="safe").load(REPOSITORY / "docker-compose.yml")
    images = {name: service["image"] for name, service in document["services"].items() if "image" in service}
    bases = set(re.findall(r"^FROM (?:--\S+ )*(\S+:\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    (base,) = bases
    return {**images, "base": base}


def make_base(engine: Engine) -> None:
    """The base image of our Dockerfile."""
    engine.load(Path(os.environ["SMS_CONTAINERS_PYTHON"]), names()["base"], 'CMD ["python3"]')


def make_kafka(engine: Engine) -> None:
    """Kafka's images, as compose and testcontainers name them; needs the base image."""
    image = names()["kafka"]
    assert KAFKA_3 in image, "the jars are of another release than the image"
    dockerfile = KAFKA.format(base=names()["base"], jvm=JVM)
    contexts = {"jvm": JVM, "jvm-settings": "/etc/java-21-openjdk", "jars": engine.show(jars(KAFKA_3))}
    _build(engine, "kafka", dockerfile, image, find.IMAGE, contexts=contexts)


def make_pages(engine: Engine) -> None:
    """Those of the compose file that are only looked at; needs the base image."""
    image = names()
    base = image["base"]
    _build(engine, "page", PROMETHEUS.format(base=base), image["prometheus"], contexts={"programs": "/usr/bin"})
    grafana = PAGE.format(base=base, port=3000, folders=', "/etc/grafana/provisioning", "/var/lib/grafana/dashboards"')
    _build(engine, "page", grafana, image["grafana"])
    _build(engine, "page", PAGE.format(base=base, port=8080, folders=""), image["kafka-ui"])


def _build(engine: Engine, folder: str, dockerfile: str, *tags: str, contexts: Mapping[str, str] | None = None) -> None:
    file = engine.place / f"{tags[0].replace('/', '-')}.Dockerfile"
    file.write_text(dockerfile)
    options = [f"--tag={tag}" for tag in tags]
    options += [f"--build-context={name}={path}" for name, path in (contexts or {}).items()]
    engine.docker("build", "--quiet", f"--file={file}", *options, str(FILES / folder))
