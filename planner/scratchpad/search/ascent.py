"""Potentials of prices, their gradient, and a step along it; compiled. Equations are those of `prices.py`.

`p` are prices by live tensor of each downset: clean, dirty. `here` is by tensor its place among these at the downset an
edge leaves, -1 where it is not live. Of each edge, tensors in `items` gain if they stay, `gains` per byte.
"""

from __future__ import annotations

import numpy as np

from ..compiled import compiled
from .ahead import NEVER

MET = 1e-5
"""downsets met more rarely do not count in the gradient"""
KEEP_MEAN, KEEP_SQUARE, RARE = 0.8, 0.95, 1e-4
"""of the gradient, by Adam's rule; prices met more rarely than RARE move less"""
AGES = 1024


@compiled
def _sort(gains, items, k):
    for x in range(1, k):
        gain, item, y = gains[x], items[x], x - 1
        while y >= 0 and gains[y] > gain:
            gains[y + 1], items[y + 1] = gains[y], items[y]
            y -= 1
        gains[y + 1], items[y + 1] = gain, item


@compiled
def _pay(t, g, touches, p, e, here, gains, items):
    """r of an edge (35)."""
    v, after, free = g.op[e], g.to[e], t.capacity - t.need[g.op[e]]
    total, k, fill = 0.0, 0, 0
    for i in range(g.live_start[after], g.live_start[after + 1]):
        a = g.live[i]
        j = here[a]
        if j < 0:
            total += p[i, 1]
            continue
        best = min(p[i, 0] - p[j, 0], p[i, 1] - p[j, 1])
        if touches[v, a]:
            total += best + p[j, 1]
        elif best < 0:
            gains[k], items[k] = best / t.size[a], i
            fill += t.size[a]
            k += 1
    for q in range(t.touch_start[v], t.touch_start[v + 1]):
        if here[t.touch[q]] >= 0:
            total -= p[here[t.touch[q]], 1]
    if fill > free:
        _sort(gains, items, k)
    for x in range(k):
        part = min(free, t.size[g.live[items[x]]])
        if part <= 0:
            break
        free -= part
        total += gains[x] * part
    return total


@compiled
def _weigh(t, g, touches, p, e, here, gains, items, weight, slope):
    """Add the gradient of r of an edge, times `weight`, to `slope`, by price."""
    v, after, free = g.op[e], g.to[e], t.capacity - t.need[g.op[e]]
    k, fill = 0, 0
    for i in range(g.live_start[after], g.live_start[after + 1]):
        a = g.live[i]
        j = here[a]
        if j < 0:
            slope[i, 1] += weight
            continue
        if touches[v, a]:
            _add(p, i, j, weight, slope)
            slope[j, 1] += weight
            continue
        best = min(p[i, 0] - p[j, 0], p[i, 1] - p[j, 1])
        if best < 0:
            gains[k], items[k] = best / t.size[a], i
            fill += t.size[a]
            k += 1
    for q in range(t.touch_start[v], t.touch_start[v + 1]):
        if here[t.touch[q]] >= 0:
            slope[here[t.touch[q]], 1] -= weight
    if fill > free:
        _sort(gains, items, k)
    for x in range(k):
        i = items[x]
        size = t.size[g.live[i]]
        part = min(free, size)
        if part <= 0:
            break
        free -= part
        _add(p, i, here[g.live[i]], weight * part / size, slope)


@compiled
def _add(p, i, j, weight, slope):
    kind = 1 if p[i, 1] - p[j, 1] < p[i, 0] - p[j, 0] else 0
    slope[i, kind] += weight
    slope[j, kind] -= weight


@compiled
def potentials(t, g, touches, p, heat, pi, r):
    """Fill `r` by edge and `pi` by downset (34); its minimum is soft where there is heat."""
    m = len(t.size)
    here, gains, items = np.full(m, -1, np.int64), np.zeros(m), np.zeros(m, np.int64)
    last = len(pi) - 1
    pi[last] = 0.0
    for d in range(last - 1, -1, -1):
        pi[d] = NEVER
        if g.edge_start[d] == g.edge_start[d + 1]:
            continue
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = i
        for e in range(g.edge_start[d], g.edge_start[d + 1]):
            r[e] = NEVER
            if pi[g.to[e]] < NEVER:
                r[e] = _pay(t, g, touches, p, e, here, gains, items)
                pi[d] = min(pi[d], r[e] + pi[g.to[e]])
        if heat > 0 and pi[d] < NEVER:
            total = 0.0
            for e in range(g.edge_start[d], g.edge_start[d + 1]):
                total += np.exp((pi[d] - r[e] - pi[g.to[e]]) / heat)
            pi[d] -= heat * np.log(total)
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = -1


@compiled
def slopes(t, g, touches, p, heat, pi, r, slope, met):
    """Add the gradient of the soft pi(nothing) to `slope`, by price: edges weigh as often as they are met."""
    m = len(t.size)
    here, gains, items = np.full(m, -1, np.int64), np.zeros(m), np.zeros(m, np.int64)
    met[:] = 0.0
    met[0] = 1.0
    for d in range(len(pi) - 1):
        if met[d] < MET:
            continue
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = i
        for e in range(g.edge_start[d], g.edge_start[d + 1]):
            weight = met[d] * np.exp((pi[d] - r[e] - pi[g.to[e]]) / heat)
            if weight > MET / 10:
                met[g.to[e]] += weight
                _weigh(t, g, touches, p, e, here, gains, items, weight, slope)
        for i in range(g.live_start[d], g.live_start[d + 1]):
            here[g.live[i]] = -1


@compiled
def step(t, g, met, slope, scale, moments, age, p, rate):
    """Move all prices of the downsets that were met by Adam's rule, and clear their `slope`; `moments` by price: mean
    and square for the reload's share, then for the write's."""
    bias = np.ones((AGES, 2))
    for i in range(1, AGES):
        bias[i] = 1 - KEEP_MEAN**i, 1 - KEEP_SQUARE**i
    for d in range(len(met)):
        if met[d] == 0.0:
            continue
        age[d] = min(age[d] + 1, AGES - 1)
        mean_bias, square_bias = bias[age[d]]
        for i in range(g.live_start[d], g.live_start[d + 1]):
            reload, write = float(t.reload[g.live[i]]), float(t.write[g.live[i]])
            own = p[i, 1] - p[i, 0]
            for k in range(2):
                full = reload if k == 0 else write
                x = full / scale * (slope[i, 0] + slope[i, 1] if k == 0 else slope[i, 1])
                moments[i, 2 * k] += (1 - KEEP_MEAN) * (x - moments[i, 2 * k])
                moments[i, 2 * k + 1] += (1 - KEEP_SQUARE) * (x * x - moments[i, 2 * k + 1])
                size = np.sqrt(moments[i, 2 * k + 1] / square_bias) + RARE
                move = full * rate * moments[i, 2 * k] / mean_bias / size
                if k == 0:
                    p[i, 0] = min(reload, max(0.0, p[i, 0] + move))
                else:
                    own = min(write, max(0.0, own + move))
            p[i, 1] = p[i, 0] + own
            slope[i] = 0.0
