"""A board's MicroPython on the unix interpreter: prompt, raw REPL, LittleFS in the flash file.

    micropython raw_repl.py FLASH MAC VERSION VFS_AT VFS_BYTES ROM_AT ROM_BYTES NVS_AT [UART]

The dialect is MicroPython's. The protocol is that of docs.micropython.org, "The MicroPython
Interactive Interpreter Mode", with raw paste. Ctrl-C reaches a running program as SIGINT, which
the bench sends. What the unix port has no part for is put in its place: `machine.unique_id`,
`vfs.rom_ioctl`, `esp32.NVS`, `network.WLAN`, `machine.UART`, and the version that the board's image
bears. With UART, a pty, the board has metering devices on its line and a wireless network, which is
this machine's; without it, neither. The process ends with its input.
"""

import gc
import sys
from collections import namedtuple

import chip_modules
import vfs

_BLOCK_BYTES = 4096
_WINDOW_BYTES = 2048  # of raw paste
_ENOMEM, _EINVAL = 12, 22
_ROM_SEGMENTS, _ROM_SEGMENT, _ROM_PREPARE, _ROM_WRITE, _ROM_DONE = 1, 2, 3, 4, 5

# A tuple whose places the firmware knows, with the interpreter's names.
Implementation = namedtuple("Implementation", ("name", "version", "_machine", "_mpy"))
flash_file = open(sys.argv[1], "r+b")
mac = bytes.fromhex(sys.argv[2])
board_version = tuple(int(part) for part in sys.argv[3].lstrip("v").split("."))
vfs_at, vfs_bytes, rom_at, rom_bytes, nvs_at = [int(word) for word in sys.argv[4:9]]
uart_file = chip_modules.opened_uart(sys.argv[9]) if len(sys.argv) > 9 else None
stdin, stdout = sys.stdin.buffer, sys.stdout.buffer


class FlashBlocks:
    """The partition of the file system, as VfsLfs2 wants a block device."""

    def readblocks(self, block, buffer, offset=0):
        flash_file.seek(vfs_at + block * _BLOCK_BYTES + offset)
        flash_file.readinto(buffer)

    def writeblocks(self, block, buffer, offset=0):
        flash_file.seek(vfs_at + block * _BLOCK_BYTES + offset)
        flash_file.write(buffer)

    def ioctl(self, operation, argument):
        if operation == 3:
            flash_file.flush()
        if operation == 4:
            return vfs_bytes // _BLOCK_BYTES
        if operation == 5:
            return _BLOCK_BYTES
        return 0


def stand_in(module):
    copy = chip_modules.PlainCopy()
    for name in dir(module):
        if not name.startswith("__"):
            setattr(copy, name, getattr(module, name))
    return copy


def rom_ioctl(operation, *arguments):
    """The ROM partition, as docs.micropython.org, "vfs", has it."""
    if operation == _ROM_SEGMENTS:
        return 1
    if arguments[0] != 0:
        return -_EINVAL
    if operation == _ROM_SEGMENT:
        return memoryview(rom_read())
    if operation == _ROM_PREPARE:
        return 4 if arguments[1] <= rom_bytes else -_ENOMEM
    if operation == _ROM_WRITE:
        flash_file.seek(rom_at + arguments[1])
        flash_file.write(arguments[2])
        return 0
    if operation == _ROM_DONE:
        flash_file.flush()
        return 0
    return -_EINVAL


def rom_read():
    flash_file.seek(rom_at)
    return flash_file.read(rom_bytes)


def dress():
    """Puts the board's own modules into the place of the unix port's."""
    chip = chip_modules.modules(mac, uart_file, flash_file, nvs_at)
    sys.modules.update(chip)
    board_sys = stand_in(sys)
    board_sys.platform = "esp32"
    board_sys.implementation = Implementation(
        "micropython", board_version, "emulated board with ESP32", sys.implementation._mpy
    )
    sys.modules["sys"] = board_sys
    if rom_bytes:
        board_vfs = stand_in(vfs)
        board_vfs.rom_ioctl = rom_ioctl
        sys.modules["vfs"] = board_vfs


