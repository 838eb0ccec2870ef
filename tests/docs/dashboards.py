"""The Grafana dashboards of a host and a publisher, as tables of panels.

Decides what a panel asks and where it stands; docs/generate.py writes `docs/grafana-host.json` and
`docs/grafana-publisher.json`, which Grafana 10 and later import. tests/docs/test_watching.py asks
each query of a real Prometheus. Refuses to know how Grafana draws.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

WIDTH = 24
"""Columns of a dashboard."""
SCHEMA = 38
"""Version of the JSON that Grafana 10 writes; later ones convert it."""
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of Prometheus, and how its series are called; `MINE` narrows it to the
    instances that are chosen above."""

    expr: str
    legend: str = "{{instance}}"


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. `kind` timeseries, stat or table; `steps` the values from which on it is yellow
    and red; `texts` says what to do about it."""

    title: str
    text: str
    queries: Sequence[Query]
    kind: str = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: tuple[float, ...] = ()
    falls: bool = False


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The dashboard of a role: rows of panels below their titles."""

    role: str
    rows: dict[str, Sequence[Panel]] = field(default_factory=dict)

    @property
    def job(self) -> str:
        """The job of docs/alerts.yml."""
        return f"muster-{self.role}"

    def queries(self) -> list[str]:
        """What is asked of Prometheus, with Grafana's variables."""
        return [
            query.expr for panels in self.rows.values() for one in panels for query in one.queries
        ]


MINE = 'job="$job",instance=~"$instance"'
DAYS = "86400"


def series(name: str, more: str = "") -> str:
    """The series of a metric at the instances that are chosen."""
    return f"{name}{{{MINE}{more}}}"


def rate(name: str, more: str = "") -> str:
    """How fast a counter grows there."""
    return f"rate({series(name, more)}[$__rate_interval])"


def now_row(role: str) -> list[Panel]:
    """The row that every role begins with."""
    prefix = f"muster_{role}"
    return [
        Panel(
            "Answers its monitor",
            "0: start it. Licences go on meanwhile.",
            [Query(series("up"))],
            kind="stat",
            width=4,
            height=4,
            steps=(1,),
            falls=True,
        ),
        Panel(
            "Problems",
            f"What is wrong now: muster {role} status has each with its fix.",
            [Query(f"sum by (instance) ({series(f'{prefix}_problems')}) or 0 * {series('up')}")],
            kind="stat",
            width=4,
            height=4,
            steps=(1,),
        ),
        Panel(
            "Version",
            "The version that runs.",
            [Query(series("muster_build_info", f',role="{role}"'), "{{version}} on {{instance}}")],
            kind="stat",
            width=4,
            height=4,
        ),
        Panel(
            "What is wrong",
            "By area and code; docs/errors.md explains each code.",
            [Query(series(f"{prefix}_problems"), "{{area}} {{code}} {{instance}}")],
            width=12,
            height=4,
        ),
    ]


def connection_panels(role: str) -> list[Panel]:
    """What every role tells of its port and certificate."""
    prefix = f"muster_{role}"
    refused = f"sum by (code) ({rate(f'{prefix}_refused_total')})"
    failures = f"sum by (kind) ({rate(f'{prefix}_tls_failures_total')})"
    ends = f"({series(f'{prefix}_certificate_end_timestamp_seconds')} - time()) / {DAYS}"
    return [
        Panel(
            "Refused before the service, by code",
            "Requests that are none, or from where nobody may ask.",
            [Query(refused, "{{code}}")],
            unit="reqps",
        ),
        Panel(
            "Certificate ends in days",
            "Renew the files; they are read by themselves. Empty without TLS.",
            [
                Query(ends),
                Query(
                    f"{series(f'{prefix}_certificate_problem')} > 0",
                    "{{instance}} cannot use its new one",
                ),
            ],
            steps=(30, 14),
            falls=True,
        ),
        Panel(
            "Connections that failed in TLS",
            "plain: somebody speaks HTTP to the port.",
            [Query(failures, "{{kind}}")],
            unit="cps",
        ),
    ]


