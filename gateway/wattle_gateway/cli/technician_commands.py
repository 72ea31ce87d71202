"""technician issue: the authority by which a technician names new meters to brokers."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway import config
from wattle_gateway.cli.alliance_arguments import folder
from wattle_gateway.errors import UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import authority, certificate_request


def add(command: argparse.ArgumentParser) -> None:
    """Adds the command's own commands."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    issue = commands.add_parser(
        "issue",
        help="make a technician's authority from his request",
        description=f"It is good for {authority.TECHNICIAN_DAYS} days and one site. Whoever holds "
        "its key can name a meter to the brokers: availability, never a truth about energy.",
    )
    folder(issue)
    issue.add_argument("request", type=Path, metavar="REQUEST", help="of `wattle-tool site add`")
    issue.add_argument("--site", help="whose meters it may name (default: the gateway's)")
    issue.add_argument("--output", type=Path, required=True, metavar="FILE", help="for the tool")
    issue.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Issue the authority; a copy stays with the gateway."""
    home = GatewayHome(arguments.folder)
    identity = load_identity(home)
    site = arguments.site or config.load(home.config).site
    try:
        topics.check_site(site)
    except WireError as error:
        raise UsageError(f"--site: {error}") from error
    public, name = _request(arguments.request)
    issued = identity.site_authority.issue_technician(public, site, name, datetime.now(UTC))
    pem = authority.pem(issued)
    is_first = not home.technicians.exists()
    try:
        home.technicians.mkdir(exist_ok=True)
        durable_file.write(home.technicians / f"{issued.serial_number:x}.pem", pem)
        arguments.output.write_bytes(pem)
    except OSError as error:
        raise UsageError(f"{error.filename}: cannot be written: {error.strerror}") from error
    until = issued.not_valid_after_utc
    print(f"{arguments.output}: {name} may name meters of {site} until {until:%Y-%m-%d}")
    if is_first and config.load(home.config).broker.kind == config.EXTERNAL:
        print("run `wattle-gateway broker-config` again, and restart mosquitto", file=sys.stderr)


def _request(path: Path) -> tuple[ec.EllipticCurvePublicKey, str]:
    """Key and name in a request (PKCS #10, PEM). Raises UsageError."""
    try:
        with path.open("rb") as file:
            pem = file.read(certificate_request.REQUEST_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return certificate_request.parse(pem, str(path))
