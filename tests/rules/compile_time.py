"""Fails when the fastest of five runs of a command takes more CPU time than --limit seconds."""

import argparse
import os
import subprocess


def cpu_seconds(command):
    before = os.times()
    subprocess.run(command, check=True)
    after = os.times()
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    runs = sorted(cpu_seconds(arguments.command) for _ in range(5))
    print(f"fastest {runs[0]:.2f} s, slowest {runs[-1]:.2f} s, limit {arguments.limit} s")
    raise SystemExit(runs[0] > arguments.limit)


if __name__ == "__main__":
    main()
