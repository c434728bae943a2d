"""Writes deploy/kubernetes again, from the chart: `python -m tests.deploy.plain`. Needs helm: `python -m tests.deploy.tools`."""

from tests.deploy.chart import PLAIN, plain

if __name__ == "__main__":
    for file in PLAIN.iterdir():
        file.unlink()
    for name, content in plain().items():
        (PLAIN / name).write_text(content)
