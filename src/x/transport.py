"""Connections that record whether a byte of a request was handed to a connected socket.

What fails before (names, sockets, proxies, certificates, signatures) provably never reached X.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.poolmanager import PoolManager


@dataclass(slots=True)
class Trace:
    """The trace of one exchange. `sent` is set before the first byte of the request is written."""

    sent: bool = False


class TracingAdapter(HTTPAdapter):
    """One try, no redirects, and a trace of what was sent, through a proxy too."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        super().__init__()  # without `max_retries` requests tries once

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pool of direct connections."""
        super().init_poolmanager(*args, **options)
        self._follow(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> PoolManager:
        """Return the pool of connections through a proxy, SOCKS ones included."""
        manager: PoolManager = super().proxy_manager_for(proxy, **options)
        self._follow(manager)
        return manager

    def _follow(self, manager: PoolManager) -> None:
        """Let every connection of this manager write into the trace."""
        if not getattr(manager, "traced", False):
            classes = manager.pool_classes_by_scheme.items()
            manager.pool_classes_by_scheme = {scheme: _traced(pool, self._trace) for scheme, pool in classes}
            manager.traced = True  # type: ignore[attr-defined]


def _traced(pool: Any, trace: Trace) -> Any:
    """Return the class of pools whose connections write into the trace."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        connecting = False

        def connect(self) -> None:
            self.connecting = True
            try:
                super().connect()
            finally:
                self.connecting = False

        def send(self, data: Any) -> None:
            if not self.connecting:  # a CONNECT to a proxy is a part of connecting
                if self.sock is None:
                    self.connect()
                trace.sent = True
            super().send(data)

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})
