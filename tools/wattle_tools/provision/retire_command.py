"""`wattle-tool retire`: a meter that goes for good; its key is revoked on the ledger."""

import argparse
import json
import shlex

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_tools import dry_run
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.errors import DONE, SettingsError
from wattle_tools.provision import enrol_command, enrolment
from wattle_tools.whole_number import within

# `meters list` and `meters revoke` are the operator's, with the same words.
_REFUSED = (
    "the meter is not retired, and what it signs goes on to count: settle that with the "
    "gateway's operator (`wattle-gateway meters list` says whom it knows), and run it again"
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `retire` to the commands of wattle-tool."""
    parser = commands.add_parser("retire", help="revoke a meter's key on the ledger")
    parser.description = (
        "Through the gateway. What it has sent up to the last sample that counts stays; nothing "
        "that it signs later does. There is no way back: a revoked key is not enrolled again."
    )
    parser.add_argument("meter", metavar="METER", help="its id, 16 hex digits")
    parser.add_argument("--confirm", metavar="METER", help="the id once more")
    parser.add_argument(
        "--last-seq",
        type=within(0),
        metavar="N",
        help="last sample that counts (default: newest)",
    )
    enrol_command.add_gateway(parser)
    dry_run.add_argument(parser)
    add_json_argument(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Retires it; the exit code."""
    command, folder = enrol_command.through(options)
    meter = options.meter
    try:
        topics.kid_of_meter(meter)
    except WireError as error:
        raise SettingsError(f"METER: {error}", "its label says it") from error
    words = ["meters", "revoke", folder, meter]
    if options.last_seq is not None:
        words += ["--last-seq", str(options.last_seq)]
    if options.dry_run:
        would = [f"run {shlex.join([*command, *words])}", f"so revoke the key of {meter} for good"]
        return dry_run.tell(options.json, would, {"meter": meter})
    if options.confirm != meter:
        raise SettingsError(
            f"a revoked key is never enrolled again, and nothing that {meter} signs counts any "
            "more",
            f"if that is what you want, add --confirm {meter}",
        )
    journal = audit_command.journal(options)
    facts: dict[str, object] = {"meter": meter}
    with audit_command.begun(journal, "retire", facts=facts):
        said = enrolment.asked(command, words, b"", _REFUSED)
    facts["said"] = said.strip()[:400]
    journal.append("retire", log.DONE, facts=facts)
    print(json.dumps({**facts, "retired": True}, indent=1) if options.json else said.strip())
    return DONE
