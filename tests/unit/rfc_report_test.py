#!/usr/bin/env python3
"""What scripts/rfc-report finds wrong, and what it prints, on small trees."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

_PATH = str(Path(__file__).resolve().parents[2] / "scripts" / "rfc-report")
_SPEC = importlib.util.spec_from_loader("rfc_report", importlib.machinery.SourceFileLoader("rfc_report", _PATH))
rfc_report = importlib.util.module_from_spec(_SPEC)
sys.modules["rfc_report"] = rfc_report
_SPEC.loader.exec_module(rfc_report)

KEPT = 'section = "2"\nlevel = "MUST"\ntext = "it is so"\nstate = "kept"\ntests = ["story: it is so"]\n'


class RfcReport(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = Path(directory.name)
        self.write("cores/tcp/a.cpp", "    //= rfc1#2\n    //  It is so.\n")
        self.write("tests/script/a_test.cpp", 'STORY("story: it is so", "[a]") {\n}\nTEST_CASE(\n    "case: in "\n    "two parts", "[a]") {\n}\n')
        self.requires(KEPT)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def requires(self, *entries: str) -> None:
        self.write("tests/rfc/rfc1.toml", 'title = "One"\n' + "".join("[[requirement]]\n" + entry for entry in entries))

    def problems(self) -> list[str]:
        return rfc_report.problems(rfc_report.read_rfcs(self.root), rfc_report.read_citations(self.root),
                                   rfc_report.read_tests(self.root))

    def expect_one(self, words: str) -> None:
        found = self.problems()
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_nothing_is_wrong_with_what_fits(self) -> None:
        self.assertEqual(self.problems(), [])

    def test_a_citation_needs_an_entry(self) -> None:
        self.write("lib/b.hpp", "//= rfc1#9\n")
        self.expect_one("lib/b.hpp:1: cites rfc1#9")

    def test_an_entry_that_is_kept_needs_a_citation(self) -> None:
        self.requires(KEPT, KEPT.replace('"2"', '"3"'))
        self.expect_one('put "//= rfc1#3"')

    def test_a_citation_elsewhere_counts_when_it_is_named(self) -> None:
        for place in ('"2"', '"rfc1#2"'):
            self.requires(KEPT, KEPT.replace('"2"', '"3"') + f"cite = [{place}]\n")
            self.assertEqual(self.problems(), [])

    def test_a_must_that_is_kept_needs_a_test_and_a_should_none(self) -> None:
        self.requires(KEPT.replace('"story: it is so"', ""))
        self.expect_one("name the test")
        self.requires(KEPT.replace('"story: it is so"', "").replace("MUST", "SHOULD"))
        self.assertEqual(self.problems(), [])

    def test_a_test_that_is_named_exists(self) -> None:
        self.requires(KEPT.replace("it is so\"]", "it was so\"]"))
        self.expect_one('there is no test "story: it was so"')

    def test_names_in_several_literals_are_one(self) -> None:
        self.requires(KEPT.replace("story: it is so", "case: in two parts"))
        self.assertEqual(self.problems(), [])

    def test_what_is_not_kept_needs_a_reason(self) -> None:
        for state in ("exception", "missing", "not applicable"):
            self.requires(KEPT, KEPT.replace('"kept"', f'"{state}"'))
            self.expect_one("give the `reason`")

    def test_levels_and_states_are_words_of_the_list(self) -> None:
        self.requires(KEPT.replace("MUST", "MAY"))
        self.expect_one('the level "MAY"')
        self.requires(KEPT.replace('"kept"', '"done"') + 'reason = "so"\n')
        self.expect_one('the state "done"')

    def test_a_file_that_is_none_is_named(self) -> None:
        for text in ("title = ", 'title = "One"\n', 'title = "One"\n[[requirement]]\nwhat = "x"\n'):
            self.write("tests/rfc/rfc1.toml", text)
            with self.assertRaisesRegex(ValueError, "tests/rfc/rfc1.toml: .*README.md"):
                rfc_report.read_rfcs(self.root)

    def test_the_report_shows_lines_and_tests(self) -> None:
        self.requires(KEPT, KEPT.replace('"kept"', '"missing"') + 'reason = "not there yet"\n')
        rfcs, citations = rfc_report.read_rfcs(self.root), rfc_report.read_citations(self.root)
        whole = rfc_report.report(rfcs, citations, only_missing=False)
        for words in ("RFC 1: One", "cores/tcp/a.cpp:1", "story: it is so", "not there yet",
                      "MUST: 1 kept, 0 exception, 1 missing, 0 not applicable; SHOULD: 0 kept"):
            self.assertIn(words, whole)
        self.assertNotIn("cores/tcp/a.cpp:1", rfc_report.report(rfcs, citations, only_missing=True))


if __name__ == "__main__":
    unittest.main()
