#!/usr/bin/env python3
"""Clients that talk to an echo server now and then, and come back when they are sent away: `crowd.py ADDR:PORT CLIENTS SECONDS`.

Each connects, sends 64 bytes, waits for them, is idle for half a second to a second and a half, and so on. What became of
all that is the JSON it prints: answers; how often a client found itself sent away while idle, refused before it was served, or
(lost) without an answer to what it had sent on a connection that had served it before.
"""

import asyncio
import collections
import json
import random
import sys

MESSAGE = b"x" * 64
PATIENCE = 10  # seconds for an answer


async def client(host, port, counts, until):
    clock = asyncio.get_running_loop().time
    while clock() < until:
        try:
            reader, writer = await asyncio.open_connection(host, port)
        except OSError:
            counts["not_connected"] += 1
            await asyncio.sleep(0.1)
            continue
        await converse(reader, writer, counts, clock, until)
        writer.transport.abort() if clock() < until else writer.close()


async def converse(reader, writer, counts, clock, until):
    served = 0
    while clock() < until:
        try:
            writer.write(MESSAGE)
            await asyncio.wait_for(reader.readexactly(len(MESSAGE)), PATIENCE)
        except (OSError, asyncio.IncompleteReadError):
            counts["lost" if served else "refused"] += 1
            return
        except asyncio.TimeoutError:
            counts["impatient"] += 1
            return
        served += 1
        counts["answers"] += 1
        try:
            await asyncio.wait_for(reader.read(1), random.uniform(0.5, 1.5))
        except asyncio.TimeoutError:
            continue  # nothing came: as it should be
        except OSError:
            pass
        counts["sent_away"] += 1
        return


async def main(address, clients, seconds):
    host, port = address.rsplit(":", 1)
    counts = collections.Counter()
    until = asyncio.get_running_loop().time() + float(seconds)
    every = [asyncio.create_task(client(host, int(port), counts, until)) for _ in range(int(clients))]
    print("crowd is here", flush=True)
    await asyncio.gather(*every)
    print(json.dumps(counts))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
