"""Dashboards: what Grafana gets, and what is refused before it gets there."""

import json
from dataclasses import replace

import pytest

from orchestrator_monitoring.dashboard_config import (
    Dashboard,
    DashboardRefused,
    Limit,
    Panel,
    PromqlRefused,
    Query,
    Row,
    Variable,
    check_query,
    export_dashboards,
    load_dashboard,
    metrics_of,
    standard_dashboards,
)
from orchestrator_monitoring.metrics import AtMost, Catalogue, Counter, Gauge, Histogram, OneOf, UnknownMetric

CATALOGUE = Catalogue(
    [
        Counter("x_total", "Things.", labels={"kind": OneOf("good", "bad"), "name": AtMost(10)}),
        Gauge("level", "How high."),
        Gauge("queue_total_items", "How many.", labels={"name": AtMost(10)}),
        Histogram("wait_seconds", "How long.", unit="seconds", labels={"kind": OneOf("good", "bad")}),
    ]
)
PANEL = Panel(title="Things", queries=(Query("sum(rate(x_total[5m]))"),))


def board(*panels, **more):
    return Dashboard(uid="b", title="B", rows=(Row("R", panels or (PANEL,)),), **more)


class TestQueries:
    @pytest.mark.parametrize(
        "query",
        [
            'sum by (kind) (rate(x_total{kind="good",name=~"$name"}[$__rate_interval]))',
            'sum(increase(x_total{kind=~"good|bad"}[$__range])) / on () vector(1)',
            'x_total{kind=~"g.*"}',
            'x_total{kind="other"}',
            'x_total{kind!="bad"}',
            'x_total{job="a",instance=~".+"}',
            "sum by (instance) (level)",
            "histogram_quantile(0.9, sum by (le, kind) (rate(wait_seconds_bucket[5m])))",
            "histogram_quantile(0.9, sum without (kind) (rate(wait_seconds_bucket[5m])))",
            "histogram_quantile(0.9, rate(wait_seconds_bucket[5m]))",
            "rate(wait_seconds_sum[5m]) / rate(wait_seconds_count[5m])",
            "deriv(level[5m])",
            'sum by (short) (label_replace(x_total, "short", "$1", "name", "(.).*"))',
        ],
    )
    def test_what_can_have_an_answer(self, query):
        check_query(query, CATALOGUE, ["name"])

    @pytest.mark.parametrize(
        ("query", "error", "reason"),
        [
            ("sum(rate(x_totl[5m]))", UnknownMetric, "did you mean x_total"),
            ("wait_seconds", UnknownMetric, "histogram"),
            ('x_total{sort="a"}', UnknownMetric, "no label sort"),
            ('x_total{kind="god"}', UnknownMetric, "never god; it is bad, good, other"),
            ('x_total{kind=~"good|worse"}', UnknownMetric, "never worse"),
            ('x_total{kind=~"z.*"}', UnknownMetric, "never z"),
            ('x_total{kind!="worse"}', UnknownMetric, "never worse"),
            ('x_total{name="$nam"}', PromqlRefused, r"no variable \$nam"),
            ('x_total{name="${nam}"}', PromqlRefused, r"no variable \$nam"),
            ("x_total{name=$name}", PromqlRefused, "begins nothing"),
            ("rate(level[5m])", PromqlRefused, "for counters"),
            ("rate(queue_total_items[5m])", PromqlRefused, "for counters"),
            ("deriv(x_total[5m])", PromqlRefused, "for gauges"),
            ("sum by (sort) (x_total)", PromqlRefused, "no series below has the label sort"),
            ("histogram_quantile(0.9, x_total)", PromqlRefused, "needs the _bucket"),
            ("histogram_quantile(0.9, sum(rate(wait_seconds_bucket[5m])))", PromqlRefused, "le must be kept"),
            ("histogram_quantile(0.9, sum without (le) (wait_seconds_bucket))", PromqlRefused, "le must be kept"),
            ('{kind="good"}', PromqlRefused, "name the metric"),
            ("sum(x_total", PromqlRefused, "expected"),
        ],
    )
    def test_what_cannot(self, query, error, reason):
        with pytest.raises(error, match=reason):
            check_query(query, CATALOGUE, ["name"])

    def test_what_a_query_reads(self):
        assert metrics_of("sum(rate(a_total[$__rate_interval])) / b") == {"a_total", "b"}


