"""Programs that try to get out of a sandbox, or to take more than they may; each bounds what it would do where it succeeds.

A program prints ESCAPED and what it reached. CANARY, PORT, ABSTRACT and SECRET are set by whoever runs it: a file outside, a
listener on loopback, one in the abstract namespace of Unix sockets, and the value of an environment variable outside.
"""

import platform

NO_LONGER_THAN = "import time; DEADLINE = time.time() + 30\n"
CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def reached(what, result):
    if result >= 0:
        print("ESCAPED", what)
"""
TRY = """
def tried(what, attempt):
    try:
        found = attempt()
    except Exception as error:
        print(what, type(error).__name__)
    else:
        print("ESCAPED", what, str(found)[:80])
"""
X86 = platform.machine() == "x86_64"

HOSTILE = {
    # more than it may take
    "memory": "held = []\nfor _ in range(10):\n    held.append(bytearray(100 * 2**20))\nprint('ESCAPED memory')\n",
    "memory of children": """
import os, time
for _ in range(4):
    if os.fork() == 0:
        held = bytearray(b"x" * (150 * 2**20))
        time.sleep(20)
        os._exit(0)
for _ in range(4):
    os.wait()
print("ESCAPED memory")
""",
    "endless loop": NO_LONGER_THAN + "while time.time() < DEADLINE:\n    pass\nprint('ESCAPED time')\n",
    "sleeping": "import time; time.sleep(30); print('ESCAPED time')\n",
    "stopping itself": "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)\n",
    "ignoring signals": NO_LONGER_THAN
    + """
import signal
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while time.time() < DEADLINE:
    pass
print("ESCAPED time")
""",
    "processor time in children": NO_LONGER_THAN
    + """
import os
for _ in range(8):
    if os.fork() == 0:
        while time.time() < DEADLINE:
            pass
        os._exit(0)
os.wait()
print("ESCAPED time")
""",
    "forks": """
import os, time
made = 0
for _ in range(50):
    try:
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        made += 1
    except OSError:
        break
print("ESCAPED processes" if made >= 16 else "made", made)
""",
    "threads": """
import threading, time
made = 0
try:
    for _ in range(50):
        threading.Thread(target=time.sleep, args=(20,), daemon=True).start()
        made += 1
except RuntimeError:
    pass
print("ESCAPED threads" if made >= 16 else "made", made)
""",
    "zombies": """
import os
made = 0
for _ in range(50):
    try:
        if os.fork() == 0:
            os._exit(0)
        made += 1
    except OSError:
        break
print("ESCAPED processes" if made >= 16 else "made", made)
""",
    "daemon": """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
print("left one behind")
""",
    "full disk": """
written = 0
try:
    for n in range(200):
        with open(f"/work/{n}", "wb") as out:
            out.write(bytes(2**20))
        written += 1
except OSError:
    pass
print("ESCAPED disk" if written > 40 else "written", written)
""",
    "sparse file": TRY + "out = open('/work/x', 'wb')\ntried('size', lambda: out.truncate(10 * 2**30))\n",
    "many files": """
made = 0
try:
    for n in range(20000):
        open(f"/work/{n}", "w").close()
        made += 1
except OSError:
    pass
print("ESCAPED files" if made > 5000 else "made", made)
""",
    "open files": """
held = []
try:
    for _ in range(1000):
        held.append(open("/dev/null"))
except OSError:
    pass
print("ESCAPED" if len(held) > 64 else "opened", len(held))
""",
    "output": "import sys\nfor _ in range(100):\n    sys.stdout.write('x' * 2**20)\nsys.stderr.write('ESCAPED')\n",
    "errors": "import sys\nfor _ in range(100):\n    sys.stderr.write('x' * 2**20)\nprint('ESCAPED')\n",
    "recursion": "import sys\nsys.setrecursionlimit(10**6)\ndef f(n):\n    return f(n + 1) + 1\nf(0)\nprint('ESCAPED')\n",
    "nested data": "x = []\nfor _ in range(10**6):\n    x = [x]\nrepr(x)\nprint('ESCAPED')\n",
    "huge number": "x = 7 ** (10 ** 9)\nprint('ESCAPED')\n",
    "regular expression": "import re\nre.match('(a+)+$', 'a' * 60 + 'b')\nprint('ESCAPED')\n",
    "shared memory": CALL
    + TRY
    + """
