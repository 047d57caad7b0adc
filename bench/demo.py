#!/usr/bin/env python3
"""The same HTTP requests over long and over short connections, and what becomes of them.

A server and a client in two network namespaces of their own, joined by a cable. Each of four runs
sends the same requests at the same rate. Long connections are left alone afterwards, with 500 more
that never do anything: the server closes them all when their idle deadline has passed. Short ones
end after one exchange. Every time the server closes first, by the method shown.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import textwrap
import time

from lab import network
from lab.network import Network
from lab.programs import ROOT, Failed, Programs, Server, result_of, start_driver
from lab.report import bold, styled, table

RATE = 3_000
CONNECTIONS = 100
ROWS_SHOWN = 3
ADMIN = "admin on "
IDLERS = 500
IDLE_SECONDS = 5
LOAD_SECONDS = 4
WARMUP_SECONDS = 0.5
LOOK_AFTER_SECONDS = 2.5  # into a long run: the load is on, and the silent ones wait


@dataclasses.dataclass
class Run:
    mode: str
    method: str

    @property
    def title(self):
        return f"{self.mode} connections, {self.method.replace('-', '_')}"

    @property
    def seconds(self):
        """About how long it takes."""
        load = WARMUP_SECONDS + LOAD_SECONDS
        return load + IDLE_SECONDS + 0.7 if self.mode == "long" else load + 0.3


RUNS = [Run("long", "graceful"), Run("long", "abort-after-fin"),
        Run("short", "graceful"), Run("short", "abort-after-fin")]


class Live:
    """One line rewritten in place while a run goes on; plain lines when this is no terminal."""

    def __init__(self):
        self.terminal = sys.stdout.isatty()

    def begin(self, number, run):
        self.run, self.number, self.began = run, number, time.monotonic()
        if not self.terminal:
            print(f"[{number}/{len(RUNS)}] {run.title} ...", flush=True)

    def tick(self, net):
        if not self.terminal:
            return
        elapsed = time.monotonic() - self.began
        share = min(1.0, elapsed / self.run.seconds)
        filled = round(share * 16)
        established, waiting_server, waiting_client = _sockets(net)
        counts = f"{established:4} open"
        if net.kind != "host":
            counts += f"   TIME_WAIT {waiting_server:6,} server {waiting_client:4,} client"
        print(f"\r\033[K  {self.number}/{len(RUNS)} {self.run.title:34} "
              f"{styled('━' * filled, '36')}{styled('━' * (16 - filled), '2')} {elapsed:4.1f} s   "
              f"{counts}", end="", flush=True)

    def end(self, sentence):
        clear = "\r\033[K" if self.terminal else ""
        print(f"{clear}  {styled('✓', '32')} {self.run.title:34} {sentence}", flush=True)

    def clear(self):
        if self.terminal:
            print("\r\033[K", end="", flush=True)


def _sockets(net):
    """Connections and TIME_WAITs from sockstat: cheap enough to look while we measure."""
    def read(side):
        with open(f"/proc/{side.pid}/net/sockstat") as lines:
            for line in lines:
                words = line.split()
                if words[0] == "TCP:":
                    return int(words[2]), int(words[6])
        return 0, 0

    in_use, waiting = read(net.server)
    return max(0, in_use - 1), waiting, read(net.client)[1]  # one is the listener


def play(run, programs, kind, live):
    """Returns the driver's results: {'load': …, 'idle': … or None, 'time_wait': (server, client),
    'connections': what the server's admin showed meanwhile, of a long run}."""
    with Network(kind) as net:
        flags = {"mode": run.mode, "close": run.method, "admin": f"{net.address}:0"}
        if run.mode == "long":
            flags.update(close_idle=run.method, idle=f"{IDLE_SECONDS}s")
        server = Server(net, programs.http(**flags))
        load = [run.mode, server.address, "-n", CONNECTIONS, "--rate", RATE, "--get", "/",
                "--warmup", f"{WARMUP_SECONDS}s", "--duration", f"{LOAD_SECONDS}s"]
        clients = []
        if run.mode == "long":
            load += ["--who-closes", "server"]
            clients.append(start_driver(net, programs, [
                "idle", server.address, "--get", "/", "-n", IDLERS, "--spread", "300ms",
                "--expect", f"{IDLE_SECONDS}s"], quiet=True))
        else:
            load += ["--who-closes", "client"]  # at its last byte: our FIN must come with that
        clients.append(start_driver(net, programs, load, server, quiet=True))
        looked, look_at = None, time.monotonic() + LOOK_AFTER_SECONDS
        while any(client.poll() is None for client in clients):
            live.tick(net)
            if run.mode == "long" and not looked and time.monotonic() > look_at:
                looked = look(net, server)
            time.sleep(0.1)
        *idle, result = [result_of(client) for client in clients]
        counted = net.time_wait()
        server.stop()
    if result["interrupted"]:
        raise KeyboardInterrupt
    return {"load": result, "idle": idle[0] if idle else None, "time_wait": counted,
            "connections": looked}


