"""Devices, processes, memory and the noise of libraries. Begin with `devices`."""
