"""Runs on MicroPython: the meter of the Linux board, with little patience for its gateways.

hasty_meter.py STANDSTILL_MS RETRY_MS FOLDER [OPTION..]
"""

import sys

_ROOT = (__file__.rpartition("/")[0] or ".") + "/../../.."
for _room in ("firmware", "protocol", "firmware/boards/linux"):
    sys.path.insert(1, _ROOT + "/" + _room)

import main as linux_main  # noqa: E402 - behind the search path
from wattle_meter import link  # noqa: E402
from wattle_meter.gateway_choice import GatewayChoice  # noqa: E402

_STANDSTILL_MS = int(sys.argv[1])
_RETRY_MS = int(sys.argv[2])

link.GatewayChoice = lambda count, now_ms: GatewayChoice(count, now_ms, _STANDSTILL_MS, _RETRY_MS)
sys.exit(linux_main.main(sys.argv[3:]))
