"""http_server behind HAProxy and nginx: `fronts_test.py FOLDER [TEST]`.

What is ambiguous must come to the same for both: each request that the front has passed on, by its log, is one that ours has read,
and ours has read no others."""

import collections
import concurrent.futures
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from examples_test import PATIENCE, Server, main

NGINX = """
daemon off;
master_process off;
worker_processes 1;
error_log {folder}/errors;
pid {folder}/pid;
events {{ worker_connections 512; }}
http {{
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3; uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  log_format passed '$request_method $request_uri $status $upstream_status';
  access_log {folder}/access passed;
  upstream ours {{ server {where}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://ours; proxy_http_version 1.1; proxy_set_header Connection ""; {more} }}
  }}
}}
"""

HAPROXY = """
global
  log stdout format raw local0
  maxconn 512
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  option http-keep-alive
  log global
  log-format "%HM %HU %ST %s"
frontend front
  bind 127.0.0.1:{port}
  {more}
  default_backend ours
backend ours
  http-reuse always
  server ours {where}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Front:
    """A proxy that runs in front of a server until the end of the block."""

    def __init__(self, program, configuration, where, more=""):
        self.folder = tempfile.TemporaryDirectory(prefix="dwell-front-")
        self.path, self.port = pathlib.Path(self.folder.name), free_port()
        file = self.path / "configuration"
        file.write_text(configuration.format(folder=self.folder.name, where=where, port=self.port, more=more))
        self.log = self.path / "access"
        self.log.touch()
        arguments = ["-db", "-f", str(file)] if program.endswith("haproxy") else ["-p", self.folder.name, "-c", str(file)]
        self.output = open(self.log if program.endswith("haproxy") else self.path / "said", "wb")
        self.process = subprocess.Popen([program, *arguments], stdout=self.output, stderr=subprocess.STDOUT)

    def __enter__(self):
        for _ in range(PATIENCE * 100):
            try:
                self.connect().close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.01)
                if self.process.poll() is not None:
                    break
        self.__exit__()
        raise AssertionError(f"{self.process.args[0]} is not ready")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.output.close()
        self.folder.cleanup()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def end(self):
        """What was passed on: ("METHOD TARGET", status of the answer). The front has ended."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        passed = []
        for line in self.log.read_text(errors="replace").splitlines():
            words = line.split(" ")
            if len(words) == 4 and words[0].isupper() and words[3] not in ("-", "<NOSRV>"):
                passed.append((f"{words[0]} {words[1]}", int(words[2])))
        return passed


CHUNKED = b"Transfer-Encoding: chunked\r\n"


