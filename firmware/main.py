"""MicroPython runs this at every start of an ESP32 board: it chooses the version and starts it.

No update replaces it, so it imports nothing that one does. Versions lie in the data partition
"romfs" (docs.micropython.org, "romfs"), in three equal parts: what a technician installed, and two
slots for updates. `flash_slots` of whichever version runs writes there.
"""

import sys

import boot_choice
import esp32
import machine
import vfs

_NAMESPACE = "wattle"  # of nvs_store, as is the byte in front of each value
_MARK_BYTES = 1
_RECORD_BYTES_MAX = 64
_SLOTS = 3
_SECTOR_BYTES = 4096
_MOUNT = "/slot"
# As installed: one linked program, or, where the firmware is frozen from its sources, this module.
_INSTALLED = ("wattle", "esp32_board")
# A version on trial that hangs before it has a watchdog of its own; keys take a board 2 s.
_WATCHDOG_MS = 60000


def choose() -> tuple[str, bool]:
    """(module to start or "" for what was installed, whether it is on trial); mounts its slot in
    front of the search path.
    """
    store = esp32.NVS(_NAMESPACE)
    buffer = bytearray(_RECORD_BYTES_MAX)
    try:
        length = store.get_blob(boot_choice.RECORD_KEY, buffer)
    except OSError:  # there has been no update
        length = _MARK_BYTES
    record = bytes(buffer[_MARK_BYTES:length])
    slot, changed = boot_choice.choose(record)
    if changed != record:
        store.set_blob(boot_choice.RECORD_KEY, bytes(buffer[:_MARK_BYTES]) + changed)
        store.commit()
    on_trial = boot_choice.is_on_trial(changed)
    if not slot:
        return "", on_trial
    try:
        return _mount(slot), on_trial
    except (OSError, ValueError) as error:
        print("slot %d:" % slot, error)
        if on_trial:
            machine.reset()
        store.set_blob(
            boot_choice.RECORD_KEY, bytes(buffer[:_MARK_BYTES]) + boot_choice.slot_lost(record)
        )
        store.commit()
        return "", False


def _mount(slot: int) -> str:
    whole = vfs.rom_ioctl(2, 0)  # the partition as memory: code runs where it lies
    size = len(whole) // _SLOTS // _SECTOR_BYTES * _SECTOR_BYTES
    image = whole[slot * size : (slot + 1) * size]
    vfs.mount(vfs.VfsRom(image), _MOUNT)  # type: ignore[attr-defined]  # newer than the stubs
    sys.path.insert(0, _MOUNT)
    with open(_MOUNT + "/entry") as file:
        entry: str = file.read()
    return entry


def start(entry: str) -> None:
    """Runs the program; returns if a person must mend something."""
    try:
        program = __import__(entry or _INSTALLED[0])
    except ImportError:
        if entry:
            raise
        program = __import__(_INSTALLED[1])
    program.main()


def main() -> None:
    """Starts the version that is due. One on trial that ends, however it does, has had its try."""
    entry, on_trial = choose()
    if on_trial:
        machine.WDT(timeout=_WATCHDOG_MS)
    try:
        start(entry)
    except Exception as error:
        sys.print_exception(error)
    if on_trial:
        machine.reset()


main()
