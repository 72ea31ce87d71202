"""Every error of the gateway package, under one root.

The classes here say who can mend it: the operator (arguments, configuration, folder), the host
(broker, disk, port), or the ledger, which refused; `wattle_gateway.cli` maps each to one exit
code. Pure packages add their own roots below GatewayError, so that a caller can catch as widely
or as narrowly as it needs; foreign exceptions never cross a package's boundary.
"""


class GatewayError(Exception):
    """Root of everything the gateway raises; the message is one line and says what to do."""


class UsageError(GatewayError):
    """An argument that cannot be used: a file, an id or a date of the wrong form."""


class ConfigError(GatewayError):
    """The configuration file is missing, unreadable or holds a value that is not allowed."""


class HomeError(GatewayError):
    """The gateway's folder is missing, incomplete, damaged, or in the way of `init`."""


class NotRunningError(GatewayError):
    """A command that only a running gateway can carry out found none."""


class AlreadyRunningError(GatewayError):
    """A second gateway was started on a folder that one holds."""


class RefusedError(GatewayError):
    """The ledger committed the transaction and refused it; the message names the verdict."""


class BrokerError(GatewayError):
    """The MQTT broker is missing, too old, cannot start or cannot be reached."""


class PeerError(GatewayError):
    """Another gateway broke the rules of peer links, or its card or invitation cannot be used."""


class StoreError(GatewayError):
    """The ledger's database cannot be opened, read or written."""


class BeforeBaseError(StoreError):
    """Something was asked for that lies before the commit with which this ledger begins."""


class SchemaVersionError(StoreError):
    """A database has the tables of another version of this program, older or newer."""


class StorageKeyError(StoreError):
    """The key of a sealed folder is missing, cannot be had, or is another one."""


class UpdateRefusedError(GatewayError):
    """A meter did not take an update, or went back to the version before."""


class BackupError(GatewayError):
    """A backup cannot be written, is damaged, or must not be restored as it was asked."""


class ShortageError(GatewayError):
    """The machine is short of disk, memory or CPU; the message says of which and what to do."""


class ArchiveError(GatewayError):
    """The archive cannot be reached, or what it gives is not what was put there."""


class DeadlineError(GatewayError):
    """Something that should have happened did not within the time it was given."""
