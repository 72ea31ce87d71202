"""Renews the gateway's own certificates before they end, and has broker and link use new ones.

By the host's clock, also on a bench: that is what TLS goes by. Meters stay connected; whoever
connects next is shown the new certificate.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from wattle_gateway.admin.channel import Handler
from wattle_gateway.errors import BrokerError, GatewayError
from wattle_gateway.home import own_certificates
from wattle_gateway.home.own_certificates import AUTHORITY, BROKER, RENEWED, OwnCertificate
from wattle_gateway.pki import renewal
from wattle_gateway.runtime.logs import Log

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# Also how soon a certificate that an operator has put in its place is used.
LOOK_EVERY_S = 60.0
# All that it has issued, meters' too, ends with it: years of work (README).
AUTHORITY_WARNED = timedelta(days=730)
OTHERS_WARNED = timedelta(days=30)
TOLD_EVERY = timedelta(days=1)

_log = Log("certificates")


class CertificateKeeper:
    """`look` before the broker starts, then `run`."""

    def __init__(self, gateway: "Gateway", now: Callable[[], datetime]) -> None:
        """`now` the host's time, UTC."""
        self._gateway = gateway
        self._now = now
        self._found: dict[str, OwnCertificate] = {}
        self._told: dict[str, datetime] = {}
        self.renewed = 0

    def ends(self) -> dict[str, int]:
        """When each ends, Unix s, by its name; but a peer's, whose dates nobody reads."""
        return own_certificates.ends(self._found.values())

    def by_name(self) -> dict[str, Handler]:
        """Commands of the admin socket."""
        return {"certificates": self._asked}

    async def run(self) -> None:
        """Look every minute, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Renew what is due; have whatever stands in a file now used."""
        before = self._found
        await asyncio.to_thread(self._renew)
        changed = {
            name
            for name, found in self._found.items()
            if name in before and found.certificate != before[name].certificate
        }
        gateway = self._gateway
        if BROKER in changed and gateway.broker is not None:
            try:
                await gateway.broker.reload()
            except BrokerError as error:
                _log.error("the broker does not take its new certificate", error=error)
        if own_certificates.GATEWAY in changed:
            gateway.link.reload()

    async def _asked(self, _request: dict[str, Any]) -> dict[str, Any]:
        await self.look()
        return {"ends": self.ends()}

    def _renew(self) -> None:
        """In a thread: files are read and written."""
        gateway, now = self._gateway, self._now()
        for found in own_certificates.read(gateway.home):
            if found.name in RENEWED and found.ours and renewal.is_due(found.certificate, now):
                self._renew_one(found, now)
            else:
                self._warn(found, now)
        self._found = {found.name: found for found in own_certificates.read(gateway.home)}

    def _renew_one(self, old: OwnCertificate, now: datetime) -> None:
        gateway = self._gateway
        try:
            new = own_certificates.renew(
                gateway.home,
                gateway.identity.site_authority,
                old.name,
                own_certificates.hosts_of(gateway.config),
                now,
            )
        except GatewayError as error:
            if self._may_tell(old.name, now):
                _log.error("a certificate is not renewed", certificate=old.name, error=error)
            return
        self.renewed += 1
        until = new.not_valid_after_utc.date().isoformat()
        _log.info("a certificate was renewed", certificate=old.name, until=until)

    def _warn(self, found: OwnCertificate, now: datetime) -> None:
        if found.name == own_certificates.PEER:
            return  # pinned by the card, whatever its dates say
        warned = AUTHORITY_WARNED if found.name == AUTHORITY else OTHERS_WARNED
        if now > found.until - warned and self._may_tell(found.name, now):
            days = found.days_left(now)
            _log.warning("a certificate ends", certificate=found.name, days_left=days)

    def _may_tell(self, name: str, now: datetime) -> bool:
        last = self._told.get(name)
        if last is not None and timedelta() <= now - last < TOLD_EVERY:
            return False
        self._told[name] = now
        return True
