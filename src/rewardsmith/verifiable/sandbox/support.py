"""Whether this machine can hold programs: found out by a program that tries to break every limit, once a process."""

import functools
import json
import os
import platform
import sys
from pathlib import Path

from rewardsmith.errors import SandboxError
from rewardsmith.verifiable.sandbox import confined
from rewardsmith.verifiable.sandbox.limits import MIB, ProgramLimits
from rewardsmith.verifiable.sandbox.seccomp import ARCHITECTURES

TRIAL_LIMITS = ProgramLimits(seconds=20.0, memory=256 * MIB, disk=2 * MIB, processes=4)
SETTINGS = {
    "kernel/unprivileged_userns_clone": "0",
    "kernel/apparmor_restrict_unprivileged_userns": "1",
    "user/max_user_namespaces": "0",
}
"""Settings of kernels that keep users from making namespaces, with the value that does."""


def need_sandbox() -> None:
    """SandboxError where this machine cannot hold programs; says what is missing and what to do."""
    reason = missing()
    if reason is not None:
        raise SandboxError(f"the check code runs programs in a sandbox, which is not available here: {reason}")


@functools.cache
def missing() -> str | None:
    """What keeps this machine from holding programs; None where it can, by trial."""
    if sys.platform != "linux":
        return f"it needs Linux, and this is {platform.system()}; run it in a Linux virtual machine"
    if os.uname().machine not in ARCHITECTURES:
        return f"system calls are filtered on {' and '.join(ARCHITECTURES)} only, and this is {os.uname().machine}"
    try:
        ended = confined.run(trial())
    except SandboxError as error:
        return f"{str(error).split(': ', 1)[-1]}; {advice()}"
    if ended.how != confined.EXITED or ended.code != 0:
        said = ended.errors.decode(errors="replace").strip().splitlines() or ["nothing"]
        return f"a program could not run in it ({ended.how}): {said[-1][:200]}"
    broken = json.loads(ended.output)
    return f"these limits have no effect: {', '.join(broken)}; Linux 5.14 or newer is needed" if broken else None


def trial() -> confined.HeldProgram:
    """The program that tries to break the limits; each attempt is small where it succeeds."""
    text = Path(__file__).with_name("trial.py").read_text(encoding="utf-8")
    start = f"main({TRIAL_LIMITS.memory}, {TRIAL_LIMITS.processes}, {TRIAL_LIMITS.disk})\n"
    return confined.HeldProgram({"main.py": text + start}, TRIAL_LIMITS)


def advice() -> str:
    """What to do where namespaces are refused."""
    for name, value in SETTINGS.items():
        place = Path("/proc/sys") / name
        if os.geteuid() != 0 and place.is_file() and place.read_text(encoding="ascii").strip() == value:
            return f"set {name.replace('/', '.')} to another value than {value} (sysctl), or run it as root"
    if os.geteuid() == 0:
        return "in a container, allow namespaces (CAP_SYS_ADMIN, and a seccomp profile that permits them), or run it outside"
    return "allow users to make namespaces, or run it as root; Linux 5.14 or newer is needed"
