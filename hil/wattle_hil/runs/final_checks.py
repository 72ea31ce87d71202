"""What is checked when a run is over, from its folder alone: energy, audits, completeness."""

import json
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wattle_hil.children.processes import run
from wattle_hil.errors import RunError
from wattle_hil.report.model import Check
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.statement_check import check_statements

# Verifying takes 1.5 ms a signature, so this is for half a million on two cores.
_CHECK_DEADLINE_S = 600.0
_PASSED, _FAILED = 0, 1
# More than the number of cores only makes each of them wait.
AUDITS_AT_ONCE = 4
# Digits of a digest that people compare.
_SHOWN = 16


def export(control: GatewayControl, folder: RunFolder) -> None:
    """Lets the gateway export meters and samples. Raises ProcessError, RunError."""
    texts = {
        folder.meters: control.call("meters", "list", "--format", "csv"),
        folder.samples: control.call("samples", "--format", "csv", "--raw"),
    }
    try:
        for path, text in texts.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise RunError(f"the export cannot be written: {error}") from error


def check_energy(folder: RunFolder) -> Check:
    """Runs the independent energy check as a program of its own. Raises ProcessError."""
    command = (
        *(sys.executable, "-m", "wattle_hil.energy_check", str(folder.points)),
        *("--meters", str(folder.meters), "--samples", str(folder.samples)),
        *("--json", str(folder.energy_check)),
    )
    done = run("energy check", command, _CHECK_DEADLINE_S)
    if done.code not in (_PASSED, _FAILED):
        return Check("energy", None, done.errors.strip())
    return Check("energy", done.code == _PASSED, _energy_summary(folder, done.output.strip()))


def _energy_summary(folder: RunFolder, output: str) -> str:
    result = read_energy_result(folder.energy_check)
    points, counts = result["points"], result["counts"]
    whole = sum(point["curve_enclosed"] for point in points)
    first = (
        f"{len(points)} points, {whole} with their whole curve:"
        f" {counts['samples']} samples, {counts['signatures_verified']} signatures verified"
    )
    return f"{first}\n{output}"


def read_energy_result(path: Path) -> dict[str, Any]:
    """The JSON that the energy check wrote. Raises RunError."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} is not a result of the energy check: {error}") from error
    assert isinstance(content, dict)
    return content


def check_audit(control: GatewayControl) -> Check:
    """Lets the gateway verify its whole ledger again."""
    done = control.attempt("audit", deadline_s=_CHECK_DEADLINE_S)
    # A program that breaks ends with 1 too, but without a result.
    if done.code not in (_PASSED, _FAILED) or not done.output:
        return Check("audit", None, done.errors.strip())
    return Check("audit", done.code == _PASSED, done.output.strip())


def check_audits(controls: Mapping[str, GatewayControl]) -> Check:
    """Lets each gateway verify its ledger, all at once. controls: by the gateway's name."""
    if len(controls) == 1:
        return check_audit(*controls.values())
    with ThreadPoolExecutor(AUDITS_AT_ONCE) as pool:
        checks = dict(zip(controls, pool.map(check_audit, controls.values()), strict=True))
    passed = None if any(check.passed is None for check in checks.values()) else True
    if any(check.passed is False for check in checks.values()):
        passed = False
    failed = [f"{name}: {check.detail}" for name, check in checks.items() if not check.passed]
    first = next(iter(checks.values())).detail
    return Check(
        "audit", passed, "\n".join(failed) or f"of each of {len(checks)}; the first:\n{first}"
    )


def check_same_ledger(
    controls: Mapping[str, GatewayControl], differing: Sequence[int] = ()
) -> Check:
    """Whether all have the same newest commit, log root and state, and had no `differing` commits
    while they ran. Raises ProcessError."""
    names = ("commit", "commit_digest", "root", "state_digest")
    heads = {
        name: tuple(control.status()[part] for part in names) for name, control in controls.items()
    }
    lines = [
        f"{name}: commit {commit} {digest[:_SHOWN]}, root {root[:_SHOWN]}, state {state[:_SHOWN]}"
        for name, (commit, digest, root, state) in heads.items()
    ]
    same = len(set(heads.values())) == 1
    detail = f"{len(heads)} gateways" if same else f"{len(set(heads.values()))} different ledgers"
    lines += [f"commit {index} was shown with different digests" for index in differing]
    return Check("one ledger", same and not differing, "\n".join([detail, *lines]))


def check_all_complete(
    controls: Mapping[str, GatewayControl], promised: Mapping[str, int] = MappingProxyType({})
) -> Check:
    """Whether everything that each gateway holds is final, and what meters were promised.

    promised: the highest durable seq by meter: it may be on its way in a block that only another
    gateway has. Raises ProcessError.
    """
    checks = {name: check_complete(control, promised) for name, control in controls.items()}
    if len(checks) == 1:
        return next(iter(checks.values()))
    detail = "\n".join(f"{name}: {check.detail}" for name, check in checks.items())
    return Check("all final", all(check.passed for check in checks.values()), detail)


def check_complete(
    control: GatewayControl, promised: Mapping[str, int] = MappingProxyType({})
) -> Check:
    """Whether everything that the gateway holds is final; `promised` as above.

    Raises ProcessError.
    """
    status = control.status()
    open_meters = [
        f"{meter['meter']}: final {meter['final']}, newest {meter['last_seq']},"
        f" {meter['waiting']} waiting"
        for meter in status["meters"]
        if meter["waiting"]
        or meter["final"] != meter["last_seq"]
        or meter["final"] < promised.get(meter["meter"], 0)
    ]
    detail = f"{len(status['meters'])} meters, {status['commit']} commits, pool {status['pool']}"
    return Check(
        "all final", not open_meters and status["pool"] == 0, "\n".join([detail, *open_meters])
    )


def check_promises(broken: Sequence[str], committed: int) -> Check:
    """Whether the ledger kept what it had shown or called durable (`durability`)."""
    detail = f"{committed} readings seen in the ledger while it ran"
    return Check("nothing lost", not broken, "\n".join([detail, *broken]))


def check_again(controls: Mapping[str, GatewayControl], folder: RunFolder) -> list[Check]:
    """Exports and checks a run that is over; controls: of all its gateways, the first one first.

    Raises ProcessError, RunError.
    """
    first = next(iter(controls.values()))
    export(first, folder)
    checks = [
        check_energy(folder),
        *check_statements(first, folder),
        check_all_complete(controls),
        check_audits(controls),
    ]
    return checks if len(controls) == 1 else [*checks, check_same_ledger(controls)]
