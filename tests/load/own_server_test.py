"""dwell-load with a server of its own, and what other tools say meanwhile: `own_server_test.py DWELL_LOAD`."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

DWELL_LOAD = str(pathlib.Path(sys.argv[1]).resolve())
PATIENCE = 60  # seconds: a machine may be busy
QUICK = ["--repeats", "1", "--warmup", "100ms", "--duration", "400ms", "--search-run", "100ms", "--time-wait-run", "0s"]


def start(*argv, **popen):
    return subprocess.Popen([DWELL_LOAD, *map(str, argv)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **popen)


def children_of(process):
    return [int(child) for child in pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)


def serves(process):
    """The own server of a dwell-load that runs, once it is that and no longer a copy of its parent."""
    found = []

    def look():
        for child in children_of(process):
            command = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
            if b"serve" in command:
                found.append(child)
        return bool(found)

    wait_until(look, "the own server runs")
    return found[0]


def time_waits(network_of, port):
    """What `ss` counts in the network of that process."""
    shown = subprocess.run(["nsenter", f"--net=/proc/{network_of}/ns/net", "ss", "-Htan", "state", "time-wait",
                            f"( sport = :{port} or dport = :{port} )"], capture_output=True, text=True, check=True)
    return len(shown.stdout.splitlines())


def sockstat_time_waits(process):
    for line in pathlib.Path(f"/proc/{process}/net/sockstat").read_text().splitlines():
        words = line.split()
        if words[0] == "TCP:":
            return int(words[words.index("tw") + 1])
    return 0


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)


class OwnServer(InFolder):
    def test_it_goes_when_its_parent_is_killed(self):
        process = start("run", "--self", "--duration", "60s", "--quiet")
        server = serves(process)
        process.kill()
        process.communicate()
        wait_until(lambda: not pathlib.Path(f"/proc/{server}").exists(), "the server has gone")

    def test_without_networks_it_is_loopback_and_says_so(self):
        process = start("run", "--self", "--mode", "short", "--rate", 100, "--warmup", "0s", "--duration", "200ms", "--quiet",
                        "--json", self.folder / "run.json", env={"PATH": "/nonexistent"})
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 3, errors)
        report = json.loads((self.folder / "run.json").read_text())
        self.assertTrue(report["environment"]["link"].startswith("loopback"))
        flags = report["columns"][0]["at_rate"][0]["flags"]
        self.assertTrue(any("iproute2" in flag and "tcp_tw_reuse" in flag for flag in flags), flags)

    def test_it_ends_with_sigterm_and_says_where_it_listens(self):
        process = start("serve", "--protocol", "http", "--cpus", min(os.sched_getaffinity(0)))
        where = json.loads(process.stdout.readline())
        self.assertEqual((where["protocol"], where["address"], where["pid"]), ("http", "127.0.0.1", process.pid))
        self.assertEqual(where["listening"], f"127.0.0.1:{where['port']}")
        process.terminate()
        process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0)

    def test_what_is_sampled_is_what_ss_and_sockstat_say(self):
        process = start("run", "--self", "--mode", "short", "--close", "client", "--rate", 300, "--warmup", "0s",
                        "--duration", "1s", "--quiet", "--json", self.folder / "run.json")
        seen = self.watch(process, serves(process))
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, (0, 3), errors)
        report = json.loads((self.folder / "run.json").read_text())
        if report["environment"]["link"].startswith("loopback"):
            self.skipTest(f"needs network namespaces: {report['environment']['link']}")
        run = report["columns"][0]["at_rate"][0]
        connected = sum(second["connected"] for second in run["seconds"])
        last = run["seconds"][-1]
        sampled = last["client"]["states"].get("TIME-WAIT", 0)
        # TIME_WAITs only come, and each look is at its own moment: none may see more than there were in the end.
        self.assertGreater(sampled, 0)
        for told in (sampled, *seen["client"].values()):  # one more: the connection that tries whether there is a server
            self.assertLessEqual(told, connected + 1)
        self.assertGreater(max(seen["client"].values()), 0)
        self.assertEqual(seen["server"], {"ss": 0, "sockstat": 0})
        self.assertEqual(last["server"]["states"].get("TIME-WAIT", 0), 0)
        self.assertEqual(last["ports_used"], sum(last["client"]["states"].values()))

    def watch(self, process, server):
        """The most TIME_WAITs that ss and sockstat show at both ends, until the process ends."""
        most = {"client": {"ss": 0, "sockstat": 0}, "server": {"ss": 0, "sockstat": 0}}
        port = None
        while process.poll() is None:
            try:
                port = port or self.port_of(server)
                for end, pid in (("client", process.pid), ("server", server)):
                    for tool, count in (("ss", time_waits(pid, port)), ("sockstat", sockstat_time_waits(pid))):
                        most[end][tool] = max(most[end][tool], count)
            except (OSError, subprocess.CalledProcessError, IndexError):
                pass  # it ends, or has not begun
        return most

    def port_of(self, server):
        shown = subprocess.run(["nsenter", f"--net=/proc/{server}/ns/net", "ss", "-Htln"], capture_output=True, text=True, check=True)
        return int(shown.stdout.split()[3].rsplit(":", 1)[1])


class Compare(InFolder):
    def report(self):
        self.assertIn("<html", (self.folder / "report.html").read_text())
        return json.loads((self.folder / "report.json").read_text())

    def test_every_column_is_measured(self):
        process = start("compare", "--self", *QUICK, "--closes", "client", cwd=self.folder)
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, (0, 3), errors)
        report = self.report()
        self.assertEqual([column["name"] for column in report["columns"]],
                         ["long", "short, client closes"])
        for column in report["columns"]:
            self.assertEqual(len(column["at_rate"]), 1)
            self.assertGreater(column["at_rate"][0]["answered"], 0)
            self.assertTrue(column["search"])
        self.assertFalse(report["partial"])
        # Either there is a verdict, or reasons why not; and what is printed is what is written.
        self.assertNotEqual(bool(report["verdict"]), bool(report["withheld"]))
        self.assertEqual(process.returncode, 0 if report["verdict"] else 3)
        for text in [report["verdict"], *report["withheld"], *report["remarks"]]:
            self.assertIn(text, output)
        self.assertTrue(report["environment"]["kernel"])

    def test_an_interrupt_leaves_a_report_of_what_was_complete(self):
        process = start("compare", "--self", "--duration", "300ms", "--warmup", "0s", "--repeats", 100, cwd=self.folder)
        lines = [process.stderr.readline() for _ in range(4)]
        server = serves(process)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertIn(process.returncode, (0, 3), (lines, errors))
        report = self.report()
        self.assertTrue(report["partial"])
        self.assertIn("Not finished", output)
        self.assertGreaterEqual(sum(len(column["at_rate"]) for column in report["columns"]), 3)
        self.assertFalse(pathlib.Path(f"/proc/{server}").exists())

    def test_what_cannot_be_compared_is_refused(self):
        for argv, why in ((["compare"], "--self"), (["compare", "--self", "--target", "echo://127.0.0.1:1"], "--target"),
                          (["compare", "--self", "--closes", "nobody"], "nobody")):
            process = start(*argv, cwd=self.folder)
            _, errors = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 2, argv)
            self.assertIn(why, errors)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
