"""The units under a real systemd, in a container of systemd-nspawn on this host's network."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

from wattle_testkit.deploy_proof import member
from wattle_testkit.deploy_proof.steps import (
    DEPLOY,
    FailedError,
    attempt,
    debian,
    need,
    run,
    wait,
    wheel,
)

NAME = "proof"
UNIT = f"wattle-gateway@{NAME}.service"
FOLDER = f"/var/lib/wattle/{NAME}"
PORT = "18893"
PEERS_PORT = "18894"
_BOOT_S = 20.0
# The unit's own times are made for a busy ledger; with these the proof ends today.
QUICK = "[Service]\nWatchdogSec=6\nTimeoutStopSec=5\nRestartSec=1\n"
_PACKAGES = ["ca-certificates", "dbus", "python3-venv", "systemd", "systemd-sysv"]


def prove(work: Path) -> None:
    """Installed in one step, ready, closed, backed up, killed and hung, back each time."""
    need("systemd-nspawn", "nsenter")
    # From systemd 256 on there is none without the unified hierarchy of groups.
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    root = debian(work, "trixie-systemd" if unified else "bookworm", _PACKAGES)
    given = root / "srv" / "given"
    shutil.rmtree(given, ignore_errors=True)
    shutil.copytree(DEPLOY, given / "deploy")
    built = Path(shutil.copy(wheel(work), given))
    for setting in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(setting).exists():
            shutil.copy(setting, root / setting[1:])
    for unit in (UNIT, member.UNIT):
        drop_ins = root / f"etc/systemd/system/{unit}.d"
        shutil.rmtree(drop_ins, ignore_errors=True)
        drop_ins.mkdir(parents=True)
        (drop_ins / "quick.conf").write_text(QUICK)
    for name in (NAME, member.NAME):
        shutil.rmtree(root / f"var/lib/wattle/{name}", ignore_errors=True)
        shutil.rmtree(root / f"var/backups/wattle/{name}", ignore_errors=True)
    with _booted(root, work / "nspawn.log") as inside:
        install = ["/srv/given/deploy/install", NAME, f"/srv/given/{built.name}"]
        peers = ["--peers-listen", "127.0.0.1", "--peers-port", PEERS_PORT]
        run([*inside, *install, "--host", "127.0.0.1", "--port", PORT, *peers])
        _is_up(inside)
        _is_closed(inside)
        run([*inside, "systemctl", "start", f"wattle-backup@{NAME}.service"])
        if not run([*inside, "ls", f"/var/backups/wattle/{NAME}"]).strip().endswith(".tar"):
            raise FailedError("there is no backup")
        for number in (signal.SIGKILL, signal.SIGSTOP):
            _comes_back_after(number, inside)
        run([*inside, *install])  # as for an upgrade: the folder stays
        _is_up(inside)
        member.prove(inside, install[0], install[2], FOLDER, _is_up)
        run([*inside, "systemctl", "stop", UNIT])
        # Not its Result: without the unified hierarchy nothing says that a group is empty.
        ended = (_shown(inside, "ExecMainCode"), _shown(inside, "ExecMainStatus"))
        if ended != ("1", "0"):  # CLD_EXITED, and the exit code
            raise FailedError(f"it stopped with {ended}")


@contextlib.contextmanager
def _booted(root: Path, log: Path) -> Iterator[list[str]]:
    """The words before a command inside; whatever runs there ends with the block."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    with log.open("wb") as out:
        container = subprocess.Popen(
            [
                *("systemd-nspawn", "--quiet", f"--directory={root}", "--register=no"),
                *("--keep-unit", f"--machine=wattle-{os.getpid()}", "--boot"),
            ],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1" if unified else "0"},
        )
    try:
        wait(
            lambda: container.poll() is not None or _is_booted(container.pid),
            _BOOT_S,
            f"systemd is up, see {log}",
        )
        if container.poll() is not None:
            raise FailedError(f"systemd-nspawn ended: {log.read_text().strip()}")
        inside = _inside(container.pid)
        yield inside
    finally:
        container.send_signal(signal.SIGTERM)  # systemd-nspawn powers off what it holds
        try:
            container.wait(_BOOT_S)
        except subprocess.TimeoutExpired:
            container.kill()


def _inside(nspawn: int) -> list[str]:
    """The words before a command in the container of this process."""
    # Its last child: before it starts systemd, it has others for a moment.
    children = Path(f"/proc/{nspawn}/task/{nspawn}/children").read_text().split()
    return [
        *("nsenter", "--target", (children or ["0"])[-1], "--mount", "--uts", "--ipc", "--pid"),
        *("--net", "--cgroup", "--root", "--wd", "env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"),
    ]


def _is_booted(nspawn: int) -> bool:
    ready = [*_inside(nspawn), "systemctl", "is-active", "--quiet", "multi-user.target"]
    return attempt(ready).returncode == 0


def _comes_back_after(number: signal.Signals, inside: list[str]) -> None:
    before = _shown(inside, "MainPID")
    run([*inside, "sh", "-c", f"kill -{number.value} {before}"])
    wait(lambda: _shown(inside, "MainPID") not in (before, "0"), 20, "a restart")
    _is_up(inside)


def _shown(inside: list[str], name: str, unit: str = UNIT) -> str:
    return run([*inside, "systemctl", "show", "--property", name, "--value", unit]).strip()


def _is_up(inside: list[str], unit: str = UNIT, folder: str = FOLDER) -> None:
    """It says that it is ready, and the doctor finds no problem."""
    program = "/usr/local/lib/wattle/current/bin/wattle-gateway"
    wait(lambda: _shown(inside, "ActiveState", unit) == "active", 20, "the service is active")
    wait(
        lambda: "ok        broker" in attempt([*inside, program, "doctor", folder]).stdout,
        10,
        "the gateway is connected to its broker",
    )
    doctor = attempt([*inside, program, "doctor", folder]).stdout
    if "PROBLEM" in doctor:
        raise FailedError(f"the doctor says {doctor}")
    wait(lambda: "meters connected" in _shown(inside, "StatusText", unit), 10, "it says how it is")


def _is_closed(inside: list[str]) -> None:
    status = run([*inside, "cat", f"/proc/{_shown(inside, 'MainPID')}/status"])
    for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1"):
        if line not in status:
            raise FailedError(f"expected {line}")
    if "Seccomp:\t2" not in status:
        raise FailedError("no filter of system calls")
