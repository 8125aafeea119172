"""The gate of a mixture of experts: scores, the k best, their weights, in one pass."""

# Triton's own types of static_range and constexpr promise less than jitted functions may do with them:
# pyright: reportGeneralTypeIssues=false, reportArgumentType=false, reportCallIssue=false, reportOperatorIssue=false

import triton
import triton.language as tl

from .tensors import Tensor, is_empty, require

LEAST = tl.constexpr(-(2**31))


@triton.jit
def ordered(x):
    """Integers in the order of the floats x; not-a-number comes before all, and both zeros are one."""
    bits = tl.where(x == 0.0, 0.0, x).to(tl.int32, bitcast=True)
    key = tl.where(bits < 0, bits ^ 0x7FFFFFFF, bits)
    return tl.where(x != x, LEAST + 1, key)  # noqa: PLR0124


@triton.jit
def route_kernel(
    logits, bias, weights, experts, tokens, logits_stride, scale,
    E: tl.constexpr, K: tl.constexpr, SIGMOID: tl.constexpr, NORMALISE: tl.constexpr,
    BLOCK_T: tl.constexpr, BLOCK_E: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """One program routes BLOCK_T tokens among E experts."""
    token = tl.program_id(0).to(tl.int64) * BLOCK_T + tl.arange(0, BLOCK_T)
    expert = tl.arange(0, BLOCK_E)
    inside = (token < tokens)[:, None] & (expert < E)[None, :]
    at = logits + token[:, None] * logits_stride + expert[None, :]
    scores = tl.load(at, mask=inside, other=float("-inf")).to(tl.float32)
    if SIGMOID:
        scores = tl.sigmoid(scores)
    else:
        powers = tl.where(expert[None, :] < E, tl.exp(scores - tl.max(scores, 1)[:, None]), 0.0)
        scores = powers / tl.sum(powers, 1)[:, None]
    liked = scores
    if bias is not None:
        liked += tl.load(bias + expert, mask=expert < E, other=0.0).to(tl.float32)[None, :]
    keys = tl.where(expert[None, :] < E, ordered(liked), LEAST)
    place = tl.arange(0, BLOCK_K)[None, :]
    picked = tl.zeros((BLOCK_T, BLOCK_K), tl.float32)
    chosen = tl.zeros((BLOCK_T, BLOCK_K), tl.int32)
    for i in tl.static_range(K):
        # Of equals, the first.
        best = tl.min(tl.where(keys == tl.max(keys, 1)[:, None], expert[None, :], BLOCK_E), 1)
        taken = expert[None, :] == best[:, None]
        score = tl.sum(tl.where(taken, scores, 0.0), 1)
        picked = tl.where(place == i, score[:, None], picked)
        chosen = tl.where(place == i, best[:, None], chosen)
        keys = tl.where(taken, LEAST, keys)
    if NORMALISE:
        picked = picked / tl.sum(picked, 1)[:, None]
    inside = (token < tokens)[:, None] & (place < K)
    at = token[:, None] * K + place
    tl.store(weights + at, (picked * scale).to(weights.dtype.element_ty), mask=inside)
    tl.store(experts + at, chosen.to(experts.dtype.element_ty), mask=inside)


def route(
    logits: Tensor,
    weights: Tensor,
    experts: Tensor,
    bias: Tensor | None = None,
    *,
    sigmoid: bool = False,
    normalise: bool = True,
    scale: float = 1.0,
    block_t: int,
    num_warps: int,
) -> None:
    """
    The k experts of each token, best first, and their weights; of equals the first is picked.

        reference: `nn.route` without groups of experts, in float64 (ir/meaning/experts.py)

    logits are (tokens, experts); scores are their softmax or `sigmoid`. Experts are picked by score plus `bias`
    (experts); the weights (tokens, k) are the scores of those picked, over their sum if `normalise`, times `scale`.
    `experts` (tokens, k) is of integers. A score that is not a number is picked last.
    """
    tokens, count = logits.size()
    k = weights.size()[1]
    fits = tuple(weights.size()) == tuple(experts.size()) == (tokens, k) and k <= count
    require(fits, f"weights {weights.size()} and experts {experts.size()} do not fit logits {logits.size()}")
    require(bias is None or tuple(bias.size()) == (count,), f"the bias is not one for each of {count} experts")
    require(logits.stride()[1] == 1, "the logits of a token must be neighbours")
    if is_empty(weights):
        return
    route_kernel[(triton.cdiv(tokens, block_t),)](
        logits, bias, weights, experts, tokens, logits.stride()[0], scale,
        E=count, K=k, SIGMOID=sigmoid, NORMALISE=normalise, BLOCK_T=block_t,
        BLOCK_E=triton.next_power_of_2(count), BLOCK_K=triton.next_power_of_2(k), num_warps=num_warps,
    )  # fmt: skip
