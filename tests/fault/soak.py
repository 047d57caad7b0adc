"""Servers under everything at once: echo, HTTP over long and short connections, TLS; clients that reset, half-close, read
slowly, say nothing and vanish; processes that are stopped, that run out of descriptors, whose certificates change.

At the end nothing may be left: memory has not grown, descriptors are what they were, each connection has ended once, what
came was what was sent, and the log is bounded.

Memory grows when, after the first fifth (at least 20 s), it is 99 % certain that it does (Mann and Kendall, over the medians
of 20 parts), and what that comes to (Theil and Sen's slope) is over 1 MiB from there to the end.
"""

import argparse
import json
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

from server_process import Server, descriptors, eventually, examples_test, memory
from networks import enter_fresh_network  # its folder is known from here on
from soak_load import Faults, Load
from soak_verdict import grows, trend

KINDS = ["echo_long"] * 4 + ["echo_short"] * 2 + ["http_long"] * 3 + ["http_short"] * 2 + ["tls_long"] * 2 + \
    ["resets", "resets", "half_closes", "half_closes", "reads_slowly", "is_silent", "is_silent", "is_silent"]
MOST_GROWTH = 1 << 20
MOST_LINES = 100  # a second: ten for each reason


class Certificates:
    def __init__(self, folder):
        self.chain, self.key = folder / "chain.pem", folder / "key.pem"
        self.made = []
        for index in range(2):
            key, chain = folder / f"{index}.key", folder / f"{index}.pem"
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout",
                            key, "-out", chain, "-subj", "/CN=localhost", "-days", "30"], check=True, capture_output=True)
            self.made.append((chain.read_text(), key.read_text()))
        self.turn = 0
        self.replace()

    def replace(self, bad=False):
        self.turn += 1
        chain, key = self.made[self.turn % 2]
        self.chain.write_text("-----BEGIN CERTIFICATE-----\nno\n" if bad else chain)
        self.key.write_text(key)


def start(folder, certificates):
    common = ["--json", "--idle", "2s", "--read", "3s", "--write", "3s", "--handshake", "2s", "--max-connections", "500"]
    return {"echo": Server("echo_server", "--threads", "2", *common), "http": Server("http_server", *common),
            "tls": Server("http_server", "--tls", str(certificates.chain), str(certificates.key), *common)}


def seconds_of(text):
    value = float(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text}: use a number above 0")
    return value * 60


