"""Having a meter send samples again."""

import time
from collections.abc import Callable, Mapping

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError
from wattle_gateway.ingest.presence import Connection
from wattle_gateway.ingest.resending import Resending

# Below the deadline of the command (cli): its answer says how far it came.
WITHIN_S = 40.0


class MeterResending:
    """The handler `resend` of the admin channel."""

    def __init__(
        self,
        resending: Resending,
        connections: Mapping[bytes, Connection],
        registry: Callable[[], Mapping[bytes, Meter]],
    ) -> None:
        self._resending = resending
        self._connections = connections
        self._registry = registry

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"resend": self._resend}

    async def _resend(self, request: Answer) -> Answer:
        """`meter` id; `first`, `to` uint."""
        try:
            kid = topics.kid_of_meter(request["meter"])
            first, to = request["first"], request["to"]
        except (KeyError, TypeError, WireError) as error:
            raise UsageError(f"resend: {error}") from error
        if not (type(first) is int and type(to) is int):
            raise UsageError("resend: expected numbers of samples")
        meter = self._registry().get(kid)
        if meter is None or meter.revoked is not None:
            raise UsageError(f"meter {request['meter']} is not enrolled")
        connection = self._connections.get(kid)
        if connection is None or not connection.online:
            raise UsageError(
                f"meter {request['meter']} is not connected to this gateway: `status` says when it "
                "was seen; what it holds it sends when it is back"
            )
        watch = await self._resending.ask(meter, first, to, WITHIN_S, time.monotonic)
        return {"asked": watch.asked, "came": watch.came, "new": watch.new}
