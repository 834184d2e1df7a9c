"""A worker starts only with versions of Faust and aiokafka whose private parts it knows."""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from deploy.cli import main
from streams import versions
from streams.versions import KNOWN_TO_WORK, UnknownVersion, check_versions

ROOT = Path(__file__).resolve().parents[2]
RIGHT = {"faust-streaming": "0.15.3", "aiokafka": "0.14.0"}


def test_the_installed_versions_are_known_to_work() -> None:
    check_versions()


def test_the_bounds_are_those_of_the_distribution_and_contain_what_is_shipped() -> None:
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    shipped = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    for name, known in KNOWN_TO_WORK.items():
        assert f"{name}{known}" in needed
        assert shipped[name] in known


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("faust-streaming", "0.16.0"),
        ("faust-streaming", "0.15.2"),
        ("faust-streaming", "1.0"),
        ("aiokafka", "0.15.0rc1"),
        ("aiokafka", "0.9"),
    ],
)
def test_another_version_is_refused_by_its_number_with_the_range_that_works(name: str, version: str) -> None:
    with pytest.raises(UnknownVersion) as refused:
        check_versions((RIGHT | {name: version}).__getitem__)
    assert f"{name} {version} is installed" in str(refused.value)
    assert f"'{name}{KNOWN_TO_WORK[name]}'" in str(refused.value)


@pytest.mark.parametrize("version", ["0.15.3", "0.15.10", "0.15.3.post1"])
def test_versions_within_the_range_are_taken(version: str) -> None:
    check_versions((RIGHT | {"faust-streaming": version}).__getitem__)


def test_a_library_that_is_missing_is_named() -> None:
    def installed(name: str) -> str:
        raise PackageNotFoundError(name)

    with pytest.raises(UnknownVersion, match="faust-streaming is not installed and aiokafka is not installed"):
        check_versions(installed)


def test_the_command_says_so_before_it_asks_any_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(versions, "KNOWN_TO_WORK", {"aiokafka": versions.Range("9.1", "9.2")})
    monkeypatch.setattr("sys.argv", ["mirante", "worker"])
    monkeypatch.setattr("streams.prepare.prepare", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    said = capsys.readouterr().err
    assert "aiokafka 0.14" in said and ">=9.1,<9.2" in said
