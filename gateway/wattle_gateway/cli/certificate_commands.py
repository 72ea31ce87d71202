"""certificates show, renew."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from wattle_gateway import config
from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of
from wattle_gateway.errors import GatewayError, NotRunningError, UsageError
from wattle_gateway.home import own_certificates
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.own_certificates import AUTHORITY, PEER, RENEWED, OwnCertificate
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.peer_card import HOST_CHARS_MAX, HOST_PATTERN
from wattle_gateway.pki import authority, renewal

_DEADLINE_S = 30.0


def add(command: argparse.ArgumentParser) -> None:
    """The grammar of `certificates`."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="how long each lasts, and who renews it")
    folder(show)
    output_format(show, "table", "json")
    show.set_defaults(run=_show)
    renew = commands.add_parser("renew", help="new ones now, for the same keys")
    renew.description = (
        "A running gateway does this by itself when 240 days are left, and uses the new ones at "
        "once; meters stay connected. By hand it gives the broker's certificate another name."
    )
    folder(renew)
    renew.add_argument("names", nargs="*", metavar="WHICH", help=_WHICH)
    renew.add_argument(
        "--host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name or address of the broker; may be given several times (those that it "
        "has, and those of config.toml, are kept)",
    )
    output_format(renew, "text", "json")
    renew.set_defaults(run=_renew)


_WHICH = f"{' or '.join(RENEWED)} (default: both)"


def _show(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    now = datetime.now(UTC)
    rows = [_row(found, now) for found in own_certificates.read(home)]
    meters = _of_meters(home)
    if arguments.format == "json":
        print(json.dumps({"certificates": rows, "meters": meters}, indent=2))
        return
    table = Table()
    for name in ("certificate", "until", "days left", "names", "renewed"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            row["name"],
            row["until"],
            str(row["days_left"]),
            ", ".join(row["hosts"]),
            row["renewed"],
        )
    console = Console()
    console.print(table)
    if meters["count"]:
        console.print(f"{meters['count']} of meters, the first ends {meters['first_until']}")


def _renew(arguments: argparse.Namespace) -> None:
    for name in arguments.names:
        if name not in RENEWED:
            raise UsageError(f"certificate {name!r}, expected {' or '.join(RENEWED)}")
    for host in arguments.host:
        if len(host) > HOST_CHARS_MAX or not HOST_PATTERN.fullmatch(host):
            raise UsageError(f"--host {host!r}, expected a DNS name or an IP address")
    home = home_of(arguments.folder)
    identity = load_identity(home)
    hosts = [*own_certificates.hosts_of(config.load(home.config)), *arguments.host]
    now = datetime.now(UTC)
    done = {
        name: own_certificates.renew(home, identity.site_authority, name, hosts, now)
        for name in arguments.names or RENEWED
    }
    used = _use(home)
    until = {name: f"{new.not_valid_after_utc:%Y-%m-%d}" for name, new in done.items()}
    if arguments.format == "json":
        print(json.dumps({"renewed": until, "used": used}))
        return
    for name, end in until.items():
        print(f"{name}: until {end}")
    print("in use" if used else "used from the gateway's next start on")


def _use(home: GatewayHome) -> bool:
    """Whether a running gateway uses them now."""
    try:
        ask(home.admin_socket, "certificates", _DEADLINE_S)
    except NotRunningError:
        return False
    return True


def _row(found: OwnCertificate, now: datetime) -> dict[str, Any]:
    if found.name == AUTHORITY:
        renewed = "never: it stands in the ledger"
    elif found.name == PEER:
        renewed = "no need: pinned by its peer card"
    elif found.ours:
        begins = found.until - renewal.RENEWED_BEFORE
        renewed = f"by the running gateway, from {begins:%Y-%m-%d} on"
    else:
        renewed = "NOT BY US: another authority's"
    return {
        "name": found.name,
        "until": f"{found.until:%Y-%m-%d}",
        "days_left": found.days_left(now),
        "hosts": renewal.names_of(found.certificate),
        "ours": found.ours,
        "renewed": renewed,
    }


def _of_meters(home: GatewayHome) -> dict[str, Any]:
    """How many meters' certificates lie here, and when the first of them ends."""
    ends = []
    for path in home.meter_certificates.glob("*.pem"):
        try:
            ends.append(authority.load_certificate(path).not_valid_after_utc)
        except GatewayError:
            continue
    return {"count": len(ends), "first_until": f"{min(ends):%Y-%m-%d}" if ends else None}