def process_panels(role: str) -> list[Panel]:
    """What every role tells of its process and database."""
    read = f"time() - {series(f'muster_{role}_database_read_timestamp_seconds')}"
    return [
        Panel(
            "Processor",
            "Cores in use.",
            [Query(rate("process_cpu_seconds_total"))],
            unit="none",
            width=6,
        ),
        Panel(
            "Memory",
            "Resident.",
            [Query(series("process_resident_memory_bytes"))],
            unit="bytes",
            width=6,
        ),
        Panel(
            "Files and connections",
            "Open, and how many may be.",
            [
                Query(series("process_open_fds")),
                Query(series("process_max_fds"), "{{instance}} may open"),
            ],
            width=6,
        ),
        Panel(
            "Database was read before",
            "More than some seconds: it is silent, or large.",
            [Query(read)],
            unit="s",
            width=6,
            steps=(60, 600),
        ),
    ]


def host() -> Dashboard:
    """The dashboard of hosts."""
    took = "muster_host_http_answer_seconds_bucket"
    quantile = "histogram_quantile({}, sum by (le) ({}))"
    asked = rate(took, ',route="activate"')
    grant_ends = f"({series('muster_host_grant_end_timestamp_seconds')} - time()) / {DAYS}"
    catalogue = f"(time() - {series('muster_host_catalogue_signed_timestamp_seconds')}) / {DAYS}"
    news = f"(time() - {series('muster_host_news_timestamp_seconds')}) / {DAYS}"
    tried = f"(time() - {series('muster_host_news_asked_timestamp_seconds')}) / {DAYS}"
    return Dashboard(
        "host",
        {
            "Now": now_row("host"),
            "Machines": [
                Panel(
                    "Answers to requests by outcome",
                    "leased, or the code of the refusal.",
                    [
                        Query(
                            f"sum by (outcome) ({rate('muster_host_requests_total')})",
                            "{{outcome}}",
                        )
                    ],
                    unit="reqps",
                ),
                Panel(
                    "Machines that count",
                    "Of the last 30 days, shown up to twice the largest threshold.",
                    [Query(series("muster_host_machines"), "{{application}} {{instance}}")],
                ),
                Panel(
                    "Machines whose store was copied",
                    "muster host clients --duplicates names them.",
                    [Query(series("muster_host_machines_with_clones"))],
                    steps=(1,),
                ),
                Panel(
                    "Requests by product",
                    "Of all outcomes.",
                    [
                        Query(
                            f"sum by (product) ({rate('muster_host_requests_total')})",
                            "{{product}}",
                        )
                    ],
                    unit="reqps",
                ),
                Panel(
                    "Requests by the state that the machine is in",
                    "Numbers as in docs/states.md: 1 licensed, 5 notification.",
                    [
                        Query(
                            f"sum by (state) ({rate('muster_host_requests_by_state_total')})",
                            "{{state}}",
                        )
                    ],
                    unit="reqps",
                ),
                Panel(
                    "Time to an answer",
                    "Of activations: half of them, and 99 of 100.",
                    [
                        Query(quantile.format("0.5", asked), "half"),
                        Query(quantile.format("0.99", asked), "99 of 100"),
                    ],
                    unit="s",
                ),
            ],
            "Publishers": [
                Panel(
                    "Serves",
                    "0: muster host status names the key or grant that is missing.",
                    [Query(series("muster_host_serving"), "{{label}} {{instance}}")],
                    kind="stat",
                    steps=(1,),
                    falls=True,
                ),
                Panel(
                    "Grants end in days",
                    "Ask the publisher for a new host key in time, and activate it.",
                    [Query(grant_ends, "{{label}} {{group}} {{instance}}")],
                    steps=(60, 30),
                    falls=True,
                ),
                Panel(
                    "Age of the catalogue in days",
                    "Since it was signed: a publisher without news signs none.",
                    [Query(catalogue, "{{label}} {{instance}}")],
                ),
                Panel(
                    "Last news, days ago",
                    "More than 7: a revocation would not arrive.",
                    [
                        Query(news, "{{publisher}} answered {{instance}}"),
                        Query(tried, "{{publisher}} asked {{instance}}"),
                    ],
                    steps=(2, 7),
                ),
                Panel(
                    "News that failed in a row",
                    "muster host catalogue fetch shows why.",
                    [Query(series("muster_host_news_failures"), "{{publisher}} {{instance}}")],
                    steps=(1, 5),
                ),
                Panel(
                    "Versions that are held",
                    "The same on all hosts within a day.",
                    [
                        Query(series("muster_host_trust_version"), "{{label}} trust {{instance}}"),
                        Query(
                            series("muster_host_catalogue_version"),
                            "{{label}} catalogue {{instance}}",
                        ),
                    ],
                ),
            ],
            "Port": [
                Panel(
                    "HTTP answers",
                    "By route and status.",
                    [
                        Query(
                            f"sum by (route, status) ({rate('muster_host_http_answers_total')})",
                            "{{route}} {{status}}",
                        )
                    ],
                    unit="reqps",
                    width=WIDTH,
                ),
                *connection_panels("host"),
            ],
            "Process": process_panels("host"),
        },
    )


