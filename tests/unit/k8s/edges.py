"""Who may reach whom, computed from network policies: an edge is allowed if the one side's policy
lets it out and the other side's lets it in."""

from __future__ import annotations

from tests.unit.k8s.manifests import NAME, Object, Objects, labels_of, pod_of, selects

Edge = tuple[str, str, int]
"""From, to, port."""


def nodes(objects: Objects) -> dict[str, dict[str, str]]:
    """Labels of the pods of every process and engine, by name; those of operators' making too."""
    found = {}
    for workload in objects.workloads():
        labels = labels_of(workload)
        found[_node(labels)] = labels
    for cluster in objects.of_kind("Cluster"):
        labels = cluster["spec"]["inheritedMetadata"]["labels"]
        found[_node(labels)] = labels
    found.setdefault("nats", {"qrpay.io/engine": "nats"})  # of its chart
    return found


def _node(labels: dict[str, str]) -> str:
    if "qrpay.io/database" in labels:
        return labels["qrpay.io/database"] + " database"
    return labels.get(NAME) or labels["qrpay.io/engine"]


def allowed_edges(objects: Objects) -> set[Edge]:
    """Every edge inside the namespace: both sides allow it."""
    going, coming = half_edges(objects)
    return going & coming


def half_edges(objects: Objects) -> tuple[set[Edge], set[Edge]]:
    """What the policies of those who call let out, and those of who is called let in."""
    policies = objects.of_kind("NetworkPolicy")
    places = nodes(objects)
    out = {name: _rules(policies, labels, "Egress") for name, labels in places.items()}
    into = {name: _rules(policies, labels, "Ingress") for name, labels in places.items()}
    pairs = [(source, target) for source in places for target in places]
    return (
        {(a, b, port) for a, b in pairs for port in _ports(out[a], places[b])},
        {(a, b, port) for a, b in pairs for port in _ports(into[b], places[a])},
    )


def outside_edges(objects: Objects) -> set[tuple[str, str, int]]:
    """What leaves the namespace or comes into it: pod, the other side's description, port."""
    found = set()
    for name, labels in nodes(objects).items():
        for direction, sign in (("Egress", "to"), ("Ingress", "from")):
            for peers, ports in _rules(objects.of_kind("NetworkPolicy"), labels, direction):
                for peer in peers:
                    if "namespaceSelector" in peer or "ipBlock" in peer:
                        found |= {(name, f"{sign} {_describe(peer)}", port) for port in ports}
    return found


def _describe(peer: Object) -> str:
    if "ipBlock" in peer:
        return "outside"
    [(key, value)] = peer["namespaceSelector"]["matchLabels"].items()
    return f"{key.rpartition('/')[2]}={value}"


def _rules(
    policies: list[Object], labels: dict[str, str], direction: str
) -> list[tuple[list[Object], set[int]]]:
    """Peers and ports of every rule that applies to these pods; nothing is allowed without one."""
    peers = "to" if direction == "Egress" else "from"
    mine = [
        policy["spec"]
        for policy in policies
        if direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], labels)
    ]
    assert mine, f"no policy denies anything to {labels}"
    found = []
    for spec in mine:
        for rule in spec.get(direction.lower(), []):
            assert rule.get(peers), "a rule without peers allows everybody"
            assert rule.get("ports"), "a rule without ports allows all"
            found.append((rule[peers], {port["port"] for port in rule["ports"]}))
    return found


def _ports(rules: list[tuple[list[Object], set[int]]], labels: dict[str, str]) -> set[int]:
    found: set[int] = set()
    for peers, ports in rules:
        if any(
            set(peer) == {"podSelector"} and selects(peer["podSelector"], labels) for peer in peers
        ):
            found |= ports
    return found


def listening(workload: Object) -> set[int]:
    """The ports of its pods' one container."""
    [container] = pod_of(workload)["spec"]["containers"]
    return {port["containerPort"] for port in container.get("ports", [])}
