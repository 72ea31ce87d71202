"""The ESP32's board over a fake chip: pins, LED, button, radio, clock, causes of a start."""

from wattle_meter import board, board_file
from wattle_meter.fields import FieldError, Fields
from wattle_meter.line import Line
from wattle_testkit import chip_fakes
from wattle_testkit.chip_fakes import MACHINE, Pin, Rtc, Uart, Wdt, Wlan
from wattle_testkit.meter_fakes import FakeClock, run

FILE = {
    "format": 1,
    "name": "Bench board",
    "chip": "esp32",
    "sources": ["its makers"],
    "uart": {"number": 1, "tx": 25, "rx": 26, "direction": 27},
    "relays": [{"pin": 32}, {"pin": 33, "active_low": 1}],
    "led": {"pin": 4},
    "button": {"pin": 21},
    "set": [{"pin": 16, "value": 1}, {"pin": 17, "value": 0}],
}
WIFI = {"ssid": "substation", "password": "12345678"}
FLASH, PAUSE = 100, 3000  # ms that the LED is on; how long a turn takes


def read(**changes):
    top = dict(FILE)
    top.update(changes)
    return board_file.BoardFile(Fields(top, "b.json:"))


def made(file=None):
    """(module, board, its clock), the line opened with `file`."""
    clock = FakeClock(1000)
    module = chip_fakes.board_module(clock)
    found = module.Esp32Board()
    asked = []

    def load(path, chip):
        asked.append((path, chip))
        return file or read()

    module.board_file.load, real = load, module.board_file.load
    try:
        settings = Fields({"file": "bench", "wifi": WIFI}, "config.json: board")
        found.serial_port(Line(19200), settings)
    finally:
        module.board_file.load = real
    assert asked == [("/boards/bench.json", "esp32")]
    assert found.platform == "esp32, micropython 1.25.0"
    return module, found, clock


def test_the_file_says_which_pin_does_what():
    _, found, _ = made()
    assert Uart.made == [(1, 25, 26, 27, 19200)]
    assert Pin.levels == {16: 1, 17: 0, 4: 0}
    assert (21, Pin.IN, Pin.PULL_UP) in Pin.made
    relay, other = found.relay(0), found.relay(1)
    assert (Pin.levels[32], Pin.levels[33]) == (0, 1)  # both off
    relay.switch(True)
    other.switch(True)
    assert (Pin.levels[32], Pin.levels[33]) == (1, 0)
    try:
        found.relay(2)
    except FieldError as error:
        assert "relay 2" in str(error)
        return
    raise AssertionError("a third relay")


def test_the_configuration_names_a_file_and_a_network():
    clock = FakeClock()
    found = chip_fakes.board_module(clock).Esp32Board()
    for settings, word in (
        ({"wifi": WIFI}, "board.file"),
        ({"file": "x"}, "board.wifi.ssid"),
        ({"file": "x", "wifi": WIFI, "uart": {}}, "board.uart"),
    ):
        try:
            found.serial_port(Line(), Fields(settings, "config.json: board"))
        except FieldError as error:
            assert word in str(error)
            continue
        raise AssertionError(word)


class EndOfTimeError(Exception):
    """A clock that ends has come to its end."""


class Ending(FakeClock):
    """A clock that ends at `end_ms`."""

    def __init__(self, end_ms):
        super().__init__()
        self.end_ms = end_ms

    async def sleep_ms(self, ms):
        await super().sleep_ms(ms)
        if self.now_ms >= self.end_ms:
            raise EndOfTimeError


