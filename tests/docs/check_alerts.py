"""The alert rules of docs/alerts: `check_alerts.py [HTTP_SERVER]`. promtool judges them, and a running server has every metric they name."""

import pathlib
import re
import shutil
import subprocess
import sys
import urllib.request

ALERTS = pathlib.Path(__file__).parents[2] / "docs" / "alerts"
RULES = ALERTS / "dwell.rules.yml"


def metrics_of(program):
    server = subprocess.Popen([program, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True)
    try:
        where = re.search(r"admin on (\S+)", server.stdout.readline())[1]
        text = urllib.request.urlopen(f"http://{where}/metrics", timeout=20).read().decode()
        return set(re.findall(r"^(dwell_\w+)", text, re.MULTILINE))
    finally:
        server.terminate()
        server.communicate(timeout=20)


def main():
    rules = RULES.read_text()
    named = set(re.findall(r"\bdwell_\w+", rules))
    unknown = named - metrics_of(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1] else set()
    for each in sorted(unknown):
        print(f"{RULES.name}: {each} is not in /metrics")
    if unknown:
        return 1
    if not shutil.which("promtool"):
        print("skipped: promtool is not installed (Debian: prometheus)")
        return 77
    for command in (["check", "rules", RULES], ["test", "rules", ALERTS / "dwell.test.yml"]):
        if (ended := subprocess.run(["promtool", *command], capture_output=True, text=True)).returncode:
            print(ended.stdout + ended.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
