"""What every `Admission` promises."""

from __future__ import annotations

import asyncio

from orchestrator_kernel.ports import Admission, AdmissionRequest


def request(client: str = "c1", cost: int = 1) -> AdmissionRequest:
    return AdmissionRequest(route="/v1/things/{id}", client=client, cost=cost)


class AdmissionContract:
    """Subclass; return an admission that lets `limit` requests of one client through, in a window that outlasts the test."""

    limit = 5

    def make(self) -> Admission:
        raise AssertionError("return the admission under test")

    async def test_admits_up_to_the_limit_and_says_when_to_come_back(self) -> None:
        admission = self.make()
        decisions = [await admission.admit(request()) for _ in range(self.limit + 2)]
        assert [decision.allowed for decision in decisions] == [True] * self.limit + [False] * 2
        assert [decision.remaining for decision in decisions[: self.limit]] == list(range(self.limit - 1, -1, -1))
        assert decisions[-1].retry_after > 0
        assert decisions[-1].limit == self.limit

    async def test_clients_do_not_share_a_limit(self) -> None:
        admission = self.make()
        for _ in range(self.limit + 1):
            await admission.admit(request("greedy"))
        assert (await admission.admit(request("patient"))).allowed

    async def test_a_refused_request_costs_nothing(self) -> None:
        admission = self.make()
        assert not (await admission.admit(request(cost=self.limit + 1))).allowed
        assert (await admission.admit(request(cost=self.limit))).allowed

    async def test_many_tasks_together_get_no_more_than_the_limit(self) -> None:
        admission = self.make()
        decisions = await asyncio.gather(*[admission.admit(request()) for _ in range(self.limit * 4)])
        assert sum(decision.allowed for decision in decisions) == self.limit
