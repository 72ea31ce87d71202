"""A gateway that still has its keys but not its ledger (lost disk, half a backup)."""

from wattle_gateway.errors import HomeError
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.peers.address_book import AddressBook
from wattle_gateway.runtime.logs import Log
from wattle_gateway.store import connection
from wattle_gateway.store.operation_file import OperationFile

_log = Log("home")


def make_up(home: GatewayHome, identity: Identity) -> None:
    """Put empty databases in the place of lost ones, so that the others can fill them.

    The ledger is marked as lost: what its keys have signed nobody here knows, so it follows and
    signs nothing until consensus rule 32 lets it. Raises HomeError if no other gateway is known
    that could have the ledger, StoreError if the files cannot be written.
    """
    ledger_id = identity.genesis.ledger_id
    if not home.operation.exists():
        _log.error("operation.db is gone, starting an empty one", file=home.operation)
        connection.create_operation(home.operation, ledger_id)
    if home.database.exists():
        return
    if not _others_are_known(home, identity):
        raise HomeError(
            f"{home.database} is gone and no other gateway is known that has this ledger; "
            "restore a backup"
        )
    connection.create_ledger(home.database, ledger_id, lost=True)
    _log.error(
        "THE LEDGER IS GONE: fetching it from the other gateways; until they know what this "
        "gateway has signed, or the members change, it follows and signs nothing",
        file=home.database,
    )


def _others_are_known(home: GatewayHome, identity: Identity) -> bool:
    if any(member.kid != identity.kid for member in identity.genesis.members):
        return True
    operation = OperationFile(home.operation, identity.genesis.ledger_id)
    try:
        book = AddressBook(operation, identity.genesis.ledger_id)
        return book.knows_others_than(identity.kid)
    finally:
        operation.close()
