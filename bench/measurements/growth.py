"""growth: 100 connections at work among 19,000 open, against the 100 alone.

The others have echoed a byte, and wait; the server watches the deadline of each.
"""

import contextlib
import signal
import time

from lab import calls, pairs
from lab.network import Network
from lab.programs import Failed, drive, start_driver
from lab.report import ratios

WHAT = "100 connections at work among 19,000 open, against 100 alone"
ACTIVE, IDLE = 100, 18_900
GOAL = 1.05


def measure(programs, options, report):
    programs.need("driver", "echo_server")
    server = programs.dwell("long", idle="10min")
    cases = {"alone": 0, "among 19,000": IDLE}

    def run(idle):
        return pairs.load(lambda: Network("lo"), programs, server,
                          lambda network, running: _work(programs, options, network, running, idle))

    results = pairs.interleave(report, "growth", cases, run, options.rounds)
    alone, among = results.values()
    cpu = ratios(*(pairs.column(each, "server", "cpu_us_each") for each in (among, alone)))
    rate = ratios(*(pairs.column(each, "rate") for each in (among, alone)))
    counted = [_calls(programs, server, idle) for idle in cases.values()]
    report.section(f"{ACTIVE} connections at work among 19,000 open, against {ACTIVE} alone, 64 B",
                   ["", "rate, to alone", "CPU, to alone", "system calls a request, alone", "among 19,000"],
                   [["Dwell", rate.text(), cpu.text(), *(f"{calls.total(each):.3f}" for each in counted)]])
    report.goal("100 active among 19,000: CPU per request against alone", cpu.median, GOAL, "<=", exact=cpu.text())
    fewer, more = map(calls.total, counted)
    report.goal("100 active among 19,000: system calls per request against alone", more / fewer, GOAL, "<=", digits=3)


def _calls(programs, server, idle):
    with Network("lo") as network:
        network.go_first()
        running = pairs.start(network, server)
        with _crowd(network, programs, running, idle):
            return calls.count(network, programs, running, ["long", running.address, "-n", ACTIVE, "--duration", "1s"])


def _work(programs, options, network, running, idle):
    with _crowd(network, programs, running, idle):
        return drive(network, programs, ["long", running.address, "-n", ACTIVE, "--duration", options.duration], running)


@contextlib.contextmanager
def _crowd(network, programs, running, idle):
    """So many that are open and say nothing."""
    if not idle:
        yield
        return
    open_before = running.descriptors()
    crowd = start_driver(network, programs, ["idle", running.address, "-n", idle, "--spread", "0s", "--hold", "10min"], quiet=True)
    deadline = time.monotonic() + 30
    while running.descriptors() < open_before + idle:
        if time.monotonic() > deadline or crowd.poll() is not None:
            raise Failed("the idle connections did not open: " + str(crowd.communicate()))
        time.sleep(0.05)
    time.sleep(0.5)  # until the last has had its byte back
    try:
        yield
    finally:
        crowd.send_signal(signal.SIGINT)
        crowd.communicate()
