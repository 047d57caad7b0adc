"""placement: where TIME_WAIT ends up, by close method and reply size, and what arrives.

The client closes at the last byte of the reply, as one that knows its length does. Each line has two
fresh namespaces joined by veth; TIME_WAIT is counted on both sides in /proc/net/tcp.
"""

import json

from lab.network import MSS, Network
from lab.programs import Server, drive
from lab.report import say, table

WHAT = "where TIME_WAIT ends up, by close method and reply size; bytes that cross a close"
EXCHANGES = 300
SIZES = [100, 1_000, 10_000, 200_000]
MULTIPLES = [MSS, 10 * MSS]
METHODS = ["graceful", "abort-after-fin", "abort", "peer-first"]
CROSSING_TRIES = 20


def measure(programs, options, report):
    programs.need("driver", "echo_server")
    runs = []
    for method in METHODS:
        for size in SIZES + MULTIPLES:
            say(f"  placement: {method}, {size} B")
            runs.append(_run(programs, report, method, size))
    print(f"{EXCHANGES} short connections each; the client closes at the last byte")
    print(table(["method", "reply", "done", "failed", "p50\nms", "TIME_WAIT\nserver", "TIME_WAIT\nclient",
                 "the server's\nrecords say"], map(_row, runs)), end="\n\n")
    _judge(report, runs)
    _crossing(programs, report)
    report.note(f"a reply of k × MSS ({MSS} B) sends its FIN apart: placement is likely, not certain.")
    report.note("abort drops what has not left yet: a reply below one segment is corked until the close.")
    report.note("peer-first on a raw protocol has nothing to announce and becomes graceful.")


def _run(programs, report, method, size):
    with Network("veth") as network:
        server = Server(network, [*programs.dwell("short", size=size, close=method),
                                  *([] if programs.stand_in else ["--json"])])
        result = drive(network, programs,
                       ["short", server.address, "-n", 4, "--size", size, "--count", EXCHANGES,
                        "--who-closes", "client"])
        on_server, on_client = network.time_wait()
        printed = server.stop()
    if result["interrupted"]:
        raise KeyboardInterrupt
    recorded = {} if programs.stand_in else json.loads(printed[-1])["time_wait"]
    return report.run(method=method, size=size, result=result, on_server=on_server,
                      on_client=on_client, recorded=recorded)


def _row(run):
    size, result = run["size"], run["result"]
    label = f"{size} B" + (f" ({size // MSS} × MSS)" if size % MSS == 0 else "")
    return [run["method"], label, result["exchanges"], result["failed"],
            f"{result['latency_us']['p50'] / 1000:.2f}", run["on_server"], run["on_client"],
            ", ".join(f"{where} {count}" for where, count in run["recorded"].items() if count)]


def _judge(report, runs):
    """Over all reply sizes, the worst; k × MSS apart."""
    def of(method, sizes=SIZES):
        return [run for run in runs if run["method"] == method and run["size"] in sizes]

    def percent(counts):
        return [100 * count / EXCHANGES for count in counts]

    for method in METHODS:
        if method != "abort":
            least = min(run["result"]["exchanges"] for run in of(method, SIZES + MULTIPLES))
            report.goal(f"{method}: whole replies", least, EXCHANGES, ">=", 0)
    report.goal("graceful: TIME_WAIT on the server",
                min(percent(run["on_server"] for run in of("graceful"))), 98, ">=", 1, " %")
    report.goal("abort-after-fin: TIME_WAIT anywhere",
                max(percent(run["on_server"] + run["on_client"] for run in of("abort-after-fin"))),
                2, "<=", 1, " %")
    report.goal("abort: TIME_WAIT anywhere",
                max(run["on_server"] + run["on_client"] for run in of("abort")), 0, "<=", 0)


def _crossing(programs, report):
    rows = []
    for method in ("graceful", "abort-after-fin"):
        for buffer in (16_384, 4_194_304):
            say(f"  placement: 5 more bytes while 1 MB is in flight, {method}, {buffer} B")
            with Network("veth") as network:
                # The larger one lets the whole reply into the kernel before the client reads any.
                network.server.shell(f"echo 4096 {buffer} 8388608 > /proc/sys/net/ipv4/tcp_wmem")
                server = Server(network, programs.dwell("short", size=1_000_000, close=method))
                result = drive(network, programs,
                               ["crossing", server.address, "--size", 1_000_000, "--extra", 5,
                                "--tries", CROSSING_TRIES])
                server.stop()
            report.run(method=method, send_buffer=buffer, crossing=result)
            if result["interrupted"]:
                raise KeyboardInterrupt
            rows.append([method, buffer, result["tries"], result["whole"], result["resets"],
                         result["least_received"]])
            report.goal(f"{method}: whole 1 MB though 5 bytes crossed it, send buffer {buffer} B", result["whole"],
                        CROSSING_TRIES, ">=", 0)
    print("A client that sends 5 more bytes while the 1,000,000-byte reply is in flight, each try at\n"
          "another point of it; send buffer: what the server's kernel takes at first")
    print(table(["method", "send buffer", "tries", "whole", "resets", "least received"], rows), end="\n\n")
