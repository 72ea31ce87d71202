"""Runs on MicroPython: asks a time server on this host, prints the time or what went wrong.

ask_time.py PORT TIMEOUT_MS
"""

import asyncio
import sys

from wattle_meter import datagram, sntp

NONCE = b"8 octets"


async def main(port, timeout_ms):
    ticks = []

    async def others_run():
        while True:
            ticks.append(1)
            await asyncio.sleep_ms(5)

    task = asyncio.create_task(others_run())
    try:
        packet = await datagram.ask("127.0.0.1", port, sntp.request(NONCE), timeout_ms)
        print(sntp.unix_ms(packet, NONCE), len(ticks))
    except (OSError, sntp.SntpError) as error:
        print("failed:", error, len(ticks))
    task.cancel()


asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
