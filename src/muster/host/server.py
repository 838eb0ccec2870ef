"""A host as a running service: writer, router and DNS records, started and stopped in order.

Decides the order: the socket is bound first, so that connections wait rather than fail; at the stop
what was accepted is answered, then records are withdrawn when told, then the writer ends, then the
database closes. Refuses to know commands.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping

from muster.core.clock import Clock, Dice
from muster.core.errors import MusterError
from muster.core.records import extended
from muster.core.settings import Value
from muster.core.values import dataclass
from muster.db.engine import Database
from muster.host.act.news import Service
from muster.host.api import HostAPI
from muster.host.commit import GroupWriter
from muster.host.follow import Follower
from muster.host.keyring import KeyRing
from muster.host.model import QueuedRequest, Reply
from muster.host.open import OpenHost
from muster.host.publish import Keeper, Plan, ZoneResult, plan_of
from muster.host.running import HostProcess
from muster.host.service import HostService
from muster.host.tables import host_settings
from muster.host.view import effective
from muster.net.certificate import Certificate
from muster.net.condition import Condition
from muster.net.dnsupdate import Signer
from muster.net.process import Place
from muster.net.router import Router

WITHDRAW_SECONDS = 15.0
"""How long a stop waits for DNS servers."""
AT_START = (
    "bind",
    "connections_per_source",
    "operation_address",
    "port",
    "tls_certificate",
    "tls_key",
    "trusted_proxies",
)
"""Settings that are read once, when a host starts."""
_log = logging.getLogger("muster.host")


@dataclass(frozen=True, slots=True)
class DNSOptions:
    """What the process knows for DNS publishing beside the settings in the database.

    `name` the host's own full name; `tsig` the key of the settings; `refused` is told what an
    administrator can paste where an update is refused.
    """

    name: str
    tsig: Signer | None
    refused: Callable[[ZoneResult, str], None]


class HostServer:
    """Everything of a running host but its socket.

    ```
    with HostServer(database, keyring, clock, dice) as server:
        serve_forever([Listener(server.router, sock)])
    ```
    """

    def __init__(
        self,
        database: Database,
        keyring: KeyRing,
        clock: Clock,
        dice: Dice,
        *,
        file_settings: Mapping[str, Value] | None = None,
        overrides: Mapping[str, Value] | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        self.database = database
        self.condition = Condition(_log, clock.now)
        self._clock = clock
        self._file_settings, self._overrides = file_settings, overrides
        self._certificate = certificate
        self.service = HostService(
            database,
            keyring,
            clock,
            dice,
            file_settings=file_settings,
            overrides=overrides,
            condition=self.condition,
        )
        self.writer: GroupWriter[QueuedRequest, Reply] = GroupWriter(
            self.service.handle, self._tick, monotonic=clock.monotonic
        )
        api = HostAPI(self.service, self.writer, certificate)
        self._api, self._refusals, self.known = api, api.refusals, api.known
        self.router: Router = api.router()
        self.operation: Router = api.operation()
        self._keeper: Keeper | None = None
        self._options: DNSOptions | None = None
        self._first: dict[str, Value] = {}
        self._follower: Follower | None = None

    def _tick(self) -> None:
        self.service.look_again()
        self.service.housekeep()
        self._refusals.settle()

    def values(self) -> dict[str, Value]:
        """The settings that are set now, by name."""
        with self.database.snapshot() as reader:
            return effective(host_settings.rows(reader), self._file_settings, self._overrides)

    def reload(
        self,
        file_settings: Mapping[str, Value],
        overrides: Mapping[str, Value],
        options: DNSOptions,
    ) -> tuple[str, ...]:
        """Take other settings from files, environment and flags, and read keys and documents anew.

        Returns: the settings that changed since the start and are used only after a restart.
        Raises: the errors `db/…`; then the settings are taken all the same.
        """
        self._file_settings, self._overrides = file_settings, overrides
        self._options = options
        self.service.reload(file_settings, overrides)
        if self._certificate is not None:
            self._certificate.look_now()
        after = self.values()
        return tuple(name for name in AT_START if self._first.get(name) != after.get(name))

    def start(self) -> HostServer:
        """Start the writer; requests are answered from now on."""
        self._first = self.values()
        self.writer.start()
        self.known.start()
        return self

    def process(self, place: Place) -> HostProcess:
        """What this process says of itself, out of what it knows: waits for nothing."""
        return extended(
            HostProcess,
            place.process(ready=self._api.is_ready, problems=self.condition.problems()),
            serving=self._api.serving,
            dns=None if self._keeper is None else self._keeper.told,
            news=() if self._follower is None else self._follower.told,
        )

    def publish_dns(self, port: int, options: DNSOptions) -> None:
        """Start to keep the SRV records true for a port, while `publish_dns` is set."""

        self._options = options

        def plan() -> Plan | None:
            values, known = self.values(), self._options
            if known is None or values.get("publish_dns", True) is False:
                return None
            return plan_of(values, port=port, name=known.name, tsig=known.tsig)

        self._keeper = Keeper(
            plan, self.service.view, self.database, self._clock, options.refused, self.condition
        )
        self._keeper.start()

    def follow_news(self, host: OpenHost, service: Service) -> None:
        """Start to ask the publishers for news, by the setting `news_interval`; a second call goes
        on with other settings."""
        if self._follower is not None:
            self._follower.stop()
        self._follower = self.follower(host, service)
        self._follower.start()

    def follower(self, host: OpenHost, service: Service) -> Follower:
        """What follows the publishers, not started: told of requests that name newer versions, and
        read by the metrics."""
        follower = Follower(host, service, self.condition)
        self._api.news = follower.families
        self.service.behind = follower.hint
        return follower

    def stop(self) -> None:
        """Stop in order; what the writer has taken is answered. Does not close the database.

        Nothing waits without a bound: neither for DNS servers nor for the database.
        """
        self.known.close()
        if self._follower is not None:
            self._follower.stop()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            withdrawing = threading.Thread(target=self._end, args=(keeper,), daemon=True)
            withdrawing.start()
            withdrawing.join(WITHDRAW_SECONDS)
            if withdrawing.is_alive():
                _log.warning("DNS records were not withdrawn: no answer in time")
        if not self.writer.stop():
            _log.warning("the database keeps silent: what is under way was not finished")

    def _end(self, keeper: Keeper) -> None:
        try:
            withdraw = self.values().get("withdraw_dns", False) is True
            keeper.stop(withdraw_records=withdraw)
        except MusterError as fault:
            _log.warning("DNS records were not withdrawn: %s", fault)

    def __enter__(self) -> HostServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
