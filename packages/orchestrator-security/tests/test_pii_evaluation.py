"""The scorer: what counts as found, what as right, and the command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pii_corpus import LOCALES, annotated

from orchestrator_kernel.exceptions import ValidationError
from orchestrator_security.pii_evaluation import Marked, Sample, evaluate, main, read_samples

TEXT = "Zoe Meyer, zoe@example.org, +49 30 901820"


def test_each_kind_is_counted_by_itself() -> None:
    marked = [Marked(0, 9, "PERSON"), Marked(11, 26, "EMAIL_ADDRESS"), Marked(28, 41, "PHONE_NUMBER")]
    result = evaluate(
        [Sample(TEXT, marked), Sample("mail me: x@y.example, IBAN unknown", [Marked(22, 34, "IBAN_CODE")])]
    )
    assert (result.kinds["EMAIL"].marked, result.kinds["EMAIL"].found) == (1, 1)
    assert (result.kinds["EMAIL"].reported, result.kinds["EMAIL"].right) == (2, 1)
    assert result.kinds["PHONE"].recall == 1.0
    assert result.kinds["IBAN"].recall == 0.0
    assert (result.formless["PERSON"].marked, result.formless["PERSON"].found) == (1, 0)
    assert result.missed[0][0] == "IBAN_CODE"
    assert result.wrong[0][0] == "EMAIL"
    assert result.total.recall == pytest.approx(2 / 3)
    assert "PERSON" in result.table()


def test_half_a_span_is_not_found() -> None:
    found_half = Sample("4111 1111 1111 1111 and more", [Marked(0, 28, "CREDIT_CARD")])
    assert evaluate([found_half]).total.recall == 0.0


def test_the_command_prints_a_table_and_fails_below_its_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "samples.json"
    file.write_text(json.dumps([each.record() for each in annotated(LOCALES[0], 60)]))
    assert main([str(file), "--at-least", "0.99"]) == 0
    assert "all with a form" in capsys.readouterr().out
    file.write_text(
        json.dumps(
            [
                {
                    "full_text": "card 1234",
                    "spans": [{"entity_type": "CREDIT_CARD", "start_position": 5, "end_position": 9}],
                }
            ]
        )
    )
    assert main([str(file), "--at-least", "0.99", "--show", "1"]) == 1
    assert "missed: CREDIT_CARD: 'card 1234'" in capsys.readouterr().out


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    file = tmp_path / "samples.json"
    file.write_text("[]")
    command = [sys.executable, "-m", "orchestrator_security.pii_evaluation", str(file)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stderr) == (0, "")
    assert finished.stdout.startswith("kind")


@pytest.mark.parametrize(
    "data",
    [
        {},
        [1],
        [{"full_text": 1, "spans": []}],
        [{"full_text": "a", "spans": [{}]}],
        [{"full_text": "a", "spans": [{"entity_type": "X", "start_position": 0, "end_position": 2}]}],
        [{"full_text": "a", "spans": [{"entity_type": "X", "start_position": 1, "end_position": 1}]}],
    ],
)
def test_a_file_of_another_form_is_refused(data: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValidationError):
        read_samples(data)
    file = tmp_path / "samples.json"
    file.write_text(json.dumps(data))
    assert main([str(file)]) == 2
    assert main([str(tmp_path / "nothing.json")]) == 2
    assert capsys.readouterr().err.count("samples.json") == 1
