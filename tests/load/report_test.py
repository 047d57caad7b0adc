"""`dwell-load report` as a user runs it, and its page as Chromium shows it: report_test.py DWELL_LOAD SUITE"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import sample_report

LOAD = sys.argv.pop(1)
SKIPPED = 77

# Before everything else in the page: notes what goes wrong, and at the end what there is.
PROBE = """<script>
const seen = {errors: [], blocked: []};
addEventListener("error", (event) => seen.errors.push(event.message));
addEventListener("securitypolicyviolation", (event) => seen.blocked.push(event.blockedURI));
console.error = console.warn = (...words) => seen.errors.push(words.join(" "));
addEventListener("load", () => setTimeout(() => {
  const text = (query) => [...document.querySelectorAll(query)].map((one) => one.textContent.replace(/\\u202f/g, " "));
  const inked = (canvas) => canvas.width > 0 && canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean);
  Object.assign(seen, {
    hacked: "hacked" in window, requests: performance.getEntriesByType("resource").map((one) => one.name),
    verdicts: text(".verdict"), figures: text("figure h3"), says: [...document.querySelectorAll(".plot")].map((one) => one.ariaLabel),
    drawn: [...document.querySelectorAll(".plot canvas")].filter(inked).length, heads: text(".columns thead th"),
    cells: text(".columns tbody td"), flags: text(".columns .flag"), withheld: text(".withheld li"), partial: text(".partial"),
    hints: text(".hint"), commands: text("pre"), differs: text(".differs th"), width: document.documentElement.scrollWidth,
    rows: [...document.querySelectorAll(".columns tbody tr")].map((row) => [...row.cells].map((cell) => cell.textContent)),
  });
  parent.postMessage(seen, "*");
}, 50));
</script>"""


# All pages at once, since it is starting Chromium that takes long.
FRAMES = """<!DOCTYPE html><meta charset="utf-8"><script>
const found = {};
const names = NAMES;
addEventListener("message", (event) => {
  const frame = [...document.querySelectorAll("iframe")].find((one) => one.contentWindow === event.source);
  found[frame.name] = event.data;
  if (Object.keys(found).length < names.length) return;
  const out = document.createElement("script");
  out.type = "application/json"; out.id = "found"; out.textContent = JSON.stringify(found).replace(/</g, "\\u003c");
  document.head.append(out);
});
</script>FRAMES"""

SMALL = json.dumps(sample_report.report(columns=3, repeats=2, samples=300))


def small_report(**changes):
    return json.loads(SMALL) | changes


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, report):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(report if isinstance(report, str) else json.dumps(report))
        return str(path)

    def run_report(self, *arguments):
        return subprocess.run([LOAD, "report", *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60)

    def page(self, *files):
        made = self.run_report(*files, "-o", "page.html")
        self.assertEqual(made.returncode, 0, made.stderr)
        return (self.folder / "page.html").read_text()


class Command(Folder):
    def refused(self, *files):
        result = self.run_report(*files)
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertFalse((self.folder / "report.html").exists())
        self.assertEqual(len(result.stderr.splitlines()), 1, result.stderr)
        return result.stderr

    def test_writes_a_page(self):
        result = self.run_report(self.write("a.json", small_report()))
        self.assertEqual((result.returncode, result.stderr), (0, "report.html\n"))
        self.assertIn("short connections cost", (self.folder / "report.html").read_text())
        self.assertEqual([path.name for path in self.folder.glob("*unfinished*")], [])

    def test_writes_to_standard_output(self):
        result = self.run_report(self.write("a.json", small_report()), "-o", "-")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertTrue(result.stdout.startswith("<!DOCTYPE html>"))

    def test_a_page_holds_a_report_that_renders_again(self):
        page = self.page(self.write("a.json", small_report()))
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
        again = self.page(self.write("again.json", data[0]["report"]))
        self.assertEqual(json.loads(re.search(r'id="data">(.*?)</script>', again, re.S)[1])[0]["report"], data[0]["report"])

    def test_names_file_and_field_of_what_is_bad(self):
        good = self.write("good.json", small_report())
        self.assertIn("missing.json: No such file", self.refused(good, "missing.json"))
        self.assertIn(f"{self.folder}: Is a directory", self.refused(str(self.folder)))
        self.assertIn("text.json: not JSON", self.refused(self.write("text.json", "{")))
        self.assertIn("empty.json: not JSON", self.refused(self.write("empty.json", "")))
        self.assertIn('other.json: not a result of dwell-load: "format"', self.refused(self.write("other.json", "{}")))
        bad = small_report()
        bad["columns"][1]["at_rate"][0]["plan"]["rate"] = "fast"
        self.assertIn("bad.json: columns[1].at_rate[0].plan.rate is not a number but \"fast\"",
                      self.refused(good, self.write("bad.json", bad)))

    def test_says_where_it_could_not_write(self):
        result = self.run_report(self.write("a.json", small_report()), "-o", "nowhere/report.html")
        self.assertEqual(result.returncode, 1)
        self.assertIn("nowhere/report.html: No such file or directory", result.stderr)

    def test_help_has_examples(self):
        result = self.run_report("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("dwell-load report before.json after.json", result.stdout)


HOSTILE = "</script ><script>hacked = 1</script ><!-- <img src=x onerror='hacked = 1'> \u2028 {{data}} &amp;"


def hostile_report():
    bad = small_report(verdict=HOSTILE, command=HOSTILE, remarks=[HOSTILE])
    bad["columns"][0]["name"] = HOSTILE
    bad["columns"][1]["at_rate"][0]["flags"] = [HOSTILE]
    bad["columns"][1]["at_rate"][0]["errors"] = {HOSTILE: 3}
    bad["environment"]["kernel"] = HOSTILE
    bad["environment"]["client_sysctls"] = {HOSTILE: HOSTILE}
    return bad


def doubtful_report():
    bad = small_report(verdict="", withheld=["the client was 91 % busy", "the rate was not reached"], partial=True)
    run = bad["columns"][1]["at_rate"][0]
    run["flags"] = ["the client was 91 % busy: lower --rate", "the client's local ports ran out after 9.4 s (28232 for this destination)"]
    run["partial"] = True
    return bad


def report_with_known_cpu():
    made = small_report()
    for us, run in zip((100, 300), made["columns"][0]["at_rate"]):
        run["client_cpu"] = {"user_us": us * run["answered"], "system_us": us * run["answered"]}
    return made


def report_with_little():
    """Of runs that were interrupted at once, one end unseen, nothing searched."""
    made = small_report(partial=True)
    for column in made["columns"]:
        column.update(search=[], highest_rate=None, time_wait=None, at_rate=column["at_rate"][:1])
        for run in column["at_rate"]:
            run.update(partial=True, server_cpu=None, seconds=run["seconds"][:1], answered=0, measured_s=0)
            for second in run["seconds"]:
                second.update(server=None, packets_sent=None, packets_received=None, bytes_sent=None, bytes_received=None)
    made["columns"][2]["at_rate"] = []
    return made


def report_without_verdict():
    """As `dwell-load run` writes it."""
    return small_report(verdict="", withheld=[], remarks=[])


def report_of_another_machine():
    made = small_report()
    made["environment"]["kernel"] = "Linux 6.1.0"
    return made


class Page(Folder):
    """What must be there also without uPlot."""

    pages = {"plain": [small_report], "hostile": [hostile_report], "doubtful": [doubtful_report], "cpu": [report_with_known_cpu],
             "run": [report_without_verdict],
             "phone": [small_report], "no_charts": [small_report]}

    @classmethod
    def setUpClass(cls):
        cls.seen = {}
        with tempfile.TemporaryDirectory() as folder:
            cls.look(cls(), pathlib.Path(folder))

    def look(self, folder):
        self.folder = folder
        for name, reports in self.pages.items():
            page = self.page(*[self.write(f"{make.__name__}.json", make()) for make in reports])
            type(self).has_charts = "var uPlot" in page
            if name == "no_charts":
                page = re.sub(r"<script>\n/\*\nuPlot.*?</script>", "", page, flags=re.S)
            (folder / f"{name}.html").write_text(page.replace("<head>", "<head>" + PROBE, 1))
        frames = "".join(f'<iframe name="{name}" src="{name}.html" width="{390 if name == "phone" else 1200}" height="900"></iframe>'
                         for name in self.pages)
        (folder / "frames.html").write_text(FRAMES.replace("NAMES", json.dumps(list(self.pages))).replace("FRAMES", frames))
        shown = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile", "--disable-background-networking",
             "--disable-component-update", "--virtual-time-budget=5000", "--dump-dom", (folder / "frames.html").as_uri()],
            capture_output=True, text=True, timeout=200)
        found = re.search(r'<script type="application/json" id="found">(.*?)</script>', shown.stdout, re.S)
        self.assertTrue(found, shown.stdout[-500:] + shown.stderr[-500:])
        type(self).seen = json.loads(found[1])

    def test_nothing_goes_wrong_and_nothing_is_loaded(self):
        for name, seen in self.seen.items():
            with self.subTest(name):
                self.assertEqual(seen["errors"], [])
                self.assertEqual(seen["requests"] + seen["blocked"], [])
                self.assertFalse(seen["hacked"])

    def test_without_uplot_only_the_charts_are_missing(self):
        seen = self.seen["no_charts"]
        self.assertEqual(seen["verdicts"], [small_report()["verdict"]])
        self.assertEqual(seen["drawn"], 0)
        self.assertIn("built without uPlot", seen["hints"][0])
        self.assertEqual(seen["rows"], self.seen["plain"]["rows"])
        self.assertEqual([head.split("2 runs")[0] for head in seen["heads"]], list(sample_report.MODES)[:3])

    def test_hostile_text_is_text(self):
        seen = self.seen["hostile"]
        self.assertEqual((seen["verdicts"], seen["commands"]), ([HOSTILE], [HOSTILE]))
        self.assertIn(HOSTILE, seen["heads"][0])
        self.assertTrue(seen["flags"][0].startswith(HOSTILE))

    def test_it_says_why_there_is_no_verdict(self):
        seen = self.seen["doubtful"]
        self.assertTrue(seen["verdicts"][0].startswith("No verdict"))
        self.assertEqual(seen["withheld"], doubtful_report()["withheld"])
        self.assertTrue(seen["partial"][0].startswith("Partial."))

    def test_a_run_has_none_to_withhold(self):
        seen = self.seen["run"]
        self.assertEqual(seen["verdicts"], ["Measured, without a verdict."])
        self.assertEqual(seen["withheld"], [])

    def test_a_flag_stands_with_what_it_doubts(self):
        rows = {row[0]: row for row in self.seen["doubtful"]["rows"]}
        self.assertIn("the client was 91 % busy: lower --rate (in 1 of 2 repeats)", rows["client’s busiest thread"][2])
        self.assertIn("ports ran out", rows["most ports used"][2])

    def test_figures_are_medians_with_their_range(self):
        [row] = [row for row in self.seen["cpu"]["rows"] if row[0] == "CPU per request, client"]
        self.assertTrue(row[1].startswith("400\u202fµs200–600"), row[1])

    def test_a_phone_need_not_scroll_sideways(self):
        self.assertLessEqual(self.seen["phone"]["width"], 390)


class Charts(Page):
    pages = {"plain": [small_report], "little": [report_with_little], "compared": [small_report, report_of_another_machine]}

    def setUp(self):
        super().setUp()
        if not self.has_charts:
            self.skipTest("dwell-load was built without uPlot: npm was not there or had no network")

    def test_all_are_drawn(self):
        seen = self.seen["plain"]
        expected = ["Latency by percentile", "p99 against rate", "Achieved against offered", "p50 over time", "p99 over time",
                    "Throughput against what was offered", "CPU time, client", "CPU time, server", "TIME_WAIT, client", "TIME_WAIT, server",
                    *(f"{mode}: sockets of the {side}" for mode in list(sample_report.MODES)[:3] for side in ("client", "server"))]
        self.assertEqual(seen["figures"], expected)
        self.assertEqual(seen["drawn"], len(expected))
        for name, says in zip(expected, seen["says"]):
            self.assertTrue(says.startswith(name + ". ") and len(says) > len(name) + 10, says)

    def test_little_is_drawn_too(self):
        seen = self.seen["little"]
        self.assertEqual(seen["drawn"], len(seen["figures"]))
        self.assertNotRegex(json.dumps(seen), "NaN|undefined|Infinity|null")

    def test_reports_are_compared(self):
        seen = self.seen["compared"]
        self.assertEqual(seen["heads"][:2], ["small_report", "report_of_another_machine"])
        self.assertEqual(len(seen["verdicts"]), 2)
        self.assertEqual(seen["drawn"], len(seen["figures"]))
        self.assertEqual(seen["differs"], ["kernel (differs)"])

    def test_the_licence_is_there(self):
        self.assertIn("The MIT License", self.page(self.write("a.json", small_report())))


# Inherited for what makes its pages, not for its tests; but nothing may go wrong in these pages either.
for name in [name for name in vars(Page) if name.startswith("test_") and "goes_wrong" not in name]:
    setattr(Charts, name, None)

if __name__ == "__main__":
    if sys.argv[1] != "Command" and not shutil.which("chromium"):
        print("skipped: chromium is not installed")
        sys.exit(SKIPPED)
    result = unittest.main(exit=False, verbosity=2).result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIPPED if len(result.skipped) == result.testsRun else 0)
