"""Keeps the claims of docs/ tied to the tests that show them: `check_evidence.py [ROOT]`.

A claim has a footnote, and the footnote names a test:

    TIME_WAIT takes no descriptor[^free].

    [^free]: [tests/kernel/folk_test.cpp: folk.time_wait_takes_no_descriptor](../tests/kernel/folk_test.cpp)

Prints one line for each test that does not exist, each footnote that is missing, and each that nothing refers to; exits with 1 if there is one.
"""

import argparse
import pathlib
import re
import sys

EVIDENCE = re.compile(r"\[(?P<file>tests/\S+): (?P<suite>\w+)\.(?P<test>\w+)\]\((?P<link>[^)]+)\)")
NOTE = re.compile(r"^\[\^(\w+)\]:", re.MULTILINE)
MARK = re.compile(r"\[\^(\w+)\](?!:)")


def has_test(text, file, suite, test):
    if file.suffix == ".py":
        found = re.search(rf"^class {suite}\(.*?(?=^class |\Z)", text, re.MULTILINE | re.DOTALL)
        return bool(found) and re.search(rf"^    def {test}\(", found[0], re.MULTILINE)
    return re.search(rf"\bTEST(_[FP])?\(\s*{suite},\s*{test}\)", text)


def problems_of(document, root):
    text = document.read_text()
    name = document.relative_to(root)
    for match in EVIDENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        file = root / match["file"]
        if (document.parent / match["link"]).resolve() != file.resolve():
            yield f"{name}:{line}: says {match['file']} and leads to {match['link']}"
        elif not file.is_file():
            yield f"{name}:{line}: {match['file']} does not exist"
        elif not has_test(file.read_text(), file, match["suite"], match["test"]):
            yield f"{name}:{line}: {match['file']} has no test {match['suite']}.{match['test']}"
    notes, marks = set(NOTE.findall(text)), set(MARK.findall(text))
    for mark in sorted(marks - notes):
        yield f"{name}: [^{mark}] is not defined"
    for note in sorted(notes - marks):
        yield f"{name}: nothing refers to [^{note}]"


def check(root):
    return [problem for document in sorted(root.glob("docs/**/*.md")) for problem in problems_of(document, root)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    problems = check(parser.parse_args().root.resolve())
    print(*problems, sep="\n", end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
