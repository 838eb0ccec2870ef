"""Watching hosts and publishers: Prometheus from the operating system reads the pages' scrape
configuration, real servers, rules and dashboards; promtool plays each alert until it clears."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from tests.docs import dashboards
from tests.host.conftest import Machine, body_meeting
from tests.host.processes import PRODUCT, HostProcess, eventually, prepare
from tests.net.exposition import check_metrics
from tests.net.test_tls import Site
from tests.publisher.conftest import Shop, freshly_made, make_shop, shop

from muster.cli import compose
from muster.host.act import updates
from muster.host.model import PublisherNews
from muster.host.tables import news as stored
from muster.net.http import HTTPClient
from muster.net.serve import ThreadServer
from muster.publisher.api import PublisherAPI
from muster.wire import routes

__all__ = ["freshly_made", "make_shop", "shop"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
ALERTS = DOCS / "alerts.yml"
FIELDS = ("expr", "for", "severity", "summary", "action", "page")
JSON = {"Content-Type": "application/json"}
SILENT = re.compile(r"muster_\w+_problems\{[^}]*\}|.* > 0")
"""Queries that give nothing while all is well."""


def rules() -> dict[str, dict[str, str]]:
    """The rules by name, with their fields."""
    found: dict[str, dict[str, str]] = {}
    for rule in re.split(r"^ +- alert: ", ALERTS.read_text("utf-8"), flags=re.MULTILINE)[1:]:
        name, _, body = rule.partition("\n")
        lines = re.findall(rf"^ +({'|'.join(FIELDS)}): (.+)$", body, flags=re.MULTILINE)
        found[name] = {key: value.strip('"') for key, value in lines}
    return found


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs {name}: apt-get install prometheus")
    return found


# The alerts.


@pytest.mark.parametrize("name", sorted(rules()))
def test_an_alert_says_what_to_do_and_where_more_is(name: str) -> None:
    rule = rules()[name]
    assert rule.keys() >= {*FIELDS} - {"for"}
    assert rule["severity"] in {"page", "ticket"}
    page, _, anchor = rule["page"].partition("#")
    text = (DOCS / page).read_text("utf-8")
    titles = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", one.lower()).replace(" ", "-"): one for one in titles}
    chapter = text.partition(f"## {anchors[anchor]}\n")[2].partition("\n## ")[0]
    assert f"| `{name}` |" in chapter, "the chapter that it names has it in its table"
    for command in re.findall(r"muster (?:host|publisher) [a-z]+", rule["action"]):
        assert command in text


@dataclass(frozen=True)
class Case:
    """Two hours of a series that make an alert fire, and one in which it clears."""

    series: str
    bad: str
    good: str
    summary: str
    labels: dict[str, str] = field(default_factory=dict)
    instance: str = "h:1"


DAY = 86400
HOST, PUBLISHER = "muster-host", "muster-publisher"
PROBLEM = {"area": "database", "code": "db/full"}
CASES = {
    "MusterHostDown": Case("up", "0", "1", "The host h:1 does not answer."),
    "MusterHostProblem": Case(
        "muster_host_problems", "1", "stale", "h:1: db/full (database)", PROBLEM
    ),
    "MusterHostNotServing": Case(
        "muster_host_serving",
        "0",
        "1",
        "h:1 does not serve the products of contoso.",
        {"publisher": "p", "label": "contoso"},
    ),
    "MusterHostNewsOld": Case(
        "muster_host_news_timestamp_seconds",
        f"-{7 * DAY}",
        "7200",
        "h:1 has had no news of a publisher for a week.",
        {"publisher": "p"},
    ),
    "MusterHostClones": Case(
        "muster_host_machines_with_clones",
        "2",
        "0",
        "h:1: machines were copied with their store.",
        {"publisher": "p"},
    ),
    "MusterHostGrantEnds": Case(
        "muster_host_grant_end_timestamp_seconds",
        f"{30 * DAY}",
        f"{365 * DAY}",
        "h:1: the grant of server by contoso ends within 30 days, or has ended.",
        {"publisher": "p", "label": "contoso", "group": "server"},
    ),
    "MusterHostCertificateEnds": Case(
        "muster_host_certificate_end_timestamp_seconds",
        f"{14 * DAY}",
        f"{90 * DAY}",
        "The certificate of h:1 ends within 14 days.",
    ),
    "MusterPublisherDown": Case("up", "0", "1", "The publisher h:1 does not answer."),
    "MusterPublisherProblem": Case(
        "muster_publisher_problems", "1", "stale", "h:1: db/full (database)", PROBLEM
    ),
    "MusterPublisherPoolLow": Case(
        "muster_publisher_pools_alerting",
        "3",
        "0",
        "3 keys have reached an alert level of their activations.",
    ),
    "MusterPublisherPoolUsedUp": Case(
        "muster_publisher_pools_used_up", "2", "0", "2 keys have no activation left."
    ),
    "MusterPublisherTrustOld": Case(
        "muster_publisher_trust_signed_timestamp_seconds",
        f"-{400 * DAY}",
        "7200",
        "The keys of h:1 are older than 400 days.",
    ),
    "MusterPublisherCertificateEnds": Case(
        "muster_publisher_certificate_end_timestamp_seconds",
        f"{14 * DAY}",
        f"{90 * DAY}",
        "The certificate of h:1 ends within 14 days.",
    ),
}


def played(name: str, case: Case) -> dict[str, Any]:
    """An alert as a test of promtool: not before its time, then, and no more when it is well."""
    rule = rules()[name]
    labels = {
        "job": HOST if name.startswith("MusterHost") else PUBLISHER,
        "instance": case.instance,
        **case.labels,
    }
    texts = {"summary": case.summary, "action": rule["action"], "page": rule["page"]}
    named = ",".join(f'{label}="{value}"' for label, value in labels.items())
    bad, good = (value if value == "stale" else f"{value}x{{}}" for value in (case.bad, case.good))
    fires = {"exp_labels": labels | {"severity": rule["severity"]}, "exp_annotations": texts}
    at: list[tuple[str, list[Any]]] = [("121m", [fires]), ("180m", [])]
    waits: list[tuple[str, list[Any]]] = [("1m", [])] if "for" in rule else []
    return {
        "interval": "1m",
        "input_series": [
            {
                "series": f"{case.series}{{{named}}}",
                "values": f"{bad.format(121)} {good.format(60)}",
            }
        ],
        "alert_rule_test": [
            {"alertname": name, "eval_time": time, "exp_alerts": alerts}
            for time, alerts in (*waits, *at)
        ],
    }


def test_each_alert_fires_and_clears(tmp_path: Path) -> None:
    assert CASES.keys() == rules().keys()
    tests = [played(name, case) for name, case in CASES.items()]
    file = tmp_path / "alerts.test.yml"
    whole = {"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": tests}
    file.write_text(json.dumps(whole))  # JSON is YAML
    done = subprocess.run(
        [tool("promtool"), "test", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Real servers, a real Prometheus.


def activate(url: str, site: Site, publisher: str) -> None:
    """One machine gets a lease of the host, by TLS."""
    client = HTTPClient(timeout=30, ca_file=str(site.ca_file))
    machine = Machine(1, seed="watched")
    asked = machine.request(publisher, PRODUCT, compose.clock().now())
    answer = client.request("POST", url, asked.body, JSON)
    again = body_meeting(asked, machine.key, answer.status, answer.body)
    assert client.request("POST", url, again, JSON).status in {200, 409}
    assert client.request("POST", url, b"{}", JSON).status == 400


@pytest.fixture
def watched_host(tmp_path: Path) -> Iterator[str]:
    """The address of the pages of a host that speaks TLS, was asked, and had news before."""
    site, root = Site(tmp_path), tmp_path / "host"
    site.put(site.authority.issue("127.0.0.1"))
    publisher, now = prepare(root), compose.clock().now()
    with compose.open_host(root) as opened:
        updates.update(opened, publisher.publisher, url="http://127.0.0.1:9")
        with opened.database.transaction() as tx:
            stored.put(tx, PublisherNews(publisher.publisher, now - 60, now - 60, "", now + 7200))
    environ = {
        "MUSTER_HOST_OPERATION_ADDRESS": "127.0.0.1:0",
        "MUSTER_HOST_TLS_CERTIFICATE": str(site.certificate),
        "MUSTER_HOST_TLS_KEY": str(site.key),
    }
    with HostProcess(root, environ=environ) as host:
        activate(f"https://127.0.0.1:{host.port}/v1/activate", site, publisher.publisher)
        yield host.ready["operation"]


@pytest.fixture
def watched_publisher(shop: Shop, tmp_path: Path) -> Iterator[str]:
    """The address of the pages of a publisher with a certificate, that was asked."""
    site = Site(tmp_path)
    site.put(site.authority.issue("127.0.0.1"))
    api = PublisherAPI(shop.service(), certificate=site.show())
    with (
        api,
        ThreadServer(api.router()) as server,
        ThreadServer(api.operation()) as operation,
    ):
        client = HTTPClient(timeout=30)
        for route in (routes.HOSTS_ACTIVATE, routes.ACTIVATIONS):
            body = b'{"v":1,"installation_id":"1"}'
            assert client.request("POST", server.url + route.path, body, JSON).status == 400
        assert client.request("GET", server.url + "/nothing").status == 404
        yield urlsplit(operation.url).netloc


class Prometheus:
    """A real one, on loopback and a free port, with a configuration; ends with its block."""

    def __init__(self, folder: Path, config: str) -> None:
        file = folder / "prometheus.yml"
        file.write_text(config, "utf-8")
        self._process = subprocess.Popen(
            [
                tool("prometheus"),
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
            ],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC"},
            text=True,
        )
        self._log: list[str] = []
        self._drain = threading.Thread(target=self._read, daemon=True)
        self._drain.start()
        self._http = HTTPClient(timeout=30, limit=1 << 24)
        self.url = ""
        if not eventually(self._is_ready):
            self.close()
            raise AssertionError("".join(self._log))

    def _read(self) -> None:
        assert self._process.stderr is not None
        self._log.extend(iter(self._process.stderr.readline, ""))

    def _is_ready(self) -> bool:
        found = re.search(r'msg="Listening on" address=(\S+)', "".join(self._log))
        if found is None:
            return False
        self.url = f"http://{found[1]}"
        return self._http.request("GET", f"{self.url}/-/ready").status == 200

    def ask(self, path: str) -> Any:
        answer = self._http.request("GET", f"{self.url}/api/v1/{path}")
        found = json.loads(answer.body)
        assert found["status"] == "success", found
        return found["data"]

    def series(self, query: str) -> list[Any]:
        found = self.ask(f"query?query={quote(query)}")["result"]
        assert isinstance(found, list)
        return found

    def close(self) -> None:
        self._process.kill()
        self._process.wait(30)
        self._drain.join(30)
        assert self._process.stderr is not None
        self._process.stderr.close()

    def __enter__(self) -> Prometheus:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def configuration(places: dict[str, str]) -> str:
    """What docs/host.md and docs/publisher.md tell to write, in one file, for other addresses."""
    jobs = ""
    for role, place in places.items():
        page = (DOCS / f"{role}.md").read_text("utf-8")
        (block,) = re.findall(r"```yaml\n(rule_files:.*?)```", page, flags=re.DOTALL)
        first, _, rest = block.partition("\n")
        assert first == f"rule_files: [/usr/share/doc/muster-{role}/alerts.yml]"
        changed = re.sub(r"127\.0\.0\.1:\d+", place, rest)
        assert changed != rest
        jobs += changed.removeprefix("scrape_configs:\n")
    seconds = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
    return f"{seconds}rule_files: [{ALERTS}]\nscrape_configs:\n{jobs}"


@pytest.mark.real
def test_a_real_prometheus_finds_what_dashboards_and_alerts_ask_for(
    watched_host: str, watched_publisher: str, tmp_path: Path
) -> None:
    places = {"host": watched_host, "publisher": watched_publisher}
    for place in places.values():
        page = HTTPClient(limit=1 << 20).request("GET", f"http://{place}/metrics")
        assert page.headers["content-type"] == routes.TEXT
        check_metrics(page.body.decode())
    with Prometheus(tmp_path, configuration(places)) as prometheus:
        asked = [
            query.replace("$job", dashboard.job)
            .replace("$instance", ".*")
            .replace("$__rate_interval", "1m")
            for dashboard in dashboards.DASHBOARDS
            for query in dashboard.queries()
        ]
        assert len(asked) > 50
        waiting = [query for query in asked if not SILENT.fullmatch(query)]
        assert asked != waiting

        def all_there() -> bool:
            waiting[:] = [query for query in waiting if not prometheus.series(query)]
            return not waiting

        assert eventually(all_there, 60), waiting
        assert all(isinstance(prometheus.series(query), list) for query in asked)
        groups = prometheus.ask("rules")["groups"]
        shown = {rule["name"]: rule for group in groups for rule in group["rules"]}
        assert shown.keys() == rules().keys()
        assert {rule["health"] for rule in shown.values()} <= {"ok", "unknown"}
        described = {one["metric"] for one in prometheus.ask("targets/metadata")}
        for text in (*(rule["expr"] for rule in rules().values()), *asked):
            for name in re.findall(r"(?:muster|process)_[a-z_]+(?=[{ ])", text):
                whole = re.sub(r"_(bucket|sum|count)$", "", name)
                assert {name, whole} & described, f"{name} is not told by any server"


@pytest.mark.parametrize("dashboard", dashboards.DASHBOARDS, ids=lambda one: str(one.role))
def test_a_dashboard_has_its_form(dashboard: dashboards.Dashboard) -> None:
    whole = json.loads((DOCS / f"grafana-{dashboard.role}.json").read_text("utf-8"))
    assert (whole["uid"], whole["schemaVersion"]) == (f"muster-{dashboard.role}", 38)
    numbers = [panel["id"] for panel in whole["panels"]]
    assert len(set(numbers)) == len(numbers)
    taken: set[tuple[int, int]] = set()
    for panel in whole["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= dashboards.WIDTH
        taken |= cells
        assert panel["type"] == "row" or panel["description"].endswith(".")
