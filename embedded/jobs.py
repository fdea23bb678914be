"""Work that is done once, in a process of its own that ends with it.

It needs libraries (PostgreSQL's driver, gRPC, cryptography) that the supervisor would carry in its
memory for as long as it runs. A job writes its result to standard output, or one sentence about why
it could not be done; what else it has to say goes to its log.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from embedded.child import describe_exit, inherited_environment, last_lines, open_log
from embedded.errors import StackError, StartFailed
from embedded.layout import Layout, show_path
from embedded.privileges import AS_IS, launch_arguments

_REFUSED = 3
"""Exit status of a job that wrote its sentence."""


async def run_job(
    layout: Layout, module: str, *, environment: Mapping[str, str] | None = None
) -> bytes:
    """Run `python -m module DATA` to its end and answer what it wrote.

    Raises StartFailed with its sentence, or with the end of its log if it had none.
    """
    name = module.rpartition(".")[2]
    log_file = layout.log_file(name)
    with open_log(log_file) as log:
        process = await asyncio.create_subprocess_exec(
            *launch_arguments(
                (sys.executable, "-P", "-m", module, str(layout.root)),
                directory=layout.root,
                privilege=AS_IS,
                death_signal=signal.SIGKILL,
            ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**inherited_environment(), **(environment or {})},
            process_group=0,
        )
    try:
        output, _ = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    status = process.returncode or 0
    if status == _REFUSED:
        raise StartFailed(output.decode(errors="replace").strip())
    if status != 0:
        tail = last_lines(log_file)
        raise StartFailed(
            f"{name} {describe_exit(status)}; its log is {show_path(log_file)}\n{tail}"
        )
    return output


def job_main(work: Callable[[Layout], bytes]) -> None:
    """Be a job: do the work on the data directory of the command line and write its result."""
    try:
        output = work(Layout(Path(sys.argv[1])))
    except StackError as error:
        sys.stdout.write(str(error))
        sys.exit(_REFUSED)
    sys.stdout.buffer.write(output)
