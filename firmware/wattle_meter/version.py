"""Which version runs, which one runs if that fails, and how updates ended: one small record.

The board's start (`boot_choice`, which no update replaces) reads and writes its first bytes; both
sides change it by one write of the store, so that a power cut leaves one version or the other.
"""

import struct

from wattle_wire import update

from wattle_meter.board import Store

# tries, slot on trial, slot, settings on trial, settings, highest version tried, version
_RECORD = ">BBBBBQQ"
_KEY = "version"  # these three as boot_choice has them
_GIVEN_UP = 0xFE
_STANDS = 0xFF


class Versions:
    """The record in `store`.

    `running` version (0: what the board was made with) out of firmware slot `slot` with the
    settings of slot `settings` (0: none, as the board was made); `on_trial`: it has yet to prove
    itself; `tried`: the highest that was ever started.
    """

    def __init__(self, store: Store) -> None:
        """Raises OSError, and what the store raises for a damaged record."""
        self._store = store
        stored = store.get(_KEY)
        self._row = list(struct.unpack(_RECORD, stored)) if stored else [_STANDS] + [0] * 6
        tries, trial_slot, slot, trial_settings, settings, tried, version = self._row
        self.tried: int = tried
        self.on_trial = tries < _GIVEN_UP
        self.running = self.tried if self.on_trial else version
        self.slot = trial_slot if self.on_trial else slot
        self.settings = trial_settings if self.on_trial else settings

    def news(self) -> tuple[int, int, int] | None:
        """What the meter says of its newest update (SPEC section 17), None if nothing."""
        code = update.TRIAL
        if self._row[0] == _GIVEN_UP:
            code = update.ROLLED_BACK
        elif not self.on_trial:
            if not self.running:  # none yet, or a technician has installed this one
                return None
            code = update.CONFIRMED
        return self.tried, code, 0

    def free(self) -> tuple[int, int]:
        """(slot for firmware, slot for settings) that do not run. Not while one is on trial."""
        assert not self.on_trial
        return 2 if self.slot == 1 else 1, 2 if self.settings == 1 else 1

    def try_next(self, version: int, has_firmware: bool, has_settings: bool) -> None:
        """The next start tries `version`, which lies in the free slots. Raises OSError."""
        slot, settings = self.free()
        self._save(
            0,
            slot if has_firmware else self.slot,
            self.slot,
            settings if has_settings else self.settings,
            self.settings,
            version,
            self.running,
        )

    def confirm(self) -> None:
        """What is on trial has proved itself. Raises OSError."""
        self._save(
            _STANDS, self.slot, self.slot, self.settings, self.settings, self.tried, self.tried
        )
        self.on_trial = False

    def give_up(self) -> None:
        """The next start goes back to the version before. Raises OSError."""
        self._save(_GIVEN_UP, *self._row[1:])

    def _save(self, *row: int) -> None:
        self._store.set(_KEY, struct.pack(_RECORD, *row))
        self._store.commit()
        self._row = list(row)