def look(net, server):
    """What GET /connections of the server's admin says: the busiest, and who has been silent for longest."""
    admin = next(line for line in server.lines if line.startswith(ADMIN)).removeprefix(ADMIN)

    urls = [f"http://{admin}/connections?sort=-{order}&limit={ROWS_SHOWN}" for order in ("exchanges", "idle")]
    said = subprocess.check_output(net.client.command(["curl", "-sS", "--max-time", "5", *urls]), text=True)
    busiest, end = json.JSONDecoder().raw_decode(said)
    return {"busiest": busiest, "quietest": json.loads(said[end:])}


def show_connections(looked):
    """The table that an operator would see."""
    def row(each):
        return [each["peer"], each["phase"], f"{each['age_ms'] / 1000:.2f}", f"{each['idle_ms'] / 1000:.2f}",
                f"{each['deadline_ms'] / 1000:.2f}" if each["deadline_ms"] is not None else "–",
                f"{each['exchanges']:,}", f"{each['received_bytes']:,}", f"{each['sent_bytes']:,}"]

    matched = looked["busiest"]["matched"]
    print(f"\n  {matched} connections were open {LOOK_AFTER_SECONDS:g} s into a long run. The busiest, and who had been "
          f"silent for\n  longest, as `curl http://ADMIN/connections?sort=-exchanges` and `?sort=-idle` showed them:\n")
    print(table(["peer", "phase", "age\ns", "idle\ns", "deadline\nin s", "exchanges", "B in", "B out"],
                [row(each) for which in ("busiest", "quietest") for each in looked[which]["connections"]]))


def sentence_for(run, played):
    load, idle = played["load"], played["idle"]
    text = f"{load['rate']:,.0f} requests/s, p99 {load['latency_us']['p99'] / 1000:.2f} ms"
    if idle:
        early = f"{idle['early']} early" if idle["early"] else "none early"
        text += f"; {idle['closed_by_server']} idle ones reaped, {early}"
    return text


def row_for(run, played, placed):
    load, idle = played["load"], played["idle"]
    server, client = (f"{n:,}" for n in played["time_wait"]) if placed else ("–", "–")
    return [run.mode, run.method.replace("-", "_"), f"{load['rate']:,.0f}",
            f"{load['latency_us']['p50'] / 1000:.2f}", f"{load['latency_us']['p99'] / 1000:.2f}",
            f"{load['server']['cpu_us_each']:.1f}", f"{load['client']['cpu_us_each']:.1f}", server, client,
            f"{idle['closed_by_server']} of {IDLERS}" if idle else "–",
            f"{idle['late_ms']['p99']:.1f}" if idle else "–"]


