"""Manifests of hand-written plans: valid for Kubernetes, and what the plan says."""

from __future__ import annotations

import copy
import gzip
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dovetail.backends import OutputFile
from dovetail.backends.manifests.check import check_manifests
from dovetail.backends.manifests.dump import dump
from dovetail.backends.manifests.emit import emit_manifests
from dovetail.backends.manifests.kv_transfer import kv_transfer_warnings
from dovetail.backends.manifests.names import dns_name
from dovetail.backends.manifests.vllm import memory_arguments, offload_arguments, offload_note
from dovetail.ir.diagnostics import InputError
from dovetail.planner.check.schema import shape_faults

Json = dict[str, Any]


def documents(files: list[OutputFile]) -> list[Json]:
    """Every object, kustomization apart."""
    found = [doc for file in files for doc in yaml.safe_load_all(file.content)]
    return [doc for doc in found if doc["kind"] != "Kustomization"]


def objects(plan: Json, kind: str) -> dict[str, Json]:
    """Objects of `kind` by name."""
    return {doc["metadata"]["name"]: doc for doc in documents(emit_manifests(plan)) if doc["kind"] == kind}


def containers(deployment: Json) -> dict[str, Json]:
    """Containers by name."""
    return {c["name"]: c for c in deployment["spec"]["template"]["spec"]["containers"]}


def value_after(arguments: list[str], flag: str) -> str:
    """What follows `flag`."""
    return arguments[arguments.index(flag) + 1]


def test_the_plans_of_these_tests_have_the_shape_of_plan_json(any_plan: Json) -> None:
    assert list(shape_faults(any_plan)) == []


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_every_object_is_valid_for_kubernetes(version: str, any_plan: Json) -> None:
    """Strictly: fields that the API does not know are refused. Claims are v1 from 1.34 on."""
    for document in documents(emit_manifests(any_plan)):
        kubernetes_validate.validate(document, version, strict=True)


def test_every_object_passes_our_own_check(any_plan: Json) -> None:
    assert check_manifests(any_plan, documents(emit_manifests(any_plan))) == []


