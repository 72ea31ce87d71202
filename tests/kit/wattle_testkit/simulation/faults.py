"""When what goes wrong: drawn before the run, planned on its timeline, over when it heals."""

from functools import partial
from random import Random

from wattle_testkit.simulation.disk import Image
from wattle_testkit.simulation.gateway import SimGateway
from wattle_testkit.simulation.meter import SimMeter
from wattle_testkit.simulation.network import Network
from wattle_testkit.simulation.options import Options
from wattle_testkit.simulation.timeline import Timeline

DOWN_MS = (100, 12_000)
PARTITION_MS = (1_000, 15_000)
JUMP_MS = 3_600_000
# Nothing goes wrong before: the first blocks are out and the first meters enrolled.
FIRST_MS = 3_000


class Faults:
    """The faults of one run."""

    def __init__(
        self,
        options: Options,
        timeline: Timeline,
        network: Network,
        random: Random,
    ) -> None:
        self._options = options
        self._timeline = timeline
        self._network = network
        self._random = random

    def plan(
        self,
        sound: list[SimGateway],
        wiped: list[SimGateway],
        restored: list[SimGateway],
        meters: list[SimMeter],
    ) -> None:
        """Plan all of them. `sound` members keep the rules and their disks, `wiped` ones lose
        theirs, `restored` ones get an older copy back."""
        options, random, at = self._options, self._random, self._timeline.at
        for number in range(options.crashes):
            gateway = random.choice(sound)
            torn = number < options.torn_commits
            at(self._some_time(), partial(self._crash, gateway, torn))
        for gateway in wiped:
            at(self._some_time(), partial(self._wipe, gateway))
        for gateway in restored:
            early = random.randint(FIRST_MS, options.faults_ms // 2)
            at(early, partial(self._copy, gateway))
        for _ in range(options.flaps):
            gateway = random.choice(sound)
            at(self._some_time(), partial(self._network.flap, gateway.address))
        for _ in range(options.clock_jumps):
            gateway = random.choice(sound)
            by_ms = random.choice((-JUMP_MS, JUMP_MS))
            at(self._some_time(), partial(gateway.clock.jump, by_ms))
        for _ in range(options.meter_cuts):
            at(self._some_time(), random.choice(meters).cut_power)
        self._plan_partitions([*sound, *wiped, *restored])

    def _some_time(self) -> int:
        return self._random.randint(FIRST_MS, self._options.faults_ms)

    def _plan_partitions(self, members: list[SimGateway]) -> None:
        """One after the other: `heal` opens all ways."""
        begin = FIRST_MS
        for _ in range(self._options.partitions):
            begin += self._random.randint(0, self._options.faults_ms // 3)
            end = begin + self._random.randint(*PARTITION_MS)
            self._timeline.at(begin, lambda: self._part(members))
            self._timeline.at(end, self._network.heal)
            begin = end

    def _part(self, members: list[SimGateway]) -> None:
        random = self._random
        here = {member.address for member in members if random.random() < 0.5}
        both = random.random() < 0.5
        ways = [
            (one.address, other.address)
            for one in members
            for other in members
            if (one.address in here) != (other.address in here) and (both or one.address in here)
        ]
        self._network.cut(ways)

    def _crash(self, gateway: SimGateway, torn: bool) -> None:
        if not gateway.is_up or gateway.cut_at_commit:
            return
        if torn:
            gateway.cut_at_commit = True
            gateway.on_cut = self._start_later
        else:
            gateway.stop()
            self._start_later(gateway)

    def _start_later(self, gateway: SimGateway) -> None:
        gateway.on_cut = None
        self._timeline.after(self._random.randint(*DOWN_MS), gateway.start)

    def _wipe(self, gateway: SimGateway) -> None:
        gateway.lose_disk()
        self._start_later(gateway)

    def _copy(self, gateway: SimGateway) -> None:
        image = gateway.disk.image()
        after_ms = self._random.randint(1_000, self._options.faults_ms // 2)
        self._timeline.after(after_ms, lambda: self._restore(gateway, image))

    def _restore(self, gateway: SimGateway, image: Image) -> None:
        gateway.lose_memory_since(image)
        self._start_later(gateway)
