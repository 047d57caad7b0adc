"""http_server as Java's HttpClient sees it: `java_client_test.py FOLDER [TEST]`."""

import pathlib
import shutil
import subprocess
import unittest

from examples_test import PATIENCE, Server, main

PROGRAM = pathlib.Path(__file__).parent / "Talk.java"


class HttpClient(unittest.TestCase):
    def test_talks_plain_and_over_tls(self):
        if not shutil.which("java"):
            self.skipTest("java is not installed: apt install openjdk-17-jdk-headless")
        with Server("http_server", "--json", "--log-level", "warn") as plain, \
                Server("http_server", "--tls-self-signed", "--json", "--log-level", "warn") as secured:
            ended = subprocess.run(["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", str(PROGRAM),
                                    f"http://{plain.where}", f"https://{secured.where}"], capture_output=True, timeout=3 * PATIENCE)
            self.assertEqual(ended.returncode, 0, ended.stderr.decode(errors="replace"))
            for server in (plain, secured):
                counts = server.await_counts(lambda counts: counts["live"] == 0)
                self.assertEqual(counts["exchanges"], 2 * 57, counts)
                self.assertLess(counts["opened"], counts["exchanges"] - 30)  # it keeps its connections


if __name__ == "__main__":
    main()
