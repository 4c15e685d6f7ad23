"""The files for Docker, Compose and Kubernetes, checked by their linters; skipped if one is missing."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.database.engine import WORKER_CONNECTIONS
from app.settings import PREFIX, Settings, load_settings
from tests.support.deployed_files import run, stages
from tests.support.programs import ROOT, make_certificate, on_path

CHECKS = ROOT / "deploy/checks"
ENVIRONMENTS = ("local", "staging", "production")
SERVICES = {"api", "worker", "postgres", "migrate", "proxy", "prometheus", "alertmanager", "grafana"}


def tool(path: Path) -> str:
    if not path.exists():
        pytest.skip(f"{path.name} is not installed: make deploychecks")
    return str(path)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the deployed files with the secrets of the examples."""
    shutil.copy(ROOT / "docker-compose.yml", tmp_path)
    folders = ("environments", "kubernetes", "nginx", "postgres", "prometheus", "alertmanager", "grafana")
    for folder in folders:
        shutil.copytree(ROOT / "deploy" / folder, tmp_path / "deploy" / folder)
    for example in tmp_path.glob("deploy/environments/*.secrets.env.example"):
        shutil.copy(example, example.with_suffix(""))
    return tmp_path


def test_the_dockerfile_passes_hadolint() -> None:
    assert run(tool(CHECKS / ".venv/bin/hadolint"), "Dockerfile") == ""


def test_the_image_is_small_and_runs_as_nobody() -> None:
    # given
    by_name = stages()
    runtime = by_name["runtime"]
    # then
    assert list(by_name) == ["pages", "install", "runtime"]
    assert runtime.one("USER") == "10001:10001"
    # and a release only replaces the application's layer
    assert runtime.all("COPY") == [
        "--from=install /opt/genregraph /opt/genregraph",
        "--from=install /opt/application /opt/application",
    ]
    (packages,) = runtime.all("RUN")
    assert "install --yes --no-install-recommends libgomp1 &&" in packages
    assert all(re.search(r":\d+\.\d+\.\d+-", stage.base) for stage in by_name.values())


def test_the_compose_file_passes_dclint() -> None:
    linter = tool(CHECKS / "node_modules/.bin/dclint")
    run(linter, "--config", "deploy/checks/dclint.json", "--max-warnings", "0", "docker-compose.yml")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_compose_accepts_its_file(environment: str, checkout: Path) -> None:
    # when
    compose = on_path("docker-compose", "apt-get install docker-compose")
    services = yaml.safe_load(run(compose, "config", cwd=checkout, ENVIRONMENT=environment))["services"]
    # then
    assert services.keys() == SERVICES
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
    assert {name for name in SERVICES if "ports" in services[name]} == {"proxy", "grafana"}
    assert [port.rpartition(":")[0] for port in map(str, services["proxy"]["ports"])] == [
        "127.0.0.1:80",
        "127.0.0.1:443",
    ]
    assert services["api"]["environment"]["GENREGRAPH_ENVIRONMENT"] == environment
    for name in ("api", "worker"):
        assert services[name]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
    # and Docker waits longer than genregraph takes to stop
    settings = load_environment(environment)
    patience = int(services["api"]["stop_grace_period"].removesuffix("s"))
    assert patience > settings.shutdown_delay_seconds + settings.shutdown_grace_seconds


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_kubernetes_resource_is_valid(environment: str, checkout: Path) -> None:
    # when
    resources = rendered(checkout, environment)
    manifest = checkout / "resources.yaml"
    manifest.write_text(yaml.safe_dump_all(resources), encoding="utf-8")
    run(tool(CHECKS / ".venv/bin/kubernetes-validate"), "--strict", str(manifest))
    # then
    assert {resource["kind"] for resource in resources} >= {
        *("Service", "Ingress", "HorizontalPodAutoscaler", "PodDisruptionBudget", "NetworkPolicy", "Job")
    }
    named = of_kind(resources, "Deployment")
    assert named.keys() == {"genregraph-api", "genregraph-worker"}
    # and settings and secrets come from the environment's files
    (secret,) = of_kind(resources, "Secret").values()
    configs = of_kind(resources, "ConfigMap")
    (config,) = (configs[name] for name in configs if name.startswith("genregraph-settings"))
    assert secret["data"].keys() == {"POSTGRES_PASSWORD", "GENREGRAPH_DATABASE_URL", "GENREGRAPH_CLIENTS"}
    assert config["data"]["GENREGRAPH_ENVIRONMENT"] == environment
    for name, deployment in named.items():
        sources = deployment["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        assert sources == [
            {"configMapRef": {"name": config["metadata"]["name"]}},
            {"secretRef": {"name": secret["metadata"]["name"]}},
        ], name


