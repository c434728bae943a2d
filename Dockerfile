# Small, not root, writes nowhere but /tmp: run it with --read-only --tmpfs /tmp.
# linux/amd64 because Faust has wheels for it and none for linux/arm64; nothing is compiled here.
FROM --platform=linux/amd64 python:3.13-slim-bookworm AS packages

# `docker build --build-arg LOCK=full .` adds the extras: signatures for AWS (botocore), traces (OpenTelemetry), receipts, formats, MSK.
ARG LOCK=run
COPY requirements/${LOCK}.lock /tmp/packages.lock
# Pygments colours program text, which nothing here shows; rich does without it, and it is a tenth of the image.
RUN python -m venv --without-pip /opt/venv \
 && pip --python /opt/venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r /tmp/packages.lock \
 && rm -rf /opt/venv/lib/python3.13/site-packages/pygments*
COPY connector /opt/venv/lib/python3.13/site-packages/connector
# The command every page names; `-P`, because a settings folder is no place to import from.
RUN python -m compileall -q /opt/venv/lib/python3.13/site-packages/connector \
 && printf '%s\n' '#!/opt/venv/bin/python -P' 'from connector.cli.main import main' 'main()' > /opt/venv/bin/sms-connector \
 && chmod 755 /opt/venv/bin/sms-connector

FROM --platform=linux/amd64 python:3.13-slim-bookworm

LABEL org.opencontainers.image.title="Kafka SMS connector" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=packages /opt/venv /opt/venv
# PYTHONSAFEPATH: whoever can write to the mounted settings runs no code, in the health check and `python -m` neither.
ENV PATH=/opt/venv/bin:$PATH PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# Python's own modules come uncompiled with the base image, and a worker, which writes nowhere, would compile them at each start.
RUN PYTHONDONTWRITEBYTECODE= python -c 'import connector.cli.run, connector.cli.definitions, connector.health.server, connector.stream.process'
WORKDIR /etc/sms-connector
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8080
# Asks the command that runs, on the port of its settings; an orchestrator's own probes go before it.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["python", "-m", "connector.cli.container_health"]
# Exec form: SIGTERM reaches the connector itself, which then has `timeouts.drain` (40 s) to finish what it has begun.
# Give it 30 s more than that before it is killed (docker run --stop-timeout 75).
ENTRYPOINT ["sms-connector"]
CMD ["run", "--config", "/etc/sms-connector/connector.yaml"]
