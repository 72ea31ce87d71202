"""config.toml: every error names file, key, found and expected."""

from pathlib import Path

import pytest
from wattle_gateway import config
from wattle_gateway.errors import ConfigError

GIVEN: dict[str, dict[str, str | int]] = {
    "gateway": {"site": "home"},
    "broker": {"host": "gateway.example"},
}
TEXT = config.render(GIVEN)


def load(tmp_path: Path, text: str) -> config.GatewayConfig:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return config.load(path)


def test_what_init_writes_can_be_loaded(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    assert loaded.site == "home"
    assert loaded.broker.host == "gateway.example"
    assert loaded.broker.kind == config.EMBEDDED
    assert loaded.ingest.pool_entries_max == 20_000


def test_every_key_is_written_with_a_comment() -> None:
    lines = TEXT.splitlines()
    keys = [place for place, line in enumerate(lines) if " = " in line and line[0] != "#"]
    assert len(keys) == 31
    assert all(lines[place - 1].startswith("# ") for place in keys)


def test_metrics_are_nowhere_and_logs_are_text_unless_asked_for() -> None:
    loaded = config.parse({"gateway": {"site": "a"}, "broker": {"host": "b"}}, "test")
    assert loaded.metrics == config.MetricsConfig(listen="", port=8885)
    assert loaded.log.format == config.TEXT
    with pytest.raises(ConfigError, match=r"metrics.listen is 'a b', expected a host name or IP"):
        config.parse(
            {"gateway": {"site": "a"}, "broker": {"host": "b"}, "metrics": {"listen": "a b"}},
            "test",
        )


def test_defaults_need_not_be_written(tmp_path: Path) -> None:
    text = '[gateway]\nsite = "home"\n[broker]\nhost = "127.0.0.1"\n'
    assert load(tmp_path, text) == config.parse(
        {"gateway": {"site": "home"}, "broker": {"host": "127.0.0.1"}}, "test"
    )


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('site = "home"', 'site = "Home"', "gateway.site is 'Home', expected [a-z0-9-]{1,32}"),
        ('site = "home"', "", "gateway.site is missing, expected [a-z0-9-]{1,32}"),
        ("port = 8883", "port = 99999", "broker.port is 99999, expected an integer 1 to 65535"),
        ("port = 8883", "port = true", "broker.port is True, expected an integer"),
        ("port = 8883", 'port = "8883"', "broker.port is '8883', expected an integer"),
        ("port = 8883", "prot = 8883", "broker.prot is not known; known: kind, host"),
        ('kind = "embedded"', 'kind = "none"', "broker.kind is 'none', expected"),
        (
            "[ingest]",
            "[ingset]",
            "[ingset] is not known; known: gateway, broker, peers, alliance, ingest",
        ),
        ("workers = 2", "workers = 0", "ingest.workers is 0, expected an integer 1 to 64"),
        ("workers = 2", "workers = ", "not TOML"),
        ("port = 8885", "port = 0", "metrics.port is 0, expected an integer 1 to 65535"),
        ("port = 8885", 'lisen = "x"', "metrics.lisen is not known; known: listen, port"),
        ('format = "text"', 'format = "xml"', 'log.format is \'xml\', expected "text" or "json"'),
        ("disk_mib = 0", "disk_mib = -1", "resources.disk_mib is -1, expected an integer 0 to"),
        ("mqtt = true", "mqtt = 1", "alarms.mqtt is 1, expected true or false"),
        ('host = "gateway.example"', 'host = "a b"', "broker.host is 'a b', expected a host name"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, TEXT.replace(old, new))
    assert str(caught.value).startswith(str(tmp_path / "config.toml"))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("", True),
        ("https://alarms.example/hook?gateway=7", True),
        ("https://alarms.example:8443/", True),
        ("http://127.0.0.1:9000/hook", True),
        ("http://[::1]:9000/hook", True),
        ("http://alarms.example/hook", False),
        ("https://user:secret@alarms.example/", False),
        ("https://", False),
        ("https://alarms.example:99999/", False),
        ("https://alarms.example/a b", False),
        ("ftp://alarms.example/", False),
        ("alarms.example", False),
        ("https://" + "a" * 2000, False),
    ],
)
def test_where_alarms_may_be_sent(address: str, allowed: bool) -> None:
    document: dict[str, object] = {
        "gateway": {"site": "a"},
        "broker": {"host": "b"},
        "alarms": {"webhook": address},
    }
    if allowed:
        assert config.parse(document, "test").alarms.webhook == address
    else:
        with pytest.raises(ConfigError, match=r"alarms\.webhook is"):
            config.parse(document, "test")


def test_nothing_is_bounded_unless_asked_for() -> None:
    loaded = config.parse({"gateway": {"site": "a"}, "broker": {"host": "b"}}, "test")
    assert loaded.resources == config.ResourcesConfig(0, 0, 0)
    assert loaded.alarms == config.AlarmsConfig(mqtt=True, webhook="", webhook_secret_file="")


def test_a_section_that_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="broker is 5, expected a table"):
        load(tmp_path, 'broker = 5\n[gateway]\nsite = "home"\n')


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the configuration"):
        config.load(tmp_path / "none.toml")
