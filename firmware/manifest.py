"""What is frozen into the firmware image of an ESP32 (docs.micropython.org, "manifest files").

    make -C ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=<this file>

opt=3: without line numbers and asserts, a fifteenth of the code. A traceback in a log still names
file and function, and functions are short; the asserts have done their work in the tests.
Of the wire a board carries what it uses: the rest reads what meters write.
"""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821 - names that the build provides
package(  # noqa: F821
    "wattle_wire",
    (
        "__init__.py",
        "cbor.py",
        "comb_p256.py",
        "cose.py",
        "curve_p256.py",
        "downlink.py",
        "errors.py",
        "mac.py",
        "p256.py",
        "quantity.py",
        "sample.py",
        "structure.py",
        "topics.py",
        "update.py",
        "uplink_writer.py",
    ),
    base_path="../protocol",
    opt=3,
)
package("wattle_meter", opt=3)  # noqa: F821
for module_file in (
    "esp32_board.py",
    "flash_slots.py",
    "nvs_store.py",
    "panel.py",
    "serial_port.py",
):
    module(module_file, base_path="boards/esp32", opt=3)  # noqa: F821
module("boot_choice.py", opt=3)  # noqa: F821
module("main.py", opt=3)  # noqa: F821
