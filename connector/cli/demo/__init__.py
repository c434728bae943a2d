"""`sms-connector demo`: the whole way of the data on this machine, audited; with sample events or a user's own."""

from __future__ import annotations

import contextlib
import math
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from connector.cli import completing
from connector.cli.plot import plot_option, ready
from connector.errors import ConnectorError, UsageError

if TYPE_CHECKING:
    from connector.cli.demo.children import Child, Children
    from connector.cli.demo.flow import Flow, Tally
    from connector.cli.demo.receipts_way import ReceiptRoute
    from connector.cli.demo.sample_events import Made
    from connector.cli.demo.stage import Stage
    from connector.cli.demo.timeline import Timeline
    from connector.settings.model import Topics

SAMPLE_EVENTS = 20_000
LIVE_EVENTS = 10
"""Real messages `--live` sends unless it is told twice."""
LOG = "provider.jsonl"
"""What reached the fakes, in the demo's folder."""
WORKER_PATIENCE_SECONDS = 60.0  # longer than the worker's own drain


@dataclass(frozen=True, slots=True)
class DemoPlan:
    """What to do.

    Attributes:
        events: to produce.
        count: how many they are.
        definitions: the user's, or None for the demo's own.
        reply: what the simulator answers to those, JSON or text; None for its usual reply.
        live: send to the real provider.
        plot: where to draw it.
        web: show it in the console, slowly, until Ctrl-C.
    """

    events: Iterable[Made]
    count: int
    definitions: Path | None
    reply: str | None
    live: bool
    plot: Path | None = None
    web: bool = False


