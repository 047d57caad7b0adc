"""A small run of bench/million: `million_test.py BUILD`. Debug builds may take longer for a turn, and no more than that."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

MILLION = pathlib.Path(__file__).parent / "million"
CONNECTIONS, NOFILE, LACKS = 20_000, 3_000, 2


def run(*flags):
    return subprocess.run([MILLION, "--build", build, *map(str, flags)], capture_output=True, text=True, timeout=240)


class Million(unittest.TestCase):
    def test_holds_more_than_nofile_and_reaps_them_all_in_time(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "result.json")
            done = run("--connections", CONNECTIONS, "--nofile", NOFILE, "--idle", 15, "--json", path)
            if done.returncode == LACKS:
                self.skipTest(done.stderr.strip())
            seen = json.loads(path.read_text())
        self.assertNotIn("failed", seen, done.stderr)
        self.assertEqual(seen["open"], CONNECTIONS)
        self.assertLess(seen["descriptors"], NOFILE)
        self.assertLessEqual(seen["user_bytes_each"], 220)  # what is there once is shared by few here
        self.assertGreater(seen["echo"]["asked"], CONNECTIONS / 200)
        self.assertEqual(seen["echo"]["answered"], seen["echo"]["asked"])
        self.assertEqual((seen["reaped"]["reaped"], seen["server"]["reaped"]), (CONNECTIONS, CONNECTIONS))
        self.assertEqual(seen["server"]["early"], 0)
        self.assertEqual(seen["server"]["accept_failed"], 0)
        self.assertTrue(seen["reaped"]["ping"]["lives"])
        self.assertTrue(done.stdout.strip().endswith(f"connections in one process: {CONNECTIONS:,}"), done.stdout)

    def test_says_what_is_missing(self):
        for flags, word in ((["--connections", 900_000_000], "memory"), (["--nofile", 2_000_000_000], "RLIMIT_NOFILE"),
                            (["--connections", 200_000, "--nofile", 256], "--nofile")):
            done = run(*flags)
            self.assertEqual(done.returncode, LACKS, flags)
            self.assertIn(word, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    build = sys.argv.pop(1)
    outcome = unittest.main(verbosity=2, exit=False).result
    sys.exit(1 if not outcome.wasSuccessful() else 77 if outcome.skipped else 0)
