"""What the benches found is what the documentation says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as runner
from bench import document, plots, results
from bench.results import Table, percentile, save, spread

RESULTS = sorted(results.FOLDER.glob("*.json"))


def test_the_document_holds_what_was_found() -> None:
    text = document.DOCUMENT.read_text()
    assert document.filled(text) == text, "run: python -m bench.document"


def test_every_comparison_has_its_place_and_every_result_is_shown() -> None:
    text = document.DOCUMENT.read_text()
    assert [name for name in runner.FIELD if f"<!-- bench:{name} -->" not in text] == []
    assert [file.stem for file in RESULTS if f"<!-- bench:{file.stem} -->" not in text] == []


def test_every_picture_is_there() -> None:
    names = [name for file in RESULTS for name in json.loads(file.read_text())["plots"]]
    assert [name for name in names if not (plots.FOLDER / name).exists()] == []


def test_every_name_is_a_bench() -> None:
    folder = Path(runner.__file__).parent
    assert [name for name in runner.FIELD | runner.ALONE if not (folder / f"{name}.py").exists()] == []


def test_a_result_becomes_a_section(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setattr(document, "FOLDER", tmp_path)
    table = Table(
        "Starts", ["who", "s", "ratio"], [["ours", spread([2, 1, 3]), 1.4567], ["a|b", "cannot", 12345]], "Idle."
    )
    save("starts", [table], command="bench/run starts", plots=["starts.png"], versions={"s6": "2.11"})
    written = document.filled("before\n<!-- bench:starts -->\nold\n<!-- end:starts -->\nafter\n")
    assert "old" not in written
    assert "| ours | 2.0 (1.0 to 3.0) | 1.46 |" in written
    assert "| a\\|b | cannot | 12,345 |" in written
    assert "s6 2.11." in written
    assert "![starts](images/measurements/starts.png)" in written
    assert document.filled(written) == written


def test_a_bench_that_never_ran_leaves_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "FOLDER", tmp_path)
    text = "<!-- bench:starts -->\nold\n<!-- end:starts -->\n"
    assert document.filled(text) == text


def test_percentiles() -> None:
    assert [percentile(range(100), each) for each in (0, 50, 99, 100)] == [0, 50, 99, 99]
