"""What one program may take."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class ProgramLimits:
    """Of one run of one program; `processes` counts threads too, `memory` is for all its processes together."""

    seconds: float = 10.0
    """Wall clock, and processor time of each process."""
    memory: int = 512 * MIB
    """Bytes: the address space of each process, and the resident memory of all of them."""
    disk: int = 32 * MIB
    """Bytes in its work folder, which is in memory."""
    processes: int = 16
    """Processes and threads at once, the program itself among them."""
    output: int = 16 * MIB
    """Bytes that it may write to each of standard output and standard error."""
    files: int = 64
    """Open files of each process."""
