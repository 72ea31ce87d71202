"""The root of every error that the meter's firmware raises.

Each module declares its own kinds beside the code that raises them.
"""


class MeterError(Exception):
    """Something that the firmware met and that its caller can handle."""
