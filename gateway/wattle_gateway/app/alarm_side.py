"""Alarms as the running gateway gives them: to the log, the metrics, the broker, a webhook."""

from typing import TYPE_CHECKING, Any

from wattle_gateway.alarms import message, webhook
from wattle_gateway.alarms.board import CLEARED, RAISED, STARTED, AlarmBoard, Event
from wattle_gateway.alarms.catalog import CRITICAL
from wattle_gateway.alarms.message import Sender
from wattle_gateway.app.alarm_causes import AlarmCauses
from wattle_gateway.broker import permissions
from wattle_gateway.runtime.clock import steady_ms
from wattle_gateway.runtime.logs import Log

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

_log = Log("alarms")


class AlarmSide:
    """`look` at every look at the machine; `run` sends to the webhook."""

    def __init__(self, gateway: "Gateway") -> None:
        """Raises ConfigError for a webhook whose secret cannot be read."""
        self._gateway = gateway
        self._causes = AlarmCauses(gateway)
        self._board = AlarmBoard()
        config = gateway.config.alarms
        secret = config.webhook_secret_file
        self._webhook = None
        if config.webhook:
            path = gateway.home.folder / secret if secret else None
            self._webhook = webhook.open_webhook(config.webhook, path)
        # What the broker is to keep, and the connection on which it was given that.
        self._retained: bytes | None = None
        self._given: tuple[int, bytes] | None = None

    async def run(self) -> None:
        """Send to the webhook until cancelled; first, that what was active before is over."""
        if self._webhook is not None:
            self._webhook.tell(self._message(STARTED, None))
            await self._webhook.run()

    async def look(self) -> None:
        """Once: find causes, tell what has changed."""
        at_ms = steady_ms()
        found = await self._causes.find(at_ms)
        for event in self._board.look(at_ms, self._gateway.clock.now_ms(), found):
            self._tell(event)
        if self._retained is None:
            self._retained = self._message(STARTED, None)
        self._publish()

    def rows(self) -> list[dict[str, Any]]:
        """The active ones, for people and programs."""
        return [message.row(alarm) for alarm in self._board.active()]

    def counts(self) -> dict[str, dict[str, int]]:
        """How often each was `raised`, and what became of what the `webhook` was told."""
        sent = dict.fromkeys(webhook.OUTCOMES, 0)
        if self._webhook is not None:
            sent |= self._webhook.counts
        return {"raised": dict(self._board.raised_count), "webhook": sent}

    def _tell(self, event: Event) -> None:
        log(event)
        body = self._message(event.what, event)
        self._retained = body
        if self._webhook is not None:
            self._webhook.tell(body)

    def _publish(self) -> None:
        """Give the broker the newest message, again on every new connection: the embedded one
        begins with an empty store."""
        gateway = self._gateway
        if not gateway.config.alarms.mqtt or self._retained is None or not gateway.link.up:
            return
        wanted = (gateway.link.connects, self._retained)
        if wanted != self._given:
            topic = permissions.alarm_topic(gateway.config.site, gateway.identity.kid)
            if gateway.link.publish(topic, self._retained, retain=True):
                self._given = wanted

    def _message(self, what: str, event: Event | None) -> bytes:
        gateway = self._gateway
        own = gateway.epoch.party_of(gateway.identity.kid)
        sender = Sender(
            gateway.epoch.ledger_id.hex(),
            gateway.identity.kid.hex(),
            "" if own is None else own.name,
            gateway.config.site,
        )
        now_ms = gateway.clock.now_ms()
        return message.encode(sender, what, event, self._board.active(), now_ms)


def log(event: Event) -> None:
    """A line of the log for an event."""
    alarm = event.alarm
    tell = _log.error if alarm.severity == CRITICAL else _log.warning
    fields = {"severity": alarm.severity, "found": alarm.text, "advice": alarm.advice}
    if event.what == RAISED:
        tell("alarm raised", alarm=alarm.name, **fields)
    elif event.what == CLEARED:
        _log.info("alarm cleared", alarm=alarm.name)
    else:
        tell("alarm repeated", alarm=alarm.name, **fields)
