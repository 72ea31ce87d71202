"""`make deploy-proof`: image, compose files and units, built and started for real, as root; and the
dashboard, of which a real Prometheus answers each query.

It needs the packages of a registry and Debian's. What this machine has no tool for is said, and
makes exit code 2 if nothing at all could be tried.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from wattle_hil.parts.folder import build_folder

from wattle_testkit.deploy_proof import dashboard, image, pipx, service
from wattle_testkit.deploy_proof.steps import CannotError, FailedError

DONE, BROKEN, CANNOT = 0, 1, 2
PROOFS: dict[str, Callable[[Path], None]] = {
    "image": image.prove_one,
    "alliance": image.prove_alliance,
    "service": service.prove,
    "pipx": pipx.prove,
    "dashboard": dashboard.prove,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """0 if all that could be tried works, 1 if something does not, 2 if nothing could be."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.deploy_proof", description=__doc__)
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=f"of {', '.join(PROOFS)}")
    given = parser.parse_args(arguments).proofs or list(PROOFS)
    work = build_folder() / "deploy"
    work.mkdir(parents=True, exist_ok=True)
    tried = broken = 0
    for name in given:
        began_s = time.monotonic()
        try:
            PROOFS[name](work)
            tried += 1
            print(f"{name}: works, {time.monotonic() - began_s:.0f} s", flush=True)
        except CannotError as error:
            print(f"{name}: not tried: {error}", flush=True)
        except FailedError as error:
            broken += 1
            print(f"{name}: FAILED: {error}", file=sys.stderr, flush=True)
    if broken:
        return BROKEN
    return DONE if tried else CANNOT


if __name__ == "__main__":
    sys.exit(main())
