"""Every state of TCP at both ends, as `states_tour` reaches them and as this test itself asks the kernel.

`tour_test.py DWELL [TEST]`; the example is looked for in the same build.
"""

import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import unittest

import networks
import program

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "life-of-a-connection.md"

# RFC 9293, figure 5: where an end may go from each state. A reset leads to CLOSED from everywhere.
DIAGRAM = {
    "CLOSED": {"SYN_SENT", "LISTEN"},
    "LISTEN": {"SYN_RECEIVED"},
    "SYN_SENT": {"SYN_RECEIVED", "ESTABLISHED"},
    "SYN_RECEIVED": {"ESTABLISHED", "FIN_WAIT_1"},
    "ESTABLISHED": {"FIN_WAIT_1", "CLOSE_WAIT"},
    "FIN_WAIT_1": {"FIN_WAIT_2", "CLOSING", "TIME_WAIT"},
    "FIN_WAIT_2": {"TIME_WAIT"},
    "CLOSING": {"TIME_WAIT"},
    "CLOSE_WAIT": {"LAST_ACK"},
    "LAST_ACK": {"CLOSED"},
    "TIME_WAIT": {"CLOSED"},
}
# As ss says them.
NAMES = {"LISTEN": "LISTEN", "SYN-SENT": "SYN_SENT", "SYN-RECV": "SYN_RECEIVED", "ESTAB": "ESTABLISHED",
         "FIN-WAIT-1": "FIN_WAIT_1", "FIN-WAIT-2": "FIN_WAIT_2", "CLOSE-WAIT": "CLOSE_WAIT", "CLOSING": "CLOSING",
         "LAST-ACK": "LAST_ACK", "TIME-WAIT": "TIME_WAIT"}
KERNEL = tuple(int(number) for number in re.findall(r"\d+", platform.release())[:2])
SHOWS_BOUND = (6, 8)  # sock_diag learnt to show sockets that are bound and not connected


def tour():
    """The example that was built beside the program."""
    return program.DWELL.parents[2] / "examples" / "states_tour"


def run(*arguments, **environment):
    return subprocess.run([tour(), *arguments], capture_output=True, text=True, timeout=100,
                          env=os.environ | {"LC_ALL": "C.UTF-8"} | environment)


def set_up(test):
    if not tour().exists():
        test.skipTest("states_tour is not built: -DDWELL_BUILD_EXAMPLES=ON")
    why = networks.enter_fresh_network()
    if why:
        test.skipTest(why)


def played(test, *arguments, **environment):
    """What it says. Skips where it says why it cannot."""
    done = run(*arguments, **environment)
    if done.returncode == 3:
        test.skipTest(done.stderr.strip())
    test.assertEqual(done.returncode, 0, done.stderr)
    return done.stdout


