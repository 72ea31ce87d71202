"""The grammar of the command line."""

import argparse
from importlib.metadata import version
from pathlib import Path

from wattle_gateway import config
from wattle_gateway.cli import (
    account_arguments,
    alarms_command,
    alliance_arguments,
    archive_command,
    audit_command,
    backup_command,
    baseline_arguments,
    certificate_commands,
    doctor_command,
    dr_arguments,
    energy_command,
    gateway_commands,
    health_command,
    keys_command,
    ledger_commands,
    market_arguments,
    meter_commands,
    report_commands,
    resend_command,
    snapshot_commands,
    supervise_command,
    technician_commands,
    update_commands,
    upgrade_command,
    voucher_command,
)
from wattle_gateway.cli.alliance_arguments import (
    ROLES,
    bench_clock,
    folder,
    network,
    output_format,
)


def parser() -> argparse.ArgumentParser:
    """The whole grammar; `arguments.run(arguments)` carries the command out."""
    top = argparse.ArgumentParser(
        prog="wattle-gateway",
        description="Checks what meters signed and keeps it in a ledger that anybody can check.",
    )
    top.add_argument("--version", action="version", version=f"%(prog)s {version('wattle-grid')}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    _init(commands.add_parser("init", help="make a new gateway with its own ledger"))
    _run(commands.add_parser("run", help="run a gateway until SIGTERM or Ctrl-C"))
    _status(commands.add_parser("status", help="where the ledger stands, how the gateway is"))
    _meters(commands.add_parser("meters", help="enrol, list and revoke meters"))
    _update(commands.add_parser("update", help="bundles for meters: sign, show"))
    technician_commands.add(
        commands.add_parser("technician", help="let a technician name new meters to brokers")
    )
    alliance_arguments.add(
        commands.add_parser("alliance", help="members: found, invite, join, approve, leave, show")
    )
    account_arguments.add(
        commands.add_parser("account", help="open, issue, transfer, lock, show: who has what")
    )
    account_arguments.add_party(commands.add_parser("party", help="users whom members host"))
    _samples(commands.add_parser("samples", help="the readings in the ledger"))
    energy_command.add(
        commands.add_parser("energy", help="what a point used, interval by interval")
    )
    voucher_command.add(
        commands.add_parser("voucher", help="what a point or a party is billed for, or verify one")
    )
    supervise_command.add(
        commands.add_parser("supervise", help="for the regulator: prices, funds, fines, faults")
    )
    dr_arguments.add(
        commands.add_parser("dr", help="adjustable loads: offers, events, statements, disputes")
    )
    _audit(commands.add_parser("audit", help="verify the whole ledger from its bytes"))
    _repair(commands.add_parser("repair", help="put a damaged ledger together again"))
    archive_command.add(commands.add_parser("archive", help="what is old, as Parquet elsewhere"))
    backup_command.add(commands)
    keys_command.add(commands.add_parser("keys", help="encryption at rest: seal, show, rotate"))
    upgrade_command.add(commands.add_parser("upgrade", help="databases of an older version"))
    doctor_command.add(commands.add_parser("doctor", help="what is wrong, and what to do next"))
    alarms_command.add(commands.add_parser("alarms", help="what is wrong now, since when"))
    _commit(commands.add_parser("commit", help="how a commit came about"))
    _checkpoint(commands.add_parser("checkpoint", help="the newest head that a quorum signed"))
    snapshot_commands.add(
        commands.add_parser("snapshot", help="the whole state of a commit: export, verify")
    )
    _quarantine(commands.add_parser("quarantine", help="the refused messages that were kept"))
    certificate_commands.add(
        commands.add_parser("certificates", help="how long they last; renew them by hand")
    )
    _broker_config(commands.add_parser("broker-config", help="write files for mosquitto"))
    baseline_arguments.add_baseline(
        commands.add_parser("baseline", help="what a point would have used in an event")
    )
    baseline_arguments.add_placebo(
        commands.add_parser("placebo", help="how far baseline rules are off without an event")
    )
    return top


def _init(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("--name", default="home", help="of ledger and member (default: home)")
    command.add_argument("--site", default="home", help="site of its meters (default: home)")
    command.add_argument(
        "--role", choices=sorted(ROLES), default="grid-company", help="of the member"
    )
    network(command)
    command.add_argument(
        "--peers-listen",
        metavar="ADDRESS",
        default="",
        help="that it binds for other gateways, if others are to join (default: none)",
    )
    market_arguments.rules(command)
    bench_clock(command, "the ledger begins at this clock's time")
    command.set_defaults(run=gateway_commands.init, roles=ROLES, approve_enrolments=config.ASK)


def _run(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument(
        "--bench-clock",
        type=Path,
        metavar="FILE",
        help='virtual time: {"base_ms", "anchor_ms", "speed"}',
    )
    command.add_argument(
        "--log-level", choices=("debug", "info", "warning", "error"), default="info"
    )
    command.set_defaults(run=gateway_commands.run)


def _status(command: argparse.ArgumentParser) -> None:
    folder(command)
    output_format(command, "table", "json")
    command.set_defaults(run=report_commands.status)


def _meters(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    enrol = commands.add_parser("enrol", help="put a meter on the ledger")
    folder(enrol)
    enrol.add_argument(
        "proof", type=Path, metavar="ENROL_FILE", help="of wattle-tool, or a bare proof"
    )
    enrol.add_argument("--site", help="of the meter (default: the gateway's)")
    enrol.add_argument("--rating", type=int, metavar="W", default=meter_commands.RATING_W)
    enrol.add_argument("--capacity", type=int, metavar="W", default=0, help="adjustable power")
    enrol.add_argument(
        "--points",
        metavar="D[:RATING[:CAPACITY]],..",
        help="device numbers, each with its own rating and capacity if need be (default: those of "
        "the file, else 1)",
    )
    enrol.add_argument(
        "--owner", metavar="WHO", help="of its points, name or kid (default: this gateway's member)"
    )
    enrol.add_argument(
        "--further",
        action="append",
        default=[],
        metavar="MEMBER",
        help="a further gateway of the meter, name or kid; may be given several times",
    )
    enrol.add_argument("--commodity", choices=("electricity", "heat", "gas"), default="electricity")
    enrol.add_argument(
        "--certificate",
        type=Path,
        metavar="FILE",
        help="write the meter's TLS certificate here too; DER if the name ends in .der, else PEM; "
        "-: stdout",
    )
    output_format(enrol, "text", "json")
    enrol.set_defaults(run=meter_commands.enrol)
    listing = commands.add_parser("list", help="the registry")
    folder(listing)
    output_format(listing, "table", "csv", "json")
    listing.set_defaults(run=meter_commands.list_meters)
    health = commands.add_parser("health", help="how the meters are, and what is wrong with them")
    folder(health)
    output_format(health, "table", "json")
    health.set_defaults(run=health_command.show_health)
    account_arguments.points(commands.add_parser("points", help="points and who owns them"))
    account_arguments.assign(commands.add_parser("assign", help="hand a point on"))
    _meters_move(commands.add_parser("move", help="give a meter another home"))
    revoke = commands.add_parser("revoke", help="take a meter off the ledger")
    folder(revoke)
    revoke.add_argument("meter", metavar="METER", help="its id, 16 hex digits")
    revoke.add_argument(
        "--last-seq", type=int, metavar="N", help="last sample that counts (default: newest)"
    )
    revoke.set_defaults(run=meter_commands.revoke)
    _meters_update(commands.add_parser("update", help="send a signed bundle to a meter"))
    _meters_resend(commands.add_parser("resend", help="have a meter send samples again"))


def _meters_move(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Said at the meter's home, and approved by its new one; if its home has no vote any more, "
        "said at the new home, and approved as an enrolment."
    )
    folder(command)
    command.add_argument("meter", metavar="METER", help="its id, 16 hex digits")
    command.add_argument(
        "--home", metavar="MEMBER", help="its new home, name or kid (default: this gateway)"
    )
    gateways = command.add_mutually_exclusive_group()
    gateways.add_argument(
        "--further",
        action="append",
        default=[],
        metavar="MEMBER",
        help="a further gateway, name or kid; may be given several times (default: as they are)",
    )
    gateways.add_argument("--no-further", action="store_true", help="none but its home")
    output_format(command, "text", "json")
    command.set_defaults(run=meter_commands.move)


def _meters_update(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("meter", metavar="METER", help="its id, 16 hex digits")
    command.add_argument("bundle", type=Path, metavar="BUNDLE", help="signed by two members")
    command.add_argument(
        "--wait",
        type=int,
        default=update_commands.WAIT_S,
        metavar="S",
        help="follow it for so long, 0: not at all (default: %(default)s)",
    )
    command.set_defaults(run=update_commands.send)


def _meters_resend(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("meter", metavar="METER", help="its id, 16 hex digits")
    command.add_argument("first", type=int, metavar="FIRST", help="sample, by its number")
    command.add_argument("last", type=int, metavar="LAST", nargs="?", help="default: FIRST alone")
    output_format(command, "text", "json")
    command.set_defaults(run=resend_command.resend)


def _update(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    for name, run, text in (
        ("sign", update_commands.sign, "add this member's signature to a bundle"),
        ("show", update_commands.show, "what is in a bundle, and who has signed it"),
    ):
        one = commands.add_parser(name, help=text)
        folder(one)
        one.add_argument("bundle", type=Path, metavar="BUNDLE", help="the file")
        one.set_defaults(run=run)


def _samples(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("--meter", metavar="ID", help="of one meter only")
    when = "Unix ms or ISO 8601 (UTC if it names no zone)"
    command.add_argument("--from", dest="begin", metavar="TIME", help=f"not before; {when}")
    command.add_argument("--to", dest="end", metavar="TIME", help=f"before; {when}")
    command.add_argument(
        "--raw", action="store_true", help="with the signed bytes in hex, on every row"
    )
    command.add_argument(
        "--follow",
        action="store_true",
        help="go on with each reading as it is committed, until Ctrl-C; csv only",
    )
    output_format(command, "table", "csv", "json")
    command.set_defaults(run=report_commands.samples)


def _audit(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument(
        "--compare",
        type=Path,
        metavar="DIR",
        help="another gateway's folder (or a copy): name the first thing that differs",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=audit_command.audit)


def _repair(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Of a stopped gateway: keeps what verifies, sets the old file aside; what is lacking the "
        "gateway fetches from the others when it runs. What has left for the archive is read and "
        "verified there, and stays there."
    )
    folder(command)
    command.add_argument(
        "--refetch",
        action="store_true",
        help="where a file of the archive is missing or altered, keep what comes before it and let "
        "the others give the rest",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=audit_command.repair)


def _commit(command: argparse.ArgumentParser) -> None:
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    show = commands.add_parser("show", help="its proposal, votes, certificates, and what it took")
    folder(show)
    show.add_argument(
        "index", type=int, nargs="?", metavar="I", help="number of the commit (default: newest)"
    )
    output_format(show, "text", "json")
    show.set_defaults(run=ledger_commands.commit_show)


def _checkpoint(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument(
        "--at", type=int, metavar="SIZE", help="the one after so many leaves (default: newest)"
    )
    command.add_argument(
        "--verify",
        type=Path,
        metavar="FILE",
        help="hold a checkpoint from elsewhere against members and log; exit code 1 if it fails",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=ledger_commands.checkpoint)


def _quarantine(command: argparse.ArgumentParser) -> None:
    folder(command)
    output_format(command, "table", "json")
    command.set_defaults(run=report_commands.quarantine)


def _broker_config(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="where to")
    command.set_defaults(run=gateway_commands.broker_config)
