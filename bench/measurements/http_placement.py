"""http_placement: where TIME_WAIT ends up when curl asks Dwell's http_server in short mode, by close method.

Each line has two fresh namespaces joined by veth, and a curl process per exchange. TIME_WAIT is counted on
both sides in /proc/net/tcp.
"""

import json
import shutil
import subprocess

from lab.network import Network
from lab.programs import Failed, Server
from lab.report import say, table

WHAT = "HTTP in short mode with curl: where TIME_WAIT ends up, by close method"
EXCHANGES = 200
SIZE = 10_000
METHODS = ["graceful", "peer-first", "abort-after-fin"]
MOST_ASTRAY = 5


def measure(programs, options, report):
    programs.need("http_server")
    if not shutil.which("curl"):
        raise Failed("curl is missing: apt install curl")
    runs = [_run(programs, report, method) for method in METHODS]
    print(f"{EXCHANGES} times `curl http://…/bytes/{SIZE}`, http_server --mode short --close METHOD")
    print(table(["method", "answered", "TIME_WAIT\nserver", "TIME_WAIT\nclient", "the server's records say"],
                [[run["method"], run["answered"], run["on_server"], run["on_client"],
                  ", ".join(f"{where} {count}" for where, count in run["recorded"].items() if count)]
                 for run in runs]), end="\n\n")
    graceful, peer_first, reset = runs
    report.goal("all answered, worst", min(run["answered"] for run in runs), EXCHANGES, ">=", 0)
    report.goal("graceful: TIME_WAIT on the server", graceful["on_server"], EXCHANGES - MOST_ASTRAY, ">=", 0)
    report.goal("peer-first: TIME_WAIT on the client", peer_first["on_client"], EXCHANGES - MOST_ASTRAY, ">=", 0)
    report.goal("abort-after-fin: TIME_WAIT anywhere", reset["on_server"] + reset["on_client"], MOST_ASTRAY, "<=", 0)


def _run(programs, report, method):
    say(f"  http_placement: {method}")
    with Network("veth") as network:
        server = Server(network, [*programs.http(mode="short", close=method), "--json"])
        each = f"curl -sS -o /dev/null -w '%{{http_code}} %{{size_download}}\\n' http://{server.address}/bytes/{SIZE}"
        client = network.start("client", ["sh", "-c", f"i=0; while [ $i -lt {EXCHANGES} ]; do {each}; i=$((i+1)); done"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        said, _ = client.communicate()
        on_server, on_client = network.time_wait()
        recorded = json.loads(server.stop()[-1])["time_wait"]
    return report.run(method=method, answered=said.splitlines().count(f"200 {SIZE}"), on_server=on_server,
                      on_client=on_client, recorded=recorded)
