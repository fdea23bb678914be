"""What Prometheus would read from the processes of a stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.e2e.stack import Stack


class Scrape:
    """Every sample of one process at one moment."""

    def __init__(self, text: str) -> None:
        self.families = {item.name: item for item in text_string_to_metric_families(text)}
        self.samples: list[Sample] = [
            sample for family in self.families.values() for sample in family.samples
        ]

    def of(self, name: str, **labels: str) -> list[Sample]:
        """The samples of that name that have these labels, among others."""
        return [
            sample
            for sample in self.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]

    def sum(self, name: str, **labels: str) -> float:
        """What they add up to. Fails if there is none."""
        found = self.of(name, **labels)
        assert found, f"there is no {name} with {labels}"
        return sum(sample.value for sample in found)

    def by(self, label: str, name: str, **labels: str) -> dict[str, float]:
        """The value of each sample by one of its labels; those that are 0 are left out."""
        found = self.of(name, **labels)
        return {item.labels.get(label, ""): item.value for item in found if item.value}

    @property
    def series(self) -> int:
        """How many series a Prometheus would keep."""
        return len(self.samples)


async def scrape(stack: Stack) -> dict[str, Scrape]:
    """All processes, by name, at the addresses that `qrpay status` tells."""
    processes: list[dict[str, Any]] = (await stack.status())["processes"]
    async with httpx.AsyncClient(timeout=30) as client:
        answers = await asyncio.gather(
            *(client.get(f"{process['admin']}/metrics") for process in processes)
        )
    for answer in answers:
        assert answer.status_code == 200, answer.text
    names = [process["name"] for process in processes]
    return {name: Scrape(answer.text) for name, answer in zip(names, answers, strict=True)}


async def scrape_until(
    stack: Stack, condition: Callable[[dict[str, Scrape]], bool]
) -> dict[str, Scrape]:
    """Scrape until that is true of it. Raises TimeoutError."""
    async with asyncio.timeout(60):
        while not condition(found := await scrape(stack)):  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(0.3)
    return found
