"""Compiled loops for the CPU: C files beside the Python that builds and loads them."""
