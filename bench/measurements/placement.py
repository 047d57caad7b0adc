"""placement: where TIME_WAIT ends up, by close method and reply size, and what arrives.

The client closes at the last byte of the reply, as one that knows its length does. Each line has two
fresh namespaces joined by veth; TIME_WAIT is counted on both sides in /proc/net/tcp.
"""

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
    rows = []
    for method in METHODS:
        for size in SIZES + MULTIPLES:
            say(f"  placement: {method}, {size} B")
            rows.append(_row(programs, report, method, size))
    print(f"{EXCHANGES} short connections each; the client closes at the last byte")
    print(table(["method", "reply", "done", "failed", "p50 ms", "TIME_WAIT server", "client"], rows), end="\n\n")
    _crossing(programs, report)
    report.note(f"a reply of k × MSS ({MSS} B) sends its FIN apart: placement is likely, not certain.")
    report.note("peer-first on a raw protocol has nothing to announce and becomes graceful.")


def _row(programs, report, method, size):
    with Network("veth") as network:
        server = Server(network, programs.dwell("short", size=size, close=method))
        result = drive(network, programs,
                       ["short", server.address, "-n", 4, "--size", size, "--count", EXCHANGES,
                        "--who-closes", "client"])
        on_server, on_client = network.time_wait()
        server.stop()
    report.run(method=method, size=size, result=result, time_wait=[on_server, on_client])
    if result["interrupted"]:
        raise KeyboardInterrupt
    _judge(report, method, size, result, on_server, on_client)
    label = f"{size} B" + (f" ({size // MSS} × MSS)" if size % MSS == 0 else "")
    return [method, label, result["exchanges"], result["failed"], f"{result['latency_us']['p50'] / 1000:.2f}", on_server, on_client]


def _judge(report, method, size, result, on_server, on_client):
    if method != "abort":
        report.goal(f"{method}, {size} B: all delivered", result["exchanges"], EXCHANGES, ">=", 0)
    if size in MULTIPLES:
        return
    if method == "graceful":
        report.goal(f"{method}, {size} B: TIME_WAIT on the server", on_server / EXCHANGES * 100, 98,
                    ">=", 1, " %")
    elif method == "abort-after-fin":
        report.goal(f"{method}, {size} B: TIME_WAIT anywhere",
                    (on_server + on_client) / EXCHANGES * 100, 2, "<=", 1, " %")
    elif method == "abort":
        report.goal(f"{method}, {size} B: TIME_WAIT anywhere", on_server + on_client, 0, "<=", 0)


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