import os
for n in range(20):
    found = libc.shmget(0, 50 * 2**20, 0o1600)
    reached("shmget", found)
tried("memfd", lambda: os.memfd_create("x"))
""",
    "raised limits": TRY
    + """
import os, resource
for name in ("AS", "NPROC", "CPU", "FSIZE", "NOFILE"):
    which = getattr(resource, "RLIMIT_" + name)
    tried(name, lambda: resource.setrlimit(which, (2**40, 2**40)))
tried("nice", lambda: os.nice(-10))
""",
    # what is outside
    "canary written": TRY + "tried('write', lambda: open(CANARY, 'w').write('hostile'))\n",
    "canary read": TRY + "tried('read', lambda: open(CANARY).read())\n",
    "canary deleted": TRY + "import os, shutil\ntried('remove', lambda: os.remove(CANARY))\n",
    "symbolic link": TRY
    + """
import os
os.symlink(CANARY, "/work/link")
tried("read", lambda: open("/work/link").read())
tried("write", lambda: open("/work/link", "w").write("hostile"))
os.symlink("/../../../../../.." + CANARY, "/work/up")
tried("up", lambda: open("/work/up").read())
tried("hard link", lambda: os.link("/usr/bin/env", "/work/env"))
""",
    "old root": TRY
    + """
import os
os.chdir("/")
for _ in range(20):
    os.chdir("..")
tried("read", lambda: open("." + CANARY).read())
tried("chroot", lambda: os.chroot("/work"))
""",
    "shell": """
import subprocess
done = subprocess.run(["/bin/sh", "-c", f"cat {CANARY} && echo ESCAPED; echo x > {CANARY} && echo ESCAPED"],
                      capture_output=True, text=True, stdin=subprocess.DEVNULL)
print(done.stdout)
""",
    "exec": "import os\nos.execv('/bin/sh', ['sh', '-c', f'cat {CANARY} && echo ESCAPED'])\n",
    "passwords": TRY
    + """
import glob, os
for path in ("/etc/shadow", "/etc/passwd", "/root/.ssh/id_rsa", "/root/.bashrc", "/home", "/var", "/etc/hostname"):
    tried(path, lambda: os.stat(path))
""",
    "environment": """
import os
found = [name for name, value in os.environ.items() if SECRET in value]
print("ESCAPED environment" if found else "nothing", found)
""",
    "processes outside": TRY
    + """
import os
tried("proc", lambda: os.listdir("/proc"))
tried("sys", lambda: os.listdir("/sys"))
tried("environ", lambda: open("/proc/1/environ").read())
tried("mem", lambda: open("/proc/self/mem", "r+b"))
print("ESCAPED" if os.getpid() > 20 else "own numbers", os.getpid())
""",
    "killing": """
import os, signal
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, signal.SIGSTOP):
    for process in (1, os.getppid(), *range(3, 400)):
        try:
            os.kill(process, number)
        except OSError:
            pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(-1, signal.SIGTERM)
os.killpg(0, signal.SIGTERM)
print("still here")
""",
    "loopback": TRY
    + """
import socket
tried("connect", lambda: socket.create_connection(("127.0.0.1", PORT), timeout=2))
tried("connect 6", lambda: socket.create_connection(("::1", PORT), timeout=2))
tried("datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", PORT)))
""",
    "sockets": TRY
    + """
import socket
for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG", "AF_BLUETOOTH"):
    if hasattr(socket, family):
        tried(family, lambda: socket.socket(getattr(socket, family), socket.SOCK_RAW))
""",
    "abstract socket": TRY
    + """
import socket
tried("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0" + ABSTRACT))
""",
    "name lookup": TRY + "import socket\ntried('name', lambda: socket.getaddrinfo('example.com', 80))\n",
    # rights
    "other users": TRY
    + """
import os
tried("setuid", lambda: os.setuid(0))
tried("setgid", lambda: os.setgid(0))
tried("setgroups", lambda: os.setgroups([0]))
tried("setresuid", lambda: os.setresuid(1000, 1000, 1000))
tried("chown", lambda: (open("/work/x", "w").close(), os.chown("/work/x", 0, 0)))
""",
    "set-user-id program": """
