"""Operators of one network placed over unlike devices: CPU, GPU and NPU; the least makespan, or the least period."""
