"""What goes from a new meter to the gateway's operator: as a file, or at once through his gateway.

The file is JSON, read by people and by `wattle-gateway meters enrol`, whose module
cli/enrolment_file.py states it. Through the gateway: a command that runs `wattle-gateway` where the
gateway is, ssh for one, so that who may enrol is who may log in there.
"""

import json
import subprocess
from collections.abc import Sequence

from wattle_tools.board_folder import DeviceChoice
from wattle_tools.errors import EnrolmentError
from wattle_tools.proof import Proof

SUFFIX = ".enrol.json"
# The gateway waits up to 45 s for a commit; a modem line needs its time too.
_GATEWAY_S = 90.0
_PEM_END = "-----END CERTIFICATE-----\n"
_OUTPUT_CHARS_MAX = 20_000
_REFUSED = "settle that with its operator; an enrolment file is good for later, too"


def file_of(proof: Proof, ledger_id: bytes, site: str, devices: Sequence[DeviceChoice]) -> bytes:
    """The enrolment file of a meter with these devices."""
    points: list[dict[str, object]] = []
    for device in sorted(devices, key=lambda device: device.number):
        point: dict[str, object] = {
            "d": device.number,
            "ct": list(device.ct),
            "vt": list(device.vt),
            "orient": device.orient,
        }
        if device.rating_w is not None:
            point["rating_w"] = device.rating_w
        points.append(point)
    mac = proof.eui64[:3] + proof.eui64[5:]
    row = {
        "format": 1,
        "ledger_id": ledger_id.hex(),
        "site": site,
        "meter": proof.meter,
        "mac": mac.hex(":") if proof.eui64[3:5] == b"\xff\xfe" else proof.eui64.hex(),
        "protection": proof.protection,
        "proof": proof.raw.hex(),
        "points": points,
    }
    return (json.dumps(row, indent=1) + "\n").encode()


def through(command: Sequence[str], folder: str, meter: str, file: bytes) -> bytes:
    """Enrols a meter by running `command` (which ends with wattle-gateway) for the gateway's
    `folder` there; gives the certificate (PEM) that the gateway issued.

    Raises EnrolmentError: it cannot be run, the gateway refuses, or another member has to approve.
    """
    text = asked(command, words(folder), file)
    pem, end, answer = text.rpartition(_PEM_END)
    try:
        row = json.loads(answer)
        waits, told = row["waits"], row["meter"]
    except (ValueError, KeyError, TypeError) as error:
        raise EnrolmentError(
            f"the gateway answers {_printable(text)!r}",
            "see that the command ends in wattle-gateway, of this version or newer",
        ) from error
    if told != meter:
        raise EnrolmentError(
            f"the gateway enrolled {_printable(str(told))}", f"expected {meter}: run it again"
        )
    if waits is not None:
        raise EnrolmentError(
            "a member of another role has to approve it on the ledger",
            f"when its operator has said `wattle-gateway alliance approve DIR "
            f"{_printable(str(waits.get('digest')))}`, run this again",
        )
    return (pem + end).encode()


def words(folder: str) -> list[str]:
    """What wattle-gateway is asked to do, with the enrolment file on its standard input."""
    return ["meters", "enrol", folder, "-", "--certificate", "-", "--format", "json"]


def asked(
    command: Sequence[str], request: Sequence[str], data: bytes, refused: str = _REFUSED
) -> str:
    """What the gateway's command prints, given `data`; `refused`: what to do when it refuses.

    Raises EnrolmentError when it fails.
    """
    try:
        done = subprocess.run(
            [*command, *request], input=data, capture_output=True, timeout=_GATEWAY_S, check=False
        )
    except OSError as error:
        raise EnrolmentError(
            f"the gateway cannot be asked by {command[0]}: {error.strerror}",
            "say how wattle-gateway is run there",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EnrolmentError(
            f"the gateway gave no answer within {_GATEWAY_S:.0f} s",
            "see there what came of it (`wattle-gateway meters list`), and do it again if need be",
        ) from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
        raise EnrolmentError(
            f"the gateway says: {_printable(said[-1])}",
            refused,
        )
    return done.stdout.decode(errors="replace")[:_OUTPUT_CHARS_MAX]


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[:200])
