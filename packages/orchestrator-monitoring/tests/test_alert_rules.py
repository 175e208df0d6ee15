"""Alert rules: how files are read, what is refused and where, and what rules find."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo_support import RATIO, Counters

from orchestrator_kernel.exceptions import ConfigurationError
from orchestrator_kernel.models import Severity
from orchestrator_kernel.virtual_time import LoopClock, run
from orchestrator_monitoring._alerting.documents import (
    dump_notice,
    dump_record,
    dump_silence,
    load_notice,
    load_record,
    load_silence,
)
from orchestrator_monitoring.alerting import (
    USAGE_METRICS,
    AlertingRefused,
    AlertmanagerSpec,
    AlertRecord,
    AlertRule,
    Condition,
    EmailSpec,
    EventsCheck,
    GaugeCheck,
    MemoryAlertStore,
    Notice,
    PagerDutySpec,
    ProcessUsage,
    RatioCheck,
    RuleWatch,
    Silence,
    SlackSpec,
    WebhookSpec,
    default_alerting,
    default_routing,
    fingerprint,
    load_alerting,
)
from orchestrator_monitoring.metrics import Catalogue
from orchestrator_monitoring.slo_monitor import Matcher, MemorySloStore, Selector

KEY = "0123456789abcdef0123456789abcdef"
FILE = """
[[rule]]
name = "failing"
severity = "critical"
for = "2m"
total = 'calls_total'
bad = 'calls_total{outcome="failed"}'
window = "5m"
above = 0.05
min_events = 20
labels = { team = "calls" }
summary = "Calls fail"

[[rule]]
name = "full"
severity = "low"
gauge = 'disk_used_ratio'
combine = "max"
above = 0.9

[[receiver]]
name = "chat"
type = "slack"
url_env = "SLACK_URL"
channel = "#calls"

[[receiver]]
name = "pager"
type = "pagerduty"
routing_key_file = "KEYFILE"

[[receiver]]
name = "mail"
type = "email"
host = "mail.example.org"
from = "orchestrator@example.org"
to = ["all@example.org"]
by_severity = { critical = ["boss@example.org"] }

[[route]]
name = "critical"
match = 'severity="critical"'
receivers = ["pager"]
group_by = ["alertname", "team"]
group_wait = "10s"
escalate = [{ after = "15m", receivers = ["mail"] }]

[[route]]
name = "rest"
receivers = ["chat", "log"]

[[inhibit]]
source = '{severity="critical"}'
target = '{severity=~"low|medium"}'
equal = ["team"]

