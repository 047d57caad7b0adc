"""Keeps the code in README.md and docs/ equal to code that is compiled: `check_blocks.py [--write] [ROOT]`.

Above each ```cpp block stands where it comes from:

    <!-- file: examples/hello.cpp -->            the whole file
    <!-- file: tests/docs/handlers.cpp pump -->  what stands there between the lines
                                                 `// snippet: pump` and `// end snippet`

Prints one line per block that differs and exits with 1; --write rewrites the blocks instead.
"""

import argparse
import pathlib
import re
import sys
import textwrap

COMPILED = ("examples/", "tests/", "bench/", "framework/")
BLOCK = re.compile(
    r"(?:<!-- file: (?P<file>\S+)(?: (?P<snippet>\S+))? -->\n+)?"
    r"^(?P<indent> *)```(?:cpp|c\+\+|C\+\+)\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Unusable(Exception):
    pass


def quoted(root, file, snippet):
    """The code a block has to show."""
    if not file:
        raise Unusable("no <!-- file: ... --> above this block; every block shows code that is compiled")
    if not file.startswith(COMPILED) or not file.endswith((".cpp", ".hpp")):
        raise Unusable(f"{file} is not compiled; quote from {', '.join(COMPILED)}")
    if not (root / file).is_file():
        raise Unusable(f"{file} does not exist")
    text = (root / file).read_text()
    if not snippet:
        return text
    match = re.search(rf"^ *// snippet: {re.escape(snippet)}\n(.*?)^ *// end snippet$", text,
                      re.MULTILINE | re.DOTALL)
    if not match:
        raise Unusable(f"{file} has no snippet {snippet}")
    return textwrap.dedent(match[1])


def documents(root):
    return [path for path in [root / "README.md", *sorted(root.glob("docs/**/*.md"))] if path.is_file()]


def check(root, write=False):
    """Problems as lines of text, and how many blocks there are."""
    problems, blocks = [], 0
    for document in documents(root):
        text = document.read_text()
        rewritten, end = [], 0
        for match in BLOCK.finditer(text):
            blocks += 1
            rewritten.append(text[end:match.start("code")])
            end = match.end("code")
            line = text.count("\n", 0, match.start("code")) + 1
            place = f"{document.relative_to(root)}:{line}"
            code = match["code"]
            try:
                expected = textwrap.indent(quoted(root, match["file"], match["snippet"]), match["indent"])
                if code != expected and not write:
                    problems.append(f"{place}: differs from {match['file']}; run ./dev docs")
                code = expected
            except Unusable as error:
                problems.append(f"{place}: {error}")
            rewritten.append(code)
        rewritten.append(text[end:])
        if write and "".join(rewritten) != text:
            document.write_text("".join(rewritten))
            print(f"{document.relative_to(root)}: rewritten")
    return problems, blocks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="rewrite the blocks that differ")
    parser.add_argument("root", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parents[2])
    arguments = parser.parse_args()
    problems, blocks = check(arguments.root.resolve(), arguments.write)
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{blocks} blocks, {len(problems)} problems")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
