"""The programs that make load, compiled where they have changed."""

import os
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = {"upstream": [], "crowd": [], "handshake": ["-lssl", "-lcrypto"]}


def build_tools(to):
    to.mkdir(parents=True, exist_ok=True)
    for name, libraries in TOOLS.items():
        source, program = HERE / f"{name}.c", to / name
        if program.exists() and \
                program.stat().st_mtime > source.stat().st_mtime:
            continue
        subprocess.run([*os.environ.get("CC", "cc").split(), "-std=c11", "-O2",
                        "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra",
                        "-o", program, source, *libraries], check=True)
