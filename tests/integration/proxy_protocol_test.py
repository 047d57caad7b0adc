"""Servers behind proxies that say whom they speak for: `proxy_protocol_test.py FOLDER [TEST]`."""

import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

from examples_test import PATIENCE, Server, main
from fronts_test import Front

HAPROXY = """
global
  maxconn 512
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend front
  bind 127.0.0.1:{port}
  default_backend ours
backend ours
  server ours {where} {more}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
worker_processes 1;
error_log {folder}/errors;
pid {folder}/pid;
events {{ worker_connections 512; }}
stream {{
  server {{ listen 127.0.0.1:{port}; proxy_pass {where}; proxy_protocol on; {more} }}
}}
"""

CLIENT = "127.0.0.77"
REQUEST = b"GET /hello/you HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n"


def ours(*more):
    return Server("http_server", "--proxy-protocol", "127.0.0.1", "--log-level", "debug", "--json", *more)


def read_all(peer):
    got = b""
    while part := peer.recv(65_536):
        got += part
    return got


class Fronts(unittest.TestCase):
    """The log names the client, and the proxy that spoke for it."""

    def passes_on_who_it_is(self, program, configuration, more="", tls=False):
        program = shutil.which(program, path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if not program:
            self.skipTest("it is not installed")
        with ours(*["--tls-self-signed"] * tls) as server, Front(program, configuration, server.where, more) as front:
            with socket.create_connection(("127.0.0.1", front.port), PATIENCE, (CLIENT, 0)) as peer:
                port = peer.getsockname()[1]
                if tls:
                    context = ssl.create_default_context()
                    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                    peer = context.wrap_socket(peer)
                peer.sendall(REQUEST)
                self.assertIn(b"you", read_all(peer))
                peer.close()
            server.await_log(f" {CLIENT}:{port} by 127.0.0.1:")
            self.assertEqual(server.counts()["closed"].get("protocol_error", 0), 0)

    def test_haproxy_version_1(self):
        self.passes_on_who_it_is("haproxy", HAPROXY, "send-proxy")

    def test_haproxy_version_2(self):
        self.passes_on_who_it_is("haproxy", HAPROXY, "send-proxy-v2")

    def test_haproxy_with_additions_and_a_checksum(self):
        self.passes_on_who_it_is("haproxy", HAPROXY, "send-proxy-v2 proxy-v2-options crc32c,unique-id,ssl,authority")

    def test_haproxy_before_tls(self):
        self.passes_on_who_it_is("haproxy", HAPROXY, "send-proxy-v2", tls=True)

    def test_nginx(self):
        if not pathlib.Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists():
            self.skipTest("nginx's stream module is not installed (libnginx-mod-stream)")
        self.passes_on_who_it_is("nginx", NGINX)

    def test_haproxy_checks_without_naming_anybody(self):
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if not program:
            self.skipTest("it is not installed")
        with ours() as server, \
                Front(program, HAPROXY, server.where, "send-proxy-v2 check inter 50ms rise 1 fall 1") as front:
            server.await_log(": peer_closed in ")
            with front.connect() as peer:
                peer.sendall(REQUEST)
                self.assertIn(b"you", read_all(peer))
            self.assertEqual(server.counts()["closed"].get("protocol_error", 0), 0)


class Curl(unittest.TestCase):
    def test_says_whom_it_speaks_for(self):
        program = shutil.which("curl")
        if not program:
            self.skipTest("it is not installed")
        with ours() as server:
            run = subprocess.run([program, "-sS", "--haproxy-protocol", f"http://{server.where}/hello/you"],
                                 capture_output=True, text=True, timeout=PATIENCE, check=True)
            self.assertIn("you", run.stdout)
            server.await_log(" by 127.0.0.1:")
            without = subprocess.run([program, "-sS", f"http://{server.where}/hello/you"],
                                     capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertNotEqual(without.returncode, 0)
            server.await_log("protocol_error in handshake")
            server.await_log("; PROXY: no PROXY header")


class Strangers(unittest.TestCase):
    def test_are_refused(self):
        with Server("http_server", "--proxy-protocol", "10.0.0.0/8,::1,unix:") as server:
            host, port = server.where.split(":")
            with socket.create_connection((host, int(port)), PATIENCE) as peer:
                with self.assertRaises(ConnectionResetError):
                    peer.sendall(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + REQUEST)
                    time.sleep(0.1)  # the reset may come behind what was sent
                    if not read_all(peer):
                        raise AssertionError("closed, and not reset")
            server.await_log("127.0.0.1:")
            server.await_log("is refused: it is not in proxy_protocol.from")

    def test_a_wrong_list_says_what_is_wrong(self):
        with self.assertRaisesRegex(AssertionError, "10.0.0.0/33"):
            Server("http_server", "--proxy-protocol", "10.0.0.0/33")


class UnixSockets(unittest.TestCase):
    def test_take_headers_from_whoever_may_open_them(self):
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/socket"
            with Server("http_server", "--proxy-protocol", "unix:", "--log-level", "debug", listen=f"unix:{path}") as server, \
                    socket.socket(socket.AF_UNIX) as peer:
                peer.connect(path)
                peer.sendall(b"PROXY TCP6 2001:db8::7 ::1 56324 443\r\n" + REQUEST)
                self.assertIn(b"you", read_all(peer))
                peer.close()
                server.await_log(" [2001:db8::7]:56324 by unix:")


if __name__ == "__main__":
    main()