def publisher() -> Dashboard:
    """The dashboard of publishers."""
    spent = (
        f"sum by (route) ({rate('muster_publisher_http_seconds_total')})"
        f" / sum by (route) ({rate('muster_publisher_http_answers_total')})"
    )
    trust = f"(time() - {series('muster_publisher_trust_signed_timestamp_seconds')}) / {DAYS}"
    catalogue = (
        f"(time() - {series('muster_publisher_catalogue_signed_timestamp_seconds')}) / {DAYS}"
    )
    return Dashboard(
        "publisher",
        {
            "Now": now_row("publisher"),
            "Activations": [
                Panel(
                    "Machines by outcome",
                    "granted, again (the same machine), or the code of the refusal.",
                    [
                        Query(
                            f"sum by (outcome) ({rate('muster_publisher_activations_total')})",
                            "{{outcome}}",
                        )
                    ],
                    unit="reqps",
                ),
                Panel(
                    "Hosts by outcome",
                    "As machines.",
                    [
                        Query(
                            f"sum by (outcome) ({rate('muster_publisher_host_activations_total')})",
                            "{{outcome}}",
                        )
                    ],
                    unit="reqps",
                ),
                Panel(
                    "Pools that need somebody",
                    "muster publisher key list shows which; key extend adds activations.",
                    [
                        Query(series("muster_publisher_pools_alerting"), "at an alert level"),
                        Query(series("muster_publisher_pools_used_up"), "used up"),
                    ],
                    steps=(1,),
                ),
                Panel(
                    "Activations of pools",
                    "Agreed, and drawn.",
                    [
                        Query(series("muster_publisher_pool_size"), "agreed"),
                        Query(series("muster_publisher_pool_drawn"), "drawn"),
                    ],
                ),
                Panel(
                    "Keys and hosts",
                    "What was issued so far.",
                    [
                        Query(series("muster_publisher_host_keys"), "host keys"),
                        Query(series("muster_publisher_hosts"), "hosts"),
                        Query(series("muster_publisher_host_grants"), "grants"),
                        Query(series("muster_publisher_host_grants_revoked"), "revoked"),
                        Query(series("muster_publisher_pools"), "pools"),
                    ],
                ),
                Panel(
                    "Age of trust and catalogue in days",
                    "Rotate the keys of trust once a year.",
                    [Query(trust, "trust"), Query(catalogue, "catalogue")],
                    steps=(366, 400),
                ),
                Panel(
                    "Versions of trust and catalogue",
                    "What hosts should hold within a day.",
                    [
                        Query(series("muster_publisher_trust_version"), "trust"),
                        Query(series("muster_publisher_catalogue_version"), "catalogue"),
                    ],
                ),
            ],
            "Port": [
                Panel(
                    "HTTP answers",
                    "By route and status.",
                    [
                        Query(
                            "sum by (route, status)"
                            f" ({rate('muster_publisher_http_answers_total')})",
                            "{{route}} {{status}}",
                        )
                    ],
                    unit="reqps",
                    width=12,
                ),
                Panel(
                    "Time to an answer",
                    "The mean by route.",
                    [Query(spent, "{{route}}")],
                    unit="s",
                    width=12,
                ),
                *connection_panels("publisher"),
            ],
            "Process": process_panels("publisher"),
        },
    )


