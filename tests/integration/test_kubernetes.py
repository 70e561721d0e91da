"""deploy/kubernetes/: rendered by Kustomize, judged by schemas, and its sidecar run by podman."""

import ctypes
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.pages.markdown import REPOSITORY, blocks
from tests.support.processes.run_text import run_text
from tests.support.programs.containers import Podman
from tests.support.programs.fresh_program import fresh_program
from tests.support.wait import wait_for
from tmux_exporter.commands.up_children.prometheus import fetch

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]

FOLDER = REPOSITORY / "deploy" / "kubernetes"
PAGE = Path("docs/kubernetes.md")
VERSIONS = ("1.30.0", "1.34.0", "1.37.0")
MODELS = """
import sys, yaml
from cloudcoil.models.prometheus_operator import v1, v1alpha1
for each in yaml.safe_load_all(sys.stdin):
    versions = {"monitoring.coreos.com/v1": v1, "monitoring.coreos.com/v1alpha1": v1alpha1}
    model = getattr(versions[each["apiVersion"]], each["kind"]).model_validate(each)
    # A key that they do not know is dropped.
    assert model.model_dump(by_alias=True, exclude_unset=True, mode="json") == each, each["kind"]
"""


def rendered(folder: Path) -> str:
    """What `kubectl kustomize` prints, from the library that it is made of."""
    (path,) = fresh_program("kustomize").glob(
        "lib/python*/site-packages/pykustomize/_lib/*/libpykustomize.so"
    )
    library = ctypes.CDLL(str(path))
    library.pykustomize_last_error.restype = ctypes.c_char_p
    text = ctypes.c_char_p()
    failed = library.pykustomize_build(str(folder).encode(), b"{}", ctypes.byref(text))
    assert not failed, library.pykustomize_last_error()
    return (text.value or b"").decode()


def validate(text: str, file: Path, version: str) -> subprocess.CompletedProcess[str]:
    file.write_text(text)
    program = fresh_program("kubernetes-validate") / "bin" / "kubernetes-validate"
    return run_text((program, "--strict", "-k", version, file), timeout=300)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_schemas_take_what_kustomize_renders(version: str, tmp_path: Path) -> None:
    for name in ("hosts", "sidecar"):
        done = validate(rendered(FOLDER / name), tmp_path / f"{name}.yaml", version)
        assert done.returncode == 0, done.stdout + done.stderr
    planted = rendered(FOLDER / "hosts").replace("hostPID: true", "hostPid: true")
    assert validate(planted, tmp_path / "planted.yaml", version).returncode != 0


def test_the_operator_takes_its_resources() -> None:
    python = fresh_program("prometheus-operator") / "bin" / "python"
    text = rendered(FOLDER / "operator")
    kinds = [each["kind"] for each in yaml.safe_load_all(text)]
    assert sorted(kinds) == ["PodMonitor", "PodMonitor", "PrometheusRule", "ScrapeConfig"]
    done = run_text((python, "-c", MODELS), input=text, timeout=300)
    assert done.returncode == 0, done.stderr
    planted = text.replace("targetLabel: job", "targetLable: job")
    refused = run_text((python, "-c", MODELS), input=planted, timeout=300)
    assert refused.returncode != 0


def test_the_kustomization_of_the_page_is_for_another_user(tmp_path: Path) -> None:
    (block,) = (each for each in blocks(PAGE) if each.language == "yaml")
    # Kustomize takes relative paths only.
    here = os.path.relpath(REPOSITORY, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(block.text.replace("path/to", here))
    text = rendered(tmp_path)
    assert validate(text, tmp_path / "all.yaml", VERSIONS[-1]).returncode == 0
    assert "1000" not in text
    (daemon,) = (each for each in yaml.safe_load_all(text) if each["kind"] == "DaemonSet")
    pod = daemon["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry.example.org/tmux-exporter:1"
    assert pod["securityContext"]["runAsUser"] == 1001


def test_nothing_has_a_right_in_the_cluster() -> None:
    everything = "---\n".join(rendered(FOLDER / each) for each in ("hosts", "sidecar", "operator"))
    documents = [each for each in yaml.safe_load_all(everything) if each]
    assert not [each["kind"] for each in documents if "Role" in each["kind"]]
    pods = [
        each["spec"]["template"]["spec"] for each in documents if each["kind"] in ("DaemonSet", "Deployment")
    ]
    accounts = [each for each in documents if each["kind"] == "ServiceAccount"]
    assert [each["automountServiceAccountToken"] for each in (*pods, *accounts)] == [False] * 4


def test_podman_runs_the_pod_with_the_sidecar(engine: Podman, tmp_path: Path) -> None:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(rendered(FOLDER / "sidecar")))
    played = [each for each in documents if each["kind"] in ("ConfigMap", "Deployment")]
    pod = next(each for each in played if each["kind"] == "Deployment")["spec"]["template"]["spec"]
    # A test has loopback only, and podman publishes no port there.
    pod["hostNetwork"] = True
    del next(each for each in pod["containers"] if each["name"] == "exporter")["ports"]
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump_all(played))
    engine("kube", "play", file)

    def page() -> str:
        return (fetch("http://127.0.0.1:10077/metrics") or b"").decode()

    pane = 'tmux_pane_processes{pane="%0",server="default",session="shop",window="0"} 1.0'
    wait_for(lambda: pane in page(), "the exporter shows the pane of the other container", 120)
    assert 'tmux_exporter_unreadable_processes{reason="permission"} 0.0' in page()
    names = json.loads(engine("ps", "--format", "json"))
    (exporter,) = (name for each in names for name in each["Names"] if name.endswith("-exporter"))
    assert engine.run("healthcheck", "run", exporter).returncode == 0
    engine("kube", "down", file)
    assert engine("ps", "--all", "--quiet") == ""
