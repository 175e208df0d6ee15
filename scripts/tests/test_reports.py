"""The totals of a run."""

import json

import pytest
from scripts.reports import Totals, main, read_report

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<testsuites name="pytest tests"><testsuite name="pytest" tests="5">
<testcase classname="a" name="test_good"/>
<testcase classname="a" name="test_printed"><system-out>words</system-out></testcase>
<testcase classname="a" name="test_bad"><failure message="no"/></testcase>
<testcase classname="a" name="test_no_fixture"><error message="no"/></testcase>
<testcase classname="a" name="test_left_out"><skipped message="later"/></testcase>
</testsuite></testsuites>"""
GOOD = '<testsuites><testsuite><testcase name="test_good"/></testsuite></testsuites>'


@pytest.fixture
def run(tmp_path, capsys):
    def summarise(sessions, **files):
        for name, text in files.items():
            (tmp_path / f"{name.replace('_', '.')}.xml").write_text(text)
        if sessions is not None:
            listed = [{"name": name, "result": result} for name, result in sessions.items()]
            (tmp_path / "sessions.json").write_text(json.dumps({"result": 1, "sessions": listed}))
        status = main(tmp_path, tmp_path / "sessions.json")
        return status, capsys.readouterr().out.splitlines()

    return summarise


def test_every_kind_of_outcome_is_counted_once(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert read_report(tmp_path / "report.xml") == Totals(passed=2, failed=2, skipped=1)


def test_the_last_line_is_the_sum_of_all_files(run):
    status, lines = run({"tests": "success", "wheel": "success"}, tests_calls=GOOD, tests_utils=GOOD, wheel_calls=GOOD)
    assert status == 0
    assert lines[0].split() == ["tests", "success", "2", "passed,", "0", "failed"]
    assert lines[-1] == "3 passed, 0 failed"


def test_a_failed_session_without_a_failed_test_is_a_failure(run):
    status, lines = run({"lint": "failed", "tests": "success"}, tests_calls=GOOD)
    assert status == 1
    assert lines[-1] == "1 passed, 1 failed"


def test_a_failed_test_counts_once(run):
    status, lines = run({"tests": "failed"}, tests_calls=REPORT)
    assert status == 1
    assert lines[-2:] == ["1 skipped", "2 passed, 2 failed"]


def test_a_run_that_never_was_is_a_failure(run):
    status, lines = run(None)
    assert status == 1
    assert lines[-1] == "0 passed, 1 failed"


def test_the_sessions_of_two_runs_are_one_list_and_a_missing_one_is_a_failure(tmp_path, capsys):
    (tmp_path / "tests.calls.xml").write_text(GOOD)
    (tmp_path / "browser.console.xml").write_text(GOOD)
    files = [tmp_path / "sessions.json", tmp_path / "more.json"]
    for file, name in zip(files, ("tests", "browser"), strict=True):
        file.write_text(json.dumps({"sessions": [{"name": name, "result": "success"}]}))
    assert main(tmp_path, *files) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed, 0 failed"
    files[1].unlink()
    assert main(tmp_path, *files) == 1
