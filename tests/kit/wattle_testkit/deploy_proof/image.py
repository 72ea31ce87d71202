"""The image is built by an engine, and runs as the compose files say."""

import os
import re
import shutil
from pathlib import Path

from wattle_testkit.deploy_proof.steps import (
    DEPLOY,
    ROOT,
    CannotError,
    FailedError,
    attempt,
    debian,
    need,
    run,
    wait,
)

IMAGE = "localhost/wattle-gateway"
BASE = "docker.io/library/debian:trixie-slim"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
_READY_S = 15.0
_PROJECT = "wattle-proof"
# Where this machine says which registry packages come from, and whose certificates it trusts.
_SETTINGS = (Path("/etc/pip.conf"), Path("/etc/ssl/certs/ca-certificates.crt"))


def _engine() -> str:
    """podman or docker, if its engine answers."""
    for name in (os.environ.get("WATTLE_ENGINE", "podman"), "docker"):
        try:
            need(name)
        except CannotError:
            continue
        if attempt([name, "info"]).returncode == 0:
            return name
    raise CannotError("neither podman nor docker has an engine here")


def _compose(engine: str) -> list[str]:
    """The compose command."""
    given = os.environ.get("WATTLE_COMPOSE", f"{engine} compose").split()
    if attempt([*given, "version"]).returncode != 0:
        raise CannotError(f"`{' '.join(given)}` does not work; WATTLE_COMPOSE may name another")
    return given


def build(work: Path) -> str:
    """The image; gives the engine. Where no registry has the base, debootstrap makes it."""
    engine = _engine()
    known = attempt([engine, "image", "inspect", BASE]).returncode == 0
    if not known and attempt([engine, "pull", "--quiet", BASE]).returncode != 0:
        root = debian(work, "trixie", ["ca-certificates"])
        for path in _SETTINGS:  # docker has no mounts while it builds
            if path.is_file():
                shutil.copy(path, root / path.relative_to("/"))
        archive = work / "trixie.tar"
        run(["tar", "-C", root, "--one-file-system", "-cf", archive, "."])
        run([engine, "import", archive, BASE])
        archive.unlink()
    words: list[str | Path] = [engine, "build", "--network=host", "-t", IMAGE, "-f", CONTAINERFILE]
    if engine == "podman":
        words += ["--format", "docker"]  # the other format has no health check
        for path in _SETTINGS:
            words += ["-v", f"{path}:{path}:ro"] if path.exists() else []
    run([*words, ROOT])
    return engine


def prove_one(work: Path) -> None:
    """One gateway by compose.yaml: closed, bounded, healthy, again after a restart."""
    engine = build(work)
    file = DEPLOY / "container" / "compose.yaml"
    compose = [*_compose(engine), "-p", _PROJECT, "-f", str(file)]
    settings = {"WATTLE_IMAGE": IMAGE, "WATTLE_HOST": "127.0.0.1", "WATTLE_PORT": "18883"}
    try:
        for _ in ("the first start", "a later one"):
            run([*compose, "up", "-d"], settings)
            inside = [*compose, "exec", "-T", "gateway"]
            healthy = [*inside, "wattle-healthy"]
            wait(
                lambda: '"alive": true' in attempt(healthy, settings).stdout,  # noqa: B023
                _READY_S,
                "the health check",
            )
            _look_inside(inside, settings)
            run([*compose, "down"], settings)
    finally:
        attempt([*compose, "down", "-v"], settings)
        attempt([engine, "volume", "rm", "-f", f"{_PROJECT}_data"])


def _look_inside(inside: list[str], settings: dict[str, str]) -> None:
    status = run([*inside, "cat", "/proc/1/status"], settings)
    facts = dict(re.findall(r"^(\w+):\s*(.*)$", status, re.MULTILINE))
    expected = {
        "Uid": "10001\t10001\t10001\t10001",
        "CapBnd": "0" * 16,
        "CapEff": "0" * 16,
        "NoNewPrivs": "1",
    }
    for name, value in expected.items():
        if facts[name] != value:
            raise FailedError(f"{name} is {facts[name]}, expected {value}")
    limits = run([*inside, "cat", "/proc/1/limits"], settings)
    if not re.search(r"Max core file size +0 +0 ", limits):
        raise FailedError("core dumps are not switched off")
    touched = attempt([*inside, "touch", "/usr/lib/x"], settings)
    if "Read-only file system" not in touched.stdout + touched.stderr:
        raise FailedError("the root file system can be written")
    doctor = attempt([*inside, "wattle-gateway", "doctor", "/var/lib/wattle/gateway"], settings)
    if "PROBLEM" in doctor.stdout or "ok        broker" not in doctor.stdout:
        raise FailedError(f"the doctor says {doctor.stdout}")


def prove_alliance(work: Path) -> None:
    """Four gateways by alliance-first-start, which is then said again."""
    engine = build(work)
    compose = _compose(engine)
    settings = {
        "WATTLE_ENGINE": engine,
        "WATTLE_COMPOSE": " ".join(compose),
        "WATTLE_IMAGE": IMAGE,
    }
    script = DEPLOY / "container" / "alliance-first-start"
    file = DEPLOY / "container" / "compose.alliance.yaml"
    down = [*compose, "-p", "wattle-alliance", "-f", str(file), "down"]
    try:
        if "4 vote, 3 of them decide" not in run([script], settings):
            raise FailedError("four gateways are no alliance of four")
        if "is a gateway's folder already" not in run([script], settings):
            raise FailedError("the second start has made something anew")
    finally:
        attempt([*down, "-v"], settings)
        for name in ("one", "two", "three", "four"):
            attempt([engine, "volume", "rm", "-f", f"wattle-alliance_{name}"])
