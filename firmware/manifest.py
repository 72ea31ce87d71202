"""What is frozen into the firmware image of an ESP32 (docs.micropython.org, "manifest files").

    make -C ports/esp32 BOARD=ESP32_GENERIC FROZEN_MANIFEST=<this file>

opt=0: asserts stay in, for they tell our own bugs apart from the world's, and so do line numbers,
for a traceback in a log is all there is to see of a board in the field. Both lie in flash.
"""

include("$(PORT_DIR)/boards/manifest.py")  # noqa: F821 - names that the build provides
package("wattle_wire", base_path="../protocol", opt=0)  # noqa: F821
package("wattle_meter", opt=0)  # noqa: F821
for module_file in ("esp32_board.py", "nvs_store.py", "serial_port.py"):
    module(module_file, base_path="boards/esp32", opt=0)  # noqa: F821
module("main.py", opt=0)  # noqa: F821
