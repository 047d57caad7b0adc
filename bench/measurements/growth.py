"""growth: 100 connections at work among 19,000 open, against the 100 alone.

The others have echoed a byte, and wait; the server watches the deadline of each.
"""

import signal
import time

from lab import pairs
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
    report.section(f"{ACTIVE} connections at work among 19,000 open, against {ACTIVE} alone, 64 B",
                   ["", "rate, to alone", "CPU, to alone"], [["Dwell", rate.text(), cpu.text()]])
    report.goal("100 active among 19,000: CPU per request against alone", cpu.median, GOAL, "<=", exact=cpu.text())


def _work(programs, options, network, running, idle):
    crowd = None
    if idle:
        open_before = running.descriptors()
        crowd = start_driver(network, programs, ["idle", running.address, "-n", idle, "--spread", "0s", "--hold", "10min"],
                             quiet=True)
        deadline = time.monotonic() + 30
        while running.descriptors() < open_before + idle:
            if time.monotonic() > deadline or crowd.poll() is not None:
                raise Failed("the idle connections did not open: " + str(crowd.communicate()))
            time.sleep(0.05)
        time.sleep(0.5)  # until the last has had its byte back
    try:
        return drive(network, programs, ["long", running.address, "-n", ACTIVE, "--duration", options.duration], running)
    finally:
        if crowd:
            crowd.send_signal(signal.SIGINT)
            crowd.communicate()
