"""
Programs that run here as their network was placed: each piece by the executor of its device's kind.

A piece on a GPU runs in Triton's interpreter, one on an NPU on the machine of its scratchpad, any other in JAX; what no
executor of its kind takes is left to JAX, and the program's notes say why.
"""
