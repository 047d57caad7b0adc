"""Programs for TLS that people have, against the examples: `tls_tools_test.py FOLDER [TEST]`. testssl.sh is in tls_tools_slow_test.py."""

import pathlib
import shutil
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree as xml

from examples_test import PATIENCE, Server, main, some_bytes

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def http_server(*flags):
    return Server("http_server", "--tls-self-signed", "--json", "--log-level", "error", *flags)


class ToolTest(unittest.TestCase):
    tool = None

    def setUp(self):
        if not shutil.which(self.tool):
            self.skipTest(f"{self.tool} is not installed")

    def run_tool(self, *arguments, given=None, code=0):
        ended = subprocess.run([self.tool, *arguments], input=given, capture_output=True, timeout=PATIENCE)
        if code is not None:
            self.assertEqual(ended.returncode, code, ended.stderr.decode(errors="replace")[-2000:])
        return ended


class Sslscan(ToolTest):
    tool = "sslscan"

    def test_offers_nothing_old(self):
        for program in ("http_server", "echo_server"):
            with self.subTest(program):
                with Server(program, "--tls-self-signed", "--log-level", "off") as server:
                    seen = xml.fromstring(self.run_tool("--xml=-", server.where).stdout).find("ssltest")
                enabled = {f"{each.get('type')}v{each.get('version')}" for each in seen.findall("protocol") if each.get("enabled") == "1"}
                self.assertEqual(enabled, {"tlsv1.2", "tlsv1.3"})
                self.assertEqual(seen.find("renegotiation").get("supported"), "0")
                self.assertTrue(all(each.get("vulnerable") == "0" for each in seen.findall("heartbleed")))
                for cipher in seen.findall("cipher"):
                    self.assertRegex(cipher.get("cipher"), r"^(TLS_|ECDHE-).*(GCM|POLY1305)")
                    self.assertIn(cipher.get("strength"), ("strong", "acceptable"), cipher.attrib)
                    self.assertGreaterEqual(int(cipher.get("bits")), 128)


