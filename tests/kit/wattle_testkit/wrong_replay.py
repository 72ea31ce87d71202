"""`wattle-hil replay` with a gateway that loses one sample in 1,000.

python -m wattle_testkit.wrong_replay CURVE.csv ..
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from wattle_hil.children.programs import find_programs
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.cli import summary
from wattle_hil.runs import conclusion, replay_plan
from wattle_hil.runs.replay import replay

# Nothing will come of waiting.
_FINAL_DEADLINE_S = 5.0
_KIT = Path(__file__).parents[1]


def main() -> int:
    parser = argparse.ArgumentParser()
    replay_plan.add_arguments(parser)
    plan = replay_plan.plan_replay(parser.parse_args())
    wrong = (sys.executable, "-m", "wattle_testkit.wrong_gateway", "lose")
    programs = replace(find_programs(), gateway=wrong)
    known = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = f"{_KIT}:{known}" if known else str(_KIT)
    conclusion.FINAL_DEADLINE_S = _FINAL_DEADLINE_S
    with StopSignal() as stop:
        return summary(replay(plan, programs, "wrong replay", stop), plan.folder)


if __name__ == "__main__":
    sys.exit(main())
