"""files: static files of three sizes, Dwell's http_server against nginx with one worker and sendfile, under wrk."""

import functools
import pathlib
import tempfile

from lab import pairs, wrk
from lab.network import Network
from lab.nginx import Nginx
from lab.report import ratios

WHAT = "files: CPU per request against nginx with sendfile"
CONNECTIONS = 20
SIZES = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000}
GOAL = 1.00  # server CPU against nginx


def measure(programs, options, report):
    programs.need("http_server")
    with tempfile.TemporaryDirectory(prefix="dwell-bench-") as folder:
        for label, size in SIZES.items():
            pathlib.Path(folder, str(size)).write_bytes(bytes(range(250)) * (size // 250))
        theirs = functools.partial(Nginx, directory=folder)
        servers = {"nginx": theirs,
                   "nginx again" if programs.stand_in else "dwell":
                       theirs if programs.stand_in else programs.http(idle="60s", files=folder)}
        for label, size in SIZES.items():
            _one(programs, options, report, servers, label, size)
    report.note("nginx: one process, access log off, sendfile on, tcp_nopush on, no open_file_cache. Files are in the page cache.")


def _one(programs, options, report, servers, label, size):
    def run(server):
        return pairs.load(lambda: Network("lo"), programs, server,
                          lambda network, running: wrk.run(network, running, CONNECTIONS, options.duration,
                                                           f"/files/{size}"))

    results = pairs.interleave(report, f"files of {label}", servers, run, options.rounds)
    pairs.print_loads(f"Files of {label}, {CONNECTIONS} connections kept alive, wrk", results, "request")
    theirs, ours = results.values()
    cpu = ratios(pairs.column(ours, "server", "cpu_us_each"), pairs.column(theirs, "server", "cpu_us_each"))
    report.goal(f"files of {label}: server CPU per request against nginx", cpu.median, GOAL, "<=", exact=cpu.text())