class Openssl(ToolTest):
    tool = "openssl"

    def s_client(self, server, *arguments, given=REQUEST, code=0):
        return self.run_tool("s_client", "-connect", server.where, *arguments, given=given, code=code)

    def typed(self, server, *arguments, lines):
        """What s_client says when somebody types; each line waits for the words before it to come anew."""
        with subprocess.Popen(["stdbuf", "-o0", self.tool, "s_client", "-connect", server.where, *arguments], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
            said, seen = b"", 0
            try:
                for awaited, line in lines:
                    while (found := said.find(awaited, seen)) < 0:
                        block = client.stdout.read1(65_536)
                        self.assertTrue(block, said[-2000:])
                        said += block
                    seen = found + len(awaited)
                    client.stdin.write(line)
                    client.stdin.flush()
                client.stdin.close()
                return said + client.stdout.read()
            finally:
                client.kill()

    def test_both_versions(self):
        with http_server() as server:
            for flag, name in (("-tls1_2", b"TLSv1.2"), ("-tls1_3", b"TLSv1.3")):
                said = self.s_client(server, flag, "-ign_eof", given=REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).stdout
                self.assertIn(b"200 OK", said)
                self.assertIn(name, said)

    def test_old_versions_are_refused(self):
        with http_server() as server:
            for flag in ("-tls1", "-tls1_1"):
                ended = self.s_client(server, flag, "-cipher", "ALL:@SECLEVEL=0", code=1)
                self.assertIn(b"alert protocol version", ended.stderr)
            self.assertEqual(server.await_counts(lambda counts: counts["live"] == 0)["closed"]["protocol_error"], 2)

    def test_resumes(self):
        with tempfile.TemporaryDirectory() as folder, http_server() as server:
            for flag in ("-tls1_2", "-tls1_3"):
                session = str(pathlib.Path(folder, flag))
                bye = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
                first = self.s_client(server, flag, "-ign_eof", "-sess_out", session, given=bye).stdout
                self.assertIn(b"New, TLSv1", first)
                again = self.s_client(server, flag, "-ign_eof", "-sess_in", session, given=bye).stdout
                self.assertIn(b"Reused, TLSv1", again)
                self.assertIn(b"200 OK", again)

    def test_reconnects_with_its_session(self):
        with http_server() as server:
            said = self.s_client(server, "-tls1_2", "-reconnect", "-no_ign_eof", given=b"").stdout
            self.assertEqual((said.count(b"New, TLSv1.2"), said.count(b"Reused, TLSv1.2")), (1, 5))

    def test_renegotiation_is_refused(self):
        with http_server() as server:
            said = self.typed(server, "-tls1_2", lines=[(b"Extended master secret", b"R\n")])
            self.assertIn(b"RENEGOTIATING", said)
            self.assertRegex(said, rb"no renegotiation|handshake failure|unexpected message")
            counts = server.await_counts(lambda counts: counts["live"] == 0)
            self.assertEqual(counts["exchanges"], 0)

    def test_key_update_is_answered(self):
        with Server("echo_server", "--tls-self-signed", "--json", "--log-level", "off") as server:
            with subprocess.Popen([self.tool, "s_client", "-connect", server.where, "-tls1_3"], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
                for exchanges, line in ((1, b"one\n"), (1, b"K\n"), (2, b"two\n"), (2, b"k\n"), (3, b"three\n")):
                    time.sleep(0.3)  # what it reads together it sends together, commands too
                    client.stdin.write(line)
                    client.stdin.flush()
                    server.await_counts(lambda counts: counts["exchanges"] >= exchanges)
                said = client.communicate(b"Q\n", PATIENCE)[0]
            self.assertEqual(said.count(b"KEYUPDATE"), 2)
            for word in (b"one\n", b"two\n", b"three\n"):
                self.assertIn(word, said)


class Curl(ToolTest):
    tool = "curl"

    def curl(self, *arguments, given=None):
        return self.run_tool("-sSk", "--fail", *arguments, given=given)

    def test_versions_keep_alive_and_upload(self):
        body = some_bytes(1_000_000)
        with http_server() as server:
            url = f"https://{server.where}"
            for least, most, name in (("--tlsv1.2", "1.2", b"TLSv1.2"), ("--tlsv1.3", "1.3", b"TLSv1.3")):
                ended = self.curl(least, "--tls-max", most, "-v", f"{url}/hello/you", f"{url}/stream/2", f"{url}/bytes/3")
                self.assertEqual(ended.stdout, b"Hello, you!\nline 1\nline 2\nxxx")
                self.assertIn(b"SSL connection using " + name, ended.stderr)
                self.assertEqual(ended.stderr.count(b"Re-using existing connection"), 2)
                for header in ("Expect: 100-continue", "Transfer-Encoding: chunked"):
                    self.assertEqual(self.curl(least, "--tls-max", most, "--data-binary", "@-", "-H", header, f"{url}/echo-body",
                                               given=body).stdout, body)
            counts = server.await_counts(lambda counts: counts["live"] == 0)
            self.assertEqual((counts["opened"], counts["exchanges"]), (6, 10))

    def test_alpn_and_trust(self):
        with http_server() as server:
            for flag in ("--http1.1", "--http2"):  # what is not spoken here is not agreed on
                ended = self.curl(flag, "-v", "-w", "%{http_version}", f"https://{server.where}/")
                self.assertEqual(ended.stdout, b"OK1.1")
            self.run_tool("-sS", f"https://{server.where}/", code=60)  # nobody has said that he trusts it


class Load(ToolTest):
    tool = "wrk"

    def test_wrk(self):
        with http_server() as server:
            said = self.run_tool("-t1", "-c20", "-d1s", f"https://{server.where}/bytes/20000").stdout.decode()
            self.assertRegex(said, r"[1-9]\d* requests in")
            self.assertNotRegex(said, "Socket errors|Non-2xx")

    def test_h2load(self):
        if not shutil.which("h2load"):
            self.skipTest("h2load is not installed")
        with http_server() as server:
            said = subprocess.run(["h2load", "--h1", "-n2000", "-c50", "-m4", f"https://{server.where}/"], capture_output=True,
                                  timeout=PATIENCE).stdout.decode()
            self.assertIn("2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout", said)


if __name__ == "__main__":
    main()