class TestGrafana:
    def test_panels_stand_side_by_side_and_do_not_overlap(self):
        made = board(*(replace(PANEL, title=str(number), width=number % 3 * 8 + 8) for number in range(9))).json()
        taken = set()
        for panel in made["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken
            assert place["x"] + place["w"] <= 24
            taken |= cells
        assert len({panel["id"] for panel in made["panels"]}) == len(made["panels"]) == 10

    def test_what_a_panel_holds(self):
        panel = Panel(
            title="Wait",
            queries=(Query("level", "{{kind}}"), Query("level")),
            unit="s",
            limits=(Limit(1, "yellow"), Limit(2, "red")),
            maximum=5,
            stacked=True,
        )
        variables = (Variable("name", "x_total", "name", "Name"),)
        made = board(panel, variables=variables, refresh="1m", since="30d", links=(("Run book", "/runbook"),)).json()
        drawn = made["panels"][1]
        assert [(each["refId"], each["expr"], each["legendFormat"]) for each in drawn["targets"]] == [
            ("A", "level", "{{kind}}"),
            ("B", "level", "__auto"),
        ]
        defaults = drawn["fieldConfig"]["defaults"]
        assert [step["value"] for step in defaults["thresholds"]["steps"]] == [None, 1, 2]
        assert (defaults["unit"], defaults["min"], defaults["max"]) == ("s", 0.0, 5)
        assert defaults["custom"]["stacking"]["mode"] == "normal"
        assert made["templating"]["list"][1]["query"]["query"] == "label_values(x_total, name)"
        assert (made["refresh"], made["time"]["from"], made["links"][0]["title"]) == ("1m", "now-30d", "Run book")

    @pytest.mark.parametrize("kind", ["stat", "gauge", "bargauge", "table", "heatmap"])
    def test_every_kind(self, kind):
        [_, drawn] = board(replace(PANEL, kind=kind)).json()["panels"]
        assert drawn["type"] == kind
        assert drawn["targets"][0]["instant"] is (kind == "table")

    def test_many_queries_have_names_of_their_own(self):
        panel = replace(PANEL, queries=tuple(Query(f"level + {number}") for number in range(30)))
        [_, drawn] = board(panel).json()["panels"]
        assert len({each["refId"] for each in drawn["targets"]}) == 30

    def test_the_standard_ones_are_whole(self):
        made = standard_dashboards()
        assert len({each.uid for each in made}) == len(made) == 6
        for each in made:
            assert each.json() == each.json()
            assert json.loads(json.dumps(each.json())) == each.json()
            assert all(panel.title for panel in each.panels)


class TestRefused:
    @pytest.mark.parametrize(
        ("make", "reason"),
        [
            (lambda: Panel(title="", queries=(Query("x"),)), "title"),
            (lambda: Panel(title="T", queries=()), "query"),
            (lambda: replace(PANEL, width=25), "width"),
            (lambda: replace(PANEL, limits=(Limit(2, "red"), Limit(1, "red"))), "rise"),
            (lambda: Variable("a b", "x", "y"), "variable"),
            (lambda: Variable("__range", "x", "y"), "variable"),
            (lambda: Dashboard(uid="a/b", title="T", rows=(Row("R", (PANEL,)),)), "uid"),
            (lambda: Dashboard(uid="a", title="T", rows=(Row("R", ()),)), "panel"),
            (lambda: board(refresh="soon"), "refresh"),
            (lambda: board(variables=(Variable("a", "x", "y"),) * 2), "same name"),
        ],
    )
    def test_at_once(self, make, reason):
        with pytest.raises(DashboardRefused, match=reason):
            make()

    def test_a_query_that_nobody_answers_is_told_with_its_panel(self):
        with pytest.raises(DashboardRefused, match="b, panel 'Things': no metric has a sample y"):
            board(replace(PANEL, queries=(Query("y"),))).check(CATALOGUE)

    def test_so_is_a_variable(self):
        with pytest.raises(DashboardRefused, match="variable name: x_total has no label sort"):
            board(variables=(Variable("name", "x_total", "sort"),)).check(CATALOGUE)


GOOD = """
uid = "desk"
title = "Desk"
since = "12h"

[[variable]]
name = "name"
metric = "x_total"
label = "name"

[[row]]
title = "Now"

[[row.panel]]
title = "Things"
unit = "cps"
width = 12
maximum = 5

[[row.panel.query]]
expr = 'sum by (kind) (rate(x_total{name=~"$name"}[$__rate_interval]))'
legend = "{{kind}}"

[[row.panel.limit]]
at = 2
colour = "red"

[[row.panel]]
title = "Level"
kind = "stat"

[[row.panel.query]]
expr = "level"
"""


class TestFiles:
    def load(self, tmp_path, text):
        file = tmp_path / "desk.toml"
        file.write_text(text)
        return load_dashboard(file, CATALOGUE)

    def test_a_dashboard_from_toml(self, tmp_path):
        made = self.load(tmp_path, GOOD)
        things, level = made.panels
        assert (made.uid, made.since, made.variables[0].label) == ("desk", "12h", "name")
        assert (things.width, things.maximum, things.limits) == (12, 5, (Limit(2, "red"),))
        assert (level.kind, level.queries) == ("stat", (Query("level"),))

    @pytest.mark.parametrize(
        ("old", "new", "line", "reason"),
        [
            ("x_total{", "y_total{", 21, "did you mean x_total"),
            ("sum by (kind)", "sum by kind", 21, r"at character 8: \( expected"),
            ('expr = "level"', 'expr = "rate(level[5m])"', 33, "for counters"),
            ('uid = "desk"', 'uid = "d/e"', 1, "no uid"),
            ('label = "name"', 'label = "sort"', 6, "no label sort"),
            ('kind = "stat"', 'kind = "pie"', 30, "one of timeseries"),
            ('unit = "cps"', 'colour = "red"', 16, "no member 'colour'"),
            ("width = 12", "width = 99", 14, "width from 1 to 24"),
            ("at = 2", 'at = "2"', 25, "must be a number"),
            ('title = "Now"', "", 11, "title is missing"),
            ('since = "12h"', "since = 12h", 4, "no TOML"),
            ('name = "name"', 'name = "nam"', 21, r"no variable \$name"),
        ],
    )
    def test_what_is_wrong_is_told_by_file_line_and_reason(self, tmp_path, old, new, line, reason):
        assert old in GOOD
        with pytest.raises(DashboardRefused, match=reason) as refused:
            self.load(tmp_path, GOOD.replace(old, new))
        assert int(str(refused.value).split(":")[1]) == pytest.approx(line, abs=1)
        assert str(refused.value).startswith(str(tmp_path / "desk.toml"))

    def test_a_file_that_cannot_be_read(self, tmp_path):
        with pytest.raises(DashboardRefused, match="cannot be read"):
            load_dashboard(tmp_path / "none.toml", CATALOGUE)
        (tmp_path / "bad.toml").write_bytes(b"\xff")
        with pytest.raises(DashboardRefused, match="no UTF-8"):
            load_dashboard(tmp_path / "bad.toml", CATALOGUE)

    def test_the_files_for_grafana(self, tmp_path):
        made = self.load(tmp_path, GOOD)
        files = export_dashboards([made], tmp_path / "out", prometheus_url='http://p:9090/"x', grafana_folder="/boards")
        assert [str(file.relative_to(tmp_path / "out")) for file in files] == [
            "dashboards/desk.json",
            "provisioning/dashboards/orchestrator.yaml",
            "provisioning/datasources/orchestrator.yaml",
        ]
        assert json.loads(files[0].read_text()) == made.json()
        assert 'path: "/boards"' in files[1].read_text()
        assert r'url: "http://p:9090/\"x"' in files[2].read_text()
        assert export_dashboards([made], tmp_path / "out") == files

    def test_two_of_one_name_are_refused(self, tmp_path):
        with pytest.raises(DashboardRefused, match="two dashboards"):
            export_dashboards([board(), board()], tmp_path)