@pytest.mark.parametrize("version", ["1.34", "1.37"])
def test_replicas_are_spread_over_the_zones_of_the_plan(version: str, split_plan: Json) -> None:
    for pool in split_plan["pools"]:
        if pool["replicas"]:
            pool["zones"] = {"eu-a": pool["replicas"] - pool["replicas"] // 2, "eu-b": pool["replicas"] // 2}
    made = documents(emit_manifests(split_plan))
    for document in made:
        kubernetes_validate.validate(document, version, strict=True)
    pod = objects(split_plan, "Deployment")["voice-agent-p2"]["spec"]["template"]
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert (spread["maxSkew"], spread["topologyKey"]) == (1, "topology.kubernetes.io/zone")
    assert spread["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert "eu-b" in str(pod["spec"]["affinity"]["nodeAffinity"])
    del pod["spec"]["topologySpreadConstraints"]
    broken = [
        {**d, "spec": {**d["spec"], "template": pod}} if d["metadata"]["name"] == "voice-agent-p2" else d for d in made
    ]
    faults = check_manifests(split_plan, broken)
    assert any("p2 is not spread evenly over the zones eu-a, eu-b" in fault for fault in faults)


def test_a_pool_that_goes_down_is_scaled_by_keda(split_plan: Json) -> None:
    scale = {"min_replicas": 0, "keep_alive_s": 300.0, "start_s": 40.0, "cold": 0.1, "billed": 0.4}
    next(pool for pool in split_plan["pools"] if pool["id"] == "p2")["scale"] = scale
    assert list(shape_faults(split_plan)) == []
    ((name, made),) = objects(split_plan, "ScaledObject").items()
    assert made["spec"]["scaleTargetRef"] == {"name": name}
    assert name in objects(split_plan, "Deployment")
    counts = [made["spec"][key] for key in ("idleReplicaCount", "minReplicaCount", "maxReplicaCount", "cooldownPeriod")]
    assert counts == [0, 2, 2, 300]
    every = documents(emit_manifests(split_plan))
    assert check_manifests(split_plan, every) == []
    faults = check_manifests(split_plan, [d for d in every if d["kind"] != "ScaledObject"])
    assert any("it has 0 ScaledObjects" in fault for fault in faults)


def test_equal_plans_give_equal_bytes(any_plan: Json) -> None:
    assert emit_manifests(copy.deepcopy(any_plan)) == emit_manifests(any_plan)


def test_kustomization_lists_the_other_files_and_their_images(mixed_plan: Json) -> None:
    files = {file.path.removeprefix("manifests/"): file.content for file in emit_manifests(mixed_plan)}
    listed = yaml.safe_load(files.pop("kustomization.yaml"))
    assert listed["resources"] == sorted(files)
    images = {image["name"] for image in listed["images"]}
    assert {"vllm/vllm-openai", "vllm/vllm-openai-rocm", "vllm/vllm-router"} <= images


def test_prefill_and_decode_servers_hand_over_the_kv_cache(split_plan: Json) -> None:
    deployments = objects(split_plan, "Deployment")
    assert deployments["voice-agent-p2"]["spec"]["replicas"] == 2
    prefill = containers(deployments["voice-agent-p2"])["think-prefill"]
    decode = containers(deployments["voice-agent-p3"])["think-decode"]
    for container, tp in ((prefill, "2"), (decode, "4")):
        arguments = container["args"]
        config = json.loads(value_after(arguments, "--kv-transfer-config"))
        assert config == {"kv_connector": "NixlConnector", "kv_role": "kv_both"}
        assert container["command"] == ["vllm"]
        assert arguments[:2] == ["serve", "meta-llama/Llama-3.1-70B-Instruct"]
        assert value_after(arguments, "--served-model-name") == "llama-3.1-70b"
        assert value_after(arguments, "--tensor-parallel-size") == tp
        assert value_after(arguments, "--max-num-seqs") == "8"
        assert "--enable-prefix-caching" in arguments
        assert container["resources"]["limits"] == {"nvidia.com/gpu": tp}
        environment = {variable["name"]: variable for variable in container["env"]}
        host = environment["VLLM_NIXL_SIDE_CHANNEL_HOST"]["valueFrom"]
        assert host == {"fieldRef": {"fieldPath": "status.podIP"}}
        assert environment["VLLM_NIXL_SIDE_CHANNEL_PORT"]["value"] == "5600"


def test_longest_sequence_holds_the_last_visit(split_plan: Json) -> None:
    """1000 prompt + 500 output + 3 more visits x 400 growth = 2700 tokens, in steps of 256."""
    prefill = containers(objects(split_plan, "Deployment")["voice-agent-p2"])["think-prefill"]
    assert value_after(prefill["args"], "--max-model-len") == "2816"


def test_router_stands_before_prefill_and_decode(split_plan: Json) -> None:
    arguments = containers(objects(split_plan, "Deployment")["voice-agent-think-router"])["router"]["args"]
    services = objects(split_plan, "Service")
    for flag, name in (("--prefill", "voice-agent-think-prefill"), ("--decode", "voice-agent-think-decode")):
        assert value_after(arguments, flag) == f"http://{name}:8000"
        assert services[name]["spec"]["ports"][0]["port"] == 8000
    graph = objects(split_plan, "ConfigMap")["voice-agent-graph"]["data"]
    endpoints = yaml.safe_load(graph["endpoints.yaml"])["nodes"]
    assert endpoints["think"]["url"] == "http://voice-agent-think:8000"
    assert endpoints["search"] == {"run": ["http://voice-agent-search:8080"]}


def test_mixed_vendors_permute_the_cache_and_say_so(mixed_plan: Json, split_plan: Json) -> None:
    deployments = objects(mixed_plan, "Deployment")
    for name in ("voice-agent-p2", "voice-agent-p3"):
        (container,) = containers(deployments[name]).values()
        config = json.loads(value_after(container["args"], "--kv-transfer-config"))
        assert config["enable_permute_local_kv"] == "True"
        assert "vendors" in deployments[name]["metadata"]["annotations"]["dovetail.dev/experimental"]
    assert containers(deployments["voice-agent-p3"])["think-decode"]["resources"]["limits"] == {"amd.com/gpu": "1"}
    (warning,) = kv_transfer_warnings(mixed_plan)
    assert warning.startswith("`think`: the KV cache crosses vendors (AMD, NVIDIA) and crosses degrees")
    (warning,) = kv_transfer_warnings(split_plan)
    assert warning.startswith("`think`: the KV cache crosses degrees of tensor parallelism (2, 4)")


def test_nodes_whose_caches_cross_alike_share_a_warning(mixed_plan: Json) -> None:
    """A graph of a thousand nodes has not a hundred warnings that say the same."""
    again = [
        {**each, "piece": each["piece"].replace("think", f"think{k}")}
        for k in range(6)
        for each in mixed_plan["placements"]
        if each["piece"].startswith("think")
    ]
    mixed_plan["placements"] += again
    nodes = mixed_plan["inputs"]["graph"]["nodes"]
    nodes |= {f"think{k}": nodes["think"] for k in range(6)}
    (warning,) = kv_transfer_warnings(mixed_plan)
    assert warning.startswith("`think`, `think0`, `think1`, `think2` and 3 more: the KV cache crosses vendors")


def test_no_warning_where_no_cache_crosses(aggregated_plan: Json, api_plan: Json) -> None:
    assert kv_transfer_warnings(aggregated_plan) == []
    assert kv_transfer_warnings(api_plan) == []


def test_servers_on_the_same_devices_share_a_claim(aggregated_plan: Json) -> None:
    pod = objects(aggregated_plan, "Deployment")["voice-agent-p1"]["spec"]["template"]["spec"]
    template = objects(aggregated_plan, "ResourceClaimTemplate")["voice-agent-p1"]
    (request,) = template["spec"]["spec"]["devices"]["requests"]
    assert request["exactly"] == {
        "deviceClassName": "gpu.nvidia.com",
        "allocationMode": "ExactCount",
        "count": 2,
    }
    (claim,) = pod["resourceClaims"]
    assert claim["resourceClaimTemplateName"] == "voice-agent-p1"
    assert len(pod["containers"]) == 2
    assert all(c["resources"]["claims"] == [{"name": claim["name"]}] for c in pod["containers"])
    assert not any("--kv-transfer-config" in c.get("args", ()) for c in pod["containers"])


def test_a_server_is_told_the_share_of_memory_that_the_plan_needs(split_plan: Json, aggregated_plan: Json) -> None:
    """An H100 has 81,559 MiB here: 71 GB need 84 %, 79 GB 93 %; two servers have half of the 90 % each."""

    def told(plan: Json, pool: str, name: str) -> str:
        container = containers(objects(plan, "Deployment")[f"voice-agent-{pool}"])[name]
        return value_after(container["args"], "--gpu-memory-utilization")

    assert told(split_plan, "p3", "think-decode") == "0.90"
    split_plan["pools"][2]["memory_bytes_per_device"] = 79e9
    assert told(split_plan, "p3", "think-decode") == "0.94"
    assert told(split_plan, "p2", "think-prefill") == "0.90"
    assert told(aggregated_plan, "p1", "think") == "0.45"
    assert memory_arguments(None, 1) == []


def test_hosted_api_runs_nowhere_and_its_key_is_named_not_held(api_plan: Json) -> None:
    found = objects(api_plan, "ConfigMap")["voice-agent-api-api"]
    assert found["data"]["models"] == "llama-3.1-70b"
    assert found["data"]["secretName"] == "voice-agent-api-api"
    assert list(objects(api_plan, "Deployment")) == ["voice-agent-p2"]
    assert objects(api_plan, "Secret") == {}


def test_tools_ask_for_mean_use_and_are_limited_at_the_peak(split_plan: Json) -> None:
    """20 calls over 2 replicas: 10 slots, 5 busy at utilisation 0.5; 0.5 CPU and 200 MiB (peak 1 GiB) for each."""
    deployment = objects(split_plan, "Deployment")["voice-agent-p4"]
    resources = containers(deployment)["search"]["resources"]
    assert resources["requests"] == {"cpu": "2500m", "memory": "1000Mi"}
    assert resources["limits"] == {"cpu": "5000m", "memory": "10240Mi"}


def test_hosts_are_whole_across_pools(split_plan: Json) -> None:
    """Two pools of hosts: no pod of one may stand on the host of the other."""
    for pool in split_plan["pools"]:
        if pool["id"] == "p1":
            pool["device"] = "host"
    deployments = objects(split_plan, "Deployment")
    for name in ("voice-agent-p1", "voice-agent-p4"):
        template = deployments[name]["spec"]["template"]
        rule = template["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]
        for other in ("voice-agent-p1", "voice-agent-p4"):
            labels = deployments[other]["spec"]["template"]["metadata"]["labels"]
            assert rule["labelSelector"]["matchLabels"].items() <= labels.items()
        assert rule["topologyKey"] == "kubernetes.io/hostname"


def test_nodes_of_the_same_model_share_a_server(split_plan: Json) -> None:
    split_plan["inputs"]["graph"]["nodes"]["say"] = {"kind": "model", "model": "whisper-large-v3"}
    split_plan["placements"][-1] |= {"pool": "p1", "device": "a100"}
    server = containers(objects(split_plan, "Deployment")["voice-agent-p1"])["hear-say"]
    assert server["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    environment = {variable["name"]: variable["value"] for variable in server["env"]}
    assert environment == {"DOVETAIL_NODES": "hear,say", "MODEL": "whisper-large-v3", "PORT": "8080"}
    graph = objects(split_plan, "ConfigMap")["voice-agent-graph"]["data"]
    endpoints = yaml.safe_load(graph["endpoints.yaml"])["nodes"]
    assert endpoints["hear"] == endpoints["say"] == {"run": ["http://voice-agent-hear-say:8080"]}


def test_plan_without_a_rate_says_that_replicas_are_not_planned(split_plan: Json) -> None:
    for pool in split_plan["pools"]:
        pool |= {"replicas": 1, "devices": pool["devices_per_replica"], "utilisation": None}
    split_plan["cost"] |= {"usd_per_hour": None, "usd_per_year": None}
    deployment = objects(split_plan, "Deployment")["voice-agent-p2"]
    assert deployment["spec"]["replicas"] == 1
    assert "no rate" in deployment["metadata"]["annotations"]["dovetail.dev/replicas"]


def test_plan_that_places_nothing_has_no_manifests(split_plan: Json) -> None:
    assert emit_manifests({"status": "infeasible", "inputs": split_plan["inputs"], "conflict": ["slo.tbt"]}) == []


def test_a_replica_over_several_hosts_is_a_group_of_pods(split_plan: Json, schemas_folder: Path) -> None:
    """Equal shares of its devices on each host, no stage over two of them; the leader alone is reached."""
    pool = split_plan["pools"][2]
    pool |= {"devices_per_replica": 12, "devices": 12 * pool["replicas"]}
    pool["parallel"] = {"tp": 4, "pp": 3, "ep": 1, "dp": 1}
    made = documents(emit_manifests(split_plan))
    (found,) = [doc for doc in made if doc["kind"] == "LeaderWorkerSet"]
    group = found["spec"]["leaderWorkerTemplate"]
    with gzip.open(schemas_folder / "leaderworkerset_leaderworkerset.x-k8s.io_v1.json.gz", "rt") as file:
        jsonschema.validate(found, json.load(file))
    assert (found["spec"]["replicas"], group["size"]) == (pool["replicas"], 3)
    leader, worker = (group[f"{role}Template"]["spec"]["containers"][0] for role in ("leader", "worker"))
    for container in (leader, worker):
        assert list(container["resources"]["limits"].values()) == ["4"]
        assert value_after(container["args"], "--tensor-parallel-size") == "4"
        assert value_after(container["args"], "--pipeline-parallel-size") == "3"
        assert value_after(container["args"], "--node-rank") == "$(LWS_WORKER_INDEX)"
    assert "--headless" in worker["args"]
    assert "--headless" not in leader["args"]
    assert not {"ports", "readinessProbe"} & set(worker)
    have = group["workerTemplate"]["metadata"]["labels"]
    assert not any(doc["spec"]["selector"].items() <= have.items() for doc in made if doc["kind"] == "Service")


def test_several_models_on_a_device_without_claims_are_refused(aggregated_plan: Json) -> None:
    aggregated_plan["pools"][0]["device"] = "gaudi"
    with pytest.raises(InputError, match="several models on one `gaudi`"):
        emit_manifests(aggregated_plan)


def test_one_deployment_in_full(split_plan: Json, golden: Callable[[str, str], None]) -> None:
    golden("manifests/deployment.yaml", dump([objects(split_plan, "Deployment")["voice-agent-p3"]]))


TRAPS = ["no", "on", "y", "off", "null", "~", "12:30", "1e3", "0x1f", "2001-01-01", "1_000", ".5", "", "5 s", "=", "<<"]


@pytest.mark.parametrize("text", TRAPS)
def test_text_that_yaml_1_1_reads_as_something_else_stays_text(text: str) -> None:
    written = dump([{"key": text, "list": [text], text: 1}])
    assert yaml.safe_load(written) == {"key": text, "list": [text], text: 1}
    assert f'"{text}"' in written or f"'{text}'" in written


@given(st.text(max_size=80), st.text(max_size=80))
def test_dns_names_are_valid_and_keep_different_parts_apart(one: str, other: str) -> None:
    names = [dns_name("app", one), dns_name("app", other)]
    for name in names:
        assert len(name) <= 63
        assert name.encode().isascii()
        assert name[0].isalpha()
        assert name.replace("-", "a").isalnum()
        assert not name.endswith("-")
    assert (names[0] == names[1]) == (one == other)


NODE_NAMES = st.one_of(
    st.from_regex(r"[a-z][a-z0-9-]{0,39}", fullmatch=True),
    st.sampled_from(
        ["no", "on", "y", "a-", "a--b", "think-prefill", "think-decode", "think-router", "graph", "a" * 40]
    ),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NODE_NAMES, min_size=4, max_size=4, unique=True), together=st.booleans())
def test_odd_node_names_stay_valid_and_apart(mixed_plan: Json, names: list[str], together: bool) -> None:
    plan = renamed(mixed_plan, dict(zip(("hear", "think", "search", "say"), names, strict=True)))
    if together:
        # All but the language model's prefill and decode on one host pool.
        for placement in plan["placements"]:
            if placement["piece"].endswith(".run"):
                placement |= {"pool": "p4", "device": "host"}
    made = documents(emit_manifests(plan))
    assert check_manifests(plan, made) == []
    pods = [doc["spec"]["template"]["spec"]["containers"] for doc in made if doc["kind"] == "Deployment"]
    variables = [e for c in itertools.chain(*pods) for e in c.get("env", ())]
    asked = {name for e in variables if e["name"] == "DOVETAIL_NODES" for name in e["value"].split(",")}
    assert asked == set(names) - {names[1]}


def renamed(plan: Json, new: dict[str, str]) -> Json:
    """`plan` with its nodes called by other names."""
    plan = copy.deepcopy(plan)
    graph = plan["inputs"]["graph"]
    graph["nodes"] = {new[name]: node for name, node in graph["nodes"].items()}
    graph["edges"] = [
        {"from": new["hear"], "to": new["think"]},
        {"from": new["think"], "to": new["search"], "probability": 0.4, "max_visits": 3},
        {"from": new["search"], "to": new["think"]},
        {"from": new["think"], "to": new["say"]},
    ]
    for placement in plan["placements"]:
        node, _, part = placement["piece"].rpartition(".")
        placement["piece"] = f"{new[node]}.{part}"
    return plan


def test_weights_in_the_host_have_a_flag_of_vllm_and_nothing_else_beyond_memory_has() -> None:
    tier = {"name": "dram", "weights": 0.5, "cache": 0.0, "bytes_per_device": 8.1e9}
    assert offload_arguments(tier) == ["--cpu-offload-gb", "8"]
    assert offload_note(tier) is None
    for other in ({"cache": 0.25}, {"name": "cxl"}):
        assert offload_arguments(tier | other) == []
        assert "streams" in (offload_note(tier | other) or "")
    assert offload_arguments(None) == []