def mount():
    """Mounts the file system; one that is none is made anew."""
    blocks = FlashBlocks()
    try:
        files = vfs.VfsLfs2(blocks)
    except OSError:
        vfs.VfsLfs2.mkfs(blocks)
        files = vfs.VfsLfs2(blocks)
    vfs.mount(files, "/")


def mount_rom():
    """As at every start, soft or not: the partition may have been written."""
    sys.path[:] = ["", ".frozen", "/lib"]
    if not rom_bytes:
        return
    try:
        vfs.umount("/rom")
    except OSError:
        pass
    try:
        vfs.mount(vfs.VfsRom(memoryview(rom_read())), "/rom")
        sys.path.extend(["/rom", "/rom/lib"])
    except OSError:
        pass


def say(text):
    stdout.write(text)


def print_error(error):
    sys.print_exception(error, sys.stdout)


def renew():
    """What no Ctrl-C interrupts on a board."""
    while True:
        try:
            for name in list(sys.modules):
                del sys.modules[name]
            # Closes the files that nobody holds any more, as a soft reset does.
            gc.collect()
            mount_rom()
            dress()
            return
        except KeyboardInterrupt:
            pass


def start(names):
    """A soft start: the modules of the last run are forgotten; then boot.py and, if asked, main."""
    renew()
    for name in names:
        try:
            with open(name) as file:
                source = file.read()
        except OSError:
            continue
        try:
            exec(compile(source, name, "exec"), {"__name__": "__main__"})
        except (Exception, KeyboardInterrupt) as error:
            print_error(error)


def take():
    """A byte of the host; the board is gone when there is none."""
    byte = stdin.read(1)
    if not byte:
        sys.exit(0)
    return byte


def take_paste():
    """A program in raw paste, acknowledged window by window."""
    say(b"R\x01" + bytes([_WINDOW_BYTES & 255, _WINDOW_BYTES >> 8]) + b"\x01")
    source = bytearray()
    remaining = _WINDOW_BYTES
    while True:
        byte = take()
        if byte == b"\x04":
            say(b"\x04")
            return bytes(source)
        source += byte
        remaining -= 1
        if remaining == 0:
            remaining = _WINDOW_BYTES
            say(b"\x01")


def execute(source, names):
    """Runs a program of the raw REPL between the marks that end its output and its error."""
    error = None
    try:
        exec(compile(source, "<stdin>", "exec"), names)
    except (Exception, KeyboardInterrupt) as raised:
        error = raised
    say(b"\x04")
    if error is not None:
        print_error(error)
    say(b"\x04>")


def raw_repl():
    """Serves the raw REPL until Ctrl-B."""
    names = {"__name__": "__main__"}
    say(b"raw REPL; CTRL-B to exit\r\n>")
    line = bytearray()
    while True:
        try:
            byte = take()
            if byte == b"\x01":
                say(b"raw REPL; CTRL-B to exit\r\n>")
                line = bytearray()
            elif byte == b"\x02":
                return
            elif byte == b"\x05" and not line:
                say_paste = take() + take()
                if say_paste == b"A\x01":
                    execute(take_paste(), names)
            elif byte == b"\x04" and line:
                say(b"OK")
                source, line = bytes(line), bytearray()
                execute(source, names)
            elif byte == b"\x04":
                say(b"OK\r\nMPY: soft reboot\r\n")
                names.clear()
                names["__name__"] = "__main__"
                start(["boot.py"])
                say(b"raw REPL; CTRL-B to exit\r\n>")
            elif byte != b"\r" or line:
                line += byte
        except KeyboardInterrupt:
            line = bytearray()


def friendly_repl():
    """The prompt, as far as tools use it: Ctrl-A, Ctrl-D; what else is typed is not run."""
    banner = "MicroPython v%d.%d.%d; emulated board with ESP32\r\n>>> " % board_version[:3]
    say(banner.encode())
    while True:
        try:
            byte = take()
            if byte == b"\x01":
                raw_repl()
                say(b"\r\n" + banner.encode())
            elif byte == b"\x04":
                say(b"MPY: soft reboot\r\n")
                start(["boot.py", "main.py"])
                say(banner.encode())
            elif byte == b"\r":
                say(b"\r\n>>> ")
        except KeyboardInterrupt:
            say(b"\r\n>>> ")


vfs.umount("/")
mount()
start(["boot.py", "main.py"])
friendly_repl()
