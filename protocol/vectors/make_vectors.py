"""Make the frozen vectors in this folder and the worked example in SPEC.md.

Run from anywhere: `python protocol/vectors/make_vectors.py`. Deterministic: the keys are
hashes of fixed texts and signatures use RFC 6979, so running it again changes nothing;
`make vectors` fails if it does.
"""

import hashlib
import json
import pathlib

from wattle_wire import bundle, cbor, cose, downlink, p256, sample, topics, uplink
from wattle_wire.sample import Reading, Sample

HERE = pathlib.Path(__file__).parent
SPEC = HERE.parent / "SPEC.md"
BEGIN = "<!-- worked example: begin (vectors/make_vectors.py) -->\n"
END = "<!-- worked example: end -->"

EUI64 = bytes.fromhex("021122fffe334455")
TIME_MS = 1_700_000_000_000


def private_key(name: str) -> bytes:
    """The private key of an example: SHA-256 of a text (below the group order for these)."""
    return hashlib.sha256(f"wattle example {name}".encode()).digest()


def signed(kind: str, ledger_id: bytes, private: bytes, payload: bytes) -> bytes:
    """A COSE_Sign1 of kind `kind` by the holder of `private`."""
    kid = cose.kid_of(p256.public_from_private(private))
    digest = cose.digest(kind, ledger_id, kid, payload)
    return cose.sign1(kid, payload, p256.sign(private, digest))


def example_samples() -> list[Sample]:
    """A first sample, one that follows it, and one with every optional record."""
    first = Sample(
        EUI64,
        1,
        1,
        None,
        "U",
        [Reading(1, TIME_MS, "G", {"ei": 1_234_567, "p": 23_045, "u": 2_304})],
    )
    second = Sample(
        EUI64,
        2,
        1,
        bytes(32),  # replaced by the digest of the first
        "S",
        [
            Reading(1, TIME_MS + 1000, "G", {"ei": 1_234_573, "p": 23_052, "u": 2_303}),
            Reading(2, TIME_MS + 1000, "T", {"ei": "T", "p": "T"}),
        ],
        seen=(7, bytes(range(16))),
    )
    every = Sample(
        EUI64,
        1025,
        2,
        None,
        "I",
        [
            Reading(
                1,
                TIME_MS + 60_000,
                "G",
                {"ee": 0, "ei": 1_234_999, "f": 4998, "i": -1_002, "p": -23_052, "q": 7},
            )
        ],
        seen=(8, bytes(range(16, 32))),
        gaps=[(3, 1024, sample.GAP_RESTART)],
        command=(bytes(range(32)), -2_500),
    )
    return [first, second, every]


def example_health() -> list[object]:
    """A day after a watchdog's reset: a weak signal, a silent device and one that is frozen."""
    resets = [1, 3, 2, 0, 0, 1, 0, 0]
    outbox = [7, 65536, 1, 0]
    bus = [258_000, 0, 12, 0, 0, 0, 0, 0]
    work = [86_000, 12, 4, 0, 1]
    return [[86_400, 20_480], resets, -67, outbox, bus, work, [2, 5], [[1, 12, 0], [30, 0, 4]]]


def example_update(ledger_id: bytes) -> dict[str, object]:
    """Two files in two chunks, signed by two members."""
    files = [("firmware.rom", bytes(range(256)) * 4), ("alliance.json", b"{}")]
    made = bundle.make(ledger_id, TIME_MS, "0.2.0", "linux", files)
    members = [private_key("member one"), private_key("member two")]
    for private in members:
        raw = signed("update", ledger_id, private, made.payload)
        made = made.with_signature(cose.parse_sign1("update", ledger_id, raw))
    return {
        "members": [p256.public_from_private(private).hex() for private in members],
        "payload": made.payload.hex(),
        "message": made.message().hex(),
        "chunks": [chunk.hex() for chunk in made.chunks()],
        "bundle": made.encode().hex(),
        "state": uplink.encode_state(
            bytes(range(8)), True, None, None, (TIME_MS, 0, len(files[0][1]))
        ).hex(),
    }