@click.command()
@click.option(
    "--events",
    default=str(SAMPLE_EVENTS),
    show_default=True,
    metavar="N|FILE",
    shell_complete=completing.files,
    help="How many sample events, or a file with events of your own, one JSON object per line.",
)
@click.option(
    "--definitions",
    type=click.Path(exists=True, path_type=Path),
    help="Your definitions (folder or file); needs --events FILE.",
)
@click.option("--reply", metavar="TEXT", help="With --definitions: what the simulator answers, as the provider would.")
@click.option("--live", is_flag=True, help="Send to the real providers instead of the simulator.")
@click.option("--max", "maximum", type=click.IntRange(1), help=f"With --live --yes: send more than {LIVE_EVENTS}.")
@click.option("--yes", is_flag=True, help="With --live: do not ask.")
@click.option("--web", is_flag=True, help="Show it in the console: 200 events a second, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@plot_option
def demo(
    *,
    events: str,
    definitions: Path | None,
    reply: str | None,
    live: bool,
    maximum: int | None,
    yes: bool,
    web: bool,
    as_json: bool,
    plot: Path | None,
) -> int:
    """Watch events become requests and results, then compare the results with what the provider saw.

    Starts an embedded Kafka broker, fake providers and a worker, and leaves nothing behind.

    Exit codes: 0 the audit holds, 1 it does not, 2 usage, 78 configuration: the definition is wrong.

    \b
    Examples:
      sms-connector demo
      sms-connector demo --web
      sms-connector demo --events 200000 --plot demo.svg
      sms-connector demo --definitions providers/ --events events.jsonl
      sms-connector demo --definitions providers/ --events events.jsonl --live
    """  # noqa: D301  click wants the character, not a backslash
    try:
        import confluent_kafka  # noqa: F401  asked for before anything is started
    except ImportError:
        raise UsageError(
            "the demo's broker needs confluent-kafka; install it: pip install 'kafka-sms-connector[demo]'"
        ) from None
    if plot is not None:
        ready(plot)
    plan = _plan(events, definitions, reply, live=live, limit=maximum if yes and maximum else LIVE_EVENTS)
    plan = replace(plan, plot=plot, web=web)
    signal.signal(signal.SIGTERM, _terminated)
    with tempfile.TemporaryDirectory(prefix="sms-demo-") as folder:
        report, failures = _perform(plan, Path(folder), confirm=not yes)
    return _finish(report, failures, as_json=as_json)


def _plan(events: str, definitions: Path | None, reply: str | None, *, live: bool, limit: int) -> DemoPlan:
    from connector.cli.demo.sample_events import generate, read

    if events.isdecimal():
        count = int(events)
        if definitions is not None or live:
            raise UsageError(
                "--definitions and --live need --events FILE: sample events fit the demo's definitions only"
            )
        if count == 0:
            raise UsageError("--events 0: nothing to show; write 1 or more")
        return DemoPlan(generate(count), count, None, None, live=False)
    if live and definitions is None:
        raise UsageError("--live needs --definitions: the demo's own providers are fake")
    made = read(Path(events), limit if live else None)
    return DemoPlan(made, len(made), definitions, reply, live)


def _perform(plan: DemoPlan, folder: Path, *, confirm: bool) -> tuple[dict[str, Any], list[str]]:
    """Run it; returns the report, and what went wrong besides the audit."""
    from connector.cli.demo import report
    from connector.cli.demo.audit import audit
    from connector.cli.demo.children import Children
    from connector.cli.demo.flow import Tally
    from connector.cli.demo.receipts_way import ReceiptRoute, WayBack
    from connector.cli.demo.shown import Shown
    from connector.cli.demo.stage import clean_environment
    from connector.cli.demo.timeline import Timeline
    from connector.kafka.topic_plan import plan as plan_topics
    from connector.settings.model import Topics
    from connector.tools.simulator import Broker

    topics = Topics()
    failures: list[str] = []
    way_back = (
        topics.receipts_matched,
        topics.receipts_unmatched,
        topics.inbound,
        topics.receipts_in,
        topics.receipts_index,
    )
    names = (*(topic.name for topic in plan_topics(topics, {}).topics), *way_back)
    # The fake that stands in for a user's providers knows nothing of how they report.
    route = ReceiptRoute.make(folder) if plan.definitions is None else None
    with contextlib.ExitStack() as stack:
        broker = stack.enter_context(Broker(names))
        children = stack.enter_context(Children(folder, clean_environment()))
        simulator, stage = _set_up(plan, folder, broker.bootstrap, children, route)
        _announce(plan, stage, confirm=confirm)
        back = None
        if route is not None:
            back = stack.enter_context(WayBack(route, broker.bootstrap, topics))
            back.start(children, stage)
        shown = Shown.make() if plan.web else None
        options = [] if shown is None else shown.worker_options()
        worker = children.start("worker", ["run", "--config", str(stage.config), *options], environ=stage.environ)
        console = None if shown is None else shown.start(children, stage)
        timeline = None if plan.plot is None else Timeline()
        tally = Tally(timeline=timeline)
        flow = _flow(plan, broker.bootstrap, topics, tally)
        stack.enter_context(contextlib.closing(flow))
        try:
            _let_flow(plan, flow, worker, console)
        except ConnectorError as error:
            failures.append(f"{error}\n{worker.tail()}")
        if back is not None and not failures:
            back.wait(tally.results)
        ending = [*filter(None, [console]), worker, *(back.children if back is not None else ())]
        _stop(ending, failures)
        flow.read_rest()
        _draw(plan, timeline)
        if simulator is None:
            return report.document(flow.tally, None, None), failures
        simulator.stop(WORKER_PATIENCE_SECONDS)
        witness = report.read_log(folder / LOG)
        found = audit(flow.events, flow.tally.results, witness.seen)
        if back is not None:
            back.conclude(flow.events, witness, found)
        return report.document(flow.tally, found, witness), failures


def _flow(plan: DemoPlan, bootstrap: str, topics: Topics, tally: Tally) -> Flow:
    from connector.cli.demo.flow import Flow
    from connector.cli.demo.shown import EVENTS_A_SECOND

    rate = EVENTS_A_SECOND if plan.web else None
    return Flow(bootstrap, topics.source_names[0], topics.results, tally, rate=rate)


def _let_flow(plan: DemoPlan, flow: Flow, worker: Child, console: Child | None) -> None:
    """Produce, and wait for the results; with a console, until Ctrl-C. Raises StalledError."""
    from connector.cli.demo.flow import STALL_SECONDS
    from connector.cli.demo.shown import hold

    def alive() -> bool:
        return worker.exit_code is None and (console is None or console.exit_code is None)

    # Whoever looks may pause a provider, and nothing comes until they resume it.
    patience = math.inf if plan.web else STALL_SECONDS
    with _progress(plan.count) as told:
        flow.run(plan.events, plan.count, alive=alive, show=told, patience=patience)
    if plan.web:
        hold()


def _stop(children: Iterable[Child], failures: list[str]) -> None:
    """One after the other; adds the first one that does not end well."""
    for child in children:
        code = child.stop(WORKER_PATIENCE_SECONDS)
        if code != 0 and not failures:
            failures.append(f"the {child.name} ended with exit code {code}\n{child.tail()}")


def _draw(plan: DemoPlan, timeline: Timeline | None) -> None:
    """The picture, where one was asked for and there is something on it."""
    from connector.cli.demo.picture import draw

    if plan.plot is not None and timeline is not None and timeline.slices():
        draw(plan.plot, timeline)
        click.echo(f"drawn: {plan.plot}", err=True)


def _set_up(
    plan: DemoPlan, folder: Path, bootstrap: str, children: Children, route: ReceiptRoute | None
) -> tuple[Child | None, Stage]:
    """The simulator, unless the real providers are meant, and the worker's files."""
    import orjson

    from connector.cli.demo import stage

    if plan.live:
        assert plan.definitions is not None
        return None, stage.set_live(folder, bootstrap, plan.definitions)
    settings = stage.SIMULATOR_KNOBS | ({} if plan.reply is None else {"generic.reply": plan.reply})
    files = ["--log", str(folder / LOG)]
    if route is not None:
        settings |= route.knobs()
        files += ["--receipt-log", str(route.log)]
    knobs = [argument for name, value in settings.items() for argument in ("--set", f"{name}={value}")]
    simulator = children.start("simulator", ["simulate", "--port", "0", "--json", *files, *knobs], pipe=True)
    line = simulator.first_line()
    if not line:
        raise ConnectorError(f"the simulator did not start\n{simulator.tail()}")
    url = orjson.loads(line)["url"]
    if plan.definitions is None:
        assert route is not None
        return simulator, stage.set_own(folder, bootstrap, url, route.settings(folder))
    return simulator, stage.set_rehearsal(folder, bootstrap, plan.definitions, url)


def _announce(plan: DemoPlan, stage: Stage, *, confirm: bool) -> None:
    """Say what will happen; ask before a real message."""
    for line in stage.changed:
        click.echo(f"note: {line}", err=True)
    hosts = ", ".join(stage.hosts)
    if plan.live:
        click.echo(f"{plan.count} real messages to {hosts or 'hosts unknown before the start'}", err=True)
        if confirm:
            click.confirm("Send them?", abort=True, err=True)
    elif hosts:
        click.echo(f"{plan.count} events; the simulator stands in for {hosts}", err=True)


@contextlib.contextmanager
def _progress(count: int) -> Iterator[Callable[[int], None]]:
    """A bar on standard error where that is a terminal; yields what is to be told how far it is."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("the worker joins", total=count)
        yield lambda done: progress.update(task, completed=done, description="results")


def _finish(report: dict[str, Any], failures: list[str], *, as_json: bool) -> int:
    from rich.console import Console

    from connector.cli.demo.report import show

    for failure in failures:
        click.echo(failure, err=True)
    if as_json:
        import orjson

        click.echo(orjson.dumps({**report, "failures": failures}, option=orjson.OPT_INDENT_2).decode())
    else:
        show(Console(highlight=False), report)
    return 1 if failures or not report.get("audit", {"holds": True})["holds"] else 0


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """SIGTERM leaves like Ctrl-C does: through every `finally`."""
    del frame
    sys.exit(128 + number)
