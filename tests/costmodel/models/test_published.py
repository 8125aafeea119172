"""Every published config.json is read; its parameters are those that the publisher states."""

from __future__ import annotations

from pathlib import Path

import pytest

from dovetail.costmodel.models import LLM, find_model, read_hf_config

EXACT = [
    # Totals of the safetensors files, as their repositories show them, without layers that predict further tokens.
    ("meta-llama--Meta-Llama-3.1-8B", 8_030_261_248),
    ("meta-llama--Meta-Llama-3.1-70B", 70_553_706_496),
    ("meta-llama--Meta-Llama-3.1-405B", 405_853_388_800),
    ("Qwen--Qwen3-32B", 32_762_123_264),
    ("Qwen--Qwen3-235B-A22B", 235_093_634_560),
    ("Qwen--Qwen3-Coder-480B-A35B-Instruct", 480_154_875_392),
    ("Qwen--Qwen3-VL-2B-Instruct", 2_127_532_032),
    ("Qwen--Qwen3-VL-8B-Instruct", 8_767_123_696),
    ("mistralai--Mixtral-8x7B-v0.1", 46_702_792_704),
    ("mistralai--Mixtral-8x22B-v0.1", 140_620_634_112),
    ("nvidia--Llama-3_3-Nemotron-Super-49B-v1", 49_867_145_216),
    ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 31_577_940_288),
    ("openai--gpt-oss-120b", 116_829_156_672),
    ("openai--gpt-oss-20b", 20_914_757_184),
    # arXiv 2412.19437, section 4.2 says 671B.
    ("deepseek-ai--DeepSeek-V3", 671_026_419_200),
]
STATED = [
    # Billions as the model's card or report states them, and to how much: total, active for a token.
    ("deepseek-ai--DeepSeek-V3.2", 671, 37, 0.04),  # without the indexers
    ("deepseek-ai--DeepSeek-V4-Flash", 284, 13, 0.07),
    ("deepseek-ai--DeepSeek-V4-Pro", 1600, 49, 0.02),
    ("moonshotai--Kimi-K2-Instruct", 1030, 32.9, 0.01),
    ("moonshotai--Kimi-K2.5", 1030, 32.9, 0.01),
    ("Qwen--Qwen3-235B-A22B", 235, 22.2, 0.01),
    ("Qwen--Qwen3-30B-A3B", 30.5, 3.3, 0.02),
    ("Qwen--Qwen3.5-35B-A3B", 35, 3, 0.16),  # names, rounded down
    ("Qwen--Qwen3.5-122B-A10B", 122, 10, 0.03),
    ("Qwen--Qwen3.5-397B-A17B", 397, 17, 0.03),
    ("XiaomiMiMo--MiMo-V2-Flash", 309, 15, 0.04),
    ("MiniMaxAI--MiniMax-M2.5", 229, 10, 0.11),  # the card's active ones are without tables: 9.8
    ("meta-llama--Llama-4-Maverick-17B-128E-Instruct", 400, 17.2, 0.01),
    ("meta-llama--Llama-4-Scout-17B-16E-Instruct", 108.6, 17.2, 0.01),
    ("google--gemma-4-26B-A4B", 25.8, 3.8, 0.01),
    ("nvidia--NVIDIA-Nemotron-3-Super-120B-A12B-FP8", 120.6, 12.7, 0.01),
    ("nvidia--NVIDIA-Nemotron-3-Ultra-550B-A55B-BF16", 550, 55, 0.02),
    ("stepfun-ai--Step-3.7-Flash", 196, 11, 0.02),
    ("zai-org--GLM-5", 744, 40, 0.05),
    ("zai-org--GLM-5.2", 744, 40, 0.04),
]


def names(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / "models").glob("*.json"))


def read(folder: Path, name: str) -> LLM:
    return read_hf_config(folder / "models" / f"{name}.json")


def test_every_config_is_read_and_found_in_the_catalogue(data_folder: Path) -> None:
    assert len(names(data_folder)) >= 63
    for name in names(data_folder):
        known, model = find_model(name.replace("--", "/")), read(data_folder, name)
        assert isinstance(known, LLM), name
        vision = (known.vision.parameters if known.vision else 0) - (model.vision.parameters if model.vision else 0)
        assert known.parameters - vision == model.parameters, name
        assert known.kv_bytes_per_token() == model.kv_bytes_per_token(), name
        assert known.state_bytes == model.state_bytes, name


@pytest.mark.parametrize(("name", "count"), EXACT, ids=[name for name, _ in EXACT])
def test_exact_totals(name: str, count: int, data_folder: Path) -> None:
    found = read(data_folder, name).parameters
    assert found == count


@pytest.mark.parametrize(("name", "total", "active", "share"), STATED, ids=[row[0] for row in STATED])
def test_totals_and_active_parameters_as_stated(
    name: str, total: float, active: float, share: float, data_folder: Path
) -> None:
    model = read(data_folder, name)
    assert model.parameters / 1e9 == pytest.approx(total, rel=0.018)
    assert model.active_parameters / 1e9 == pytest.approx(active, rel=share)


