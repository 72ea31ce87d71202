"""The command line of the gateway.

Exit codes, stable per kind:

    0   done
    1   audit, checkpoint --verify, snapshot verify: the bytes do not add up, or two ledgers differ
    2   the command line, a file, an id or a date cannot be used; audit: it cannot run at all
    3   the configuration is wrong
    4   the folder is not a gateway's, is incomplete, or is in the way
    5   no gateway runs on the folder, and the command needs one
    6   a gateway runs on the folder already
    7   the ledger refused the transaction
    8   the MQTT broker is missing, too old, or does not start
    9   the database cannot be opened, read or written
    10  something did not happen within its time
    11  the other gateways: their port, card or invitation cannot be used
    12  the ledger must not go on: it and what the other members vote for cannot both be right
    13  a meter did not take an update, or went back to the version before
    14  a backup cannot be written, is damaged, or must not be restored as it was asked
    15  doctor, alarms: there are warnings, and nothing worse
    16  doctor, alarms: there are problems, or something critical
    18  the archive cannot be had, or does not hold what it should
    19  the key of a sealed folder is missing, cannot be had, or is another one
    20  the machine is short of disk, memory or CPU: not now
    70  a fault of this program: please report the traceback
    130 interrupted

Every error is one line on standard error that says what is wrong and what was expected.
"""

from wattle_gateway.cli.main import main

__all__ = ["main"]