DASHBOARDS = (host(), publisher())


def thresholds(panel: Panel) -> list[dict[str, Any]]:
    """Colours from values on: green to red as they rise, or the other way."""
    if not panel.steps:
        return [{"color": "green", "value": None}]
    colours = ["green", "yellow", "red"] if len(panel.steps) > 1 else ["green", "red"]
    steps = sorted(panel.steps)
    if panel.falls:
        colours.reverse()
    return [
        {"color": colour, "value": value}
        for colour, value in zip(colours, [None, *steps], strict=True)
    ]


def drawn(panel: Panel, number: int, column: int, line: int) -> dict[str, Any]:
    """A panel as Grafana reads it."""
    lines = panel.kind == "timeseries"
    custom = {"lineWidth": 1, "fillOpacity": 8, "showPoints": "never", "spanNulls": False}
    thresholds_shown = {"thresholdsStyle": {"mode": "line" if panel.steps else "off"}}
    named = panel.title == "Version"
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": DATASOURCE,
        "gridPos": {"h": panel.height, "w": panel.width, "x": column, "y": line},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                "instant": not lines,
                "range": lines,
            }
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {
                "unit": panel.unit,
                "min": 0,
                "thresholds": {"mode": "absolute", "steps": thresholds(panel)},
                "custom": custom | thresholds_shown if lines else {},
            },
            "overrides": [],
        },
        "options": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
        if lines
        else {
            "colorMode": "value",
            "graphMode": "none",
            "textMode": "name" if named else "auto",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        },
    }


def panels(dashboard: Dashboard) -> list[dict[str, Any]]:
    """All panels with their places: from left to right, below the title of their row."""
    made: list[dict[str, Any]] = []
    line = 0
    for title, row in dashboard.rows.items():
        place = {"h": 1, "w": WIDTH, "x": 0, "y": line}
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        line += 1
        column = highest = 0
        for panel in row:
            if column + panel.width > WIDTH:
                line, column, highest = line + highest, 0, 0
            made.append(drawn(panel, len(made) + 1, column, line))
            column += panel.width
            highest = max(highest, panel.height)
        line += highest
    return made


def variables(dashboard: Dashboard) -> list[dict[str, Any]]:
    """What is chosen above: where the numbers are, their job, and the instances."""
    job = {"text": dashboard.job, "value": dashboard.job}
    return [
        {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Source"},
        {
            "name": "job",
            "type": "textbox",
            "label": "Job",
            "query": dashboard.job,
            "current": job,
            "options": [{**job, "selected": True}],
        },
        {
            "name": "instance",
            "type": "query",
            "label": "Instance",
            "datasource": DATASOURCE,
            "query": {
                "query": 'label_values(up{job="$job"}, instance)',
                "refId": "instance",
            },
            "definition": 'label_values(up{job="$job"}, instance)',
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
            "refresh": 2,
            "sort": 1,
        },
    ]


def encoded(dashboard: Dashboard) -> str:
    """The dashboard as the JSON that Grafana imports."""
    whole = {
        "uid": dashboard.job,
        "title": f"Muster {dashboard.role}",
        "description": "Metrics, alerts and what to do: docs/alerts.yml,"
        f" docs/{dashboard.role}-years.md.",
        "tags": ["muster"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "timezone": "",
        "templating": {"list": variables(dashboard)},
        "annotations": {"list": []},
        "links": [],
        "panels": panels(dashboard),
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def files() -> dict[str, str]:
    """The dashboards by path below docs/."""
    return {f"grafana-{one.role}.json": encoded(one) for one in DASHBOARDS}
