#!/usr/bin/env python3
"""Rolls a fleet of three Dwell servers behind HAProxy under load, and counts what was lost.

Starts everything itself, on free ports and in a temporary directory: three fleet_server, HAProxy in front of them, and
clients that keep their connection (long) or bring a new one for each request (short). Then each server in turn gets SIGTERM,
ends, and is started anew. Nobody tries anything twice: neither HAProxy (`retries 0`) nor the clients."""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
NAMES = ("one", "two", "three")
PATIENCE = 20  # seconds; what takes longer has failed


class Failure(Exception):
    """Nothing that a server has lost, but no measurement either."""


def free_ports(count):
    with contextlib.ExitStack() as all_at_once:
        probes = [all_at_once.enter_context(socket.socket()) for _ in range(count)]
        for each in probes:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in probes]


async def until(what, holds):
    end = time.monotonic() + PATIENCE
    while not await holds():
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {PATIENCE} s")
        await asyncio.sleep(0.02)


# ── the load ──

class Load:
    """Requests at an even rate, half over `connections` that stay, half over one each."""

    def __init__(self, port, rate, connections):
        self.port, self.done, self.outcomes = port, asyncio.Event(), collections.Counter()
        self.slowest = 0.0
        pause = 2 * connections / rate
        self.tasks = [asyncio.create_task(self.client(kind, pause, i * pause / connections))
                      for kind in (self.stay, self.come_and_go) for i in range(connections)]

    async def client(self, kind, pause, offset):
        await asyncio.sleep(offset)
        await kind(pause)

    async def ask(self, kind, reader, writer, fields):
        """Counts how it ended. The answer's header, or "" when there was none."""
        began, header = time.monotonic(), ""
        writer.write(f"GET / HTTP/1.1\r\nHost: fleet\r\n{fields}\r\n".encode())
        try:
            header = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = next(int(line.split(":")[1]) for line in header.split("\r\n") if line.startswith("content-length:"))
            await reader.readexactly(length)
            status = header.split(" ")[1]
            outcome = "answered" if status == "200" else status
        except asyncio.IncompleteReadError:
            outcome = "closed"
        except ConnectionError:
            outcome = "reset"
        self.outcomes[kind, outcome] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        return header if outcome == "answered" else ""

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def stay(self, pause):
        reader = writer = None
        due = time.monotonic()
        while not self.done.is_set():
            if writer is None or reader.at_eof():
                if writer:
                    writer.close()
                reader, writer = await self.connect()
            header = await self.ask("long", reader, writer, "")
            if not header or "connection: close" in header:
                writer.close()
                writer = None
            due = max(due + pause, time.monotonic())
            await self.rest(due)
        if writer:
            writer.close()

    async def come_and_go(self, pause):
        due = time.monotonic()
        while not self.done.is_set():
            reader, writer = await self.connect()
            await self.ask("short", reader, writer, "Connection: close\r\n")
            writer.close()
            due = max(due + pause, time.monotonic())
            await self.rest(due)

    async def rest(self, due):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.done.wait(), max(0.0, due - time.monotonic()))

    async def end(self):
        self.done.set()
        await asyncio.gather(*self.tasks)

    def total(self, *kinds):
        return sum(count for (kind, _), count in self.outcomes.items() if not kinds or kind in kinds)

    def unanswered(self):
        return sum(count for (_, outcome), count in self.outcomes.items() if outcome != "answered")


# ── the fleet ──

