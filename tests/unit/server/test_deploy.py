"""What lies in `deploy/` can be read by what it is for, and names what there is."""

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.config import Config
from server.metrics import Metrics
from tests.support import REPOSITORY

DEPLOY = REPOSITORY / "deploy"
ROLES = {"all", "edge", "engine", "push"}
SETTINGS = {f"VICINO_{field.upper()}" for field in Config.__struct_fields__}
METRIC = re.compile(r"\bvicino_\w+")


class Strict(yaml.SafeLoader):
    """YAML in which no key comes twice: of two PyYAML takes the last, Kubernetes neither."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        assert len(keys) == len(set(keys)), f"a key comes twice{node.start_mark}"
        return super().construct_mapping(node, deep)


def parts_of(name: str) -> list[dict[str, Any]]:
    text = (DEPLOY / name).read_text()
    return [one for one in yaml.load_all(text, Loader=Strict) if one is not None]


def metrics() -> set[str]:
    """Every name that /metrics can have, with the endings of histograms and counters."""
    names = {metric.name for metric in Metrics().registry.collect()}
    return names | {f"{name}_{ending}" for name in names for ending in ("total", "bucket", "count", "sum")}


@pytest.mark.parametrize("name", ["prometheus/alerts.yaml", "grafana/vicino.json"])
def test_alerts_and_dashboard_name_metrics_that_there_are(name: str) -> None:
    text = (DEPLOY / name).read_text()
    expressions = re.findall(r'"?expr"?: (.*)', text) + re.findall(
        r"^ {10}(.*vicino_.*)$", text, re.MULTILINE
    )

    named = {metric for one in expressions for metric in METRIC.findall(one)}
    assert len(named) > 5
    assert named - metrics() == set()


def test_every_alert_says_what_to_do() -> None:
    [group] = parts_of("prometheus/alerts.yaml")[0]["groups"]

    assert len(group["rules"]) >= 8
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in {"page", "warn"}
        assert set(rule["annotations"]) == {"summary", "remedy"}


def test_the_dashboard_shows_every_metric() -> None:
    dashboard = json.loads((DEPLOY / "grafana" / "vicino.json").read_text())
    shown = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in METRIC.findall(target["expr"])
    }
    there = {metric.name for metric in Metrics().registry.collect() if metric.name.startswith("vicino_")}

    left_out = {"vicino_events", "vicino_batch_inputs"}
    assert {name for name in there - left_out if not any(one.startswith(name) for one in shown)} == set()


def test_compose_runs_each_role_after_the_topics_are_set_up() -> None:
    [compose] = parts_of("compose.yaml")
    services = compose["services"]
    roles = {name: one["command"] for name, one in services.items() if one.get("command", [""])[0] == "serve"}

    assert {command[-1] for command in roles.values()} == {"edge", "engine", "push"}
    for name in roles:
        assert "setup" in services[name]["depends_on"]
        assert set(services[name]["environment"]) <= SETTINGS


def test_kubernetes_runs_each_role_unprivileged_and_asks_whether_it_is_ready() -> None:
    documents = parts_of("kubernetes/vicino.yaml")
    deployments = [one for one in documents if one["kind"] == "Deployment"]

    assert {one["metadata"]["labels"]["role"] for one in deployments} == {"edge", "engine", "push"}
    for one in documents:
        if one["kind"] not in {"Deployment", "Job"}:
            continue
        pod = one["spec"]["template"]["spec"]
        [container] = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert {variable["name"] for variable in container["env"]} <= SETTINGS
        assert {mount["name"] for mount in container["volumeMounts"]} == {
            one["name"] for one in pod["volumes"]
        }
        if one["kind"] == "Deployment":
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


def test_the_unit_of_systemd_serves_its_role_and_stops_it_by_sigterm() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment]
    unit.read_string((DEPLOY / "systemd" / "vicino@.service").read_text())

    assert unit["Service"]["ExecStart"].endswith("vicino serve --role %i")
    assert unit["Service"]["KillSignal"] == "SIGTERM"
    assert unit["Service"]["NoNewPrivileges"] == "yes"


def test_the_image_is_built_in_two_stages_from_what_there_is_and_runs_as_nobody_in_particular() -> None:
    lines = [line.split() for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line.strip()]
    copied = [
        word for line in lines if line[0] == "COPY" and not line[1].startswith("--") for word in line[1:-1]
    ]

    assert sum(1 for line in lines if line[0] == "FROM") == 2
    assert [name for name in copied if not (REPOSITORY / name).exists()] == []
    users = [line[1] for line in lines if line[0] == "USER"]
    assert users
    assert users[-1] not in {"0", "root"}
    names = {word.split("=")[0] for line in lines if line[0] == "ENV" for word in line[1:]}
    assert names <= SETTINGS


def test_nothing_in_it_holds_a_secret() -> None:
    for path in Path(DEPLOY).rglob("*"):
        if path.is_file():
            assert not re.search(
                r"password:\s*\w+\s*$|BEGIN [A-Z ]*PRIVATE KEY", path.read_text(), re.MULTILINE
            )
