"""TLS clients that people have, against the examples: `tls_clients_test.py FOLDER [TEST]`."""

import os
import pathlib
import signal
import ssl
import subprocess
import tempfile
import unittest

from examples_test import PATIENCE, Server, built, main, read_exactly


def client_context(version=None, trusts=None):
    context = ssl.create_default_context(cafile=trusts)
    if trusts is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if version:
        context.minimum_version = context.maximum_version = version
    return context


def make_certificate(folder, name):
    """A self-signed pair of files."""
    chain, key = (str(pathlib.Path(folder, f"{name}.{kind}")) for kind in ("crt", "key"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-out", chain,
                    "-keyout", key], check=True, capture_output=True)
    return chain, key


def over_tls(server, context, name="localhost"):
    return context.wrap_socket(server.connect(), server_hostname=name)


def run(*command, input=None):
    return subprocess.run(command, input=input, capture_output=True, timeout=PATIENCE)


class Echo(unittest.TestCase):
    def test_both_versions_and_a_megabyte(self):
        for handler in ("callbacks", "coroutine"):
            with Server("echo_server", "--tls-self-signed", "--handler", handler, "--json") as server:
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    with self.subTest(version=version, handler=handler), \
                            over_tls(server, client_context(version)) as peer:
                        data = bytes(range(256)) * 256
                        for _ in range(16):  # one SSL object is not for two threads
                            peer.sendall(data)
                            self.assertEqual(read_exactly(peer, len(data)), data)

    def test_goodbye_and_fin_leave_time_wait_with_who_is_first(self):
        with Server("echo_server", "--tls-self-signed", "--idle", "200ms", "--json") as server:
            with over_tls(server, client_context()) as peer:
                self.assertEqual(peer.recv(1), b"")  # close_notify: an EOF without it raises SSLEOFError
            counts = server.await_counts(lambda counts: counts["closed"]["idle_timeout"] == 1)
            self.assertEqual(counts["time_wait"]["here"], 1)
            self.assertEqual(counts["reap_raced"], 0)
            with over_tls(server, client_context()) as peer:
                peer.sendall(b"x")
                self.assertEqual(peer.recv(1), b"x")
            counts = server.await_counts(lambda counts: counts["closed"]["peer_closed"] == 1)
            self.assertEqual(counts["time_wait"]["there"], 1)

    def test_who_closes_with_tickets_unread_resets(self):
        with Server("echo_server", "--tls-self-signed", "--json") as server:
            peer = over_tls(server, client_context(ssl.TLSVersion.TLSv1_3))
            peer.close()  # the tickets are in its receive queue
            counts = server.await_counts(
                lambda counts: counts["closed"]["peer_reset"] + counts["closed"]["peer_closed"] == 1)
            self.assertEqual(counts["live"], 0)

    def test_old_versions_and_what_is_not_tls_are_refused(self):
        with Server("echo_server", "--tls-self-signed", "--json") as server:
            old = ssl.create_default_context()
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("ALL:@SECLEVEL=0")
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with self.assertRaises(ssl.SSLError), over_tls(server, old):
                pass
            with server.connect() as plain:
                plain.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
                plain.recv(100)  # an alert
            server.await_counts(lambda counts: counts["closed"]["protocol_error"] == 2)

    def test_silence_ends_at_the_handshake_deadline(self):
        with Server("echo_server", "--tls-self-signed", "--handshake", "200ms", "--json") as server, \
                server.connect() as silent:
            self.assertEqual(silent.recv(1), b"")
            server.await_counts(lambda counts: counts["closed"]["handshake_timeout"] == 1)


    def test_the_example_says_what_was_agreed(self):
        script = """
ip link set lo up
"$1" & server=$!
until openssl s_client -connect 127.0.0.1:7443 </dev/null >/dev/null 2>&1; do kill -0 $server || exit 1; sleep 0.05; done
(echo hello; sleep 0.3) | openssl s_client -connect 127.0.0.1:7443 2>/dev/null | grep hello
kill $server
wait $server"""
        namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--net"]
        if run(*namespace, "true").returncode != 0:
            self.skipTest("no network namespace may be made here")
        done = run(*namespace, "sh", "-c", script, "sh", built("tls_echo"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, rb"listening on 127.0.0.1:7443\n(?s:.*)TLSv1.3 TLS_AES_256_GCM_SHA384\n(?s:.*)hello")


class Certificates(unittest.TestCase):
    def test_are_read_again_on_sighup_and_bad_ones_change_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            chain, key = make_certificate(folder, "localhost")
            first = pathlib.Path(chain).read_bytes()
            with Server("echo_server", "--tls", chain, key) as server:
                over_tls(server, client_context(trusts=chain)).close()
                make_certificate(folder, "localhost")
                self.assertNotEqual(pathlib.Path(chain).read_bytes(), first)
                server.process.send_signal(signal.SIGHUP)
                self.assertEqual(server.process.stdout.readline(), "certificates read\n")
                over_tls(server, client_context(trusts=chain)).close()
                pathlib.Path(key).write_text("nonsense")
                server.process.send_signal(signal.SIGHUP)
                server.await_log("no private key")
                over_tls(server, client_context(trusts=chain)).close()


class Http(unittest.TestCase):
    def test_curl_keeps_the_connection(self):
        with Server("http_server", "--tls-self-signed", "--json") as server:
            url = f"https://{server.where}/"
            done = run("curl", "-sk", "--fail", url, url, url)
            self.assertEqual((done.returncode, done.stdout), (0, b"OK" * 3))
            counts = server.await_counts(lambda counts: counts["exchanges"] == 3)
            self.assertEqual(counts["opened"], 1)

    def test_curl_after_a_short_connection(self):
        for method in ("graceful", "peer-first", "abort-after-fin"):
            with self.subTest(method), \
                    Server("http_server", "--tls-self-signed", "--mode", "short", "--close", method, "--json") as server:
                done = run("curl", "-sk", "--fail", f"https://{server.where}/")
                self.assertEqual((done.returncode, done.stdout), (0, b"OK"))

    def test_openssl_speaks_it(self):
        with Server("http_server", "--tls-self-signed") as server:
            for version in ("-tls1_2", "-tls1_3"):
                done = run("openssl", "s_client", version, "-quiet", "-connect", server.where,
                           input=b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
                self.assertIn(b"200 OK", done.stdout)


if __name__ == "__main__":
    main()
