"""What is frozen into the emulated board: its start and its serial port. Programs come in a ROM
image.
"""

include("$(MPY_DIR)/extmod/asyncio")  # noqa: F821 - names that the build provides
freeze("frozen")  # noqa: F821