def test_active_parameters_of_gpt_oss_are_stated_without_the_embedding(data_folder: Path) -> None:
    # arXiv 2508.10925, table 1: 5.13B and 3.61B, the head counted, the embedding not
    for name, billions in (("openai--gpt-oss-120b", 5.13), ("openai--gpt-oss-20b", 3.61)):
        model = read(data_folder, name)
        assert (model.active_parameters - model.embedding_parameters) / 1e9 == pytest.approx(billions, abs=0.005)


WEIGHTS = [
    # GB of the files in the repository, or as the card states them.
    ("openai--gpt-oss-120b", 60.8 * 1.073741824, 0.005),  # arXiv 2508.10925, table 1: GiB
    ("openai--gpt-oss-20b", 12.8 * 1.073741824, 0.005),
    ("moonshotai--Kimi-K2.5", 595, 0.005),
    ("Qwen--Qwen3-235B-A22B-FP8", 236, 0.01),
    ("deepseek-ai--DeepSeek-V3", 671 + 3, 0.01),
]


@pytest.mark.parametrize(("name", "gigabytes", "share"), WEIGHTS, ids=[row[0] for row in WEIGHTS])
def test_weights_of_quantised_checkpoints(name: str, gigabytes: float, share: float, data_folder: Path) -> None:
    assert read(data_folder, name).weight_bytes() / 1e9 == pytest.approx(gigabytes, rel=share)


CACHES = [
    # 2 kv_heads head_dim x 2 bytes x layers, or (kv_latent + rope) x 2 bytes x layers, by hand
    ("meta-llama--Meta-Llama-3.1-8B", 2 * 8 * 128 * 2 * 32),
    ("deepseek-ai--DeepSeek-V3", (512 + 64) * 2 * 61),
    ("deepseek-ai--DeepSeek-V3.2", (512 + 64) * 2 * 61 + (128 + 4) * 61),
    ("zai-org--GLM-5.2", (512 + 64) * 2 * 78 + (128 + 4) * 21),
    ("Qwen--Qwen3.5-27B", 2 * 4 * 256 * 2 * 16),
    ("nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 2 * 2 * 128 * 2 * 6),
    ("moonshotai--Kimi-K3", (512 + 64) * 2 * 24),
    ("MiniMaxAI--MiniMax-M3", 2 * 4 * 128 * 2 * 60 + 128 * 2 * 57),
    ("XiaomiMiMo--MiMo-V2-Flash", (192 + 128) * 2 * (4 * 9 + 8 * 39)),
    ("google--gemma-4-26B-A4B", 2 * 2 * (8 * 256 * 25 + 2 * 512 * 5)),
]


@pytest.mark.parametrize(("name", "size"), CACHES, ids=[name for name, _ in CACHES])
def test_kv_bytes_of_a_token_by_hand(name: str, size: int, data_folder: Path) -> None:
    assert read(data_folder, name).kv_bytes_per_token() == size


def test_states_by_hand(data_folder: Path) -> None:
    # Nemotron-3-Nano: 23 layers, 64 heads x 64 x 128 in fp32, and 3 inputs of 64 x 64 + 2 x 8 x 128 channels
    nano = read(data_folder, "nvidia--NVIDIA-Nemotron-3-Nano-30B-A3B-BF16")
    assert nano.state_bytes == 23 * (64 * 64 * 128 * 4 + 3 * (4096 + 2048) * 2)
    # Qwen3.5-27B: 48 layers, 48 heads x 128 x 128 in fp32, and 3 inputs of 2 x 16 x 128 + 48 x 128 channels
    qwen = read(data_folder, "Qwen--Qwen3.5-27B")
    assert qwen.state_bytes == 48 * (48 * 128 * 128 * 4 + 3 * (4096 + 6144) * 2)
    # Kimi K3: 69 layers, 96 heads x 128 x 128 in fp32, and 3 inputs of three times 96 x 128 channels
    kimi = read(data_folder, "moonshotai--Kimi-K3")
    assert kimi.state_bytes == 69 * (96 * 128 * 128 * 4 + 3 * 3 * 96 * 128 * 2)


def test_windows_bound_the_cache(data_folder: Path) -> None:
    # gpt-oss-120b: 18 layers keep 128 tokens, 18 all; Scout: 36 keep a chunk of 8192, 12 all
    of_layer = 2 * 8 * 64 * 2
    assert read(data_folder, "openai--gpt-oss-120b").kv_bytes(10_000) == of_layer * 18 * (128 + 10_000)
    scout = read(data_folder, "meta-llama--Llama-4-Scout-17B-16E-Instruct")
    assert scout.kv_bytes(100_000) == 2 * 8 * 128 * 2 * (36 * 8192 + 12 * 100_000)


def test_what_a_config_does_not_say_is_marked(data_folder: Path) -> None:
    marked = [name for name in names(data_folder) if read(data_folder, name).mark == "guess"]
    assert marked == ["stepfun-ai--Step-3.7-Flash", "stepfun-ai--Step-3.7-Flash-FP8"]
