"""Board files: what is read of a good one, and what is said about every mistake in one."""

from wattle_meter import board_file
from wattle_meter.board_file import BoardFile
from wattle_meter.fields import FieldError, Fields


def good(chip="esp32"):
    """A file that has everything; the pins do on all three chips."""
    pins = {"esp32": (25, 26, 27, 32, 33, 2, 0, 14), "esp32s3": (4, 5, 6, 7, 8, 45, 0, 9)}
    tx, rx, direction, relay, other, led, button, power = pins.get(chip, (4, 5, 6, 7, 10, 8, 9, 3))
    return {
        "format": 1,
        "name": "Bench board",
        "chip": chip,
        "sources": ["its makers"],
        "uart": {"number": 1, "tx": tx, "rx": rx, "direction": direction},
        "relays": [{"pin": relay}, {"pin": other, "active_low": 1}],
        "led": {"pin": led, "kind": "ws2812"},
        "button": {"pin": button},
        "set": [{"pin": power, "value": 1}],
        "strapping": [led, button],
        "reserved": [1] if chip == "esp32c3" else [13],
    }


def read(top, chip=None):
    return BoardFile(Fields(top, "b.json:"), chip)


def refused(top, *words, chip=None):
    try:
        read(top, chip)
    except FieldError as error:
        for word in words:
            assert word in str(error), "%s lacks %r" % (error, word)
        return
    raise AssertionError("accepted, expected %r" % (words,))


def changed(place, value, chip="esp32"):
    """The good file with another value at `place`, a key or keys joined by dots."""
    top = good(chip)
    here = top
    *path, last = place.split(".")
    for key in path:
        here = here[int(key)] if isinstance(here, list) else here[key]
    here[last] = value
    return top


def test_everything_is_read():
    found = read(good(), "esp32")
    assert found.chip == "esp32"
    assert found.uart == (1, 25, 26, 27)
    assert found.relays == [(32, 0), (33, 1)]
    assert found.led == (2, "ws2812", 0)
    assert found.button == (0, 1, 1)
    assert found.outputs == [(14, 1)]
    for chip in ("esp32s3", "esp32c3"):
        assert read(good(chip), chip).chip == chip


def test_what_may_be_left_out():
    top = good()
    for key in ("relays", "led", "button", "set", "strapping", "reserved"):
        del top[key]
    del top["uart"]["direction"]
    found = read(top)
    assert found.uart == (1, 25, 26, None)
    assert (found.relays, found.led, found.button, found.outputs) == ([], None, None, [])
    for key in ("format", "name", "chip", "sources", "uart"):
        lacking = good()
        del lacking[key]
        refused(lacking, "b.json: " + key)


def test_pins_that_the_chip_does_not_have():
    refused(changed("uart.tx", 24), "uart.tx: 24", "esp32", "has no 24")
    refused(changed("uart.tx", 40), "uart.tx: 40", "0 to 39")
    refused(changed("uart.tx", 22, "esp32s3"), "has no 22")
    refused(changed("uart.tx", 22, "esp32c3"), "0 to 21")
    refused(changed("reserved", [20]), "reserved", "has no 20")


def test_pins_that_only_read():
    refused(changed("uart.tx", 34), "uart.tx: 34", "drive")
    refused(changed("uart.direction", 35), "uart.direction: 35", "drive")
    refused(changed("led.pin", 36), "led.pin: 36", "drive")
    refused(changed("relays.1.pin", 39), "relays[1].pin: 39", "drive")
    assert read(changed("uart.rx", 34)).uart[2] == 34
    top = good()
    top["button"] = {"pin": 34, "pull": 1}
    top["strapping"] = [2]
    refused(top, "button.pull: 1", "34 has no resistor")
    del top["button"]["pull"]
    assert read(top).button == (34, 1, 0)


def test_pins_of_the_flash():
    for chip, pin in (("esp32", 6), ("esp32", 11), ("esp32s3", 29), ("esp32c3", 12)):
        refused(changed("uart.rx", pin, chip), "uart.rx: %d" % pin, "flash")


def test_pins_of_the_console():
    for chip, pin in (("esp32", 1), ("esp32", 3), ("esp32s3", 20), ("esp32s3", 43)):
        refused(changed("uart.rx", pin, chip), "uart.rx: %d" % pin, "console")
    refused(changed("uart.number", 0), "uart.number: 0", "1 to 2")
    refused(changed("uart.number", 2, "esp32c3"), "uart.number: 2", "1 to 1")


def test_pins_that_decide_how_the_chip_starts_must_be_named():
    refused(changed("strapping", [2]), "button.pin: 0", "strapping")
    refused(changed("strapping", [0]), "led.pin: 2", "strapping")
    refused(changed("strapping", [0, 2, 5]), "strapping", "not 5")  # not used
    refused(changed("strapping", [0, 2, 25]), "strapping", "not 25")  # used, but none
    refused(changed("uart.tx", 12), "uart.tx: 12", "how the chip starts")


def test_a_pin_does_one_thing():
    refused(changed("uart.rx", 25), "uart.rx: 25", "25 is uart.tx")
    refused(changed("relays.1.pin", 32), "relays[1].pin: 32", "32 is relays[0].pin")
    refused(changed("uart.tx", 13), "uart.tx: 13", "13 is reserved")
    refused(changed("set.0.pin", 27), "set[0].pin: 27", "27 is uart.direction")
    refused(changed("reserved", [13, 13]), "13 is reserved")


def test_what_is_misspelt_or_of_another_kind():
    refused(changed("leds", {"pin": 4}), "b.json: leds", "unknown key")
    refused(changed("uart.dir", 4), "uart.dir", "unknown key")
    refused(changed("led.colour", 1), "led.colour", "unknown key")
    refused(changed("button.hold", 1), "button.hold", "unknown key")
    refused(changed("relays.0.inverted", 1), "relays[0].inverted", "unknown key")
    refused(changed("led.kind", "neon"), "led.kind", "plain, ws2812")
    refused(changed("relays", [{}] * 9), "relays", "0 to 8")
    refused(changed("sources", []), "sources", "1 to 8")
    refused(changed("sources", [7]), "sources", "texts of 1 to 200 characters")
    refused(changed("format", 2), "format")
    refused(changed("relays.0.active_low", 2), "relays[0].active_low")
    refused(changed("uart.tx", True), "uart.tx")
    refused(changed("uart.tx", None), "uart.tx: nothing")
    refused(changed("strapping", ["0"]), "strapping")


def test_the_file_is_of_the_chip_that_it_runs_on():
    refused(good(), "chip: 'esp32'", "expected esp32c3", chip="esp32c3")
    refused(changed("chip", "esp8266"), "chip", "esp32, esp32s3 or esp32c3")
    refused(changed("chip", "esp32c6"), "esp32, esp32s3 or esp32c3")
    for machine, chip in (
        ("Generic ESP32 module with ESP32", "esp32"),
        ("M5Stack ATOM with ESP32-PICO-D4", "esp32"),
        ("Generic ESP32S3 module with ESP32S3", "esp32s3"),
        ("ESP32C3 module with ESP32C3", "esp32c3"),
        ("ESP32-C6 module with ESP32-C6", "esp32c6"),
        ("Olimex ESP32 EVB with ESP32", "esp32"),
    ):
        assert board_file.chip_of(machine) == chip, machine


def test_a_file_that_is_not_there_is_named():
    try:
        board_file.load("/nonexistent/of-mine.json")
    except OSError as error:
        assert "of-mine.json" in str(error)
        return
    raise AssertionError("read")
