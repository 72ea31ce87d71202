"""Certificates by which somebody may read the gateway's alarms at its broker, and nothing else."""

from collections.abc import Awaitable, Callable

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.errors import HomeError, UsageError
from wattle_gateway.home import alarm_readers
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import authority, certificate_request
from wattle_gateway.pki.authority import SiteAuthority


class AlarmReaders:
    """The handler `alarm_reader`; `admit()` tells the broker whom to let in now."""

    def __init__(
        self, home: GatewayHome, site_authority: SiteAuthority, admit: Callable[[], Awaitable[None]]
    ) -> None:
        self._home = home
        self._authority = site_authority
        self._admit = admit

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"alarm_reader": self._add}

    async def _add(self, request: Answer) -> Answer:
        """`request` PEM of a PKCS #10 request; gives `name` and `certificate` (PEM). A name that
        is known gets a new certificate; the old one reads on until it is revoked at its authority.
        """
        pem = request.get("request")
        if not isinstance(pem, str):
            raise UsageError("alarm_reader: expected a request in PEM")
        public, name = certificate_request.parse(pem.encode(), "the request")
        try:
            topics.check_site(name)  # a file, and a user of the broker, are called so
        except WireError as error:
            raise UsageError(f"the request's name: {error}") from error
        known = alarm_readers.names(self._home)
        if len(known | {alarm_readers.common_name(name)}) > alarm_readers.READERS_MAX:
            raise UsageError(f"there are {len(known)} readers, as many as there may be")
        issued = self._authority.issue_client(public, alarm_readers.common_name(name))
        certificate = authority.pem(issued)
        try:
            alarm_readers.keep(self._home, name, certificate)
        except OSError as error:
            raise HomeError(f"{error.filename}: cannot be written: {error.strerror}") from error
        await self._admit()
        return {"name": name, "certificate": certificate.decode()}
