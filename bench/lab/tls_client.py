#!/usr/bin/env python3
"""A client over TLS, of Python's ssl (OpenSSL): `tls_client.py idle|handshakes ADDR:PORT …`.

idle N           opens N connections, has `GET /` answered on each, says so, and holds them until standard input ends.
handshakes S     for S seconds, a connection for each `GET /`; with `resumed`, all but the first of a lane by a ticket.
`1.2` as a further word allows no later version. Prints JSON.
"""

import json
import resource
import socket
import ssl
import statistics
import sys
import threading
import time

LANES = 4
KEEP = b"GET / HTTP/1.1\r\nHost: dwell.test\r\n\r\n"
CLOSE = b"GET / HTTP/1.1\r\nHost: dwell.test\r\nConnection: close\r\n\r\n"


def make_context(words):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "1.2" in words:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def connect(context, where, session=None):
    peer = socket.create_connection(where, timeout=10)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return context.wrap_socket(peer, server_hostname="dwell.test", session=session)


def idle(context, where, count):
    held = []
    for _ in range(count):
        held.append(connect(context, where))
        held[-1].sendall(KEEP)
        answer = b""
        while not answer.endswith(b"OK"):
            block = held[-1].recv(4096)
            if not block:
                sys.exit("tls_client.py: the server has left")
            answer += block
    print(json.dumps({"open": len(held), "version": held[0].version(), "cipher": held[0].cipher()[0]}), flush=True)
    sys.stdin.read()


def one(context, where, session):
    """Seconds to the end of the handshake, whether it was resumed, and a session for the next."""
    began = time.perf_counter()
    with connect(context, where, session) as peer:
        took = time.perf_counter() - began
        peer.sendall(CLOSE)
        while peer.recv(4096):
            pass
        return took, peer.session_reused, peer.session


def handshakes(context, where, seconds, resumed):
    took, wrong, lock = [], [], threading.Lock()
    sessions = [one(context, where, None)[2] if resumed else None for _ in range(LANES)]
    end = time.monotonic() + seconds

    def lane(session):
        mine = []
        while time.monotonic() < end:
            this, was_resumed, _ = one(context, where, session)
            mine.append(this)
            if was_resumed != resumed:
                wrong.append("a handshake was " + ("resumed" if was_resumed else "not resumed"))
                break
        with lock:
            took.extend(mine)

    began = time.monotonic()
    lanes = [threading.Thread(target=lane, args=[session]) for session in sessions]
    for each in lanes:
        each.start()
    for each in lanes:
        each.join()
    wall = time.monotonic() - began
    if wrong:
        sys.exit("tls_client.py: " + wrong[0])
    used = resource.getrusage(resource.RUSAGE_SELF)
    spread = statistics.quantiles(took, n=100)
    print(json.dumps({
        "exchanges": len(took) + (LANES if resumed else 0), "rate": len(took) / wall,
        "latency_us": {"p50": spread[49] * 1e6, "p99": spread[98] * 1e6},
        "client": {"busy": (used.ru_utime + used.ru_stime) / wall},
    }))


def main(what, address, amount, *words):
    host, port = address.rsplit(":", 1)
    where, context = (host, int(port)), make_context(words)
    if what == "idle":
        return idle(context, where, int(amount))
    return handshakes(context, where, float(amount), "resumed" in words)


if __name__ == "__main__":
    main(*sys.argv[1:])
