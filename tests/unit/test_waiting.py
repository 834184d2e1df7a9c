"""Commands that take long say so, and quick ones say nothing."""

import time

import pytest

from deploy.cli.waiting import waiting


def test_what_takes_long_says_so_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    said = ""
    with waiting("asking ClickHouse", after=0.01):
        while not said:
            time.sleep(0.01)
            out, said = capsys.readouterr()
            assert out == ""
    assert said.startswith("asking ClickHouse: ")


def test_what_is_quick_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with waiting("asking ClickHouse", after=3_600):
        pass
    assert capsys.readouterr() == ("", "")


def test_what_fails_fails_as_it_would(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OSError, match="away"), waiting("asking ClickHouse", after=3_600):
        raise OSError("away")