def connections(environment: str, checkout: Path) -> int:
    """Return the maximum number of database connections during a roll-out."""
    resources = rendered(checkout, environment)
    settings = load_environment(environment)
    pods = int(of_kind(resources, "HorizontalPodAutoscaler")["genregraph-api"]["spec"]["maxReplicas"]) + 1
    workers = int(of_kind(resources, "Deployment")["genregraph-worker"]["spec"]["replicas"]) + 1
    return (
        pods * settings.processes * settings.database_pool_size
        + workers * (WORKER_CONNECTIONS * settings.worker_concurrency + 3)
        + 1
    )


def test_the_table_of_connections_matches_the_files(checkout: Path) -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)[^|]*\|(?:[^|]*\|){3} ([\d,]+) \|", page, re.MULTILINE)
    documented = {name: int(total.replace(",", "")) for name, total in rows}
    for environment in ENVIRONMENTS:
        assert documented[environment] == connections(environment, checkout), environment
    # and Compose, with three replicas, twice as many during an upgrade, and one worker
    assert documented["Compose"] == 6 * Settings(_env_file=None).database_pool_size + 2 * 5 + 1
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert "max_connections=200" in compose["services"]["postgres"]["command"]
    assert documented["Compose"] < 200


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_pods_reach_only_their_own_database(environment: str, checkout: Path) -> None:
    # when
    policies = of_kind(rendered(checkout, environment), "NetworkPolicy")
    # then
    assert policies["nothing-else"]["spec"]["policyTypes"] == ["Ingress", "Egress"]
    egress = [rule for policy in policies.values() for rule in policy["spec"].get("egress", [])]
    assert all(rule["to"] for rule in egress)
    (database,) = [rule for rule in egress if {"port": 5432} in rule["ports"]]
    if environment == "local":
        assert database["to"] == [
            {"podSelector": {"matchLabels": {"app.kubernetes.io/component": "postgres"}}}
        ]
    else:
        assert database["to"] == [{"ipBlock": {"cidr": "10.0.0.0/24"}}]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_uploads_do_not_trigger_the_autoscaler_or_fill_the_node(environment: str, checkout: Path) -> None:
    # when
    resources = rendered(checkout, environment)
    # then
    (scaler,) = of_kind(resources, "HorizontalPodAutoscaler").values()
    assert scaler["spec"]["behavior"]["scaleDown"] == {
        "stabilizationWindowSeconds": 900,
        "policies": [{"type": "Pods", "value": 1, "periodSeconds": 300}],
    }
    for deployment in of_kind(resources, "Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["resources"]["limits"]["ephemeral-storage"] == "21Gi"
        assert pod["volumes"][0]["emptyDir"] == {"sizeLimit": "20Gi"}
        assert container["livenessProbe"]["httpGet"]["path"] == "/livez"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_pod_is_restricted_and_stops_after_its_requests(environment: str, checkout: Path) -> None:
    resources = rendered(checkout, environment)
    settings = load_environment(environment)
    pods = of_kind(resources, "Deployment", "Job", "StatefulSet")
    for resource in pods.values():
        pod = resource["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["automountServiceAccountToken"] is False
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "memory" in container["resources"]["limits"]
    api = pods["genregraph-api"]
    assert api["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    pod = api["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    paths = [container[probe]["httpGet"]["path"] for probe in probes]
    assert paths == ["/livez", "/healthcheck", "/livez"]
    needed = (
        container["lifecycle"]["preStop"]["sleep"]["seconds"]
        + settings.shutdown_delay_seconds
        + settings.shutdown_grace_seconds
    )
    assert pod["terminationGracePeriodSeconds"] > needed


def of_kind(resources: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the resources of these kinds by name."""
    return {resource["metadata"]["name"]: resource for resource in resources if resource["kind"] in kinds}


def rendered(checkout: Path, environment: str) -> list[dict[str, Any]]:
    kubectl = on_path("kubectl", "from Kubernetes' own releases")
    overlay = f"deploy/kubernetes/overlays/{environment}"
    text = run(kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", overlay, cwd=checkout)
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_settings_of_each_environment_are_valid(environment: str) -> None:
    text = environment_file(environment).read_text(encoding="utf-8")
    names = re.findall(r"^([A-Z_]+)=", text, re.MULTILINE)
    assert {name.removeprefix(PREFIX).lower() for name in names} <= Settings.model_fields.keys()
    assert load_environment(environment).environment == environment


def environment_file(environment: str) -> Path:
    return ROOT / f"deploy/environments/{environment}.env"


def load_environment(environment: str) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(PREFIX)]:
            patch.delenv(name)
        patch.setenv(f"{PREFIX}ENV_FILE", str(environment_file(environment)))
        return load_settings()


def test_git_tracks_no_secrets() -> None:
    listed = run("git", "ls-files", "deploy") if (ROOT / ".git").exists() else ""
    assert not [name for name in listed.splitlines() if name.endswith(".secrets.env")]
    for environment in ENVIRONMENTS:
        example = environment_file(environment).with_suffix(".secrets.env.example")
        values = re.findall(r"^[A-Z_]+=(.*)$", example.read_text(encoding="utf-8"), re.MULTILINE)
        assert values
        assert all("change-me" in value for value in values)


def test_nginx_accepts_its_file_with_and_without_certificates(checkout: Path) -> None:
    # given
    nginx = on_path("nginx", "apt-get install nginx-light")
    folder = checkout / "deploy/nginx"
    check = (nginx, "-t", "-q", "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    # then
    run(*check)
    # and
    shutil.copy(folder / "tls.conf.example", folder / "tls/tls.conf")
    make_certificate(folder / "tls")
    run(*check)


def test_pin_images_adds_and_updates_digests(tmp_path: Path) -> None:
    # given a copy of the files, and a fake docker that returns digests
    files = (
        "Dockerfile",
        "docker-compose.yml",
        "deploy/kubernetes/overlays/local/postgres.yaml",
        "deploy/pin-images",
    )
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    for digit in "ab":
        docker.write_text(f"#!/bin/sh\necho sha256:{digit * 64}\n", encoding="utf-8")
        docker.chmod(0o755)
        # when
        printed = run("sh", str(tmp_path / "deploy/pin-images"), PATH=f"{docker.parent}:{os.environ['PATH']}")
        # then
        assert len(printed.splitlines()) == 7
        text = "".join((tmp_path / file).read_text(encoding="utf-8") for file in files[:3])
        pinned = re.findall(r"(\w+):[\w.-]+@sha256:(\w+)", text)
        assert {digest for _, digest in pinned} == {digit * 64}
        images = [image for image, _ in pinned]
        assert images == [
            *("node", "python", "python"),
            *("postgres", "nginx", "prometheus", "alertmanager", "grafana"),
            "postgres",
        ]


def test_the_workflow_and_dependabot_name_existing_files() -> None:
    # given
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text(encoding="utf-8"))["updates"]
    # then
    commands = [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]
    files = [word for command in commands for word in command.split() if word.startswith(".ci/")]
    assert files == [".ci/run", ".ci/compose"]
    assert any("-m tests.support.schema_changes " in command for command in commands)
    assert all((ROOT / file).exists() for file in files)
    assert os.access(ROOT / ".ci/compose", os.X_OK)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("coverage", "setup"):
        assert f"make {target}" in commands
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    folders = [
        folder for update in updates for folder in update.get("directories", [update.get("directory")])
    ]
    assert all((ROOT / folder.lstrip("/")).is_dir() for folder in folders)
    ecosystems = {update["package-ecosystem"] for update in updates}
    assert ecosystems == {"pip", "npm", "docker", "docker-compose", "github-actions"}
