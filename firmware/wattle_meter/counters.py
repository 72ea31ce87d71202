"""Energy counters only ever rise; one that falls has rolled over or is another one; pure."""

from wattle_wire.quantity import EXCHANGED, OUT_OF_RANGE

# A counter that fell has rolled over if that makes it a step of at most this part of its range:
# an exchanged device hits that by chance once in as many times.
_STEP_PARTS = 16


class Counters:
    """The newest value of each energy counter of one device.

    `rollovers` and `exchanges`: how often each was seen.
    """

    def __init__(self) -> None:
        self._newest: dict[str, int] = {}
        self.rollovers = 0
        self.exchanges = 0

    def judge(self, name: str, value: int, wrap: int | None) -> str | None:
        """The OCMF letter that marks the device's reading: O for a counter that rolled over,
        X for a device that was exchanged or reset, None for one that rose.

        `value` is in the wire's unit, `wrap` where the counter starts again, None if unknown.
        """
        before = self._newest.get(name)
        self._newest[name] = value
        if before is None or value >= before:
            return None
        if wrap is not None and before < wrap and (value + wrap - before) * _STEP_PARTS <= wrap:
            self.rollovers += 1
            return OUT_OF_RANGE
        self.exchanges += 1
        return EXCHANGED
