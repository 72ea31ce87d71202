"""Which version a board starts: the one part that no update ever replaces.

It imports nothing and knows as little as it can: of the record that `wattle_meter.version` keeps,
it reads three bytes and writes one, before anything of either version runs. The record is 21 bytes:
those three, two slots of settings, the highest version tried (8 bytes), the version (8 bytes).
"""

RECORD_KEY = "version"
TRIES = 0  # byte: starts so far of the version on trial, or one of the two below
TRIAL_SLOT = 1  # byte: where the version on trial lies
SLOT = 2  # byte: where the version lies that has proved itself; 0: what the board was made with
GIVEN_UP = 0xFE
STANDS = 0xFF
TRIES_MAX = 3  # SPEC section 17


def choose(record: bytes) -> tuple[int, bytes]:
    """(slot to start, record to store before that) for the stored record, b"" if there is none.

    Stored first: a start that is cut off at once has counted.
    """
    if not record:
        return 0, record
    tries = record[TRIES]
    if tries < TRIES_MAX:
        return record[TRIAL_SLOT], bytes((tries + 1,)) + record[1:]
    if tries < GIVEN_UP:
        record = bytes((GIVEN_UP,)) + record[1:]
    return record[SLOT], record


def as_installed(record: bytes) -> bytes:
    """The record after a technician's visit: what was installed runs, with its own settings; what
    was tried stays refused.
    """
    return record and bytes((STANDS, 0, 0, 0, 0)) + record[5:13] + bytes(8)


def slot_lost(record: bytes) -> bytes:
    """The record after the slot that stands could not be read: what was installed runs, and says
    so; settings stay.
    """
    return bytes((STANDS, 0, 0)) + record[3:13] + bytes(8)


def is_on_trial(record: bytes) -> bool:
    """Whether the version that `choose` gave with this record has yet to prove itself."""
    return bool(record) and record[TRIES] < GIVEN_UP
