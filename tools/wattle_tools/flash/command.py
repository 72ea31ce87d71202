"""What `wattle-tool flash` does."""

import argparse
import json
import sys
from collections.abc import Sequence

from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog
from wattle_tools.boards import command as boards_command
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, InterpreterImageError
from wattle_tools.flash import fleet, interpreter_image, known_images
from wattle_tools.flash.application import Application, application
from wattle_tools.flash.interpreter_image import InterpreterImage
from wattle_tools.flash.job import JobResult, Order
from wattle_tools.flash.table import SilentView, TableView
from wattle_tools.mpremote_prints import set_aside


def run(options: argparse.Namespace) -> int:
    """Flashes; gives the highest exit code of all boards. Raises ToolError."""
    if (options.erase_files or options.new_keys) and options.image is None:
        raise InterpreterImageError(
            "--erase-files and --new-keys need --image", "name the image: it says what lies where"
        )
    image = _checked_image(options) if options.image is not None else None
    wanted = application(options.firmware or firmware_folder())
    order = Order(
        wanted, image, options.erase_files, options.new_keys, options.dry_run, options.baud
    )
    output = sys.stdout
    journal = audit_command.journal(options)

    def ended(result: JobResult) -> None:
        if not options.dry_run:
            _note(journal, result, wanted, image)

    with set_aside():
        found = fleet.find(boards_command.chosen_ports(options))
        boards = fleet.choose(found, options.board, options.all)
        for board in boards if not options.dry_run else ():
            journal.begin("flash", board.name, _what(wanted, image))
        if options.json:
            results = fleet.run(boards, order, SilentView(), ended)
        else:
            with TableView(boards, output) as view:
                results = fleet.run(boards, order, view, ended)
    if options.json:
        print(json.dumps(_as_json(results, wanted, image, options.dry_run), indent=1))
    else:
        _print_advice(results)
    return max((result.code for result in results), default=DONE)


def _checked_image(options: argparse.Namespace) -> InterpreterImage:
    image = interpreter_image.load(options.image)
    known = known_images.known_hashes(options.known_images)
    known_images.check_known(image, known, options.accept_image)
    return image


def _note(
    journal: AuditLog, result: JobResult, wanted: Application, image: InterpreterImage | None
) -> None:
    facts: dict[str, object] = {**_what(wanted, image), **result.done}
    if result.failed:
        facts |= {"code": result.code, "reason": result.reason[:400]}
    journal.append("flash", log.FAILED if result.failed else log.DONE, result.name, facts)


def _what(wanted: Application, image: InterpreterImage | None) -> dict[str, object]:
    images = {} if image is None else {"image_sha256": image.sha256}
    return {"application_sha256": wanted.digest, **images}


def _print_advice(results: Sequence[JobResult]) -> None:
    failed = [result for result in results if result.failed]
    done = len(results) - len(failed)
    print(f"{done} of {len(results)} done")
    for result in failed:
        advice = f"; {result.advice}" if result.advice else ""
        print(f"{result.name} ({result.port}): {result.reason}{advice}", file=sys.stderr)


def _as_json(
    results: Sequence[JobResult],
    wanted: Application,
    image: InterpreterImage | None,
    dry: bool,
) -> dict[str, object]:
    return {
        "application": {"version": wanted.version, "digest": wanted.digest},
        "image": {"file": image.path.name, "sha256": image.sha256} if image else None,
        "dry_run": dry,
        "boards": [
            {
                "mac": result.name,
                "port": result.port,
                "chip": result.chip,
                "result": "failed" if result.failed else "done",
                "code": result.code,
                "reason": result.reason or None,
                "advice": result.advice or None,
                "seconds": round(result.seconds, 1),
                **result.done,
            }
            for result in results
        ],
    }
