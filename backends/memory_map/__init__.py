"""A scratchpad plan to look at: a memory map over time, a trace of compute and DMA, a table of what left and why."""