import os, shutil, stat, subprocess
for name in ("su", "mount", "passwd", "sudo", "newgrp", "chsh"):
    place = shutil.which(name)
    if place and os.stat(place).st_mode & stat.S_ISUID:
        done = subprocess.run(["/bin/sh", "-c", f"{place} --version; id -u"], capture_output=True, stdin=subprocess.DEVNULL)
        print("ESCAPED" if done.stdout.split()[-1:] == [b"0"] else "no rights", name)
""",
    "tracing": CALL
    + """
for request, process in ((16, 1), (0x4206, 1), (16, 3), (0, 0)):
    reached("ptrace", libc.ptrace(request, process, 0, 0))
reached("memory of others", libc.process_vm_readv(1, 0, 0, 0, 0, 0))
""",
    "mounts": CALL
    + """
reached("tmpfs", libc.mount(b"tmpfs", b"/work", b"tmpfs", 0, b""))
reached("proc", libc.mount(b"proc", b"/work", b"proc", 0, b""))
reached("writable", libc.mount(b"none", b"/usr", b"none", 0x20 | 0x1000, b""))
reached("umount", libc.umount2(b"/usr", 2))
reached("pivot_root", libc.syscall(155, b"/work", b"/work"))
""",
    "namespaces": CALL
    + """
for flag in (0x10000000, 0x20000000, 0x40000000, 0x00020000):
    reached("unshare", libc.unshare(flag))
    reached("clone", libc.syscall(56, flag | 17, 0, 0, 0, 0))
reached("setns", libc.setns(0, 0))
""",
    "kernel": CALL
    + """
import os
numbers = {"bpf": 321, "perf": 298, "userfaultfd": 323, "io_uring": 425, "keyctl": 250, "add_key": 248, "module": 175,
           "kexec": 246, "reboot": 169, "swapon": 167, "syslog": 103, "settime": 227, "fsopen": 430, "handle": 304}
if os.uname().machine == "x86_64":
    for name, number in numbers.items():
        reached(name, libc.syscall(number, 0, 0, 0, 0, 0))
""",
    "devices": TRY
    + """
import os, stat
tried("node", lambda: os.mknod("/work/node", stat.S_IFBLK | 0o600, os.makedev(254, 0)))
for name in ("mem", "kmem", "vda", "sda", "kvm", "fuse", "tty", "ptmx", "console"):
    tried(name, lambda: os.open("/dev/" + name, os.O_RDWR))
""",
    "read only": TRY
    + """
import os, sys
for place in ("/usr/x", "/bin/x", "/x", "/program/x", "/dev/x", "/etc/x", os.path.dirname(os.__file__) + "/x.py"):
    tried(place, lambda: open(place, "w"))
tried("main", lambda: open("/program/main.py", "a"))
tried("chmod", lambda: os.chmod("/usr", 0o777))
""",
    "inherited descriptors": """
import os
for descriptor in range(3, 256):
    try:
        os.fstat(descriptor)
        print("ESCAPED descriptor", descriptor)
    except OSError:
        pass
""",
    "closed descriptors": "import os\nos.closerange(0, 256)\nfor _ in range(3):\n    os.open('/dev/null', os.O_RDWR)\n",
    "terminal": """
import fcntl, termios
for descriptor in range(3):
    try:
        fcntl.ioctl(descriptor, termios.TIOCSTI, b"x")
        print("ESCAPED terminal")
    except OSError:
        pass
""",
    "patched modules": """
import builtins, os, sys
os._exit = sys.exit = lambda *_: None
builtins.print = builtins.open = builtins.__import__ = None
sys.modules.clear()
""",
}
if X86:
    HOSTILE["another calling convention"] = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(b"\\xb8\\x14\\x00\\x00\\x00\\xcd\\x80\\xc3")  # mov eax, 20 (getpid of 32 bits); int 0x80; ret
call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
print("ESCAPED", call())
"""

ENDS = {
    "memory": "out_of_memory", "memory of children": "out_of_memory", "endless loop": "timed_out", "sleeping": "timed_out",
    "stopping itself": "timed_out", "ignoring signals": "timed_out", "processor time in children": "timed_out",
    "output": "too_much_output", "errors": "too_much_output", "regular expression": "timed_out",
    "another calling convention": "crashed", "exec": "crashed",
}  # fmt: skip
"""How programs end that do not come to their own end."""
