"""meters resend: samples of a meter once more."""

import argparse
import json

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.folder import home_of
from wattle_gateway.errors import DeadlineError, UsageError

# Longer than the gateway itself waits for samples.
ADMIN_DEADLINE_S = 60.0


def resend(arguments: argparse.Namespace) -> None:
    """Have a connected meter send samples again, and say what came."""
    home = home_of(arguments.folder)
    try:
        topics.kid_of_meter(arguments.meter)
    except WireError as error:
        raise UsageError(str(error)) from error
    first = arguments.first
    to = first if arguments.last is None else arguments.last
    answer = ask(
        home.admin_socket, "resend", ADMIN_DEADLINE_S, meter=arguments.meter, first=first, to=to
    )
    asked, came, new = (answer[name] for name in ("asked", "came", "new"))
    if arguments.format == "json":
        print(json.dumps({"asked": asked, "came": came, "new": new}))
    else:
        print(f"meter {arguments.meter}: {came} of {asked} samples came again, {new} new here")
    if came < asked:
        raise DeadlineError(
            f"{asked - came} samples have not come: the meter no longer holds them, or is still "
            "sending; what it has lost it declares as a gap"
        )
