"""Time servers: what is an answer, what it does to the clock, and when the next is asked."""

import asyncio

from wattle_meter import sntp
from wattle_meter.board import Board, Random
from wattle_meter.clock import WallClock
from wattle_meter.sntp import SntpError, TimeServers
from wattle_testkit.meter_fakes import LoopClock, settle

NONCE = b"\x01\x02\x03\x04\x05\x06\x07\x08"
T = 1700006400123


def answer(unix_ms=T, nonce=NONCE, first=0x24, stratum=2):
    seconds = (unix_ms // 1000 + 2208988800) & 0xFFFFFFFF
    fraction = -(-((unix_ms % 1000) << 32) // 1000)
    times = seconds.to_bytes(4, "big") + fraction.to_bytes(4, "big")
    return bytes((first, stratum)) + bytes(22) + nonce + bytes(8) + times


def refused(packet):
    try:
        sntp.unix_ms(packet, NONCE)
    except SntpError as error:
        return str(error)
    raise AssertionError("accepted")


def test_question():
    packet = sntp.request(NONCE)
    assert len(packet) == 48
    assert packet[0] == 0x23
    assert packet[1:40] == bytes(39)
    assert packet[40:] == NONCE


def test_answers():
    assert sntp.unix_ms(answer(), NONCE) == T
    assert sntp.unix_ms(answer() + bytes(20), NONCE) == T  # with an authenticator behind it
    # the count of seconds begins again on 2036-02-07T06:28:16Z
    for unix_ms in (0, 946684800000, 2085978495999, 2085978497000, 2208988800000):
        assert sntp.unix_ms(answer(unix_ms), NONCE) == unix_ms


def test_what_is_no_answer():
    assert refused(answer()[:47]) == "47 bytes, expected 48"
    assert refused(b"") == "0 bytes, expected 48"
    assert "no answer to our question" in refused(answer(nonce=bytes(8)))
    assert "no answer to our question" in refused(answer(first=0x23))  # another client's question
    assert "no answer to our question" in refused(answer(first=0x25))  # broadcast
    assert "no time" in refused(answer(first=0xE4))  # leap 3: its clock is not set
    assert "stratum 0" in refused(answer(stratum=0))  # kiss-o'-death
    assert "stratum 16" in refused(answer(stratum=16))
    assert "no time" in refused(answer()[:40] + bytes(8))


class FixedRandom(Random):
    """Always the same bytes, and the longest wait."""

    def bytes(self, count):
        return NONCE[:count]

    def below(self, limit):
        return limit - 1


class FakeBoard(Board):
    """Hosts answer as `speak(host, question)` says, after `delay_ms`."""

    def __init__(self):
        self.clock = LoopClock()
        self.random = FixedRandom()
        self.asked = []
        self.delay_ms = 0
        self.speak = lambda host, question: answer(nonce=question[40:])

    def uptime_ms(self):
        return self.clock.now_ms

    async def ask(self, host, port, question, timeout_ms):
        assert port == 123
        self.asked.append((self.clock.now_ms, host))
        if self.delay_ms:
            await self.clock.sleep_ms(self.delay_ms)
        return self.speak(host, question)

    def log(self, level, text):
        pass


class Bench:
    """Two time servers and a clock that knows nothing."""

    def __init__(self):
        self.board = FakeBoard()
        self.wall = WallClock(self.board.uptime_ms())
        self.jumps = []
        self.servers = TimeServers(self.board, ["one", "two"], self.wall, self.jumps.append)

    def now_ms(self):
        return self.wall.now_ms(self.board.uptime_ms())


def scene(script):
    """Runs `script(bench)` beside the task of the time servers."""

    async def play():
        bench = Bench()
        task = asyncio.create_task(bench.servers.run())
        await settle()
        try:
            await script(bench)
        finally:
            task.cancel()
            await settle()

    asyncio.run(play())


def test_an_answer_informs_the_clock():
    async def script(bench):
        assert bench.now_ms() == T
        assert bench.wall.state(bench.board.uptime_ms()) == "I"
        assert len(bench.jumps) == 1
        await bench.board.clock.advance(sntp.AGAIN_AFTER_MS - 1)
        assert len(bench.board.asked) == 1
        await bench.board.clock.advance(1)
        assert len(bench.board.asked) == 2
        assert bench.servers.counts == {"sntp_answers": 2, "sntp_failures": 0}

    scene(script)


def test_half_of_the_way_counts():
    async def script(bench):
        bench.board.delay_ms = 400
        await bench.board.clock.advance(sntp.AGAIN_AFTER_MS)
        await bench.board.clock.advance(400)
        assert bench.now_ms() == T + 200

    scene(script)


def test_failures_go_round_the_servers_and_never_closer_than_ten_seconds():
    async def script(bench):
        bench.board.speak = lambda host, question: b""
        bench.board.asked.clear()
        await bench.board.clock.advance(sntp.AGAIN_AFTER_MS + 3600000)
        hosts = [host for _, host in bench.board.asked]
        assert hosts[:4] == ["one", "two", "one", "two"]
        times = [at_ms for at_ms, _ in bench.board.asked]
        waits = [after - before for before, after in zip(times, times[1:])]
        assert min(waits) >= sntp.RETRY_BASE_MS // 2
        assert max(waits) <= sntp.RETRY_CEILING_MS
        assert bench.servers.counts["sntp_failures"] == len(hosts)
        assert bench.wall.state(bench.board.uptime_ms()) == "I"

    scene(script)


def test_a_network_that_is_not_there_is_waited_for():
    async def script(bench):
        def lost(host, question):
            raise OSError("no network")

        bench.board.speak = lost
        await bench.board.clock.advance(sntp.AGAIN_AFTER_MS)
        bench.board.speak = lambda host, question: answer(T + 5000, question[40:])
        await bench.board.clock.advance(sntp.RETRY_BASE_MS)
        assert bench.servers.counts == {"sntp_answers": 2, "sntp_failures": 1}

    scene(script)


def test_a_clock_that_a_gateway_has_set_is_left_alone():
    async def script(bench):
        bench.wall.ask(bench.board.uptime_ms(), bytes(16))
        bench.wall.answer(bench.board.uptime_ms(), bytes(16), T + 7000)
        before = bench.now_ms()
        await bench.board.clock.advance(3 * sntp.AGAIN_AFTER_MS)
        assert len(bench.board.asked) == 1
        assert bench.now_ms() - before == 3 * sntp.AGAIN_AFTER_MS

    scene(script)
