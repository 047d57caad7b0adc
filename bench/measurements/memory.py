"""memory: what an idle connection costs in user memory, and what the server costs with none."""

import time

from lab.network import Network
from lab.programs import Failed, Server, result_of, start_driver
from lab.report import say, table

WHAT = "user memory per idle connection, resident memory with none"
CONNECTIONS = 15_000
GOALS = {"callbacks": 200, "coroutine": 512}
MEGABYTE = 1024 * 1024


def measure(programs, options, report):
    programs.need("driver", "raw", "echo_server")
    servers = {handler: programs.dwell("long", handler=handler, idle="off") for handler in GOALS}
    servers["raw epoll"] = programs.raw_peer(mode="long")
    rows = []
    for name, argv in servers.items():
        say(f"  memory: {CONNECTIONS} idle connections, {name}")
        before, after = hold(programs, argv)
        each = (after["private_dirty"] - before["private_dirty"]) / CONNECTIONS
        resident = (after["resident"] - before["resident"]) / CONNECTIONS
        report.run(handler=name, before=before, after=after, bytes_each=each)
        rows.append([name, f"{before['resident'] / MEGABYTE:.1f} MB", f"{each:.0f} B",
                     f"{resident:.0f} B"])
        if name in GOALS:
            report.goal(f"per idle connection, {name}", each, GOALS[name], "<=", digits=0, unit=" B")
            report.goal(f"resident with none, {name}", before["resident"] / MEGABYTE, 12, "<=",
                        digits=1, unit=" MB")
    print(f"{CONNECTIONS} connections that echoed one byte and wait")
    print(table(["handler", "RSS with none", "private each", "RSS each"], rows), end="\n\n")


def hold(programs, argv):
    """Memory of a server before and while it holds CONNECTIONS idle connections that echoed a byte."""
    with Network("veth") as network:
        server = Server(network, argv)
        time.sleep(0.2)
        before = server.memory()
        open_before = server.descriptors()
        client = start_driver(network, programs,
                              ["idle", server.address, "-n", CONNECTIONS, "--spread", "500ms",
                               "--hold", "4s"])
        # The driver holds for four seconds once all have been echoed: look in the middle.
        deadline = time.monotonic() + 30
        while server.descriptors() < open_before + CONNECTIONS:
            if time.monotonic() > deadline or client.poll() is not None:
                raise Failed("the connections did not open: " + str(client.communicate()))
            time.sleep(0.05)
        time.sleep(2.5)
        after = server.memory()
        if server.descriptors() < open_before + CONNECTIONS:
            raise Failed("connections were closed while their memory was read")
        result_of(client)
        server.stop()
        return before, after
