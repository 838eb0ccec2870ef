"""The charts of deploy/helm: valid for Kubernetes, and pods that run as their specification says.

There is no cluster: Podman runs each container with the user, rights, mounts and commands that
the chart gives it, and volumes and secrets have the owners that a kubelet gives them by `fsGroup`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.packages.engine import Engine
from tests.packages.machine import wait_for

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("packages"), pytest.mark.timeout(1500)]

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
TOOLS = Path(sys.prefix) / "deploy" / "bin"
ROLES = ("host", "publisher")
OLDEST = "1.25.0"
"""The oldest Kubernetes for which the charts are, as their `kubeVersion` says."""
EVERYTHING = {
    "imagePullSecrets": [{"name": "registry"}],
    "settings": {"MUSTER_LOG_LEVEL": "debug"},
    "service": {
        "type": "LoadBalancer",
        "port": 443,
        "externalTrafficPolicy": "Local",
        "annotations": {"a.example/b": "c"},
    },
    "storage": {"size": "1Gi", "className": "fast"},
    "networkPolicy": {
        "enabled": True,
        "from": [{"ipBlock": {"cidr": "192.0.2.0/24"}}],
        "monitoring": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
        "publisherPorts": [443],
        "databasePorts": [5432],
    },
}


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    missing = [] if (TOOLS / "kubernetes-validate").exists() else ["kubernetes-validate"]
    missing += [name for name in ("go",) if not shutil.which(name)]
    if missing and os.environ.get("CI") != "true":
        pytest.skip(f"{missing} are missing: see 'make .venv/.deploy' and 'make parts'")


def documents(text: str) -> list[Any]:
    """The documents of a YAML text, read by the library of Ansible's environment."""
    script = "import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))"
    done = subprocess.run(
        [str(TOOLS / "python"), "-c", script],
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    return [document for document in json.loads(done.stdout) if document]


def render(role: str, values: Mapping[str, object] = {}) -> dict[str, Any]:
    """The objects of a chart by kind, with its own values and these."""
    chart = DEPLOY / "helm" / f"muster-{role}"
    (own,) = documents((chart / "values.yaml").read_text())
    asked = {
        "Values": {**own, **values},
        "Release": f"muster-{role}",
        "Templates": {path.name: path.read_text() for path in chart.glob("templates/*.yaml")},
    }
    done = subprocess.run(
        ["go", "run", str(Path(__file__).with_name("render.go"))],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = "\n---\n".join(json.loads(done.stdout).values())
    return {str(document["kind"]): document for document in documents(text)}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("values", [{}, EVERYTHING, {"maintenance": True, "hostKeys": ""}])
def test_kubernetes_takes_what_a_chart_renders(
    role: str, values: Mapping[str, object], tmp_path: Path
) -> None:
    objects = render(role, values)
    path = tmp_path / "objects.yaml"
    path.write_text("\n---\n".join(json.dumps(one) for one in objects.values()))
    for version in ((), ("--kubernetes-version", OLDEST)):
        command = [str(TOOLS / "kubernetes-validate"), "--strict", "--quiet", *version, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    if not values:
        # Real Helm made these.
        shown = documents((DEPLOY / "kubernetes" / f"{role}.yaml").read_text())
        assert {one["kind"]: one for one in shown} == objects


class Node:
    """A kubelet as far as it matters: directories for volumes, and containers by their pod."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine, self._folder = engine, folder

    def give(self, group: int, volume: str, files: Mapping[str, str]) -> Path:
        """Files of a Secret or a ConfigMap: root's, readable by the group of the pod, links."""
        path = self._folder / volume
        data = path / "..2026"
        data.mkdir(parents=True)
        (path / "..data").symlink_to("..2026")
        for name, text in files.items():
            (data / name).write_text(text)
            (data / name).chmod(0o440)
            os.chown(data / name, 0, group)
            (path / name).symlink_to(f"..data/{name}")
        return path

    def start(self, pod: Mapping[str, Any], volumes: Mapping[str, Path]) -> str:
        """Run the containers of a pod; the name of the last one, which keeps running."""
        rights = pod["securityContext"]
        user, group = rights["runAsUser"], rights["runAsGroup"]
        assert rights["runAsNonRoot"]
        assert rights["fsGroup"] == group
        for path in volumes.values():
            if not (path / "..data").exists() and path.stat().st_gid != group:
                os.chown(path, 0, group)
                path.chmod(0o2775)
        name = ""
        for container in [*pod.get("initContainers", []), *pod["containers"]]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"]
            assert not own["allowPrivilegeEscalation"]
            name = f"pod-{container['name']}"
            image = container["image"].rpartition("/")[2].partition(":")[0]
            lasting = container in pod["containers"]
            options = ["--detach", "--name", name] if lasting else ["--rm"]
            for mount in container["volumeMounts"]:
                place = f"{volumes[mount['name']]}:{mount['mountPath']}"
                options += ["--volume", place + (":ro" if mount.get("readOnly") else "")]
            for entry in container.get("env", []):
                options += ["--env", f"{entry['name']}={entry['value']}"]
            if "command" in container:
                options += ["--entrypoint", json.dumps(container["command"])]
            self.engine.run(
                *("podman", "run", "--read-only", "--read-only-tmpfs=false"),
                *("--cap-drop", *own["capabilities"]["drop"]),
                *("--security-opt", "no-new-privileges", "--user", f"{user}:{group}"),
                *(*options, image, *container.get("args", [])),
            )
        return name

    def inside(self, name: str, *command: str) -> str:
        """What a command prints in a container."""
        return self.engine.run("podman", "exec", name, *command)

    def end(self, name: str) -> None:
        """Delete the pod."""
        self.engine.run("podman", "stop", "--time", "60", name)
        code = self.engine.run("podman", "inspect", "--format", "{{.State.ExitCode}}", name)
        assert code == "0\n"
        self.engine.run("podman", "rm", name)


def pod_of(objects: Mapping[str, Any]) -> Any:
    return objects["StatefulSet"]["spec"]["template"]["spec"]


@pytest.mark.torture  # as test_images.py
def test_pods_run_by_the_rights_that_kubernetes_gives(images: Engine, tmp_path: Path) -> None:
    node = Node(images, tmp_path)
    volumes = {name: tmp_path / name for name in ("store", "hosts", "tmp", "tmp-2")}
    for path in volumes.values():
        path.mkdir()
    tmp_path.chmod(0o755)

    # A publisher: its store is set up in a pod that sleeps, and then it serves.
    secret = node.give(16882, "passphrase", {"passphrase": "x" * 20})
    mounted = {"store": volumes["store"], "tmp": volumes["tmp"], "passphrase": secret}
    name = node.start(pod_of(render("publisher", {"maintenance": True})), mounted)
    opened = ("--passphrase-file", "/run/secrets/passphrase")
    init = ("muster", "publisher", "init", "--sample", "--reserve-root", "/tmp/reserve.key")
    node.inside(name, *init, *opened)
    images.run("podman", "rm", "--force", "--time", "0", name)
    pod = pod_of(render("publisher"))
    name = node.start(pod, mounted)
    wait_for(lambda: alive(node, name, pod))
    issue = ("muster", "publisher", "key", "issue", "--kind", "host", "--group", "server-c")
    key = json.loads(node.inside(name, *issue, *opened, "--json"))["keys"][0]["key"]
    export = ("muster", "publisher", "export", "--url", "http://127.0.0.1:16882", "/tmp/c.muster")
    node.inside(name, *export)
    contoso = node.inside(name, "cat", "/tmp/c.muster")

    # A host: publishers and keys are installed before it serves, at each start of its pod.
    pod = pod_of(render("host"))
    mounted = {
        "store": volumes["hosts"],
        "tmp": volumes["tmp-2"],
        "publishers": node.give(16880, "publishers", {"contoso.muster": contoso}),
        "host-keys": node.give(16880, "host-keys", {"contoso": key + "\n"}),
    }
    for _ in range(2):
        host = node.start(pod, mounted)
        wait_for(lambda: alive(node, "pod-host", pod))
        status = json.loads(node.inside(host, "muster", "host", "status", "--json"))
        assert status["publishers"][0]["keys"][0]["grant"]["group"] == "server-c"
        node.end(host)
    node.end(name)


def alive(node: Node, name: str, pod: Mapping[str, Any]) -> bool:
    """Whether the probe of the pod's container says that it lives."""
    probe = pod["containers"][0]["livenessProbe"]["exec"]["command"]
    return node.engine.try_run("podman", "exec", name, *probe).returncode == 0
