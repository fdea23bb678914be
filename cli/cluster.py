"""A Kubernetes cluster, as kubectl shows and changes it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

from embedded.errors import StackError

ZONE_LABEL = "topology.kubernetes.io/zone"
_REQUEST_SECONDS = 20
_COMMAND_SECONDS_MAX = 60.0
_DELETE_GRACE_SECONDS = 1
"""The shortest that still waits for the kubelet's word that the pod is gone: nothing runs twice."""


class Node(NamedTuple):
    """A node of the cluster."""

    name: str
    zone: str
    is_cordoned: bool


class Pod(NamedTuple):
    """A pod and where it runs."""

    name: str
    namespace: str
    node: str
    is_ready: bool


class Cluster:
    """The cluster of one kubectl context."""

    def __init__(self, *, context: str = "") -> None:
        """``context``: empty is the current one. Raises ``StackError`` without kubectl."""
        program = shutil.which("kubectl")
        if program is None:
            raise StackError("kubectl is not installed, or not on the PATH")
        self._command = [program, f"--request-timeout={_REQUEST_SECONDS}s"]
        if context:
            self._command.append(f"--context={context}")

    async def nodes(self) -> list[Node]:
        """All nodes, with their zones."""
        return [
            Node(
                item["metadata"]["name"],
                item["metadata"].get("labels", {}).get(ZONE_LABEL, ""),
                bool(item["spec"].get("unschedulable")),
            )
            for item in await self._items("get", "nodes")
        ]

    async def pods(self, namespace: str) -> list[Pod]:
        """The pods of a namespace that were given a node and are meant to run for ever."""
        return [
            Pod(item["metadata"]["name"], namespace, item["spec"]["nodeName"], _is_ready(item))
            for item in await self._items("get", "pods", "--namespace", namespace)
            if item["spec"].get("nodeName")
            and item["status"].get("phase") not in ("Succeeded", "Failed")
        ]

    async def cordon(self, nodes: Sequence[str]) -> None:
        """Let nothing new start on these nodes."""
        await self._run("cordon", *nodes)

    async def uncordon(self, nodes: Sequence[str]) -> None:
        """Let things start on these nodes again."""
        await self._run("uncordon", *nodes)

    async def delete(self, pods: Sequence[Pod]) -> None:
        """End pods at once: SIGKILL a second after SIGTERM, and no eviction that waits for a
        disruption budget."""
        for namespace in sorted({pod.namespace for pod in pods}):
            names = [pod.name for pod in pods if pod.namespace == namespace]
            await self._run(
                *("delete", "pods", "--namespace", namespace, "--wait=false"),
                *(f"--grace-period={_DELETE_GRACE_SECONDS}", *names),
            )

    async def _items(self, *words: str) -> list[dict[str, Any]]:
        answer = json.loads(await self._run(*words, "--output=json"))
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def _run(self, *words: str) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *words,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            process_group=0,  # a terminal's Ctrl-C is for us: what is under way is undone
        )
        try:
            async with asyncio.timeout(_COMMAND_SECONDS_MAX):
                output, errors = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
            raise
        if process.returncode != 0:
            text = errors.decode(errors="replace").strip()
            raise StackError(f"kubectl {words[0]} failed: {text}")
        return output


def _is_ready(item: dict[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in item["status"].get("conditions", ())
    )
