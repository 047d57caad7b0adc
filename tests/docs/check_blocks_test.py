"""check_blocks.py finds a block that differs, one without a source, and mends what it can."""

import contextlib
import io
import pathlib
import tempfile
import unittest

import check_blocks

HELLO = "int main() {\n  return 0;\n}\n"
SNIPPETS = "void f() {\n  // snippet: two\n  g();\n    h();\n  // end snippet\n}\n"


class Blocks(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.write("examples/hello.cpp", HELLO)
        self.write("tests/docs/snippets.cpp", SNIPPETS)

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def problems(self, **documents):
        for name, text in documents.items():
            self.write("README.md" if name == "readme" else f"docs/{name}.md", text)
        return check_blocks.check(self.root)

    def test_nothing_to_check_is_fine(self):
        self.assertEqual(self.problems(), ([], 0))

    def test_equal_blocks_pass(self):
        self.assertEqual(self.problems(
            readme=f"# A\n<!-- file: examples/hello.cpp -->\n```cpp\n{HELLO}```\n```bash\n./dev\n```\n",
            a="<!-- file: tests/docs/snippets.cpp two -->\n\n```cpp\ng();\n  h();\n```\n"), ([], 2))

    def test_each_problem_is_named(self):
        cases = {
            "differs": f"<!-- file: examples/hello.cpp -->\n```cpp\n{HELLO};\n```\n",
            "no <!-- file": f"text\n```cpp\n{HELLO}```\n",
            "does not exist": f"<!-- file: examples/none.cpp -->\n```cpp\n{HELLO}```\n",
            "is not compiled": f"<!-- file: docs/hello.cpp -->\n```cpp\n{HELLO}```\n",
            "has no snippet three": "<!-- file: tests/docs/snippets.cpp three -->\n```cpp\ng();\n```\n",
        }
        for message, text in cases.items():
            for document in ("readme", "page"):
                with self.subTest(message=message, document=document):
                    problems, _ = self.problems(**{document: text})
                    self.assertEqual(len(problems), 1, problems)
                    self.assertIn(message, problems[0])
                    self.write("README.md" if document == "readme" else "docs/page.md", "")

    def test_write_mends_what_differs_and_nothing_else(self):
        self.write("README.md", "a\n<!-- file: examples/hello.cpp -->\n```cpp\nold\n```\nb\n")
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertEqual(check_blocks.check(self.root, write=True), ([], 1))
        self.assertEqual((self.root / "README.md").read_text(),
                         f"a\n<!-- file: examples/hello.cpp -->\n```cpp\n{HELLO}```\nb\n")


if __name__ == "__main__":
    unittest.main()