class Server:
    """One place of the fleet: its ports stay, its processes come and go."""

    def __init__(self, name, program, arguments):
        self.name, self.program, self.arguments = name, program, arguments
        self.web, self.admin, self.agent = free_ports(3)
        self.process = None
        self.crossed = self.aborted = 0

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            str(self.program), "--json", "--listen", f"127.0.0.1:{self.web}", "--admin", f"127.0.0.1:{self.admin}", "--agent",
            f"127.0.0.1:{self.agent}", *self.arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        if not (await self.process.stdout.readline()).startswith(b"listening on"):
            raise Failure(f"server {self.name}: {(await self.process.stderr.read()).decode().strip()}")

    async def drained(self):
        """Ends it by SIGTERM; what it said of that, and how long it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        said, logged = await asyncio.wait_for(self.process.communicate(), PATIENCE)
        if self.process.returncode != 0:
            raise Failure(f"server {self.name} ended with {self.process.returncode}: {logged.decode().strip()}")
        counts = json.loads(said.splitlines()[-1])
        self.crossed += counts["reap_raced"]
        last = logged.decode().splitlines()[-1].partition("ended: ")[2]
        return time.monotonic() - began, last

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()


class Front:
    """HAProxy, told of the servers by its environment."""

    def __init__(self, folder, servers):
        self.port, = free_ports(1)
        self.stats = f"{folder}/haproxy.sock"
        self.environment = {**os.environ, "STATS": self.stats, "FRONT": str(self.port)}
        for number, each in enumerate(servers, 1):
            self.environment |= {f"WEB{number}": str(each.web), f"ADMIN{number}": str(each.admin), f"AGENT{number}": str(each.agent)}
        self.process = None

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin"), "-db", "-f", str(HERE / "haproxy.cfg"), env=self.environment,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL)

    async def states(self):
        """What HAProxy thinks of each server: UP, DRAIN, DOWN …"""
        if self.process.returncode is not None:
            raise Failure(f"haproxy ended with {self.process.returncode}")
        try:
            reader, writer = await asyncio.open_unix_connection(self.stats)
        except OSError:
            return {}
        writer.write(b"show stat\n")
        lines = (await reader.read()).decode().lstrip("# ").splitlines()
        writer.close()
        columns = lines[0].split(",")
        rows = [dict(zip(columns, line.split(","))) for line in lines[1:] if line]
        return {row["svname"]: row["status"] for row in rows if row["pxname"] == "fleet"}

    async def sees_up(self, *names):
        async def holds():
            states = await self.states()
            return all(states.get(name) == "UP" for name in names)
        await until(f"haproxy sees {', '.join(names)} up", holds)

    def kill(self):
        if self.process and self.process.returncode is None:
            self.process.kill()


async def roll(options, folder):
    arguments = ["--drain-delay", options.delay, "--threads", str(options.threads)]
    servers = [Server(name, options.program, arguments) for name in NAMES]
    front = Front(folder, servers)
    try:
        for each in servers:
            await each.start()
        await front.start()
        await front.sees_up(*NAMES)
        load = Load(front.port, options.rate, options.connections)
        began = time.monotonic()
        await asyncio.sleep(options.calm)
        for each in servers * options.rounds:
            took, last = await each.drained()
            await each.start()
            await front.sees_up(each.name)
            print(f"server {each.name}: ended after {took:.2f} s ({last})", flush=True)
        await asyncio.sleep(options.calm)
        await load.end()
        lasted = time.monotonic() - began
        for each in servers:
            await each.drained()
        return load, sum(each.crossed for each in servers), lasted
    finally:
        front.kill()
        for each in servers:
            each.kill()
        for each in (front, *servers):
            if each.process:
                await each.process.wait()


def read_command_line():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Exit codes: 0 nothing was lost, 1 something was, or it could not be measured, 2 wrong usage.\n\n"
                                            "Examples:\n  roll.py --program build/release/examples/fleet/fleet_server\n  roll.py --rounds 5 --rate 1000 --json\n")
    parser.add_argument("--program", type=pathlib.Path, default=HERE / "../../build/release/examples/fleet/fleet_server", help="fleet_server, built")
    parser.add_argument("--rate", type=float, default=500, metavar="N", help="requests a second, half long, half short [500]")
    parser.add_argument("--connections", type=int, default=25, metavar="N", help="clients of either kind [25]")
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="each server is rolled so often [1]")
    parser.add_argument("--delay", default="1s", metavar="TIME", help="drain.delay of the servers: five health checks or so [1s]")
    parser.add_argument("--calm", type=float, default=0.5, metavar="SECONDS", help="load before the first and after the last [0.5]")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="loops of each server [1]")
    parser.add_argument("--json", action="store_true", help="the summary as one line of JSON")
    options = parser.parse_args()
    if not options.program.exists():
        parser.error(f"--program {options.program} does not exist: build it (./dev build), or say where it is")
    if not shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin"):
        parser.error("haproxy is needed: apt install haproxy")
    return options


async def main():
    options = read_command_line()
    running = asyncio.current_task()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, running.cancel)
    with tempfile.TemporaryDirectory(prefix="dwell-fleet-") as folder:
        load, crossed, lasted = await roll(options, folder)
    unanswered = load.unanswered()
    lost = max(0, unanswered - crossed)
    if options.json:
        print(json.dumps({"requests": load.total(), "long": load.total("long"), "short": load.total("short"), "answered": load.total() - unanswered,
                          "crossed": crossed, "lost": lost, "slowest_ms": round(load.slowest * 1000), "seconds": round(lasted, 2)}))
    else:
        print(f"{load.total()} requests in {lasted:.1f} s ({load.total('long')} long, {load.total('short')} short), slowest {load.slowest * 1000:.0f} ms")
        for (kind, outcome), count in sorted(load.outcomes.items()):
            print(f"  {kind:5}  {outcome:9}  {count}")
        print(f"{unanswered} unanswered, {crossed} crossed our FIN, {lost} lost")
    return 1 if lost else 0


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except Failure as failure:
        sys.exit(f"roll.py: {failure}")
    except asyncio.CancelledError:
        sys.exit("roll.py: interrupted; everything that was started has ended")