def conclusions(results, placed):
    """What the figures of this very run say."""
    long_run, short_run = results["long", "graceful"]["load"], results["short", "graceful"]["load"]
    # Together: on one machine the end that sends does the receive work of the other.
    long_cpu, short_cpu = (each["server"]["cpu_us_each"] + each["client"]["cpu_us_each"]
                           for each in (long_run, short_run))
    long_p99, short_p99 = (each["latency_us"]["p99"] / 1000 for each in (long_run, short_run))
    lines = [f"At {RATE:,} requests a second, a connection per request cost "
             f"{short_cpu / long_cpu:.1f} times the CPU of a request on a kept connection "
             f"({short_cpu:.0f} against {long_cpu:.0f} µs, both ends); p99 was {short_p99:.2f} against "
             f"{long_p99:.2f} ms."]
    if placed:
        lines.append(_placement(results))
    idles = [played["idle"] for played in results.values() if played["idle"]]
    reaped, early = (sum(idle[key] for idle in idles) for key in ("closed_by_server", "early"))
    worst = max(idle["late_ms"]["max"] for idle in idles)
    lines.append(f"{reaped} of {IDLERS * len(idles)} silent connections were closed after "
                 f"{IDLE_SECONDS} s without a word from anyone, {early or 'none'} of them early, "
                 f"the last {worst:.0f} ms late.")
    failed = sum(played["load"]["failed"] for played in results.values())
    if failed:
        lines.append(f"{failed} exchanges failed: look at the raw results (--json).")
    return lines


def _placement(results):
    kept = results["short", "graceful"]["time_wait"]
    reset = results["short", "abort-after-fin"]["time_wait"]
    reply = results["short", "abort-after-fin"]["load"]
    whole = "every reply arrived whole" if not reply["failed"] else f"{reply['failed']} replies failed"
    return (f"graceful left {kept[0]:,} short connections in TIME_WAIT on the server and "
            f"{kept[1]:,} on the client; abort_after_fin left {reset[0]:,} and {reset[1]:,}, and "
            f"{whole}.")


def main():
    parser = argparse.ArgumentParser(prog="dev demo", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", metavar="FILE", help="write the raw results to FILE")
    parser.add_argument("--build", default=ROOT / "build" / "release", help=argparse.SUPPRESS)
    parser.add_argument("--loopback", action="store_true", help="no namespaces, 127.0.0.1")
    options = parser.parse_args()

    placed = not options.loopback and network.become_able(allow_failure=True)
    programs = Programs(options.build)
    programs.need("driver", "http_server")
    print(bold("\nDwell: how long a connection stays, and how it leaves"))
    where = ("server and client each in a network namespace of its own, joined by veth" if placed
             else "server and client on the loopback of this machine")
    print(f"{RATE:,} times a second `GET /`, answered with OK; {where}.\n"
          f"About {sum(run.seconds for run in RUNS) + 5:.0f} seconds.\n")
    if network.disturbance():
        print(network.disturbance(), end="\n\n")

    results, live = {}, Live()
    try:
        for number, run in enumerate(RUNS, 1):
            live.begin(number, run)
            played = play(run, programs, "veth" if placed else "host", live)
            results[run.mode, run.method] = played
            live.end(sentence_for(run, played))
    except KeyboardInterrupt:
        live.clear()
        print("Interrupted.")
    finally:
        if options.json:
            write_json(options.json, results)
    show(results, placed)
    return 0 if len(results) == len(RUNS) else 130


def write_json(path, results):
    with open(path, "w") as output:
        json.dump([{"mode": mode, "method": method, **played}
                   for (mode, method), played in results.items()], output, indent=2)


def show(results, placed):
    if not results:
        return
    print()
    print(table(["mode", "method", "requests\n/s", "p50\nms", "p99\nms", "CPU µs\nserver", "CPU µs\nclient",
                 "TIME_WAIT\nserver", "TIME_WAIT\nclient", "idle ones\nreaped", "late\np99 ms"],
                [row_for(run, results[run.mode, run.method], placed) for run in RUNS
                 if (run.mode, run.method) in results]))
    if not placed:
        print("  Without network namespaces (root, or user namespaces) both ends share the host, where other\n"
              "  programs' TIME_WAITs are too: the TIME_WAIT columns would mean nothing and are left out.")
    print("  CPU µs: for one request, each end. The end that sends does the receive work of the other.")
    if placed:
        print("  Of a long run, the one TIME_WAIT on the client is curl's, which asked the admin meanwhile.")
    looked = next((played["connections"] for played in results.values() if played["connections"]), None)
    if looked:
        show_connections(looked)
    if len(results) == len(RUNS):
        print()
        for line in conclusions(results, placed):
            print(textwrap.fill(line, 96, initial_indent="  ", subsequent_indent="  "))
    print()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failed, network.Unavailable) as error:
        sys.exit(f"dev demo: {error}")
