"""What `wattle-tool batch` does."""

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from wattle_tools import tool_home
from wattle_tools.batch import jobs, reports
from wattle_tools.batch.jobs import Job
from wattle_tools.batch.reports import Row
from wattle_tools.board_folder import BoardChoice
from wattle_tools.boards import command as boards_command
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.errors import DONE, NO_BOARD, AdvisedError, SettingsError
from wattle_tools.flash import fleet
from wattle_tools.flash.fleet import View
from wattle_tools.flash.table import SilentView, TableView
from wattle_tools.label import command as label_command
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.provision import arguments, job, linux
from wattle_tools.provision import command as provision_command
from wattle_tools.provision.command import Bench
from wattle_tools.provision.job import Order, ProvisionResult
from wattle_tools.provision.settings import Esp32Choice


class _Planned:
    """A job whose order could be made: nothing of it is on a board yet."""

    def __init__(self, one: Job, bench: Bench, passwords: dict[str, str]) -> None:
        """`passwords` by network: each is asked for once."""
        options = one.options
        for name in ("board", "wifi"):
            if getattr(options, name) is None:
                raise SettingsError(f"no {name}", f"give a column {name}, or --{name} for all")
        self.meter: BoardChoice = arguments.choice(options, "")
        [site] = linux.site_files(options)[:1]
        if options.wifi not in passwords:
            passwords[options.wifi] = provision_command.password(options)
        choice = Esp32Choice(self.meter, options.board, options.wifi, passwords[options.wifi])
        authority = linux.authority_of(options)
        self.order: Order = provision_command.order_of(bench, site, authority, choice)


def run(options: argparse.Namespace) -> int:
    """Does all jobs; gives the highest exit code."""
    found_jobs = jobs.load(options.jobs, options)
    bench = provision_command.bench_of(options)
    output = sys.stdout
    if not bench.dry:
        _check_folders(options)
    with set_aside():
        boards = {board.mac: board for board in fleet.find(boards_command.chosen_ports(options))}
        if options.json:
            rows = _run(found_jobs, boards, bench, options, SilentView())
        else:
            there = [boards[one.mac] for one in found_jobs if one.mac in boards]
            with TableView(there, output) as view:
                rows = _run(found_jobs, boards, bench, options, view)
    _report(rows, options)
    if options.labels is not None and not bench.dry:
        _label(rows, options, bench)
    named = {one.mac for one in found_jobs}
    for mac, board in boards.items():
        if mac not in named:
            print(f"{board.name} is plugged in, but in no job: left as it is", file=sys.stderr)
    return max((row.result.code for row in rows), default=DONE)


def _run(
    found_jobs: Sequence[Job],
    boards: Mapping[bytes | None, FoundBoard],
    bench: Bench,
    options: argparse.Namespace,
    view: View,
) -> list[Row]:
    results: dict[bytes, ProvisionResult] = {}
    planned: dict[bytes, _Planned] = {}
    passwords: dict[str, str] = {}
    for one in found_jobs:
        try:
            planned[one.mac] = _Planned(one, bench, passwords)
        except AdvisedError as error:
            results[one.mac] = _refused(one, error.exit_code, error.reason, error.advice)
        else:
            if one.mac not in boards:
                results[one.mac] = _refused(
                    one, NO_BOARD, "it is not plugged in", "plug it in, and run it again"
                )
        if one.mac in results and one.mac in boards:
            results[one.mac].port = boards[one.mac].port
            view.end(results[one.mac])
    due = [boards[one.mac] for one in found_jobs if one.mac in boards and one.mac not in results]

    def provision(board: FoundBoard, check: Callable[[], None]) -> ProvisionResult:
        assert board.mac is not None
        order = planned[board.mac].order
        provision_command.begin(bench, board, order)
        result = job.run(board, order, partial(view.step, board), check)
        provision_command.note(bench, result, order)
        view.end(result)
        return result

    for board, result in zip(due, fleet.each(due, provision, view.refresh), strict=True):
        assert board.mac is not None
        results[board.mac] = result
    rows = []
    for one in found_jobs:
        plan, result, file = planned.get(one.mac), results[one.mac], None
        if plan is not None:
            file = provision_command.enrolment_file(
                bench, result, plan.meter, plan.order, options.output
            )
        rows.append(Row(result, file))
    return rows


def _check_folders(options: argparse.Namespace) -> None:
    """Whether all that is to be written will find its place. Raises ToolHomeError."""
    files = [path for path in (options.results, options.junit) if path is not None]
    folders = [options.output, *(path.parent for path in files)]
    for folder in folders if options.labels is None else [*folders, options.labels]:
        tool_home.check_folder(folder)


def _refused(one: Job, code: int, reason: str, advice: str) -> ProvisionResult:
    return ProvisionResult(one.mac.hex(":"), "", code=code, reason=reason, advice=advice)


def _report(rows: Sequence[Row], options: argparse.Namespace) -> None:
    if options.results is not None and not options.dry_run:
        tool_home.write(options.results, reports.as_csv(rows).encode())
    if options.junit is not None and not options.dry_run:
        tool_home.write(options.junit, reports.as_junit(rows))
    if options.json:
        pairs = [(row.result, row.file) for row in rows]
        print(provision_command.json_of(pairs, options.dry_run))
        return
    failed = [row.result for row in rows if row.result.failed]
    print(f"{len(rows) - len(failed)} of {len(rows)} done")
    for result in failed:
        print(f"{result.name}: {result.reason}; {result.advice}", file=sys.stderr)


def _label(rows: Sequence[Row], options: argparse.Namespace, bench: Bench) -> None:
    labels = [
        label_command.of_proof(row.result.proof, row.result.record.site)
        for row in rows
        if row.result.proof is not None and row.result.record is not None and row.file is not None
    ]
    if labels:
        label_command.write(labels, options.labels, bench.journal)
