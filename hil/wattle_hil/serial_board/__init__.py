"""Boards at the end of a serial cable, emulated: what a technician's tool talks to.

A board is a flash memory and two programs behind one pty: the ESP32's serial loader (`rom_loader`),
which esptool drives, and a real MicroPython with a real LittleFS in that flash (`shim/raw_repl.py`
on the unix interpreter), which mpremote drives. `wattle-hil boards` serves some; tests plug them in
and out with `BoardBench`.
"""
