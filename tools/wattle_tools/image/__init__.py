"""The firmware as a board carries it: which files, compiled, and as a read-only file system.

firmware = build.image(checkout / "firmware", "esp32")
firmware.files      # path on the board -> bytes
romfs.rom_image(firmware.files)
"""
