"""Settings: the example file, the environment over the file, and errors that name the key."""

import os
import re
from pathlib import Path

import pytest

from deploy.registry import agents
from streams.settings import Settings, SettingsError, load_settings

EXAMPLE = Path(__file__).resolve().parents[2] / "mirante.example.toml"


@pytest.fixture(autouse=True)
def clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's own."""
    for name in [name for name in os.environ if name.startswith("MIRANTE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str) -> None:
    Path("mirante.toml").write_text(text)


def uncommented(text: str) -> str:
    """The example with what it only suggests: `# key = value` and `# [table]`."""
    return re.sub(r"(?m)^# (?=\[|\w+ = )", "", text)


class TestExample:
    def test_it_holds_the_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIRANTE_CONFIG", str(EXAMPLE))
        assert load_settings().model_dump() == Settings.model_construct().model_dump()

    def test_its_suggestions_are_valid_too(self) -> None:
        write(uncommented(EXAMPLE.read_text("utf-8")))
        settings = load_settings()
        assert settings.instance_id == "worker-1"
        assert settings.kafka.sasl_username == "mirante"
        assert [rule["model"] for rule in settings.prices] == ["gpt-4o*", "claude-*"]
        assert settings.tiers == {"batch": 0.5}
        assert agents(settings, "cluster")

    def test_it_names_every_setting(self) -> None:
        text = EXAMPLE.read_text("utf-8")
        for name, field in Settings.model_fields.items():
            assert re.search(rf"(?m)^(# )?(\[?\[{name}\]\]?|{name} = )", text), name
            inner = getattr(field.annotation, "model_fields", {})
            for key in inner:
                assert re.search(rf"(?m)^(# )?{key} = ", text), f"{name}.{key}"


class TestSources:
    def test_the_environment_wins_over_the_file_and_the_command_line_over_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write("partitions = 6\nreplication = 2\nweb_port = 7000")
        monkeypatch.setenv("MIRANTE_PARTITIONS", "8")
        monkeypatch.setenv("MIRANTE_WEB_PORT", "7001")
        settings = load_settings(web_port=7002)
        assert (settings.replication, settings.partitions, settings.web_port) == (2, 8, 7002)

    def test_a_key_of_a_table_comes_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write('[kafka]\nsasl_username = "file"\nsasl_password = "file"')
        monkeypatch.setenv("MIRANTE_KAFKA__SECURITY_PROTOCOL", "SASL_SSL")
        monkeypatch.setenv("MIRANTE_KAFKA__SASL_PASSWORD", "secret")
        kafka = load_settings().kafka
        assert (kafka.security_protocol, kafka.sasl_username, kafka.sasl_password) == ("SASL_SSL", "file", "secret")

    def test_another_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write("partitions = 6")
        (tmp_path / "other.toml").write_text("partitions = 9")
        monkeypatch.setenv("MIRANTE_CONFIG", "other.toml")
        assert load_settings().partitions == 9

    def test_a_password_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MIRANTE_KAFKA__SASL_PASSWORD", "s3cret-word")
        assert "s3cret-word" not in repr(load_settings())


class TestErrorsNameTheKey:
    @pytest.mark.parametrize(
        ("text", "key"),
        [
            ("partitons = 4", "partitons"),
            ('partitions = "four"', "partitions"),
            ("partitions = 0", "partitions"),
            ('topic_prefix = "llm/"', "topic_prefix"),
            ("[join]\ngrac = 1", r"join\.grac"),
            ("[join]\ngrace = -1", r"join\.grace"),
            ('[kafka]\nsecurity_protocol = "TLS"', r"kafka\.security_protocol"),
            ('[tiers]\nbatch = "half"', r"tiers\.batch"),
            ("partitions = ", r"mirante\.toml"),
        ],
    )
    def test_in_the_file(self, text: str, key: str) -> None:
        write(text)
        with pytest.raises(SettingsError, match=key):
            load_settings()

    @pytest.mark.parametrize(
        ("name", "value", "key"),
        [
            ("MIRANTE_PARTITIONS", "four", "partitions"),
            ("MIRANTE_JOIN__GRACE", "soon", r"join\.grace"),
            ("MIRANTE_KAFKA__SASL_MECHANISM", "GSSAPI", r"kafka\.sasl_mechanism"),
            ("MIRANTE_KAFKA__SASL_USER", "mirante", r"kafka\.sasl_user"),
            ("MIRANTE_PRICES", "cheap", "prices"),
        ],
    )
    def test_in_the_environment(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str, key: str) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(SettingsError, match=key):
            load_settings()

    def test_all_problems_at_once(self) -> None:
        write("partitions = 0\nreplication = 0")
        with pytest.raises(SettingsError, match=r"(?s)partitions.*replication"):
            load_settings()

    def test_in_a_price(self) -> None:
        write('[[prices]]\nmodel = "m"\ninput_per_mtok = 1')
        with pytest.raises(SettingsError, match=r"\[\[prices\]\].*output_per_mtok"):
            agents(load_settings(), "cluster")
