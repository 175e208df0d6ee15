"""Our client against a real Prometheus server that holds backfilled series: the figures are those of the embedded back end."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from promtool_support import counted_slo, promtool
from slo_support import DAY

from orchestrator_kernel.http import HttpClientConfig, create_client
from orchestrator_monitoring.slo_monitor import (
    BurnRule,
    Counts,
    PrometheusClient,
    PrometheusCounts,
    PrometheusFailed,
    Selector,
    judge,
)

BEGIN = 1_700_000_000 - 1_700_000_000 % 3600
STEP, HOURS = 60, 8
RULES = (
    BurnRule(factor=14.4, long=3600, short=300, severity="page"),
    BurnRule(factor=6, long=6 * 3600, short=1800, severity="page"),
)
ODD = 'x"} or vector(1) or up{a="'


@dataclass
class Backfilled:
    url: str
    events: dict[int, list[tuple[float, float]]]


def history(folder: Path) -> dict[int, list[tuple[float, float]]]:
    """Ten objectives' counters, written as OpenMetrics."""
    rng, found, lines = random.Random(3), dict[int, list[tuple[float, float]]](), dict[str, list[str]]()
    for number in range(10):
        part = total = 0.0
        points = found.setdefault(number, [])
        for index in range(HOURS * 3600 // STEP + 1):
            points.append((part, total))
            at = BEGIN + index * STEP
            lines.setdefault("part", []).append(f'part_total{{number="{number}"}} {part} {at}')
            lines.setdefault("all", []).append(f'all_total{{number="{number}"}} {total} {at}')
            total += rng.randrange(50)
            part += min(rng.randrange(3 if number % 2 else 40), total - part)
    odd = ODD.replace("\\", "\\\\").replace('"', '\\"')
    lines["odd"] = [f'odd_total{{tenant="{odd}"}} 7 {BEGIN + HOURS * 3600}']
    text = "".join(f"# TYPE {name} counter\n" + "\n".join(each) + "\n" for name, each in lines.items())
    (folder / "history.om").write_text(text + "# EOF\n")
    return found


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Backfilled]:
    events = history(tmp_path)
    made = promtool("tsdb", "create-blocks-from", "openmetrics", "history.om", "data", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    (tmp_path / "prometheus.yml").write_text("{}")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"127.0.0.1:{probe.getsockname()[1]}"
    flags = ["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--storage.tsdb.retention.time=100y"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            ["prometheus", *flags, f"--web.listen-address={url}"], cwd=tmp_path, stdout=log, stderr=log
        )
        try:
            async with httpx.AsyncClient() as http:
                for _ in range(300):
                    try:
                        if (await http.get(f"http://{url}/-/ready")).status_code == 200:
                            break
                    except httpx.TransportError:
                        pass
                    await asyncio.sleep(0.1)
            yield Backfilled(f"http://{url}", events)
        finally:
            process.terminate()
            process.wait(10)


async def test_the_client_and_a_real_server(server: Backfilled) -> None:
    async with create_client(HttpClientConfig(base_url=server.url)) as http:
        client, end = PrometheusClient(http), BEGIN + HOURS * 3600
        await _counts_agree(client, server, end)
        await _hours_agree(client, server, end)
        (found,) = await client.query(Selector("odd_total").with_labels(tenant=ODD), at=end)
        assert found.labels["tenant"] == ODD
        assert found.points == ((float(end), 7.0),)
        assert await client.query(Selector("odd_total").with_labels(tenant=ODD + " "), at=end) == []
        (line,) = await client.query_range(
            Selector.parse('all_total{number="1"}'), start=BEGIN, end=BEGIN + 300, step=60
        )
        assert [value for _, value in line.points] == [total for _, total in server.events[1][:6]]
        with pytest.raises(PrometheusFailed, match=r"answered 400 \(bad_data\)") as refused:
            await client.query("sum(")
        assert not refused.value.retryable


async def _counts_agree(client: PrometheusClient, server: Backfilled, end: int) -> None:
    slos = [counted_slo(number, RULES) for number in range(10)]
    found = await PrometheusCounts(client).counts(slos, float(end))
    for number, made in enumerate(slos):
        points = server.events[number]
        for window in made.windows[:-1]:
            (part, total), (old_part, old_total) = points[-1], points[-1 - window // STEP]
            assert found[made.name][window] == Counts(pytest.approx(part - old_part), pytest.approx(total - old_total))
        report = judge(made, found[made.name])
        assert report.sli == pytest.approx(1 - points[-1][0] / points[-1][1], rel=1e-3)


async def _hours_agree(client: PrometheusClient, server: Backfilled, end: int) -> None:
    hours = await PrometheusCounts(client).hours(counted_slo(3, RULES), float(end))
    per_hour = 3600 // STEP
    expected = [
        server.events[3][(hour + 1) * per_hour][1] - server.events[3][hour * per_hour][1] for hour in range(HOURS)
    ]
    assert [each.total for each in hours][-HOURS:] == pytest.approx(expected)
    assert len(hours) * 3600 <= 30 * DAY
