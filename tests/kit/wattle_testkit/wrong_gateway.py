"""A gateway with one thing wrong: the command line of the real one, and

    python -m wattle_testkit.wrong_gateway lose run DIR ..        loses one sample in 1,000
    python -m wattle_testkit.wrong_gateway drop samples DIR ..    exports all but one in 1,000
    python -m wattle_testkit.wrong_gateway shift samples DIR ..   exports 1 Wh more in one reading
    python -m wattle_testkit.wrong_gateway rewrite samples DIR .. and changes the signed bytes too

The energy check must find each of them.
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

from wattle_gateway.cli.main import main
from wattle_gateway.ingest.intake import Intake
from wattle_gateway.ingest.mqtt_link import Message
from wattle_gateway.reports import samples
from wattle_wire import cbor, sample_reader, structure, topics

# By seq, so that a run of a minute meets it too.
DROPPED_OF_1000 = 12

Rows = Callable[..., Iterator[samples.Row]]


def dropping(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        return (row for row in rows(*arguments) if int(row["seq"]) % 1_000 != DROPPED_OF_1000)

    return wrong


def shifting(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        for count, row in enumerate(rows(*arguments)):
            yield {**row, "ei_wh": str(int(row["ei_wh"]) + 1)} if count == 10 else row

    return wrong


def rewriting(rows: Rows) -> Rows:
    def wrong(*arguments: Any) -> Iterator[samples.Row]:
        for count, row in enumerate(rows(*arguments)):
            yield _with_more_energy(row) if count == 10 else row

    return wrong


def _with_more_energy(row: samples.Row) -> samples.Row:
    old = int(row["ei_wh"])
    # CBOR: an unsigned integer of four bytes is 1a and the bytes.
    raw = str(row["raw"]).replace(f"1a{old:08x}", f"1a{old + 1:08x}")
    assert raw != row["raw"]
    return {**row, "ei_wh": str(old + 1), "raw": raw}


def lose_samples() -> None:
    """The ingest takes a sample from the broker, and that was it; every time it comes."""
    take = Intake.take

    def wrong(intake: Intake, message: Message) -> None:
        if message.topic.endswith(topics.SAMPLE) and _seq(message) % 1_000 == DROPPED_OF_1000:
            message.done()
        else:
            take(intake, message)

    setattr(Intake, Intake.take.__name__, wrong)


def _seq(message: Message) -> int:
    envelope = cbor.decode(message.payload)
    assert isinstance(envelope, cbor.Tag)
    payload = structure.array(envelope.value, 4, "envelope")[2]
    assert isinstance(payload, bytes)
    return sample_reader.decode(payload).seq


WRONG: dict[str, Callable[[Rows], Rows]] = {
    "drop": dropping,
    "shift": shifting,
    "rewrite": rewriting,
}


if __name__ == "__main__":
    if sys.argv[1] == "lose":
        lose_samples()
    else:
        samples.rows = WRONG[sys.argv[1]](samples.rows)
    sys.exit(main(sys.argv[2:]))