class ElevenStates(unittest.TestCase):
    """Goes through the tour step by step, and asks the kernel about each."""

    def setUp(self):
        set_up(self)
        self.tour = subprocess.Popen([tour(), "--json", "--step"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (self.tour.kill(), self.tour.communicate()))
        first = self.tour.stdout.readline()
        if not first:
            _, why = self.tour.communicate()
            self.assertEqual(self.tour.returncode, 3, why)
            self.skipTest(why.strip())
        self.where = json.loads(first)

    def stations(self):
        for line in self.tour.stdout:
            yield json.loads(line)
            self.tour.stdin.write("\n")
            self.tour.stdin.flush()
        self.assertEqual(self.tour.wait(networks.PATIENCE), 0, self.tour.stderr.read())

    def sockets(self, side):
        """(local, remote) -> state, by ss in that side's network."""
        listing = subprocess.run(["nsenter", f"--net={self.where[side + '_network']}", "ss", "-tanH"],
                                 capture_output=True, text=True, check=True).stdout
        fields = [line.split() for line in listing.splitlines()]
        return {(line[3], line[4].replace("*", "0")): NAMES[line[0]] for line in fields}

    def test_are_what_ss_says_at_both_ends(self):
        seen = {"client": set(), "server": set()}
        for station in self.stations():
            ends = station["client_endpoint"], station["server_endpoint"]
            for side, (local, remote) in (("client", ends), ("server", ends[::-1])):
                state = station[side]["state"]
                listed = self.sockets(side)
                found = listed.get((local, remote))
                if state == "LISTEN":
                    self.assertIsNone(found, station)
                    found = listed.get((local, "0.0.0.0:0"))
                self.assertEqual(found, None if state == "CLOSED" else state, station)
                seen[side].add(state)
        every = set(DIAGRAM)
        self.assertEqual(seen, {"client": every - {"LISTEN"}, "server": every})

    def test_are_what_sock_diag_says(self):
        for station in self.stations():
            for side in ("client", "server"):
                end = station[side]
                said = end["sock_diag"]
                with self.subTest(scene=station["title"], station=station["station"], side=side):
                    if end["state"] != "CLOSED":
                        self.assertEqual(said["state"], end["state"])
                    elif said:  # bound, before it is connected
                        self.assertEqual((said["state"], station["station"] <= 2), ("CLOSED", True))
                        self.assertGreaterEqual(KERNEL, SHOWS_BOUND)
                    if end["state"] == "TIME_WAIT":
                        self.assertEqual((said["inode"], said["timer"], said["orphan"]), (0, "time_wait", False))
                        self.assertGreater(said["remaining_ms"], 20_000)
                    if end["state"] == "SYN_RECEIVED" and station["title"] == "The handshake":
                        self.assertEqual(said["inode"], 0, "a request has no descriptor")
                    if end["state"] == "CLOSE_WAIT":
                        self.assertEqual(said["timer"], "none")
                    if end["state"] in ("SYN_SENT", "FIN_WAIT_1", "CLOSING", "LAST_ACK"):
                        self.assertEqual(said["timer"], "retransmit", "its segment is not acknowledged yet")

    def test_are_what_tcp_info_says_through_an_open_descriptor(self):
        told = set()
        for station in self.stations():
            for side in ("client", "server"):
                end = station[side]
                with self.subTest(scene=station["title"], station=station["station"], side=side):
                    if side == "server" and (end["sock_diag"] or {}).get("inode", 0) == 0:
                        self.assertIsNone(end["tcp_info"], "nothing to ask with")
                    elif end["state"] == "TIME_WAIT":
                        self.assertEqual(end["tcp_info"], "CLOSED", "what waits is no socket any more")
                    else:
                        self.assertEqual(end["tcp_info"], end["state"])
                    told.add(end["tcp_info"])
        self.assertEqual(told, set(DIAGRAM) - {"TIME_WAIT"} | {None})

    def test_are_what_the_tracepoint_says_but_for_requests_and_time_wait(self):
        if self.where["tracepoint_missing"]:
            self.skipTest(self.where["tracepoint_missing"])
        before = {}
        for station in self.stations():
            if station["station"] == 1:
                before = {side: station[side]["state"] for side in ("client", "server")}
                continue
            for side in ("client", "server"):
                end = station[side]
                steps = [(step["from"], step["to"]) for step in end["tracepoint"]]
                with self.subTest(scene=station["title"], station=station["station"], side=side):
                    self.check_steps(steps, before[side], end["state"])
                before[side] = end["state"]

    def check_steps(self, steps, before, state):
        if before == state:
            self.assertEqual(steps, [])
        elif (before, state) == ("LISTEN", "SYN_RECEIVED"):
            self.assertEqual(steps, [], "a request is none of its sockets")
        elif before == "SYN_RECEIVED" and len(steps) > 1:  # told once it is a socket
            self.assertEqual(steps, [("LISTEN", "SYN_RECEIVED"), ("SYN_RECEIVED", "ESTABLISHED")])
        else:
            self.assertEqual(steps[0][0], before)
            self.assertIn(steps[-1][1], {"CLOSED"} if state == "TIME_WAIT" else {state})
            for step, following in zip(steps, steps[1:]):
                self.assertEqual(step[1], following[0])

    def test_follow_each_other_as_in_the_diagram(self):
        before, moves = {}, set()
        for station in self.stations():
            for side in ("client", "server"):
                state = station[side]["state"]
                if station["station"] > 1 and before[side] != state:
                    moves.add((before[side], state))
                self.assertEqual(station[side]["moved"], station["station"] == 1 or before[side] != state)
                before[side] = state
        resets = {("ESTABLISHED", "CLOSED"), ("CLOSE_WAIT", "CLOSED"), ("FIN_WAIT_1", "CLOSED")}
        self.assertEqual({move for move in moves if move[1] not in DIAGRAM[move[0]]} - resets, set())
        not_shown = {(state, to) for state, all_to in DIAGRAM.items() for to in all_to} - moves
        self.assertEqual(not_shown, {("CLOSED", "LISTEN"),  # before the first connection
                                     ("SYN_RECEIVED", "FIN_WAIT_1"), ("FIN_WAIT_1", "TIME_WAIT"),
                                     ("TIME_WAIT", "CLOSED")})  # takes 60 s


class TheProgram(unittest.TestCase):
    def setUp(self):
        set_up(self)

    def test_shows_one_state_only(self):
        said = played(self, "--state", "closing")
        self.assertIn("4. Both close at once", said)
        self.assertNotIn("1. ", said)
        self.assertRegex(said, r"\n   4  client  CLOSING       CLOSING, resending ")
        self.assertNotRegex(said, r"\n   \d  (client|server)  (?!CLOSING|no descriptor CLOSING)")

    def test_is_plain_where_there_is_no_terminal_and_fits_on_it(self):
        said = played(self)
        self.assertNotIn("\033", said)
        self.assertEqual([line for line in said.splitlines()[4:] if len(line) > 80], [])

    def test_says_the_same_in_ascii(self):
        said = played(self, "--ladder", LC_ALL="C")
        self.assertTrue(said.isascii())
        self.assertIn("   5  CLOSING       --------------- FIN, ACK ---------------->  CLOSING\n", said)

    def test_says_what_is_missing(self):
        nothing = run(PATH="/nowhere")
        self.assertEqual(nothing.returncode, 3, nothing.stderr)
        self.assertIn("iproute2", nothing.stderr)

    def test_goes_on_without_the_tracepoint(self):
        said = played(self, "--dwell", "/nowhere/dwell")
        self.assertIn("The tracepoint is not asked: ", said)
        self.assertIn("TIME_WAIT", said)

    def test_wrong_usage(self):
        for wrong in (["--state", "OPEN"], ["--nonsense"], ["more"]):
            with self.subTest(wrong):
                refused = run(*wrong)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(wrong[-1].removeprefix("--"), refused.stderr + refused.stdout)
        self.assertEqual(run("--help").returncode, 0)


class ThePage(unittest.TestCase):
    """The ladders of docs/life-of-a-connection.md are those of a run."""

    def setUp(self):
        set_up(self)

    def test_shows_what_a_run_says(self):
        ladders = ladders_of(played(self, "--ladder"))
        shown = re.findall(LADDER, PAGE.read_text())
        self.assertEqual(sorted(title for title, _ in shown), sorted(ladders), "each ladder once")
        for title, ladder in shown:
            self.assertEqual(ladder, ladders[title], "run ./dev build && ./dev docs")


LADDER = re.compile(r"<!-- states_tour: (.*) -->\n```text\n([^`]*)```\n")


def ladders_of(said):
    parts = re.split(r"^\d+\. (.*)\n\n", said, flags=re.MULTILINE)
    return {title: ladder.rstrip("\n") + "\n" for title, ladder in zip(parts[1::2], parts[2::2])}


def write_page():
    """Writes them anew, where the tour can be run."""
    if not tour().exists():
        return print(f"{PAGE.name}: its ladders need a build (./dev build)")
    done = run("--ladder")
    if done.returncode != 0:
        return print(f"{PAGE.name}: its ladders stay as they are; {done.stderr.strip()}")
    ladders = ladders_of(done.stdout)
    text = PAGE.read_text()
    written = LADDER.sub(lambda match: f"<!-- states_tour: {match[1]} -->\n```text\n{ladders[match[1]]}```\n", text)
    if written != text:
        PAGE.write_text(written)
        print(f"docs/{PAGE.name}: rewritten")


if __name__ == "__main__":
    if "--write" in sys.argv:
        program.DWELL = pathlib.Path(sys.argv[1]).resolve()
        write_page()
    else:
        program.main()
