"""Units and installer: what systemd makes of them, and that they fit the program."""

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from wattle_gateway.app import observation, service_manager
from wattle_gateway.cli.arguments import parser
from wattle_gateway.cli.main import EXIT_CODES
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.errors import (
    AlreadyRunningError,
    ConfigError,
    HomeError,
    StorageKeyError,
    UsageError,
)
from wattle_testkit.gateway_process import command

DEPLOY = Path(__file__).resolve().parents[2] / "gateway" / "deploy"
UNITS = DEPLOY / "systemd"
# systemd's own scale of 0 (nothing reached) to 10; a service that serves a network has 1.2 left.
EXPOSURE_MAX = {"wattle-gateway@.service": 1.3, "wattle-backup@.service": 1.1}
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed"
)


def unit(name: str) -> configparser.SectionProxy:
    """The [Service] section; of a key that is given several times the last."""
    read = configparser.RawConfigParser(strict=False, delimiters=("=",), interpolation=None)
    read.optionxform = str  # type: ignore[assignment, method-assign]
    read.read(UNITS / name)
    return read["Service"]


@pytest.fixture
def instances(tmp_path: Path) -> list[Path]:
    """The units of a gateway `home`, whose programs exist."""
    programs = tmp_path / "current" / "bin"
    programs.mkdir(parents=True)
    for name in ("wattle-gateway", "wattle-backup-keep"):
        (programs / name).write_text("#!/bin/sh\n")
        (programs / name).chmod(0o755)
    made = []
    for path in sorted(UNITS.glob("*@.*")):
        text = path.read_text().replace("/usr/local/lib/wattle/current", str(tmp_path / "current"))
        (tmp_path / path.name).write_text(text)
        made.append(tmp_path / path.name.replace("@.", "@home."))
    return made


@needs_systemd
def test_systemd_finds_nothing_wrong(instances: list[Path]) -> None:
    assert [path.name for path in instances] == [
        "wattle-backup@home.service",
        "wattle-backup@home.timer",
        "wattle-gateway@home.service",
    ]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *instances],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
@pytest.mark.parametrize("name", EXPOSURE_MAX)
def test_little_is_exposed(instances: list[Path], tmp_path: Path, name: str) -> None:
    shown = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", tmp_path / name.replace("@", "@home")],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found = re.search(r"Overall exposure level for .*: (\d+\.\d)", shown)
    assert found is not None, shown
    assert float(found[1]) <= EXPOSURE_MAX[name]


def test_the_service_runs_a_command_that_there_is() -> None:
    program, *words = unit("wattle-gateway@.service")["ExecStart"].split()
    assert program == "/usr/local/lib/wattle/current/bin/wattle-gateway"
    assert parser().parse_args(words).folder == Path("/var/lib/wattle/%i")


def test_what_a_restart_cannot_mend_is_not_restarted() -> None:
    errors = (
        UsageError,
        ConfigError,
        HomeError,
        AlreadyRunningError,
        SafetyError,
        StorageKeyError,
    )
    codes = {EXIT_CODES[error] for error in errors}
    given = unit("wattle-gateway@.service")["RestartPreventExitStatus"]
    assert {int(code) for code in given.split()} == codes


def test_the_watchdog_waits_longer_than_a_ledger_may_be_busy() -> None:
    watchdog_s = float(unit("wattle-gateway@.service")["WatchdogSec"])
    pause_s = min(service_manager.TELL_EVERY_S, watchdog_s / service_manager.REPORTS_A_WATCHDOG)
    at_most_s = pause_s + observation.ALIVE_WITHIN_S + observation.LEDGER_WITHIN_S
    assert watchdog_s > 1.5 * at_most_s


def test_unit_and_container_have_the_same_limits() -> None:
    service = unit("wattle-gateway@.service")
    for name in ("compose.yaml", "compose.alliance.yaml"):
        container = yaml.safe_load((DEPLOY / "container" / name).read_text())["x-gateway"]
        assert container["mem_limit"].upper() == service["MemoryMax"]
        assert f"{container['cpus']:.0%}" == service["CPUQuota"]
        assert str(container["pids_limit"]) == service["TasksMax"]
        assert str(container["ulimits"]["nofile"]) == service["LimitNOFILE"]
        assert str(container["ulimits"]["core"]) == service["LimitCORE"]


class TestBackupKeep:
    @pytest.fixture
    def keep(self, tmp_path: Path) -> Path:
        """The script, beside the real program."""
        programs = tmp_path / "bin"
        programs.mkdir()
        real = Path(sys.executable).parent / "wattle-gateway"
        (programs / "wattle-gateway").symlink_to(real)
        return Path(shutil.copy(UNITS / "wattle-backup-keep", programs))

    def test_the_newest_stay_and_other_files_too(self, keep: Path, tmp_path: Path) -> None:
        assert command("init", tmp_path / "home").returncode == 0
        target = tmp_path / "backups"
        target.mkdir()
        days = [f"2026-11-0{day}T000000Z.tar" for day in range(1, 5)]
        for name in (*days, "by-hand.tar"):
            (target / name).touch()
        subprocess.run([keep, tmp_path / "home", target, "3"], check=True, capture_output=True)
        *old, new = sorted(path.name for path in target.iterdir() if path.name != "by-hand.tar")
        assert old == days[-2:]
        assert (target / new).stat().st_size > 0
        assert (target / "by-hand.tar").exists()
        restored = command("restore", target / new, tmp_path / "again", "--alone")
        assert restored.returncode == 0, restored.stderr

    def test_a_backup_that_fails_takes_none_away(self, keep: Path, tmp_path: Path) -> None:
        target = tmp_path / "backups"
        target.mkdir()
        (target / "2026-11-01T000000Z.tar").touch()
        done = subprocess.run(
            [keep, tmp_path / "nothing", target, "0"], capture_output=True, check=False
        )
        assert done.returncode == EXIT_CODES[HomeError]
        assert [path.name for path in target.iterdir()] == ["2026-11-01T000000Z.tar"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "expected NAME WHEEL [ARGUMENT...]"),
        (("Home!", "x.whl"), "name 'Home!', expected a-z, 0-9 and hyphens"),
        (("-x", "x.whl"), "name '-x', expected"),
        (("home", "none.whl"), "none.whl: no such file"),
    ],
)
def test_the_installer_refuses_before_it_touches_anything(
    words: tuple[str, ...], says: str
) -> None:
    done = subprocess.run(
        ["sh", DEPLOY / "install", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert says in done.stderr
