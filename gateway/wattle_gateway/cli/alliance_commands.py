"""alliance new, invite, join: how a gateway becomes one of several."""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway import config
from wattle_gateway.admin.channel import ask
from wattle_gateway.cli import market_arguments
from wattle_gateway.cli.beginning import begun, begun_text
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.text import shown_time
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import HomeError, NotRunningError, UsageError
from wattle_gateway.home import create, departure
from wattle_gateway.home import invitation as invitations
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.identity import load_identity, load_member
from wattle_gateway.home.invitation import Invitation
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import MEMBER_NAME_CHARS_MAX, NAME_PATTERN, Constants
from wattle_gateway.runtime.clock import open_clock, wall_ms
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

LIVE_DEADLINE_S = 5.0
DAY_MS = 86_400_000
# Long enough for a postal round, short enough that a lost file is soon worth nothing.
DAYS = 7
DAYS_MAX = 90
# Each further gateway on this machine listens on the next pair of ports.
PORT_STEP = 2
BROKER_PORT = 8883


def new(arguments: argparse.Namespace) -> None:
    """Found an alliance: with one gateway, or with several on this machine."""
    if not NAME_PATTERN.fullmatch(arguments.name):
        raise UsageError(f"name {arguments.name!r}, expected {NAME_PATTERN.pattern}")
    folders: list[Path] = arguments.folders
    count = len(folders)
    names = _each(arguments.member, [folder.absolute().name for folder in folders], "--member")
    roles = _each(arguments.role, ["grid-company"] * count, "--role")
    sites = _each(arguments.site, ["home"] * count, "--site")
    ports = _ports(arguments.port, count, "--port", BROKER_PORT)
    peers_ports = _ports(arguments.peers_port, count, "--peers-port", config.PEERS_PORT)
    chosen = [
        (folder, choice(arguments, name, arguments.roles[role], site, port, peers_port))
        for folder, name, role, site, port, peers_port in zip(
            folders, names, roles, sites, ports, peers_ports, strict=True
        )
    ]
    _check_apart(chosen)
    now_ms = open_clock(arguments.bench_clock).now_ms()
    market = market_arguments.founding(arguments, now_ms)
    made = create.create_alliance(
        arguments.name, chosen, now_ms, Constants(market=market), arguments.rules
    )
    ledger_id = load_identity(made[0]).genesis.ledger_id.hex()
    rows = [_gateway_row(home) for home in made]
    if arguments.format == "json":
        content = {"ledger_name": arguments.name, "ledger_id": ledger_id, "gateways": rows}
        print(json.dumps(content, indent=2))
        return
    print(f"ledger {arguments.name} {ledger_id}")
    for row in rows:
        print(
            f"{row['folder']}: {row['name']} ({row['role']}), broker {row['broker']}, "
            f"peers {row['peers']}"
        )
    print(f"start each with: wattle-gateway run {folders[0]}")


def invite(arguments: argparse.Namespace) -> None:
    """Write an invitation for one further gateway."""
    home = home_of(arguments.folder)
    if not 1 <= arguments.days <= DAYS_MAX:
        raise UsageError(f"--days {arguments.days}, expected 1 to {DAYS_MAX}")
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists, expected a new file")
    name = _checked_name(arguments.name)
    with opened_ledger(home) as (first, reader):
        epoch = ExecutedLedger(reader, first_epoch(first)).epoch
    if epoch.party_of(load_member(home).kid) is None:
        raise UsageError("this gateway is no member, so nobody can join by its invitation")
    if any(member.name == name for member in epoch.everyone):
        raise UsageError(f"--name {name!r} is that of a member, expected another one")
    now_ms = _now_ms(home)
    written = invitations.write_invitation(
        home,
        arguments.output,
        [member.kid for member in epoch.everyone],
        now_ms + arguments.days * DAY_MS,
        now_ms,
        name=name,
        role=arguments.roles[arguments.role],
    )
    if arguments.format == "json":
        print(json.dumps({"file": str(arguments.output), **_invitation_row(written)}, indent=2))
        return
    print(
        f"{arguments.output}: invites {written.name} ({genesis.ROLE_NAMES[written.role]}) "
        f"until {shown_time(written.until_ms)} UTC\n"
        "it lets one gateway read the ledger: hand it over as you would a key. There:\n"
        f"    wattle-gateway alliance join DIR {arguments.output.name}\n"
        "    wattle-gateway run DIR\n"
        "and when it follows, here:\n"
        f"    wattle-gateway alliance approve {arguments.folder} {written.name}"
    )