def vectors() -> dict[str, object]:
    """Everything in `wire.json`: inputs, keys and the bytes that must come out."""
    meter, link, tls = (private_key(name) for name in ("meter", "meter link", "meter tls"))
    gateway_link = private_key("gateway link")
    ledger_id = hashlib.sha256(b"wattle example genesis").digest()[: cose.LEDGER_ID_BYTES]
    public = p256.public_from_private(meter)
    kid = cose.kid_of(public)
    gateway_kid = cose.kid_of(p256.public_from_private(gateway_link))
    shared = p256.ecdh(link, p256.public_from_private(gateway_link))
    key = cose.link_key(shared, ledger_id, kid, gateway_kid)

    samples = []
    previous = None
    for item in example_samples():
        if item.prev is not None:
            item.prev = previous
        payload = sample.encode(item)
        previous = cose.digest("sample", ledger_id, kid, payload)
        samples.append(
            {
                "payload": payload.hex(),
                "digest": previous.hex(),
                "message": signed("sample", ledger_id, meter, payload).hex(),
            }
        )
    ack = downlink.encode_ack(
        downlink.Ack(2, 5, [[6, 6]], [[7, downlink.MALFORMED]], 9, bytes(range(32)))
    )
    command = downlink.encode_command(TIME_MS, downlink.TIME, [bytes(range(16)), TIME_MS])
    state = uplink.encode_state(bytes(range(8)), True, bytes(range(16)), example_health())
    proof = uplink.encode_proof(
        EUI64,
        public,
        p256.public_from_private(link),
        p256.public_from_private(tls),
        1,
        "file",
    )
    return {
        "ledger_id": ledger_id.hex(),
        "meter_private": meter.hex(),
        "meter_public": public.hex(),
        "meter_id": topics.meter_id(kid),
        "meter_link_private": link.hex(),
        "gateway_link_private": gateway_link.hex(),
        "link_key": key.hex(),
        "samples": samples,
        "ack": {
            "payload": ack.hex(),
            "message": cose.mac0("ack", ledger_id, gateway_kid, ack, key).hex(),
        },
        "time_command": {
            "payload": command.hex(),
            "message": cose.mac0("cmd", ledger_id, gateway_kid, command, key).hex(),
        },
        "state": {
            "offline": uplink.encode_state(bytes(range(8)), False).hex(),
            "online": uplink.encode_state(bytes(range(8)), True).hex(),
            "health": state.hex(),
        },
        "enrolment_proof": {
            "payload": proof.hex(),
            "message": signed("enrol", ledger_id, meter, proof).hex(),
        },
        "update": example_update(ledger_id),
    }


def diagnostic(value: object) -> str:
    """A value in CBOR diagnostic notation (RFC 8949 section 8)."""
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, list):
        return "[" + ", ".join(diagnostic(item) for item in value) + "]"
    if isinstance(value, dict):
        rows = sorted(value.items(), key=lambda row: cbor.encode(row[0]))
        return "{" + ", ".join(f"{diagnostic(k)}: {diagnostic(v)}" for k, v in rows) + "}"
    if isinstance(value, cbor.Tag):
        return f"{value.number}({diagnostic(value.value)})"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def wrapped(text: str, width: int = 96) -> str:
    """Hexadecimal in lines."""
    return "\n".join(text[i : i + width] for i in range(0, len(text), width))


def worked_example(made: dict[str, object]) -> str:
    """Section 14 of SPEC.md: the first sample, step by step."""
    samples = made["samples"]
    assert isinstance(samples, list)
    first = samples[0]
    payload = bytes.fromhex(first["payload"])
    message = bytes.fromhex(first["message"])
    ledger_id = bytes.fromhex(str(made["ledger_id"]))
    parsed = cose.parse_sign1("sample", ledger_id, message)
    records = cbor.decode(payload)
    assert isinstance(records, list)
    pack = ",\n ".join(diagnostic(record) for record in records)
    structure = [
        "Signature1",
        bytes.fromhex("a201260448") + parsed.kid,
        cose.external_aad("sample", ledger_id),
        payload,
    ]
    return f"""Ledger id (of a made-up genesis): `{made["ledger_id"]}`

Signing key, private: `{made["meter_private"]}`; public:

```
{wrapped(str(made["meter_public"]))}
```

kid, meter id: `{made["meter_id"]}`

The meter's first sample: seq 1, boot 1, clock unsynchronised, one reading of device 1 at
{TIME_MS} ms: import counter 1,234,567 Wh, 2,304.5 W, 230.4 V. Payload in diagnostic notation:

```
[{pack}]
```

Payload, {len(payload)} bytes:

```
{wrapped(first["payload"])}
```

external_aad: `{cose.external_aad("sample", ledger_id).hex()}`

Sig_structure, {len(cbor.encode(structure))} bytes; its SHA-256 is the digest `{first["digest"]}`

Message (COSE_Sign1), {len(message)} bytes, as published on
`wattle/1/demo/{made["meter_id"]}/sample`:

```
{wrapped(first["message"])}
```
"""


def main() -> None:
    """Write `wire.json` and section 14 of SPEC.md."""
    made = vectors()
    (HERE / "wire.json").write_text(json.dumps(made, indent=1) + "\n")
    head, rest = SPEC.read_text().split(BEGIN)
    _, tail = rest.split(END)
    SPEC.write_text(head + BEGIN + "\n" + worked_example(made) + "\n" + END + tail)


if __name__ == "__main__":
    main()
