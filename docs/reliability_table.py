"""Writes the table of docs/reliability.md from docs/reliability.toml and the results of the last run: `./dev reliability`.

    reliability_table.py [RESULTS.xml...]    results as ctest writes them; build/test-logs/*.xml when none is named
    reliability_table.py --check             says where the page does not name what the data names, or a test does not exist
"""

import argparse
import pathlib
import re
import sys
import tomllib
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "docs"))
import check_evidence  # noqa: E402

BEGIN, END = "<!-- scenarios: ./dev reliability -->\n", "<!-- end of scenarios -->\n"
HEAD = "| | what goes wrong | by | passes when | last result | tests |\n|---|---|---|---|---|---|\n"
ORDER = ["failed", "skipped", "not run", "passed"]


def parts(test):
    file, name = test.split(": ")
    return file, *name.split(".")


def pattern_of(test):
    """Of the names that ctest has for it, whatever it was instantiated with and however long it runs."""
    file, suite, name = parts(test)
    path = pathlib.Path(file)
    if path.suffix == ".py":
        name, script = name.removeprefix("test_"), path.stem.removesuffix("_test")
        return re.compile(rf"^(slow\.)?\w+\.{script}\.({suite.lower()}\.)?{name}$")
    return re.compile(rf"^(\w+\.)?(\w+/)?{suite}\.{name}(/.*)?$")


def exists(test):
    file, suite, name = parts(test)
    path = ROOT / file
    if not path.is_file():
        return False
    if path.name == "CMakeLists.txt":  # a program as a whole
        text = path.read_text()
        return f"{suite}.{name}" in text or (suite == "fuzz" and f"dwell_fuzzer({name}" in text)
    return check_evidence.has_test(path.read_text(), path, suite, name)


def read_results(files):
    """By name of ctest: passed, failed, or why it was skipped."""
    results = {}
    for file in files:
        for case in xml.parse(file).iter("testcase"):
            status = {"run": "passed", "notrun": "skipped"}.get(case.get("status"), "failed")
            name = case.get("name")
            if name not in results or ORDER.index(status) < ORDER.index(results[name]):
                results[name] = status
    return results


def result_of(scenario, results):
    words = []
    for test in scenario["tests"]:
        found = [status for name, status in results.items() if pattern_of(test).match(name)]
        words.append(min(found, key=ORDER.index) if found else "not run")
    if len(set(words)) == 1:
        return words[0]
    return ", ".join(f"{words.count(each)} {each}" for each in ("passed", "failed", "skipped", "not run") if each in words)


def row(scenario, result):
    tests = "<br>".join(f"[{suite}.{name.removeprefix('test_')}](../{file})" for file, suite, name in map(parts, scenario["tests"]))
    return f"| {scenario['id']} | {scenario['what']} | {scenario['tool']} | {scenario['passes']} | {result} | {tests} |\n"


def problems(scenarios, page):
    for scenario in scenarios:
        for test in scenario["tests"]:
            if not exists(test):
                yield f"docs/reliability.toml: {scenario['id']}: {test}: there is no such test"
        cells = row(scenario, "\0").split("\0")
        if not re.search(re.escape(cells[0]) + r"[\w ,]+" + re.escape(cells[1]), page):
            yield f"docs/reliability.md: {scenario['id']} is not as in docs/reliability.toml: ./dev reliability"
    table = page.split(BEGIN)[-1].split(END)[0].removeprefix(HEAD)
    if table.count("\n") != len(scenarios):
        yield "docs/reliability.md: has other scenarios than docs/reliability.toml: ./dev reliability"


def main():
    parser = argparse.ArgumentParser(prog="./dev reliability", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("results", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    scenarios = tomllib.loads((ROOT / "docs" / "reliability.toml").read_text())["scenario"]
    file = ROOT / "docs" / "reliability.md"
    page = file.read_text()
    if arguments.check:
        found = list(problems(scenarios, page))
        print(*found, sep="\n", end="\n" if found else "")
        sys.exit(bool(found))
    files = arguments.results or sorted((ROOT / "build" / "test-logs").glob("*.xml"))
    if not files:
        sys.exit("reliability: no results: run ./dev test, or ./dev test all, first")
    results = read_results(files)
    rows = [(scenario, result_of(scenario, results)) for scenario in scenarios]
    before, rest = page.split(BEGIN)
    file.write_text(before + BEGIN + HEAD + "".join(row(*each) for each in rows) + END + rest.split(END)[1])
    for scenario, result in rows:
        print(f"{scenario['id']:<6} {result:<28} {scenario['what']}")
    sys.exit(any("failed" in result for _, result in rows))


if __name__ == "__main__":
    main()