def ambiguous():
    """Requests that have been read in two ways by somebody. Who takes the hidden part for a request of its own asks for /hello/hidden-N."""
    def post(number, fields, body, version=b"1.1"):
        return b"POST /echo-body?%d HTTP/%s\r\nHost: here\r\n%s\r\n%s" % (number, version, fields, body)

    def hidden(number):
        return b"GET /hello/hidden-%d HTTP/1.1\r\nHost: here\r\n\r\n" % number

    made = []

    def add(fields, body, version=b"1.1"):
        number = len(made)
        inner = hidden(number)
        body = body.replace(b"HIDDEN", inner).replace(b"SIZE", b"%x" % len(inner))
        fields = fields.replace(b"LENGTH", b"%d" % len(body)).replace(b"INNER", b"%d" % len(inner))
        made.append(post(number, fields, body, version))

    zero = b"0\r\n\r\nHIDDEN"
    for spelling in (b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding:chunked\r\n", b"Transfer-Encoding: xchunked\r\n",
                     b"Transfer-Encoding : chunked\r\n", b"Transfer-Encoding:\tchunked\r\n", b"Transfer-Encoding: chunked \r\n",
                     b" Transfer-Encoding: chunked\r\n", b"X: y\r\n Transfer-Encoding: chunked\r\n", b"X: y\nTransfer-Encoding: chunked\r\n",
                     b"X: y\rTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: \"chunked\"\r\n", b"Transfer-Encoding: chunked, identity\r\n",
                     b"Transfer-Encoding: identity, chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                     b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                     b"Transfer-Encoding:\r\n chunked\r\n", b"Transfer_Encoding: chunked\r\n", b"transfer-encoding: CHUNKED\r\n",
                     b"Transfer-Encoding: chunked;q=1\r\n", b"Transfer-Encoding: \x0bchunked\r\n", b"Transfer-Encoding\x00: chunked\r\n"):
        add(spelling, zero)
        add(b"Content-Length: LENGTH\r\n" + spelling, zero)  # CL.TE
        add(spelling + b"Content-Length: 4\r\n", b"SIZE\r\nHIDDEN\r\n0\r\n\r\n")  # TE.CL
    for lengths in (b"Content-Length: 0\r\nContent-Length: INNER\r\n", b"Content-Length: INNER\r\nContent-Length: 0\r\n",
                    b"Content-Length: 0, INNER\r\n", b"Content-Length: +0\r\n", b"Content-Length: -1\r\n", b"Content-Length: 0x0\r\n",
                    b"Content-Length: 00\r\n", b"Content-Length: 0 0\r\n", b"Content-Length : INNER\r\n", b"Content-Length:\r\n",
                    b"Content-Length: 99999999999999999999\r\n", b"Content_Length: INNER\r\n", b"Content-Length: INNER\n\r\n", b""):
        add(lengths, b"HIDDEN")
    for body in (b"0;x=\n\r\n\r\nHIDDEN", b"0\n\nHIDDEN", b"0\r\r\nHIDDEN", b"1\r\naX\r\n0\r\n\r\nHIDDEN", b"00000000000000000\r\n\r\nHIDDEN",
                 b"10000000000000000\r\nHIDDEN", b"0x0\r\n\r\nHIDDEN", b" 0\r\n\r\nHIDDEN", b"0 \r\n\r\nHIDDEN", b"-0\r\n\r\nHIDDEN",
                 b"0\r\nContent-Length: INNER\r\n\r\nHIDDEN", b"0\r\nTransfer-Encoding: chunked\r\n\r\nHIDDEN", b"1\r\na\n0\r\n\r\nHIDDEN",
                 b"1\na\r\n0\r\n\r\nHIDDEN", b"0;a=\"\r\nHIDDEN\"\r\n\r\n", b"\r\n0\r\n\r\nHIDDEN"):
        add(CHUNKED, body)
    add(CHUNKED, zero, b"1.0")
    add(b"Connection: Content-Length\r\nContent-Length: LENGTH\r\n", b"HIDDEN")
    add(b"Connection: Transfer-Encoding\r\n" + CHUNKED, zero)
    add(b"Expect: 100-continue\r\nContent-Length: LENGTH\r\n", b"HIDDEN")
    number = len(made)
    for start in (b"GET http://there/hello/%d HTTP/1.1", b"GET /hello/%d  HTTP/1.1", b"GET /hello/%d", b"GET /hello/%d HTTP/1.1 HTTP/1.1",
                  b"\r\nGET /hello/%d HTTP/1.1", b"GET\t/hello/%d HTTP/1.1", b"GET /hello/%d\x0b HTTP/1.1", b"GET /hello/../hello/%d HTTP/1.1",
                  b"GET //hello/%d HTTP/1.1", b"GET /hello/%%2e%%2e%%2fhello/%d HTTP/1.1", b"HEAD /hello/%d HTTP/1.1", b"get /hello/%d HTTP/1.1",
                  b"GET /hello/%d HTTP/1.10", b"GET /hello/%d http/1.1"):
        inner = hidden(number)
        made.append(start % number + b"\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(inner) + inner)
        number += 1
    return made


class Smuggling(unittest.TestCase):
    def read_by_both(self, program, configuration, more=""):
        if not shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin"):
            self.skipTest(f"{program} is not installed")
        program = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin")
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "access.log")
            with Server("http_server", "--json", "--log-level", "warn", "--access-log", str(log)) as server, \
                    Front(program, configuration, server.where, more) as front:
                cases = ambiguous()
                with concurrent.futures.ThreadPoolExecutor(len(cases)) as clients:
                    list(clients.map(lambda raw: self.ask(front, raw), cases))
                passed = front.end()
                server.end(signal.SIGTERM)
            ours = re.findall(r'request="(\S+ \S+) HTTP', log.read_text(errors="replace"))
        served = [request for request, status in passed if status < 400]
        print(f"  {len(cases)} ambiguous requests: {len(passed)} passed on, {len(ours)} read, {len(served)} served")
        self.assertGreater(len(served), 10)
        self.assertEqual(collections.Counter(ours) - collections.Counter(request for request, _ in passed), {},
                         "read by us, and not passed on as such")
        self.assertEqual(collections.Counter(served) - collections.Counter(ours), {}, "served to the front, and not read by us")

    def ask(self, front, raw):
        try:
            with front.connect() as peer:
                peer.settimeout(1)
                peer.sendall(raw)
                while peer.recv(65_536):  # to its end, or until nothing more is said: to leave earlier would cut what is on its way
                    pass
        except OSError:
            pass

    def test_haproxy_and_ours_read_the_same(self):
        self.read_by_both("haproxy", HAPROXY)

    def test_haproxy_at_its_most_lenient(self):
        self.read_by_both("haproxy", HAPROXY, "option accept-invalid-http-request")

    def test_nginx_and_ours_read_the_same(self):
        self.read_by_both("nginx", NGINX)

    def test_nginx_that_passes_bodies_on_as_they_come(self):
        self.read_by_both("nginx", NGINX, "proxy_request_buffering off;")


class KeepAlive(unittest.TestCase):
    """Requests that the front sends over a connection whose idle deadline passes just then."""

    CLIENTS, ROUNDS, IDLE = 20, 5, 0.4

    def no_request_is_lost(self, program, configuration):
        program = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if not program:
            self.skipTest("it is not installed")
        with Server("http_server", "--json", "--idle", f"{int(self.IDLE * 1000)}ms") as server, \
                Front(program, configuration, server.where) as front:
            def client(index):
                statuses = []
                with front.connect() as peer, peer.makefile("rb") as stream:
                    for turn in range(self.ROUNDS):
                        peer.sendall(b"GET /slow/60 HTTP/1.1\r\nHost: here\r\n\r\n")  # so each takes a connection of its own
                        statuses.append(stream.readline().split(b" ")[1])
                        length = 0
                        while line := stream.readline().strip():
                            if line.lower().startswith(b"content-length:"):
                                length = int(line.split(b":")[1])
                        stream.read(length)
                        time.sleep(self.IDLE + (index - self.CLIENTS / 2 + turn / self.ROUNDS) * 0.001)
                return statuses

            with concurrent.futures.ThreadPoolExecutor(self.CLIENTS) as clients:
                statuses = [status for each in clients.map(client, range(self.CLIENTS)) for status in each]
            counts = server.counts()
        print(f"  {len(statuses)} requests over {counts['opened']} connections, {counts['reap_raced']} crossed our FIN")
        self.assertEqual(set(statuses), {b"200"})
        self.assertLess(counts["opened"], len(statuses))

    def test_haproxy(self):
        self.no_request_is_lost("haproxy", HAPROXY.replace("http-reuse always", "http-reuse safe\n  retry-on all-retryable-errors"))

    def test_nginx(self):
        self.no_request_is_lost("nginx", NGINX)


if __name__ == "__main__":
    main()
