"""connecting: short connections that a client opens, with dwell::upstream and by hand on one epoll set.

Both send 64 bytes, have them back, and reset: no port waits. Once with TCP_NODELAY and TCP_USER_TIMEOUT
set by both, which are Dwell's defaults, and once by neither.
"""

import json
import subprocess

from lab import pairs
from lab.network import Network
from lab.programs import Failed
from lab.report import Spread, ratios, table

WHAT = "short connections of a client: CPU of each with dwell::upstream, against an epoll loop by hand"
GOAL = 1.0


def measure(programs, options, report):
    programs.need("raw")
    for name in ("raw_connect", "dwell_connect"):
        if programs.peer(name) is None:
            raise Failed(f"{name} was not built")
    rows = []
    for given in ("set", "none"):
        clients = {name: programs.peer(name, options=given) for name in ("raw_connect", "dwell_connect")}

        def run(argv):
            return _run(programs, argv)

        results = pairs.interleave(report, f"connecting, options {given}", clients, run, options.rounds)
        raw, ours = (pairs.column(each, "cpu_us_each") for each in results.values())
        per_second = ratios(raw, ours)  # connections per CPU second
        rows.append([given, f"{Spread(raw).median:.1f}", f"{Spread(ours).median:.1f}", per_second.text()])
        report.goal(f"connections per CPU second against the loop by hand, options {given}", per_second.median, GOAL, ">=",
                    exact=per_second.text())
    print("Short connections of a client, CPU µs of each")
    print(table(["socket options", "by hand", "Dwell", "Dwell, per CPU second"], rows), end="\n\n")


def _run(programs, argv):
    with Network("lo") as network:
        network.go_first()
        server = pairs.start(network, programs.raw_peer(mode="long"))
        client = network.start("client", [str(word) for word in (*argv, "--to", server.address.rpartition(":")[2])],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = client.communicate()
        server.stop()
    if client.returncode:
        raise Failed(f"{argv[0]}: {errors.strip()}")
    return json.loads(output)
