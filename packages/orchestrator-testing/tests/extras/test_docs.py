"""The executor of examples, in a pytest of its own."""

import textwrap

import pytest

pytest_plugins = "pytester"

FENCE = "`" * 3


@pytest.fixture
def run(pytester):
    pytester.syspathinsert()

    def run_document(name, text):
        text = textwrap.dedent(text).replace("'''", FENCE)
        pytester.path.joinpath(name).write_text(text)
        plugins = ["-p", "orchestrator_testing.docs", "-p", "no:asyncio", "-p", "no:hypothesispytest"]
        return pytester.runpytest_inprocess(*plugins, name)

    return run_document


def test_blocks_share_a_namespace_and_may_await(run):
    result = run(
        "README.md",
        """
        '''python
        import asyncio
        async def double(x):
            await asyncio.sleep(0)
            return 2 * x
        '''
        Some prose.
        '''python
        loop = asyncio.get_running_loop()
        print(await double(21))
        '''
        '''text
        42
        '''
        '''python
        await double(0)
        assert asyncio.get_running_loop() is loop
        '''
        '''python
        assert asyncio.run(double(1)) == 2  # without an await of its own, a block runs outside the loop
        '''
        """,
    )
    result.assert_outcomes(passed=5)


def test_output_that_differs_fails_with_both(run):
    result = run(
        "README.md",
        """
        '''python
        print("what it prints")
        '''

        '''text
        what it says
        '''
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*the block above prints*", "what it prints", "*the document says*", "what it says"])


def test_dots_stand_for_what_changes(run):
    result = run(
        "README.md",
        """
        '''python
        print("took", 0.123, "s")
        '''
        '''text
        took ... s
        '''
        """,
    )
    result.assert_outcomes(passed=2)


def test_a_sample_is_only_read(run):
    result = run(
        "README.md",
        """
        '''python
        print("took 3.1 ms")
        '''
        '''text sample
        took 2.7 ms
        '''
        """,
    )
    result.assert_outcomes(passed=1)


def test_text_with_prose_in_between_is_only_text(run):
    result = run(
        "README.md",
        """
        '''python
        print(1)
        '''
        The tree of folders:
        '''text
        src/
        '''
        '''sh
        exit 1
        '''
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_failing_block_is_reported_at_its_line(run):
    result = run(
        "README.md",
        """
        '''python
        one = 1
        one.hundred
        '''
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*README.md:4*AttributeError*"])


def test_every_file_runs_in_a_folder_of_its_own(run, pytester):
    document = """
        '''python
        from pathlib import Path
        assert not list(Path.cwd().iterdir())
        Path("left.txt").write_text("over")
        '''
        '''python
        assert Path("left.txt").exists()
        '''
        """
    run("FIRST.md", document).assert_outcomes(passed=2)
    run("SECOND.md", document).assert_outcomes(passed=2)
    assert not pytester.path.joinpath("left.txt").exists()


def test_docstring_examples_run(run):
    result = run(
        "arithmetic.py",
        '''
        def double(x):
            """Twice.

            >>> double(21)
            42
            >>> double(2)
            5
            """
            return 2 * x
        ''',
    )
    result.assert_outcomes(passed=1, failed=1)


def test_modules_without_examples_are_not_imported(run):
    result = run("boom.py", "raise RuntimeError('boom')")
    result.assert_outcomes()
    assert "no tests ran" in result.stdout.str()
