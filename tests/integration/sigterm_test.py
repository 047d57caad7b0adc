"""A server is told to end while requests come: `sigterm_test.py FOLDER [TEST]`. With DWELL_RUNS=N each is done N times."""

import asyncio
import json
import os
import pathlib
import signal
import sys
import unittest

from examples_test import Server, main

sys.path.append(str(pathlib.Path(__file__).parents[2] / "examples/fleet"))
from roll import Load  # noqa: E402


class Leaving(Load):
    """Clients that are 20 ms away, and go home once nobody listens any more."""

    async def connect(self):
        made = await super().connect()
        await asyncio.sleep(0.02)
        return made

    async def client(self, kind, pause, offset):
        try:
            await super().client(kind, pause, offset)
        except ConnectionRefusedError:
            pass


class Sigterm(unittest.TestCase):
    def one_run(self, *arguments):
        async def run(server):
            load = Leaving(int(server.where.rsplit(":", 1)[1]), 500, 25)
            await asyncio.sleep(0.3)
            server.process.send_signal(signal.SIGTERM)
            await asyncio.get_running_loop().run_in_executor(None, server.process.wait)
            await load.end()
            return load

        with Server("http_server", "--json", *arguments) as server:
            load = asyncio.run(run(server))
            counts = json.loads(server.process.stdout.read().splitlines()[-1])
        print(f"{dict(load.outcomes)}, {counts['reap_raced']} counted as crossed", flush=True)
        return load.outcomes, counts

    def check(self, *arguments):
        for _ in range(int(os.environ.get("DWELL_RUNS", "1"))):
            outcomes, counts = self.one_run(*arguments)
            self.assertEqual({outcome for _, outcome in outcomes} - {"answered", "closed", "reset"}, set())
            # Who comes in the microseconds between the last accept and the close of the listener is reset by the kernel.
            self.assertLessEqual(outcomes["long", "reset"] + outcomes["short", "reset"], 1)
            closed = outcomes["long", "closed"] + outcomes["short", "closed"]
            self.assertEqual(closed, counts["reap_raced"])
            self.assertGreater(outcomes["long", "answered"] + outcomes["short", "answered"], 50)

    def test_at_once(self):
        self.check()

    def test_after_a_delay(self):
        self.check("--drain-delay", "500ms")

    def test_over_a_time(self):
        self.check("--drain-spread", "500ms")


if __name__ == "__main__":
    main()
