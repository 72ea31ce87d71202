"""upgrade."""

import argparse
from pathlib import Path

from wattle_gateway.cli.alliance_arguments import folder
from wattle_gateway.cli.folder import home_of
from wattle_gateway.cli.text import shown_bytes
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.store import connection, schema
from wattle_gateway.store.migration import Plan
from wattle_gateway.store.schema import Schema


def add(command: argparse.ArgumentParser) -> None:
    """The grammar."""
    command.description = (
        "Of a stopped gateway. The next start does the same by itself; back up before you install "
        "a newer version, since an older one reads no newer databases."
    )
    folder(command)
    command.add_argument("--dry-run", action="store_true", help="say what it takes, change nothing")
    command.set_defaults(run=upgrade)


def upgrade(arguments: argparse.Namespace) -> None:
    """Give the databases of a gateway the tables of this version."""
    home = home_of(arguments.folder)
    ledger_id = load_genesis(home).ledger_id
    databases = ((home.database, schema.LEDGER), (home.operation, schema.OPERATION))
    with InstanceLock(home.lock):
        # Both are looked at before either changes: a version that is refused stops it whole.
        plans = [connection.planned_migration(path, kind, ledger_id) for path, kind in databases]
        for (path, kind), plan in zip(databases, plans, strict=True):
            if plan.steps and not arguments.dry_run:
                connection.open_writer(path, kind, ledger_id).close()
            _print(path, kind, plan, arguments.dry_run)


def _print(path: Path, kind: Schema, plan: Plan, is_dry: bool) -> None:
    if not plan.steps:
        print(f"{path.name:<14}schema version {plan.version}, which is this program's")
        return
    done = "would go" if is_dry else "went"
    print(
        f"{path.name:<14}{done} from schema version {plan.version} to {kind.version}; takes "
        f"{shown_bytes(plan.needed_bytes)} of free disk meanwhile"
    )
    for step in plan.steps:
        print(f"{'':<14}{step.version}: {step.what}")
