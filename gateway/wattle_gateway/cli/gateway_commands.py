"""init, run, broker-config."""

import argparse
import sys
from datetime import UTC, datetime

from wattle_gateway import config
from wattle_gateway.app import broker_side
from wattle_gateway.broker import mosquitto
from wattle_gateway.cli import market_arguments
from wattle_gateway.cli.alliance_commands import choice
from wattle_gateway.cli.folder import opened_ledger
from wattle_gateway.contracts import registry
from wattle_gateway.errors import UsageError
from wattle_gateway.home import alarm_readers, create, own_certificates
from wattle_gateway.home.identity import Identity, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.pki import authority, keys
from wattle_gateway.runtime.clock import open_clock
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.logs import start_logging


def init(arguments: argparse.Namespace) -> None:
    """Make a gateway's folder."""
    if not genesis.NAME_PATTERN.fullmatch(arguments.name):
        raise UsageError(f"--name {arguments.name!r}, expected {genesis.NAME_PATTERN.pattern}")
    role = arguments.roles[arguments.role]
    now_ms = open_clock(arguments.bench_clock).now_ms()
    market = market_arguments.founding(arguments, now_ms)
    made = create.create(
        arguments.folder,
        choice(
            arguments,
            arguments.name,
            role,
            arguments.site,
            arguments.port,
            arguments.peers_port,
        ),
        now_ms,
        Constants(market=market),
        arguments.rules,
    )
    print(f"{made.folder}: ledger {load_identity(made).genesis.ledger_id.hex()}")
    if arguments.storage_key:
        print(f"sealed under {arguments.storage_key}: keep a copy of that key elsewhere")
    print(f"give {made.bundle.name} to meters; start with: wattle-gateway run {arguments.folder}")


def run(arguments: argparse.Namespace) -> None:
    """Run the gateway in the foreground."""
    # Only here: the other commands start without the parts of a running gateway, in half the time.
    from wattle_gateway.app import process

    start_logging(arguments.log_level)
    process.run(arguments.folder, arguments.bench_clock)


def broker_config(arguments: argparse.Namespace) -> None:
    """Write or renew the files of an outside mosquitto."""
    home = GatewayHome(arguments.folder)
    identity = load_identity(home)
    loaded = config.load(home.config)
    with opened_ledger(home) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
    meters = registry.meters(ledger.state)
    own_name = authority.common_name(authority.load_certificate(home.certificate("gateway")))
    trusted = broker_side.trusted(ledger.epoch, identity.site_authority)
    files = {
        "authority.pem": b"".join(trusted),
        "broker.pem": own_certificates.of_outside_broker(home, identity.site_authority, loaded),
        "broker.key": keys.load_plain_pem(home.key("broker")),
    }
    if len(trusted) == 1 and not home.technicians.exists():
        files[mosquitto.CRL_FILE] = _revocation_list(home, identity)
    written = mosquitto.write_files(
        arguments.out,
        loaded.broker.listen,
        loaded.broker.port,
        mosquitto.MosquittoAccess(
            own_name,
            [meter.kid.hex() for meter in meters if meter.revoked is not None],
            alarm_readers.names(home),
        ),
        files,
    )
    print(f"start it with: mosquitto -c {written}")
    if loaded.broker.kind != config.EXTERNAL:
        print(
            f'{home.config}: broker.kind is "{loaded.broker.kind}"; set it to "{config.EXTERNAL}"',
            file=sys.stderr,
        )


def _revocation_list(home: GatewayHome, identity: Identity) -> bytes:
    if home.revocations.exists():
        return home.revocations.read_bytes()
    # The gateway has not run yet: nobody is revoked.
    return authority.pem(identity.site_authority.revocation_list([], datetime.now(UTC)))
