#!/usr/bin/env python3
"""Measures what Dwell promises, side by side with a bare server, and says which goals are met."""

import argparse
import datetime
import importlib
import json
import os
import platform
import shlex
import sys

from lab import network, results
from lab.programs import ROOT, Failed, Programs
from lab.report import Report, bold

MEASUREMENTS = {  # in the order of `all`, with the minutes they take
    "echo": 2.0, "short": 1.5, "memory": 1.0, "reaping": 12.0, "placement": 1.0, "http": 5.0, "http_placement": 0.5, "files": 2.5,
    "growth": 1.5, "connecting": 1.0, "compile": 0.5, "micro": 1.0, "instructions": 0.5, "load_tool": 4.0, "ports": 2.2,
    "tls": 3.0, "tables": 1.5,
}
FIELD = {"field": 25.0}  # what runs without a name: everything beside everything
EXAMPLES = """
examples:
  ./dev bench                       Dwell among the servers people use; writes bench/RESULTS.md
  ./dev bench --quick               the same in three minutes; writes nothing
  ./dev bench list
  ./dev bench echo
  ./dev bench short --rounds 9 --duration 5s
  ./dev bench all --json results.json
  ./dev bench echo --noise          the raw peer against itself: how far a ratio may be trusted

Servers and clients run in network namespaces of their own, on one core each; nothing on this machine
is changed. Exit codes: 0 every goal met, 1 a goal missed or a measurement failed, 2 wrong usage.
"""


def parse(argv):
    parser = argparse.ArgumentParser(prog="dev bench", description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", nargs="?", default="field",
                        choices=[*FIELD, *MEASUREMENTS, "all", "list"], metavar="NAME",
                        help="what to measure; see `./dev bench list`")
    parser.add_argument("--quick", action="store_true",
                        help="field: two short rounds, one number of connections; no results page")
    parser.add_argument("--rounds", type=_positive, help="paired repeats (default 5; --quick: 2)")
    parser.add_argument("--duration", help="of one run, e.g. 500ms, 3s (default 3s; --quick: 500ms)")
    parser.add_argument("--json", metavar="FILE", help="write everything measured to FILE")
    parser.add_argument("--build", default=ROOT / "build" / "release", metavar="DIR",
                        help="where the programs are (default build/release)")
    parser.add_argument("--method", choices=["graceful", "abort-after-fin", "abort"],
                        help="reaping: only this one")
    parser.add_argument("--all", action="store_true", help="echo: also with one connection")
    parser.add_argument("--noise", action="store_true",
                        help="the raw peer in Dwell's place (not reaping)")
    parser.add_argument("--accept", action="store_true", help="instructions: what is counted now is the measure from now on")
    options = parser.parse_args(argv)
    if options.quick and options.name != "field":
        parser.error("--quick is for the whole field: leave out the name")
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.duration = options.duration or ("500ms" if options.quick else "3s")
    return options


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def main(argv):
    options = parse(argv)
    if options.name == "list":
        for name, minutes in (MEASUREMENTS | FIELD).items():
            what = importlib.import_module(f"measurements.{name}").WHAT
            print(f"  {name:14} {what} ({minutes:g} min)")
        return 0
    names = list(MEASUREMENTS) if options.name == "all" else [options.name]
    network.become_able()
    programs = Programs(options.build, stand_in=options.noise)
    reports, trouble, interrupted = [], [], False
    if network.disturbance():
        print(network.disturbance(), end="\n\n")
    for name in names:
        reports.append(Report(name))
        if network.disturbance():
            reports[-1].note(network.disturbance().replace("\n", " "))
        try:
            importlib.import_module(f"measurements.{name}").measure(programs, options, reports[-1])
            reports[-1].print_goals()
        except (Failed, network.Unavailable) as error:
            trouble.append(f"{name}: {error}")
            print(f"dev bench: {trouble[-1]}", file=sys.stderr)
        except KeyboardInterrupt:
            interrupted = True
            print("dev bench: interrupted; what was complete is kept", file=sys.stderr)
            break
    if options.json:
        write_json(options.json, reports, trouble, interrupted)
    if options.name == "field" and not (options.quick or trouble or interrupted):
        print(f"written: {results.write(reports[0], shlex.join(['./dev', 'bench', *argv]), options)}")
    missed = [goal for report in reports for goal in report.missed()]
    met = sum(len(report.goals) for report in reports) - len(missed)
    print(bold(f"{met} goals met, {len(missed)} missed") +
          "".join(f"\n  missed: {goal['what']}: {goal['shown']}, wanted {goal['bound']}"
                  for goal in missed))
    return 130 if interrupted else 1 if missed or trouble else 0


def write_json(path, reports, trouble, interrupted):
    server, client = network.cores()
    environment = {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "kernel": platform.release(), "machine": platform.machine(),
        "cpus": os.cpu_count(), "server_core": server, "client_core": client,
        "command": ["./dev", "bench", *sys.argv[1:]],
    }
    with open(path, "w") as output:
        json.dump({"environment": environment, "interrupted": interrupted, "failed": trouble,
                   "reports": [report.as_json() for report in reports]}, output, indent=2)
        output.write("\n")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except network.Unavailable as error:
        sys.exit(f"dev bench: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
