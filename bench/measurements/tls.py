"""tls: HTTPS, Dwell's http_server against nginx with one worker: the same certificate, versions, ciphers and tickets.

Memory: connections that had one `GET /` answered and wait. Handshakes: a connection for each `GET /`, full or resumed by
a ticket, from a client that is slower than the servers: what counts is the server's CPU. Responses of 16 KiB: wrk.
"""

import contextlib
import json
import pathlib
import subprocess
import sys
import tempfile
import time

from lab import pairs, tls_client, wrk
from lab.network import Network
from lab.nginx import Nginx
from lab.programs import Failed
from lab.report import Spread, ratios, say, table

WHAT = "TLS: memory, handshakes and 16 KiB responses against nginx"
IDLE_CONNECTIONS = 2_000
IDLE_GOAL = 0.85
HANDSHAKE_GOAL = 0.97
RESPONSE_GOAL = 1.0
CONNECTIONS = 20


def measure(programs, options, report):
    programs.need("http_server")
    with certificate() as files:
        servers = _servers(programs, files)
        _memory(servers, options, report)
        for what in ("full", "resumed"):
            _handshakes(servers, programs, options, report, what)
        _responses(servers, programs, options, report)
    report.note("ECDSA P-256; nginx runs as one process with its access log off, and gives two tickets, as Dwell does.")


@contextlib.contextmanager
def certificate():
    """Files of a self-signed certificate and its key."""
    with tempfile.TemporaryDirectory(prefix="dwell-bench-") as folder:
        files = [pathlib.Path(folder) / "server.crt", pathlib.Path(folder) / "server.key"]
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                               "/CN=dwell.test", "-days", "2", "-out", files[0], "-keyout", files[1]], capture_output=True, text=True)
        if made.returncode:
            raise Failed("openssl req: " + made.stderr.strip())
        yield files


def _servers(programs, files):
    def nginx(network):
        return Nginx(network, certificate=files)

    ours = programs.http(idle="60s") + ["--tls", *files]
    return {"nginx": nginx, "nginx again" if programs.stand_in else "dwell": nginx if programs.stand_in else ours}


def _client(network, server, what, *words):
    argv = [sys.executable, tls_client.__file__, what, server.address, *map(str, words)]
    return network.start("client", argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _ends(client, patience=60):
    output, errors = client.communicate(timeout=patience)
    if client.returncode:
        raise Failed("tls_client.py: " + errors.strip()[-300:])
    return output


# ── memory ──


def _memory(servers, options, report):
    rows = []
    for version, words in (("1.3", []), ("1.2", ["1.2"])):
        def run(what, words=words):
            return {"memory": _hold(what, words)}

        found = pairs.interleave(report, f"tls {version}, {IDLE_CONNECTIONS} idle connections", servers, run, min(options.rounds, 3))
        theirs, ours = ([each["memory"]["bytes_each"] for each in rounds] for rounds in found.values())
        share = ratios(ours, theirs)
        for name, each in zip(found, (theirs, ours)):
            rows.append([f"{name}, TLS {version}", Spread(each).text(0), "" if each is theirs else share.text()])
        if version == "1.3":
            report.goal("TLS 1.3: private memory per idle connection, against nginx", share.median, IDLE_GOAL, "<=", exact=share.text())
    print(f"{IDLE_CONNECTIONS} keep-alive connections that had one GET answered and wait")
    print(table(["server", "private, B each", "ratio, paired"], rows), end="\n\n")


def _hold(what, words):
    with Network("lo") as network:
        server = pairs.start(network, what)
        time.sleep(0.2)
        before = server.memory()
        client = _client(network, server, "idle", IDLE_CONNECTIONS, *words)
        first = client.stdout.readline()
        if not first:
            _ends(client)
        agreed = json.loads(first)
        time.sleep(1)  # what is still under way in the server
        after = server.memory()
        _ends(client)
        server.stop()
        each = (after["private_dirty"] - before["private_dirty"]) / IDLE_CONNECTIONS
        return {"before": before, "after": after, "bytes_each": each, **agreed}


# ── CPU ──


def _handshakes(servers, programs, options, report, what):
    def client(network, server):
        seconds = float(options.duration[:-2]) / 1e3 if options.duration.endswith("ms") else float(options.duration[:-1])
        before = wrk.cpu(server.pid)
        result = json.loads(_ends(_client(network, server, "handshakes", max(seconds, 0.5), what)))
        total, user = (after - earlier for after, earlier in zip(wrk.cpu(server.pid), before))
        result["server"] = {"cpu_us_each": total / result["exchanges"], "user_us_each": user / result["exchanges"]}
        return result

    def run(server):
        return pairs.load(lambda: Network("lo"), programs, server, client)

    results = pairs.interleave(report, f"tls handshakes, {what}", servers, run, options.rounds)
    _judge(report, f"Connections with a {what} handshake and one GET", results, "handshake",
           f"{what} handshakes per CPU second, against nginx", HANDSHAKE_GOAL)


def _responses(servers, programs, options, report):
    def run(server):
        return pairs.load(lambda: Network("lo"), programs, server,
                          lambda network, running: wrk.run(network, running, CONNECTIONS, options.duration,
                                                           path="/bytes/16384", scheme="https"))

    results = pairs.interleave(report, "tls, 16 KiB responses", servers, run, options.rounds)
    _judge(report, f"Responses of 16 KiB, {CONNECTIONS} connections kept alive, wrk", results, "response",
           "16 KiB responses per CPU second, against nginx", RESPONSE_GOAL)


def _judge(report, title, results, unit, label, goal):
    pairs.print_loads(title, results, unit)
    theirs, ours = (pairs.column(rounds, "server", "cpu_us_each") for rounds in results.values())
    more = ratios(theirs, ours)  # per CPU second: the inverse of CPU each
    report.goal(label, more.median, goal, ">=", exact=more.text())