class Soak:
    def __init__(self, length, seed, quiet):
        self.length, self.seed, self.quiet = length, seed, quiet
        self.series = {}
        self.interrupted = False

    def say(self, *words, end="\n"):
        if not self.quiet:
            print(*words, end=end, file=sys.stderr, flush=True)

    def run(self, folder):
        network = enter_fresh_network()
        if network:
            self.say(f"nobody vanishes: {network}")
        certificates = Certificates(folder)
        self.servers = start(folder, certificates)
        signal.signal(signal.SIGINT, self.interrupt)
        signal.signal(signal.SIGTERM, self.interrupt)
        try:
            self.warm_up()
            before = {name: descriptors(each.process.pid) for name, each in self.servers.items()}
            self.load = Load(self.servers, self.seed)
            self.faults = Faults(self.servers, certificates, random.Random(self.seed), not network)
            self.load.run(KINDS + ([] if network else ["vanishes"] * 2))
            self.faults.run()
            self.watch()
            self.faults.stop()
            self.load.stop()
            return self.judge(before)
        finally:
            for each in self.servers.values():
                if each.process.poll() is None:
                    each.process.kill()
                    each.process.wait()

    def interrupt(self, *_):
        self.interrupted = True

    def warm_up(self):
        """One of each, so that what a process opens once is open."""
        load = Load(self.servers, 0)
        for kind in ("echo_short", "http_short", "tls_long"):
            getattr(load, kind)(random.Random(0))
        eventually(lambda: all(each.counts()["live"] == 0 for each in self.servers.values()), 10)

    def watch(self):
        terminal = sys.stderr.isatty()
        self.began = said = time.monotonic()
        while not self.interrupted and (passed := time.monotonic() - self.began) < self.length:
            for name, each in self.servers.items():
                if each.process.poll() is not None:
                    self.interrupted = True
                self.series.setdefault(name, []).append((passed, memory(each.process.pid)))
            if terminal or time.monotonic() - said >= 30:
                said = time.monotonic()
                resident = " ".join(f"{name} {values[-1][1] >> 10} KiB" for name, values in self.series.items())
                self.say(f"\r{passed:6.0f} of {self.length:.0f} s  {sum(self.load.done.values())} conversations, {resident} ",
                         end="" if terminal else "\n")
            time.sleep(1)
        self.took = time.monotonic() - self.began
        if terminal:
            self.say()

    def judge(self, before):
        problems = [f"wrong bytes: {each}" for each in self.load.wrong[:5]]
        servers = {}
        for name, server in self.servers.items():
            servers[name] = self.judge_server(name, server, before[name], problems)
        if not self.load.done:
            problems.append("nobody was served")
        return {"passed": not problems, "interrupted": self.interrupted, "seconds": round(self.took, 1), "seed": self.seed,
                "problems": problems, "conversations": self.load.done, "cut_short": self.load.failed,
                "faults": self.faults.happened, "servers": servers}

    def judge_server(self, name, server, before, problems):
        pid = server.process.pid
        try:
            gone = eventually(lambda: server.counts()["live"] == 0, 20)
            counts = server.counts()
        except (AssertionError, OSError):
            problems.append(f"{name}: has ended with {server.process.wait(10)}: {''.join(server.log[-5:])}")
            return {}
        closed = sum(counts["closed"].values())
        if not gone or counts["opened"] != closed + counts["live"]:
            problems.append(f"{name}: {counts['opened']} opened, {closed} closed, {counts['live']} live")
        eventually(lambda: descriptors(pid) <= before, 5)
        if (now := descriptors(pid)) > before:
            problems.append(f"{name}: {now} descriptors, {before} before")
        settled = [point for point in self.series.get(name, []) if point[0] > max(20, self.took / 5)]
        slope, certainty = trend(settled) if settled else (0, 0)
        if settled and grows(settled, MOST_GROWTH):
            problems.append(f"{name}: memory grows by {slope:.0f} B/s ({certainty:.1f} standard deviations)")
        lines = len(server.log)
        if lines > MOST_LINES * (self.took + 5):
            problems.append(f"{name}: {lines} lines in the log in {self.took:.0f} s")
        code, _ = server.end(signal.SIGTERM)
        if code != 0:
            problems.append(f"{name}: exit code {code}")
        return {"opened": counts["opened"], "closed": counts["closed"], "accept_failed": counts["accept_failed"],
                "descriptors": [before, now], "memory_first": settled[0][1] if settled else None,
                "memory_last": settled[-1][1] if settled else None, "memory_slope": round(slope, 1),
                "memory_certainty": round(certainty, 2), "log_lines": lines}


def show(result):
    for name, each in result["servers"].items():
        if not each:
            continue
        ends = ", ".join(f"{count} {reason}" for reason, count in each["closed"].items() if count)
        print(f"{name}: {each['opened']} connections ({ends})")
        print(f"  memory {(each['memory_first'] or 0) >> 10} to {(each['memory_last'] or 0) >> 10} KiB, slope {each['memory_slope']} B/s "
              f"({each['memory_certainty']} standard deviations); descriptors {each['descriptors'][0]} and {each['descriptors'][1]}; "
              f"{each['accept_failed']} failed accepts; {each['log_lines']} log lines")
    print(f"conversations {sum(result['conversations'].values())}, cut short {sum(result['cut_short'].values())}; faults "
          + ", ".join(f"{count} {name}" for name, count in result["faults"].items()))
    print(*result["problems"], sep="\n", end="\n" if result["problems"] else "")
    print(f"{'interrupted after' if result['interrupted'] else 'soaked for'} {result['seconds']} s: "
          f"{'nothing is left' if result['passed'] else 'FAILED'}; again with --seed {result['seed']}")


def main():
    parser = argparse.ArgumentParser(
        prog="./dev soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n  ./dev soak\n  ./dev soak --minutes 2\n  ./dev soak --minutes 600 --json > soak.json\n\n"
               "Ctrl-C ends it early, with the result so far. Exit codes: 0 nothing is left, 1 something is,\n130 interrupted and nothing wrong so far.")
    parser.add_argument("--minutes", dest="length", type=seconds_of, default=30 * 60.0, help="how long [30]")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="of what clients and faults do [the time]")
    parser.add_argument("--json", action="store_true", help="the result as JSON, and no progress")
    parser.add_argument("--programs", type=pathlib.Path, default=pathlib.Path("build/release/examples"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    examples_test.PROGRAMS = arguments.programs.resolve()
    soak = Soak(arguments.length, arguments.seed, arguments.json)
    with tempfile.TemporaryDirectory() as folder:
        result = soak.run(pathlib.Path(folder))
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    sys.exit(1 if not result["passed"] else 130 if result["interrupted"] else 0)


if __name__ == "__main__":
    main()