def flashes(history, lit):
    """How often the LED went on in each turn, from [(ms, level)]."""
    turns = {}
    for at_ms, level in history:
        if level == lit:
            turns[at_ms // PAUSE] = turns.get(at_ms // PAUSE, 0) + 1
    return turns


class Watched(FakeClock):
    """Notes what the LED does, and presses the button: `presses` are (from ms, to ms)."""

    def __init__(self, presses):
        super().__init__()
        self.presses = presses
        self.seen = []
        self._known = 0

    async def sleep_ms(self, ms):
        for _, level in Pin.history[self._known :]:
            self.seen.append((self.now_ms, level))
        self._known = len(Pin.history)
        await super().sleep_ms(ms)
        Pin.levels[21] = 0 if any(a <= self.now_ms < b for a, b in self.presses) else 1


def test_the_led_counts_out_what_is_wrong():
    for reads, sends, times in (
        (True, True, 1),
        (True, False, 2),
        (False, True, 3),
        (False, False, 4),
    ):
        module, _, _ = made()
        clock = Watched([(12000, 99999)])
        Pin.history.clear()
        panel = module.Panel(read(), clock)
        panel.show(reads, sends)
        run(panel.run())
        turns = flashes(clock.seen, 1)
        assert [turns.get(turn, 0) for turn in (1, 2, 3)] == [times] * 3
        assert Pin.levels[4] == 1  # it stays on when the meter stops


def test_the_button_must_be_held():
    module, _, _ = made()
    clock = Watched([(500, 2300), (3000, 4000), (8000, 10000)])
    run(module.Panel(read(), clock).run())
    assert 9900 <= clock.now_ms <= 10100


def test_leds_of_other_kinds():
    module, _, _ = made()
    panel = module.Panel(read(led={"pin": 4, "active_low": 1}), FakeClock())
    assert Pin.levels[4] == 1
    panel.light(True)
    assert Pin.levels[4] == 0
    panel = module.Panel(read(led={"pin": 4, "kind": "ws2812"}), FakeClock())
    panel.light(True)
    panel.light(False)
    assert [pin for pin, _ in MACHINE.strip] == [4, 4]
    assert [any(data) for _, data in MACHINE.strip] == [True, False]


def test_a_board_without_led_and_button_runs_all_the_same():
    top = dict(FILE)
    del top["led"], top["button"]
    module, _, _ = made()
    clock = Ending(60000)
    panel = module.Panel(board_file.BoardFile(Fields(top, "b.json:")), clock)
    panel.show(True, True)
    panel.light(True)
    try:
        run(panel.run())
    except EndOfTimeError:
        return
    raise AssertionError("stopped by nobody")


def join(found):
    """Whether the radio joins."""
    try:
        run(found._associate())
    except OSError as error:
        assert "substation" in str(error)
        return False
    return True


def test_the_network_is_joined_when_it_comes_and_after_it_was_gone():
    _, found, clock = made()
    assert not join(found)  # there is none
    assert 15000 <= clock.now_ms - 1000 <= 15200
    Wlan.joins_after_ms = 3000
    assert join(found)
    calls = len(Wlan.calls)
    assert join(found)  # it is joined: nothing to do
    assert len(Wlan.calls) == calls
    Wlan.wanted_at = None  # gone, with whoever served it
    assert join(found)
    assert Wlan.calls[-1] == ("substation", "12345678")


def test_a_radio_that_finds_nothing_for_long_is_switched_off_and_on():
    _, found, _ = made()
    Wlan.calls.clear()
    for _ in range(20):
        assert not join(found)
    assert "off" not in Wlan.calls
    assert not join(found)
    assert Wlan.calls[20:22] == ["off", "on"]
    for _ in range(19):
        assert not join(found)
    assert Wlan.calls.count("off") == 1


def test_causes_of_a_start_as_micropython_tells_them():
    _, found, _ = made()
    told = []
    for cause in (1, 2, 3, 4, 5, 0):
        MACHINE.cause = cause
        told.append(found.reset_cause())
    assert told == [
        board.RESET_POWER,
        board.RESET_SOFTWARE,
        board.RESET_WATCHDOG,
        board.RESET_UNKNOWN,
        board.RESET_SOFTWARE,
        board.RESET_UNKNOWN,
    ]


def test_the_signal_is_told_while_there_is_one():
    _, found, _ = made()
    assert found.rssi_dbm() is None
    Wlan.joins_after_ms = 0
    assert join(found)
    assert found.rssi_dbm() == -61
    Wlan.rssi = 7
    assert found.rssi_dbm() == 0


def test_names_are_asked_of_whom_the_network_names():
    _, found, _ = made()
    assert found._servers() == []
    Wlan.name_server = "10.0.0.1"
    assert found._servers() == ["10.0.0.1"]
    assert (
        run(found._names.address_of("gateway")) == "gateway"
    )  # without a dot: the chip's business


def test_proved_time_goes_to_the_clock_that_tls_asks():
    module, found, _ = made()
    real = module.time
    for offset_s in (946684800, 0):

        class Epoch:
            """The time module of a port that counts from 2000, or from 1970."""

            @staticmethod
            def gmtime(seconds, offset_s=offset_s):
                if seconds == 0:
                    return (2000 if offset_s else 1970, 1, 1, 0, 0, 0, 5, 1)
                assert seconds + offset_s == 1700000000
                return (2023, 11, 14, 22, 13, 20, 1, 318)

        module.time = Epoch
        found.time_proved(1700000000999)
    module.time = real
    assert Rtc.set_to == [(2023, 11, 14, 1, 22, 13, 20, 0)] * 2


def test_the_watchdog_is_fed_once_it_is_there():
    module, found, _ = made()
    Wdt.fed = 0
    found.feed_watchdog()
    assert Wdt.fed == 0
    clock = Watched([(0, 5000)])
    found._panel = module.Panel(read(), clock)
    run(found.stop_requested())  # the button
    found.feed_watchdog()
    assert Wdt.fed == 1
