"""http_server as varnishtest's clients of raw bytes see it: `varnishtest_test.py FOLDER [TEST]`. What is sent and expected is in vtc/."""

import pathlib
import shutil
import subprocess
import unittest

from examples_test import PATIENCE, Server, main

SCRIPTS = pathlib.Path(__file__).parent / "vtc"


class Raw(unittest.TestCase):
    def play(self, script):
        program = shutil.which("varnishtest")
        if not program:
            self.skipTest("varnishtest is not installed: apt install varnish")
        with Server("http_server", "--json", "--log-level", "warn") as server:
            ended = subprocess.run([program, "-t", str(PATIENCE), "-D", f"server={server.where}", str(SCRIPTS / script)],
                                   capture_output=True, text=True, timeout=2 * PATIENCE)
            self.assertEqual(ended.returncode, 0, ended.stdout)
            counts = server.await_counts(lambda counts: counts["live"] == 0)
            self.assertEqual(counts["closed"]["handler_failed"], 0)

    def test_pipelining(self):
        self.play("pipelining.vtc")

    def test_splits(self):
        self.play("splits.vtc")

    def test_chunked(self):
        self.play("chunked.vtc")

    def test_keep_alive(self):
        self.play("keep_alive.vtc")

    def test_refused(self):
        self.play("refused.vtc")


if __name__ == "__main__":
    main()
