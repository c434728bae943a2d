"""A Kannel gateway of a test's own: bearerbox and smsbox with their own configuration, ports and folder.

bearerbox talks to the mobile network, smsbox takes HTTP requests and hands them to bearerbox.
"""

from __future__ import annotations

import re
import signal
import subprocess
from collections import Counter
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from tests import guard, marked
from tests.gateway.packages import Programs
from tests.kafka.ports import free_ports
from tests.waiting import wait_until

START_SECONDS = 60.0

OCTETS, SHOWN, PLAIN, APART, NOWHERE = "octets", "shown", "plain", "apart", "nowhere"
"""Users, by what becomes of their messages: to the SMPP network; to Kannel's fake SMSC; as Kannel is by default; long
texts as single SMS; no SMSC takes them.
"""

CONFIGURATION = """\
group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = {password}
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-file = {folder}/bearerbox.log
log-level = 0
store-type = spool
store-location = {folder}/spool
sms-outgoing-queue-limit = {queue}

group = smsc
smsc = smpp
smsc-id = network
allowed-smsc-id = network
host = 127.0.0.1
port = {network}
transceiver-mode = true
smsc-username = kannel
smsc-password = {password}
system-type = ""
reconnect-delay = 1

group = smsc
smsc = fake
smsc-id = fake
allowed-smsc-id = fake
port = {fake}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 0
access-log = {folder}/requests.log
http-request-retry = 60
http-queue-delay = 1
mo-recode = true

group = sendsms-user
username = octets
password = {password}
forced-smsc = network
max-messages = 3
concatenation = true

group = sendsms-user
username = shown
password = {password}
forced-smsc = fake
max-messages = 3
concatenation = true

group = sendsms-user
username = plain
password = {password}
forced-smsc = network

group = sendsms-user
username = apart
password = {password}
forced-smsc = network
max-messages = 2

group = sendsms-user
username = nowhere
password = {password}
forced-smsc = nowhere
"""

SERVICE = """
group = sms-service
keyword = default
get-url = "{url}"
max-messages = 0
"""
"""As docs/receipts.md has it."""

_requested = re.compile(r"^[-0-9: ]{19} send-SMS request added - sender:\S+ \S+ target:(\S+) ", re.MULTILINE)
_got = re.compile(r"^[-0-9: ]{19} \[[0-9]+\] \[[0-9]+\] DEBUG: Got message [0-9]+: <(.*)>$", re.MULTILINE)


class Kannel:
    """The two processes of a gateway.

    Args:
        queue: sms-outgoing-queue-limit.
        replies: the get-url that is called for what people answer.

    Attributes:
        url: what KANNEL_URL is in the environment of a worker.
        network: the port of the SMSC that it connects to by SMPP.
    """

    def __init__(self, folder: Path, programs: Programs, *, queue: int = 100_000, replies: str = "") -> None:
        self._folder = folder
        self._programs = programs
        self._processes: dict[Path, subprocess.Popen[bytes]] = {}
        self._fakesmsc: subprocess.Popen[bytes] | None = None
        admin, boxes, self.network, self._fake, sendsms = free_ports(5)
        self.url = f"http://127.0.0.1:{sendsms}"
        self._status = f"http://127.0.0.1:{admin}/status.txt?password={marked.PASSWORD}"
        (folder / "spool").mkdir(parents=True)
        ports = {"admin": admin, "boxes": boxes, "network": self.network, "fake": self._fake, "sendsms": sendsms}
        text = CONFIGURATION.format(**ports, folder=folder, password=marked.PASSWORD, queue=queue)
        (folder / "kannel.conf").write_text(text + (SERVICE.format(url=replies) if replies else ""))

    def start(self) -> None:
        """Start what does not run; returns when it takes requests."""
        self._launch(self._programs.bearerbox)
        wait_until(self._bearerbox_answers, "bearerbox to start", within=START_SECONDS)
        self._launch(self._programs.smsbox)
        wait_until(self._smsbox_answers, "smsbox to start", within=START_SECONDS)

    def kill(self, *, only_bearerbox: bool = False) -> None:
        """SIGKILL."""
        for program in [self._programs.bearerbox] if only_bearerbox else list(self._processes):
            guard.end(self._processes.pop(program))

    def pause(self) -> None:
        """SIGSTOP: the kernel goes on taking connections, and nobody answers."""
        for process in self._processes.values():
            process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        """End every process."""
        self.kill()
        if self._fakesmsc is not None:
            guard.end(self._fakesmsc)

    def connect_fakesmsc(self) -> None:
        """Kannel's own fake SMSC connects, and sends nothing itself."""
        command = [str(self._programs.fakesmsc), "-H", "127.0.0.1", "-r", str(self._fake), "-m", "0", "1 2 text never"]
        self._fakesmsc = guard.spawn(command, self._folder / "fakesmsc.log", env=dict(self._programs.environment))
        wait_until(lambda: re.search("FAKE.*online", self.status()), "fakesmsc to be connected")

    def status(self) -> str:
        """What bearerbox says of itself."""
        with urlopen(self._status, timeout=10) as response:
            text: str = response.read().decode()
        return text

    def connected(self) -> bool:
        """Whether bearerbox has a connection to the network."""
        return re.search("SMPP.*online", self.status()) is not None

    def log(self) -> str:
        """What bearerbox has written."""
        return (self._folder / "bearerbox.log").read_text(errors="replace")

    def requests(self) -> Counter[str]:
        """How often smsbox took a message to each number, by its own access log."""
        log = self._folder / "requests.log"
        return Counter(_requested.findall(log.read_text(errors="replace")) if log.exists() else ())

    def shown(self) -> list[str]:
        """The lines that fakesmsc shows: `sender number kind text`; a text of several lines is several of them."""
        return _got.findall((self._folder / "fakesmsc.log").read_text())

    def ask(self, method: str, **fields: str) -> tuple[int, str]:
        """Send one request by hand, as a query or as headers and body; the reply's status and words."""
        return ask(f"{self.url}/cgi-bin/sendsms", method, fields)

    def _launch(self, program: Path) -> None:
        if program not in self._processes:
            output = self._folder / f"{program.name}.out"
            command = [str(program), "-v", "4", str(self._folder / "kannel.conf")]
            self._processes[program] = guard.spawn(command, output, env=dict(self._programs.environment))

    def _bearerbox_answers(self) -> bool:
        try:
            return "Kannel bearerbox" in self.status()
        except (URLError, ConnectionError):
            return False

    def _smsbox_answers(self) -> bool:
        """It takes requests before it has read who may send, and refuses everybody meanwhile."""
        try:
            return self.ask("GET", username=PLAIN, password=marked.PASSWORD)[0] == 400  # no number
        except (URLError, ConnectionError):
            return False


def ask(url: str, method: str, fields: dict[str, str]) -> tuple[int, str]:
    """See `Kannel.ask`."""
    if method == "GET":
        request = Request(f"{url}?{urlencode(fields)}")
    else:
        headers = {f"X-Kannel-{name}": value for name, value in fields.items() if name != "text"}
        headers["Content-Type"] = "text/plain; charset=utf-8"
        request = Request(url, fields.get("text", "").encode(), headers, method="POST")
    try:
        with urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