[[sla]]
name = "calls"
slo = "call_success"
objective = 99
"""


def write(folder: Path, text: str) -> Path:
    (folder / "key").write_text(KEY + "\n")
    file = folder / "alerts.toml"
    file.write_text(text.replace("KEYFILE", str(folder / "key")))
    return file


def test_a_whole_file(tmp_path: Path) -> None:
    config = load_alerting(write(tmp_path, FILE), environment={"SLACK_URL": "https://hooks.example/secret"})
    failing, full = config.rules
    assert (failing.hold, failing.severity, dict(failing.labels)) == (120, Severity.CRITICAL, {"team": "calls"})
    assert isinstance(failing.check, RatioCheck)
    assert full.check == GaugeCheck(Selector("disk_used_ratio"), 0.9, "above", "max")
    chat, pager, mail = config.receivers
    assert chat == SlackSpec(name="chat", url="https://hooks.example/secret", channel="#calls")
    assert pager == PagerDutySpec(name="pager", routing_key=KEY)
    assert isinstance(mail, EmailSpec)
    assert mail.config.to(Severity.CRITICAL) == ("all@example.org", "boss@example.org")
    assert [each.receiver for each in config.routing.targets({"severity": "critical"})] == ["pager", "mail"]
    assert config.routing.routes[0].escalation[0].after == 900
    assert (config.slas[0].slo, config.slas[0].objective) == ("call_success", 0.99)
    assert "secret" not in repr(config)
    assert KEY not in repr(config)


@pytest.mark.parametrize(
    ("old", "new", "line", "reason"),
    [
        ("above = 0.05", "above = 5", 2, "can never fire: no share of events is above 5"),
        ("above = 0.9", "over = 0.9", 14, "either above or below"),
        ('severity = "low"', 'severity = "huge"', 16, "must be one of low, medium"),
        ('for = "2m"', 'for = "2 minutes"', 5, "no duration"),
        ('name = "full"', 'name = "failing"', 15, "two rules"),
        ("gauge = ", "gage = ", 14, "say what is watched"),
        ("'disk_used_ratio'", "'disk used'", 17, "no metric name"),
        ('labels = { team = "calls" }', 'labels = { severity = "x" }', 2, "set by the alert itself"),
        ('url_env = "SLACK_URL"', 'url_env = "NO_URL"', 24, "the environment has no NO_URL"),
        ('url_env = "SLACK_URL"', 'url = "ftp://secret-host"', 24, "url must be http"),
        ('url_env = "SLACK_URL"', "", 21, "url is missing; write url, url_env or url_file"),
        ('routing_key_file = "KEYFILE"', 'routing_key = "secret"', 27, "32 letters"),
        ('routing_key_file = "KEYFILE"', 'routing_key_file = "/nowhere"', 30, "cannot be read"),
        ('to = ["all@example.org"]', 'to = ["all example.org"]', 32, "no plain address"),
        (
            'receivers = ["pager"]',
            'receivers = ["pagers"]',
            43,
            "no receiver is called pagers; there is chat, log, mail",
        ),
        ('after = "15m"', "after = 15", 46, "after must be a text"),
        ('group_wait = "10s"', 'group_wait = "1h"', 40, "must not be longer"),
        ('receivers = ["chat", "log"]', 'receivers = ["chat"]\nmatch = \'a="b"\'', 48, "fits nowhere"),
        ("source = '{severity=\"critical\"}'", "source = '{severity=critical}'", 53, "cannot read"),
        ("objective = 99", "objective = 101", 60, "between 0 and 100"),
        ("[[sla]]", "[[slas]]", 57, "no member 'slas'"),
    ],
)
def test_a_bad_file_is_refused_with_file_line_and_reason(
    tmp_path: Path, old: str, new: str, line: int, reason: str
) -> None:
    assert old in FILE
    file = write(tmp_path, FILE.replace(old, new, 1))
    with pytest.raises(AlertingRefused, match=reason) as refused:
        load_alerting(file, environment={"SLACK_URL": "https://hooks.example/x"})
    assert str(refused.value).startswith(f"{file}:{line}: ")
    assert "secret" not in str(refused.value)


def test_the_defaults_watch_what_is_declared() -> None:
    from orchestrator_monitoring.alerting import ALERT_METRICS
    from orchestrator_monitoring.business_metrics import BUSINESS_METRICS
    from orchestrator_monitoring.health import HEALTH_METRICS

    config = default_alerting(Catalogue(BUSINESS_METRICS, HEALTH_METRICS, ALERT_METRICS, USAGE_METRICS))
    assert [each.name for each in config.rules] == [
        "high_call_failure_rate",
        "slow_actions",
        "high_memory_usage",
        "high_cpu_usage",
        "component_unhealthy",
        "notices_refused",
    ]
    assert {each.name: each.objective for each in config.slas} == {"call_success": 0.99, "action_availability": 0.995}
    with pytest.raises(AlertingRefused, match="high_memory_usage: no metric"):
        default_alerting(Catalogue(BUSINESS_METRICS, HEALTH_METRICS, ALERT_METRICS))


def test_who_is_told_when_nobody_wrote_routes() -> None:
    specs = [
        SlackSpec(name="chat", url="x"),
        PagerDutySpec(name="pager", routing_key=KEY),
        WebhookSpec(name="hook", url="x"),
        AlertmanagerSpec(name="am", url="x"),
    ]
    routing = default_routing(specs)
    found = {
        each.value: {target.receiver: target.after for target in routing.targets({"severity": each.value})}
        for each in Severity
    }
    assert found == {
        "critical": {"log": 0, "pager": 0, "chat": 0, "hook": 0, "am": 0},
        "high": {"log": 0, "chat": 0, "hook": 0, "am": 0, "pager": 900},
        "medium": {"log": 0, "hook": 0, "am": 0},
        "low": {"log": 0, "hook": 0, "am": 0},
    }


@pytest.mark.parametrize(
    ("check", "reason"),
    [
        (EventsCheck(Selector("x_total"), 30, 1), "1m to 3d"),
        (EventsCheck(Selector("x_total"), 60, -1), "negative"),
        (RatioCheck(EventsCheck(Selector("x"), 60, 1).indicator, 60, 1.0), "can never fire"),
        (RatioCheck(EventsCheck(Selector("x"), 60, 1).indicator, 60, 0.5, 0), "min_events"),
    ],
)
def test_checks_that_make_no_sense_are_refused(check, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        AlertRule(name="x", check=check, severity=Severity.LOW)


def test_rules_find_what_processes_saw() -> None:
    async def scenario() -> None:
        counters, gauge = Counters(), [0.5]
        rules = [
            AlertRule(
                name="failing",
                check=RatioCheck(RATIO, 300, 0.05, min_events=20),
                severity=Severity.CRITICAL,
                hold=120,
            ),
            AlertRule(
                name="any",
                check=EventsCheck(Selector.parse('calls_total{outcome="failed"}'), 300, 0),
                severity=Severity.LOW,
            ),
            AlertRule(name="full", check=GaugeCheck(Selector("disk"), 0.9), severity=Severity.HIGH),
        ]

        def read():
            yield from counters.read()
            yield "disk", {"device": "a"}, gauge[0]

        store, alerts, clock = MemorySloStore(), MemoryAlertStore(), LoopClock()
        watch = RuleWatch(rules, store, alerts, read, clock=clock, process="p")

        async def found() -> dict[str, Condition]:
            await clock.sleep(60)
            await watch.sample()
            now = clock.now().timestamp()
            return {each.rule: each for each in (await watch.find(now)).conditions}

        await watch.sample()
        counters.add(good=100)
        assert await found() == {}
        counters.add(bad=1, good=8)
        assert set(await found()) == {"any"}
        counters.add(bad=20)
        gauge[0] = 0.95
        seen = await found()
        assert set(seen) == {"any", "failing", "full"}
        assert seen["failing"].hold == 120
        assert seen["failing"].value == pytest.approx(21 / 129)
        assert dict(seen["full"].labels) == {"process": "p"}
        for _ in range(6):
            seen = await found()
        assert set(seen) == {"full"}
        # A process that is gone is not asked again and again.
        assert (await watch.find(clock.now().timestamp() + 121)).conditions == ()

    run(scenario())


records = st.builds(
    lambda rule, severity, labels, summary, value, state, since: AlertRecord(
        fingerprint=fingerprint(rule, labels),
        condition=Condition(rule=rule, severity=severity, labels=labels, summary=summary, value=value),
        state=state,
        since=since,
    ),
    st.text(max_size=20),
    st.sampled_from(Severity),
    st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=3),
    st.text(max_size=30),
    st.none() | st.floats(allow_nan=False),
    st.sampled_from(["pending", "firing", "resolved"]),
    st.floats(0, 2e9),
)


@given(st.lists(records, max_size=4), st.text(max_size=10))
def test_what_is_kept_is_read_back(found: list[AlertRecord], text: str) -> None:
    for each in found:
        assert load_record(dump_record(each)) == each
    notice = Notice(
        id="n", receiver=text, group=text, labels={text: text}, firing=tuple(found), resolved=tuple(found), at=1.5
    )
    assert load_notice(dump_notice(notice)) == notice
    silence = Silence(id="s", matchers=(Matcher("a", "=", text),), starts=0.0, ends=1.0, by=text, reason=text)
    assert load_silence(dump_silence(silence)) == silence


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
def test_a_fingerprint_tells_alerts_apart(one: dict[str, str], other: dict[str, str]) -> None:
    assert (fingerprint("r", one) == fingerprint("r", other)) == (one == other)


def test_fingerprints_are_the_same_in_every_process() -> None:
    assert fingerprint("slow", {"tenant": "x"}) == "b27ee6239681d197d90619370ddf466a"


def test_what_this_process_uses() -> None:
    usage = ProcessUsage()
    memory = usage.memory()
    assert memory is not None
    assert 0 < memory < 1
    sum(number * number for number in range(300_000))
    cpu = usage.cpu()
    assert cpu is not None
    assert cpu > 0


def test_limits_of_a_container(tmp_path: Path) -> None:
    for path, text in {
        "proc/self/status": "Name:\tpython\nVmRSS:\t  262144 kB\n",
        "proc/meminfo": "MemTotal:       16000000 kB\nMemFree: 1 kB\n",
        "sys/fs/cgroup/memory.max": "1073741824\n",
        "sys/fs/cgroup/cpu.max": "50000 100000\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert ProcessUsage(tmp_path).memory() == pytest.approx(0.25)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("max\n")
    assert ProcessUsage(tmp_path).memory() == pytest.approx(262_144 / 16_000_000)
    assert ProcessUsage(tmp_path / "nowhere").memory() is None
