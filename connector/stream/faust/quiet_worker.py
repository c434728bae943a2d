"""Faust's worker, changed where its signals would stop it before partitions are given back."""

from __future__ import annotations

import signal

import faust


class QuietWorker(faust.Worker):
    """Faust's worker without its signals: they would stop it before partitions are given back, or open a debugger."""

    def install_signal_handlers(self) -> None:
        """SIGUSR1 writes where every task and thread is, as Faust does."""
        self.loop.add_signal_handler(signal.SIGUSR1, self._on_sigusr1)
        # mode would open a debugger and wait for somebody to type.
        self.loop.add_signal_handler(signal.SIGUSR2, lambda: None)
