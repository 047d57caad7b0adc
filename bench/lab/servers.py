"""The field: every server that can be measured here, by the job it does."""

from lab.haproxy import Haproxy
from lab.nginx import Nginx

ECHO_PEERS = {  # as people call it: the program in bench/peers and its flags
    "raw epoll": ("raw_epoll", {}),
    "raw io_uring": ("raw_io_uring", {}),
    "Asio tutorial": ("asio_tutorial", {}),
    "Asio coroutines": ("asio_coroutine", {}),
    "libuv": ("libuv_echo", {}),
    "libevent": ("libevent_echo", {}),
}
# Written for this one job, with no framework in between: what a framework is measured by.
YARDSTICKS = ("raw epoll", "raw io_uring", "raw epoll, accept one")


def echo(programs, **flags):
    """{name: command line}, Dwell first. flags as echo_server has them."""
    servers = {"Dwell": programs.dwell(**flags), "Dwell, coroutines": programs.dwell(**flags, handler="coroutine")}
    for name, (program, more) in ECHO_PEERS.items():
        servers[name] = programs.peer(program, **flags, **more)
    return servers


def short_echo(programs, **flags):
    """The same, and the epoll loop that accepts one connection per wake-up."""
    return {**echo(programs, **flags), "raw epoll, accept one": programs.peer("raw_epoll", **flags, accept="one")}


def http(programs, mode):
    """{name: command line, or a class like Server}, Dwell first. mode: long, or short for the raw loop that closes; it
    takes whatever it receives for a request."""
    return {"Dwell": programs.http(idle="60s"), "nginx": Nginx, "HAProxy": Haproxy,
            "Boost.Beast": programs.peer("beast_http"), "raw epoll": programs.peer("raw_epoll", answer="http", mode=mode)}


def installed(servers, report):
    """Without those that were left out of the build, which the report then names."""
    missing = [name for name, server in servers.items() if server is None]
    if missing:
        report.note(f"Not built here, since their library is missing: {', '.join(missing)}.")
    return {name: server for name, server in servers.items() if server is not None}
