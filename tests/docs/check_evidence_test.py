"""What check_evidence.py finds in pages made for it."""

import pathlib
import tempfile
import unittest

import check_evidence

GOOD = "Free[^free].\n\n[^free]: [tests/a_test.cpp: folk.is_free](../tests/a_test.cpp)\n"


class Evidence(unittest.TestCase):
    def problems(self, page):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name, text in (("docs/page.md", page), ("tests/a_test.cpp", "TEST(folk, is_free) {}\n"),
                               ("tests/b_test.py", "class Folk(Case):\n    def test_it(self):\n        pass\n"
                                                   "class Other(Case):\n    def test_that(self):\n        pass\n")):
                (root / name).parent.mkdir(exist_ok=True)
                (root / name).write_text(text)
            return check_evidence.check(root)

    def test_takes_what_exists(self):
        self.assertEqual(self.problems(GOOD), [])
        self.assertEqual(self.problems(GOOD.replace("a_test.cpp", "b_test.py").replace("folk.is_free", "Folk.test_it")), [])

    def test_names_a_test_that_does_not_exist(self):
        for wrong in (GOOD.replace("is_free", "is_fre"), GOOD.replace("folk.", "fol."), GOOD.replace("a_test", "c_test"),
                      GOOD.replace("a_test.cpp", "b_test.py").replace("folk.is_free", "Folk.test_that")):
            self.assertEqual(len(self.problems(wrong)), 1, wrong)

    def test_names_a_link_that_leads_elsewhere(self):
        self.assertEqual(len(self.problems(GOOD.replace("](../tests/a_test.cpp", "](../tests/b_test.py"))), 1)

    def test_names_notes_without_a_mark_and_marks_without_a_note(self):
        self.assertEqual(len(self.problems(GOOD + "More[^more].\n")), 1)
        self.assertEqual(len(self.problems(GOOD.replace("Free[^free]", "Free"))), 1)


if __name__ == "__main__":
    unittest.main()