def join(arguments: argparse.Namespace) -> None:
    """Make a gateway from an invitation; for one that exists: let it ask (again)."""
    if GatewayHome(arguments.folder).genesis.is_file():
        _join_again(arguments)
        return
    if arguments.invitation is None:
        raise HomeError(
            f"{arguments.folder} is not a gateway's folder; to make one, name an invitation"
        )
    found = invitations.load(arguments.invitation)
    now_ms = open_clock(arguments.bench_clock).now_ms()
    _check_in_time(found, arguments.invitation, now_ms)
    name = _checked_name(arguments.name or found.name)
    role = found.role if arguments.role is None else arguments.roles[arguments.role]
    made = create.create_joining(
        arguments.folder,
        found,
        choice(arguments, name, role, arguments.site, arguments.port, arguments.peers_port),
        now_ms,
    )
    row = _gateway_row(made)
    begins = None if arguments.snapshot is None else _begun(made, arguments.snapshot)
    if arguments.format == "json":
        ledger = {"ledger_name": found.genesis.name, "ledger_id": found.genesis.ledger_id.hex()}
        more = {} if begins is None else {"begins": begins}
        print(json.dumps({**ledger, "gateways": [row], **more}, indent=2))
        return
    if begins is not None:
        print(begun_text(begins))
    print(
        f"{made.folder}: {row['name']} ({row['role']}), kid {row['kid']}, of ledger "
        f"{found.genesis.name}\n"
        f"start it with: wattle-gateway run {arguments.folder}\n"
        "it follows the ledger and asks to become a member; members approve with\n"
        f"    wattle-gateway alliance approve DIR {row['name']}"
    )


def _begun(made: GatewayHome, file: Path) -> dict[str, Any]:
    """What a new gateway begins with; UsageError if the snapshot is not proved."""
    try:
        return begun(made, file)
    except SnapshotError as error:
        raise UsageError(
            f"{file}: {error}; {made.folder} is made, and has no ledger yet: start it, and it "
            "fetches all of it, or name another file to `wattle-gateway snapshot begin`"
        ) from error


def choice(
    arguments: argparse.Namespace,
    name: str,
    role: int,
    site: str,
    port: int | None,
    peers_port: int | None,
) -> NewGateway:
    """The gateway that the command line describes; UsageError for a name or site that cannot be."""
    hosts = arguments.host or ["127.0.0.1"]
    listen = arguments.listen or hosts[0]
    try:
        topics.check_site(site)
    except WireError as error:
        raise UsageError(f"--site: {error}") from error
    return NewGateway(
        name=_checked_name(name),
        site=site,
        role=role,
        hosts=hosts,
        listen=listen,
        port=BROKER_PORT if port is None else port,
        broker_kind=arguments.broker,
        peers_listen=listen if arguments.peers_listen is None else arguments.peers_listen,
        peers_host=arguments.peers_host or hosts[0],
        peers_port=config.PEERS_PORT if peers_port is None else peers_port,
        storage_key=arguments.storage_key,
        approve_enrolments=arguments.approve_enrolments,
        metrics_listen=arguments.metrics_listen,
    )


