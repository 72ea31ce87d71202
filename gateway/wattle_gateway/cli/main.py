"""Arguments in, exit code out."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

from wattle_gateway.cli.arguments import parser
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.contracts.baseline.errors import BaselineError
from wattle_gateway.errors import (
    AlreadyRunningError,
    ArchiveError,
    BackupError,
    BeforeBaseError,
    BrokerError,
    ConfigError,
    DeadlineError,
    GatewayError,
    HomeError,
    NotRunningError,
    PeerError,
    RefusedError,
    ShortageError,
    StorageKeyError,
    StoreError,
    UpdateRefusedError,
    UsageError,
)
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.runtime.errors import DivergenceError
from wattle_gateway.runtime.secrecy import keep_memory_private

EXIT_DONE = 0
EXIT_USAGE = 2
EXIT_FAULT = 70
EXIT_INTERRUPTED = 130
EXIT_CODES: dict[type[GatewayError], int] = {
    UsageError: EXIT_USAGE,
    BeforeBaseError: EXIT_USAGE,
    BaselineError: EXIT_USAGE,
    ConfigError: 3,
    HomeError: 4,
    NotRunningError: 5,
    AlreadyRunningError: 6,
    RefusedError: 7,
    BrokerError: 8,
    StoreError: 9,
    LedgerError: 9,
    DeadlineError: 10,
    PeerError: 11,
    DivergenceError: 12,
    SafetyError: 12,
    UpdateRefusedError: 13,
    BackupError: 14,
    ArchiveError: 18,
    StorageKeyError: 19,
    ShortageError: 20,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; see the package for exit codes. Without `argv` this process is the program
    itself: most commands open private keys for a moment, none leaves them in a core dump."""
    if argv is None:
        with suppress(OSError):  # a sandbox may forbid it; `run` says so
            keep_memory_private()
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.run(arguments) or EXIT_DONE)
    except GatewayError as error:
        print(f"wattle-gateway: {error}", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong. Python would complain
        # once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_DONE
    except Exception:
        traceback.print_exc()
        return EXIT_FAULT


def exit_code(error: GatewayError) -> int:
    """The exit code of an error, by the nearest of its classes that has one."""
    for kind in type(error).__mro__:
        if kind in EXIT_CODES:
            return EXIT_CODES[kind]
    return EXIT_FAULT
