"""Rolls the fleet of examples/fleet, briefly: `fleet_test.py FOLDER [TEST]`."""

import json
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

from examples_test import PATIENCE, built, main

SCRIPT = pathlib.Path(__file__).parents[2] / "examples/fleet/roll.py"


class Fleet(unittest.TestCase):
    def setUp(self):
        if not shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/bin"):
            self.skipTest("needs haproxy")

    def start(self, *arguments):
        return subprocess.Popen([sys.executable, SCRIPT, "--program", built("fleet/fleet_server"), "--json", *arguments], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_is_rolled_without_losing_a_request(self):
        with self.start("--delay", "600ms", "--rate", "200", "--calm", "0.2") as rolling:
            said, complaints = rolling.communicate(timeout=2 * PATIENCE)
        self.assertEqual(rolling.returncode, 0, said + complaints)
        summary = json.loads(said.splitlines()[-1])
        self.assertEqual(summary["lost"], 0)
        self.assertEqual(summary["answered"] + summary["crossed"], summary["requests"])
        self.assertGreater(summary["long"], 50)
        self.assertGreater(summary["short"], 50)

    def test_ends_what_it_has_started_when_it_is_interrupted(self):
        with self.start("--delay", "1min") as rolling:
            group = pathlib.Path(f"/proc/{rolling.pid}/task/{rolling.pid}/children")
            deadline = time.monotonic() + PATIENCE
            while len(started := group.read_text().split()) < 4 and time.monotonic() < deadline:
                time.sleep(0.02)
            rolling.send_signal(signal.SIGINT)
            _, complaints = rolling.communicate(timeout=PATIENCE)
        self.assertEqual(rolling.returncode, 1)
        self.assertIn("interrupted", complaints)
        self.assertEqual(len(started), 4)
        self.assertEqual([pid for pid in started if pathlib.Path(f"/proc/{pid}").exists()], [])


if __name__ == "__main__":
    main()