def _join_again(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    if arguments.snapshot is not None:
        raise UsageError(
            f"{home.folder} is a gateway already; if it has no ledger: `wattle-gateway snapshot "
            f"begin {home.folder} {arguments.snapshot}`"
        )
    said = []
    if arguments.invitation is not None:
        found = invitations.load(arguments.invitation)
        _check_in_time(found, arguments.invitation, _now_ms(home))
        learned = invitations.learn_cards(home, found)
        said.append(f"{learned} new addresses of other gateways; start it again to use them")
    try:
        if arguments.invitation is not None:
            invitations.renew(home, found)
        if departure.unmark(home):
            said.append("it asks to come back from now on")
    except OSError as error:
        raise HomeError(f"{home.folder}: cannot be written: {error.strerror}") from error
    if arguments.format == "json":
        print(json.dumps({"folder": str(home.folder), "done": said}))
        return
    print(f"{home.folder} is a gateway already: {'; '.join(said) or 'nothing to change'}")


def _each(given: Sequence[str] | None, default: list[str], option: str) -> list[str]:
    """One value for each gateway: none given, one for all, or as many as there are."""
    if not given:
        return default
    if len(given) == 1 and option != "--member":
        return list(given) * len(default)
    if len(given) != len(default):
        raise UsageError(f"{option} is given {len(given)} times for {len(default)} folders")
    return list(given)


def _ports(given: Sequence[int] | None, count: int, option: str, default: int) -> list[int]:
    """One port for each gateway: as given, or the first one's and every second above."""
    if given and len(given) not in (1, count):
        raise UsageError(f"{option} is given {len(given)} times for {count} folders")
    if given and len(given) == count:
        return list(given)
    first = given[0] if given else default
    return [first + PORT_STEP * number for number in range(count)]


def _check_apart(chosen: Sequence[tuple[Path, NewGateway]]) -> None:
    """Gateways on one machine need folders, names and ports of their own."""
    gateways = [gateway for _, gateway in chosen]
    ports = [gateway.port for gateway in gateways]
    ports += [gateway.peers_port for gateway in gateways if gateway.peers_listen]
    for what, values in (
        ("folder", [str(folder.absolute()) for folder, _ in chosen]),
        ("member name", [gateway.name for gateway in gateways]),
        ("port", [str(port) for port in ports]),
    ):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise UsageError(f"{what} {twice[0]} is given twice, expected each once")


def _checked_name(name: str) -> str:
    if not 1 <= len(name) <= MEMBER_NAME_CHARS_MAX or not name.isprintable():
        raise UsageError(
            f"member name {name!r}, expected 1 to {MEMBER_NAME_CHARS_MAX} printable characters"
        )
    return name


def _check_in_time(found: Invitation, path: Path, now_ms: int) -> None:
    if found.until_ms <= now_ms:
        raise UsageError(
            f"{path}: the invitation ended {shown_time(found.until_ms)} UTC; ask for a new one"
        )


def _now_ms(home: GatewayHome) -> int:
    """The time of the running gateway, which a bench sets; else the host's."""
    try:
        return int(ask(home.admin_socket, "live", LIVE_DEADLINE_S)["live"]["clock_ms"])
    except NotRunningError:
        return wall_ms()


def _gateway_row(home: GatewayHome) -> dict[str, Any]:
    loaded, member = config.load(home.config), load_member(home)
    peers = loaded.peers
    return {
        "folder": str(home.folder),
        "name": member.name,
        "kid": member.kid.hex(),
        "role": genesis.ROLE_NAMES[member.role],
        "site": loaded.site,
        "broker": f"{loaded.broker.host}:{loaded.broker.port}",
        "peers": f"{peers.host}:{peers.port}" if peers.listen else "",
    }


def _invitation_row(found: Invitation) -> dict[str, Any]:
    return {
        "ledger_name": found.genesis.name,
        "ledger_id": found.genesis.ledger_id.hex(),
        "inviter": found.inviter.hex(),
        "name": found.name,
        "role": genesis.ROLE_NAMES[found.role],
        "until_ms": found.until_ms,
        "gateways": _addresses(found),
    }


def _addresses(found: Invitation) -> Iterable[str]:
    return [f"{card.host}:{card.port}" for card in found.cards]
