"""Who may publish and subscribe to what, in MQTT terms: one rule book for every broker.

Nobody gets anything on broker-internal topics. nats-server keeps MQTT sessions, retained and
QoS 1 messages under `$MQTT.>`; a grant there (older guides ask for one) would let a meter read
and inject others' messages, and nats-server >= 2.12.3 needs none.
"""

from dataclasses import dataclass

from wattle_wire import topics

UPLINK_LEAVES = (topics.SAMPLE, topics.BIRTH, topics.STATE)
DOWNLINK_LEAVES = (topics.ACK, topics.CMD)
# Of a gateway, at the place of a meter its kid: no meter publishes or reads it (SPEC section 8).
ALARM_LEAF = "alarm"


@dataclass(frozen=True, order=True)
class MeterAccess:
    """A meter that may connect: its id is the common name of its certificate."""

    meter: str
    site: str

    def publishes(self) -> list[str]:
        """The topics it may publish."""
        return [topics.topic(self.site, self.meter, leaf) for leaf in UPLINK_LEAVES]

    def subscribes(self) -> list[str]:
        """The topics it may subscribe to."""
        return [topics.topic(self.site, self.meter, leaf) for leaf in DOWNLINK_LEAVES]


@dataclass(frozen=True)
class BrokerAccess:
    """Whom a broker lets in: these meters, under certificates of these authorities (PEM), and
    `readers` of alarms by the common names of theirs.

    An authority can put any name into a certificate, so what a name opens is availability and
    never truth: samples are judged by their own signatures.
    """

    meters: frozenset[MeterAccess]
    authorities: tuple[bytes, ...]
    readers: frozenset[str] = frozenset()


def alarm_topic(site: str, gateway: bytes) -> str:
    """Where the gateway of this kid publishes its alarms."""
    return f"wattle/1/{topics.check_site(site)}/{topics.meter_id(gateway)}/{ALARM_LEAF}"


def reader_subscribes() -> list[str]:
    """The topic filters that a reader of alarms may subscribe to; it publishes nothing."""
    return [f"wattle/1/+/+/{ALARM_LEAF}"]


def gateway_publishes() -> list[str]:
    """The topic filters the gateway may publish to."""
    return [f"wattle/1/+/+/{leaf}" for leaf in (*DOWNLINK_LEAVES, ALARM_LEAF)]


def gateway_subscribes() -> list[str]:
    """The topic filters the gateway subscribes to."""
    return [f"wattle/1/+/+/{leaf}" for leaf in UPLINK_LEAVES]
